/** What a sync that failed should have made last is synced before it is told to last. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { type SimFileSystem, SimRandom } from '#targets/sim/index';
import type { RefUpdate } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';
import { must } from '../test-must.ts';
import type { DiskBackend } from './disk-backend.ts';
import { PACKED_OBJECTS_MIN } from './limits.ts';
import { blobObject, commitObjects, openTest, simRepository } from './test-repository.ts';

const MAIN = 'refs/heads/main';
const DEEP = 'refs/heads/deep/er/branch';
const SEEDS = 6;

type Refs = ReadonlyMap<string, ObjectId | null>;

/** Whatever a crash may do to it, these refs are there, and what they name. */
async function expectLasting(files: SimFileSystem, refs: Refs, where: string): Promise<void> {
  for (let seed = 0; seed < SEEDS; seed++) {
    const backend = openTest(files.crashed(new SimRandom(seed)));
    for (const [name, id] of refs) {
      const ref = must(await backend.readRef(name));
      assert.equal(ref?.id ?? null, id, `${where}, seed ${seed}: ${name}`);
      if (id === null) continue;
      const all = commitObjects(id === ONE ? 'one' : 'two', id === ONE ? [] : [ONE]);
      for (const object of all) {
        const read = await backend.readObject(object.id);
        assert.ok(read.ok && read.value !== null, `${where}, seed ${seed}: ${object.kind}`);
      }
    }
    await backend.close();
  }
}

const ONE = commitObjects('one', []).at(-1)!.id;
const TWO = commitObjects('two', [ONE]).at(-1)!.id;

/** Each what is done, and what is told to be there then. */
const CASES: readonly (readonly [string, readonly RefUpdate[], Refs])[] = [
  ['set', [{ name: MAIN, from: 'any', to: TWO }], new Map([[MAIN, TWO]])],
  ['made', [{ name: DEEP, from: 'any', to: TWO }], new Map([[DEEP, TWO]])],
  ['removed', [{ name: MAIN, from: 'any', to: null }], new Map([[MAIN, null]])],
  [
    'several',
    [
      { name: MAIN, from: 'any', to: null },
      { name: DEEP, from: 'any', to: TWO },
    ],
    new Map([
      [MAIN, null],
      [DEEP, TWO],
    ]),
  ],
];

/** Two of one directory, tried again together or one by one. */
const TWINS: readonly RefUpdate[] = [
  { name: MAIN, from: 'any', to: null },
  { name: 'refs/heads/twin', from: 'any', to: TWO },
];
const TWINS_ARE: Refs = new Map(TWINS.map(({ name, to }) => [name, to]));

async function start(): Promise<{ files: SimFileSystem; backend: DiskBackend }> {
  const files = simRepository(7);
  const backend = openTest(files, 5);
  must(await backend.writeObjects(commitObjects('one', [])));
  must(await backend.updateRefs([{ name: MAIN, from: null, to: ONE }], 'test'));
  return { files, backend };
}

for (const [name, updates, refs] of CASES) {
  test(`a ref ${name}, any step failing once › tried again › told to last, and lasts`, async () => {
    let failures = 0;
    for (let step = 1; ; step++) {
      const { files, backend } = await start();
      must(await backend.writeObjects(commitObjects('two', [ONE])));
      files.failAt = files.steps + step;
      const first = await backend.updateRefs(updates, 'test');
      if (files.steps < files.failAt) break;
      if (!first.ok) failures++;
      files.failAt = Number.POSITIVE_INFINITY;
      if (!first.ok) must(await backend.updateRefs(updates, 'test'));
      await expectLasting(files, refs, `step ${step}`);
    }
    assert.ok(failures > 3, `${failures} failures`);
  });
}

for (const parts of [[TWINS], TWINS.map((update) => [update])]) {
  test(`two refs, any step failing once › set again in ${parts.length} › they last`, async () => {
    for (let step = 1; ; step++) {
      const { files, backend } = await start();
      must(await backend.writeObjects(commitObjects('two', [ONE])));
      // Else their directories would be new, and synced with all that they lie in.
      must(await backend.updateRefs([{ name: MAIN, from: 'any', to: TWO }], 'test'));
      files.failAt = files.steps + step;
      const first = await backend.updateRefs(TWINS, 'test');
      if (files.steps < files.failAt) break;
      files.failAt = Number.POSITIVE_INFINITY;
      for (const part of first.ok ? [] : parts) must(await backend.updateRefs(part, 'test'));
      await expectLasting(files, TWINS_ARE, `step ${step}`);
    }
  });
}

test('directories of a ref that others removed › set again, power lost › it is there', async () => {
  const { files, backend } = await start();
  must(await backend.updateRefs([{ name: DEEP, from: null, to: ONE }], 'test'));
  must(await backend.writeObjects(commitObjects('two', [ONE])));
  // As `git pack-refs --all` does it.
  const packed = must(files.open('packed-refs', 'new'));
  must(
    packed.append(Buffer.from(`# pack-refs with: peeled fully-peeled sorted \n${ONE} ${DEEP}\n`)),
  );
  must(packed.sync());
  packed.close();
  must(files.remove(DEEP));
  must(files.syncDirectory('refs/heads/deep/er'));
  must(files.removeDirectory('refs/heads/deep/er'));
  must(files.removeDirectory('refs/heads/deep'));
  must(files.syncDirectory('refs/heads'));
  must(files.syncDirectory(''));
  must(await backend.updateRefs([{ name: DEEP, from: ONE, to: TWO }], 'test'));
  await expectLasting(files, new Map([[DEEP, TWO]]), 'packed');
});

test('objects that came as a pack, few or many › a ref names one, power lost › they are there', async () => {
  const { files, backend } = await start();
  const many = Array.from({ length: 2 * PACKED_OBJECTS_MIN }, (_, i) => blobObject(`many ${i}`));
  const rename = files.rename.bind(files);
  files.rename = (from, to) => {
    // Whoever finds an index reads the pack.
    const isPack = to.endsWith('.idx');
    if (isPack) assert.ok(must(files.stat(to.replace('.idx', '.pack'))) !== null);
    return rename(from, to);
  };
  must(await backend.writeObjects(many));
  const updates = [{ name: 'refs/tags/many', from: null, to: many[0]!.id }];
  must(await backend.updateRefs(updates, 'test'));
  for (let seed = 0; seed < SEEDS; seed++) {
    const back = openTest(files.crashed(new SimRandom(seed)));
    assert.equal(must(await back.readRef('refs/tags/many'))?.id, many[0]!.id);
    for (const { id } of many) assert.ok(must(await back.readObject(id)) !== null, `seed ${seed}`);
  }
});

test('HEAD › set, power lost › names the branch that was told', async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const { files, backend } = await start();
    must(await backend.setHead(DEEP));
    const back = openTest(files.crashed(new SimRandom(seed)));
    assert.deepEqual(must(await back.readRef('HEAD')), { symbolic: DEEP });
  }
});
