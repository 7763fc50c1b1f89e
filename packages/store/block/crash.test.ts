/**
 * Power lost at every write, in every way that the simulated disk knows; then opened again. More
 * ways: `node packages/store/block/crash.test.ts --seeds=20`.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NamedObject } from '#git';
import type { SimBlockDevice } from '#targets/sim/index';
import { BlockBackend } from './block-backend.ts';
import { blob, commit, format, mustRead, noise, partsOf, simDisk, tree } from './test-store.ts';

const SMALL = { bytes: 600 * 512 };
const SEEDS = Number(process.argv.find((arg) => arg.startsWith('--seeds='))?.slice(8) ?? 1);

const DRAWS = 2;

/** A commit: what is written, and where the branch is then. */
interface Step {
  readonly objects: readonly NamedObject[];
  readonly head: NamedObject;
}

function history(count: number): Step[] {
  const steps: Step[] = [];
  let files: (readonly [string, NamedObject])[] = [];
  for (let i = 0; i < count; i++) {
    const file = i % 5 === 4 ? noise(9_000, i) : blob(`content ${i}`);
    files = [...files.filter(([name]) => name !== `f${i % 4}`), [`f${i % 4}`, file] as const];
    files.sort(([a], [b]) => (a < b ? -1 : 1));
    const root = tree(...files);
    const parents = steps.length === 0 ? [] : [steps.at(-1)!.head];
    const head = commit(root, parents, `commit ${i}\n`);
    steps.push({ objects: [file, root, head], head });
  }
  return steps;
}

const parts = (disk: SimBlockDevice) => ({ ...partsOf(disk), tailObjectsMax: 8 });

async function reopen(disk: SimBlockDevice): Promise<BlockBackend> {
  const opened = await BlockBackend.open(parts(disk));
  assert.ok(opened.ok, JSON.stringify(opened));
  opened.value.checkInvariants();
  return opened.value;
}

/** Commits until something fails; how many were acknowledged. */
async function run(store: BlockBackend, steps: readonly Step[], from: number): Promise<number> {
  for (let i = from; i < steps.length; i++) {
    const { objects, head } = steps[i]!;
    const written = await store.writeObjects(objects);
    if (!written.ok) return i;
    const updates = [{ name: 'refs/heads/main', from: steps[i - 1]?.head.id ?? null, to: head.id }];
    if (!(await store.updateRefs(updates, 'commit')).ok) return i;
  }
  return steps.length;
}

/** How many commits there are; each must be whole. */
async function committed(store: BlockBackend, steps: readonly Step[]): Promise<number> {
  const ref = await store.readRef('refs/heads/main');
  assert.ok(ref.ok);
  if (ref.value === null) return 0;
  const count = 1 + steps.findIndex(({ head }) => head.id === ref.value?.id);
  assert.ok(count > 0, 'the branch is at a commit of the history');
  for (const { objects } of steps.slice(0, count)) {
    for (const object of objects) await mustRead(store, object);
  }
  return count;
}

/** More of what one loss of power may leave, which costs no run. */
async function expectDraws(
  disk: SimBlockDevice,
  steps: readonly Step[],
  acknowledged: number,
): Promise<void> {
  for (let draw = 0; draw < DRAWS; draw++) {
    const store = await reopen(simDisk({ image: disk.crash(1_000 + draw) }));
    const count = await committed(store, steps);
    assert.ok(count === acknowledged || count === acknowledged + 1, `draw ${draw}`);
  }
}

test('a commit › power lost at any write › the last acknowledged commit is there, whole', async () => {
  const steps = history(10);
  const blank = simDisk(SMALL);
  await format(blank);
  const image = blank.crash(0);
  const dry = simDisk({ image: image.slice() });
  assert.equal(await run(await reopen(dry), steps, 0), steps.length);
  assert.ok(dry.changes > 25, `${dry.changes} changes`);
  for (let at = 0; at < dry.changes; at++) {
    for (let seed = 0; seed < SEEDS; seed++) {
      const disk = simDisk({ image: image.slice() });
      disk.powerFailsAt = at;
      const opened = await BlockBackend.open(parts(disk));
      const acknowledged = opened.ok ? await run(opened.value, steps, 0) : 0;
      const second = simDisk({ image: disk.crash(1 + at * SEEDS + seed) });
      const store = await reopen(second);
      const count = await committed(store, steps);
      const where = `change ${at}, seed ${seed}: ${count} of ${acknowledged}`;
      assert.ok(count === acknowledged || count === acknowledged + 1, where);
      await expectDraws(disk, steps, acknowledged);
      if (at % 3 !== 0) continue;
      // And once more, from there.
      second.powerFailsAt = second.changes + (at % 7);
      const more = await run(store, steps, count);
      const third = await reopen(simDisk({ image: second.crash(seed) }));
      const last = await committed(third, steps);
      assert.ok(last === more || last === more + 1, `${where}; then ${last} of ${more}`);
    }
  }
});

test('a disk whose flush lies › power lost › old or new, or an error, never wrong', async () => {
  const steps = history(12);
  for (let seed = 0; seed < 8; seed++) {
    const disk = simDisk({ ...SMALL, flushLies: true });
    await format(disk);
    await run(await reopen(disk), steps, 0);
    const opened = await BlockBackend.open(parts(simDisk({ image: disk.crash(seed) })));
    if (!opened.ok) continue;
    const ref = await opened.value.readRef('refs/heads/main');
    assert.ok(ref.ok);
    for (const object of steps.flatMap(({ objects }) => objects)) {
      const read = await opened.value.readObject(object.id);
      if (!read.ok || read.value === null) continue;
      assert.ok(Buffer.from(read.value.bytes).equals(object.bytes), 'as it was written');
    }
  }
});

/** Commits from `from` on while a collection runs; how many were acknowledged. */
async function runCollecting(
  store: BlockBackend,
  steps: readonly Step[],
  from: number,
): Promise<number> {
  const running = store.collect();
  const acknowledged = await run(store, steps, from);
  await running.done;
  return acknowledged;
}

test('a collection › power lost at any write › the last acknowledged commit is there, whole', async () => {
  const steps = history(16);
  const first = simDisk({ bytes: 1 << 19 });
  await format(first);
  const before = await reopen(first);
  assert.equal(await run(before, steps, 0), steps.length);
  await before.writeObjects([noise(30_000, 77)]);
  await before.close();
  // As it was at commit 10: the last ones are committed while the collection runs.
  const reset = await reopen(first);
  const updates = [{ name: 'refs/heads/main', from: 'any' as const, to: steps[9]!.head.id }];
  assert.ok((await reset.updateRefs(updates, 'back')).ok);
  await reset.close();
  const image = first.crash(0);
  const dry = simDisk({ image: image.slice() });
  const whole = await reopen(dry);
  assert.equal(await runCollecting(whole, steps, 10), 16);
  assert.equal(whole.stats().counters.collections, 1);
  for (let run = 0; run < dry.changes * SEEDS; run++) {
    const at = run % dry.changes;
    const disk = simDisk({ image: image.slice() });
    disk.powerFailsAt = at;
    const opened = await BlockBackend.open(parts(disk));
    const acknowledged = opened.ok ? await runCollecting(opened.value, steps, 10) : 10;
    const second = simDisk({ image: disk.crash(1 + run) });
    const store = await reopen(second);
    const count = await committed(store, steps);
    assert.ok(
      count === acknowledged || count === acknowledged + 1,
      `change ${at}, seed ${1 + run}: ${count} of ${acknowledged}`,
    );
    if (at % 3 !== 0) continue;
    // And a collection that nothing stops.
    assert.equal(await runCollecting(store, steps, count), steps.length);
    assert.equal(await committed(await reopen(second), steps), steps.length);
  }
});
