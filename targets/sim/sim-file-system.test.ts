import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeNewFile } from '#device';
import { fileSystemCases } from '#device/conformance';
import { SimCrash, SimFileSystem, SimRandom } from './index.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const disk = (seed: number) => new SimFileSystem(new SimRandom(seed));

/** What each file holds after a crash, as text; drawn many times. */
function outcomes(prepare: (files: SimFileSystem) => void): Set<string> {
  const seen = new Set<string>();
  for (let seed = 0; seed < 400; seed++) {
    const files = disk(seed);
    prepare(files);
    const left = [...files.crashed(new SimRandom(seed + 1_000)).contents()];
    const shown = left.map(
      ({ path, bytes }) => `${path}=${bytes === null ? '/' : Buffer.from(bytes).toString()}`,
    );
    seen.add(shown.sort().join(' '));
  }
  return seen;
}

for (const { name, run } of fileSystemCases) {
  test(`simulated › ${name}`, async () => {
    const files = disk(1);
    await run(files, () => Promise.resolve());
    assert.equal(files.openCount, 0, 'everything was closed');
  });
}

test('nothing synced › after a crash anything of it may be there', () => {
  const seen = outcomes((files) => writeNewFile(files, 'a', bytesOf('xy')));
  for (const want of ['', 'a=', 'a=x', 'a=xy', 'a=x\0', 'a=\0\0']) assert.ok(seen.has(want), want);
});

test('the file synced, not its directory › the name may be lost, the bytes never', () => {
  const seen = outcomes((files) => {
    const file = files.open('a', 'new');
    assert.ok(file.ok && file.value.append(bytesOf('xy')).ok && file.value.sync().ok);
  });
  assert.deepEqual([...seen].sort(), ['', 'a=xy']);
});

test('the directory synced, not the file › the name is there, the bytes maybe', () => {
  const seen = outcomes((files) => {
    writeNewFile(files, 'a', bytesOf('xy'));
    files.syncDirectory('');
  });
  assert.ok(!seen.has('') && seen.has('a=') && seen.has('a=xy'));
});

test('both synced › all there; a directory below an unsynced one › lost with it', () => {
  const write = (files: SimFileSystem, path: string) => {
    const file = files.open(path, 'sealed');
    assert.ok(file.ok && file.value.append(bytesOf('xy')).ok && file.value.sync().ok);
  };
  const both = outcomes((files) => {
    write(files, 'a');
    files.syncDirectory('');
  });
  assert.deepEqual([...both], ['a=xy']);
  const below = outcomes((files) => {
    files.makeDirectory('d');
    write(files, 'd/a');
    files.syncDirectory('d');
  });
  assert.deepEqual([...below].sort(), ['', 'd/a=xy d=/']);
});

test('renames › within a directory all or nothing; between two never without a name', () => {
  const written = (files: SimFileSystem) => {
    const file = files.open('a', 'new');
    assert.ok(file.ok && file.value.append(bytesOf('1')).ok && file.value.sync().ok);
    files.makeDirectory('d');
    files.syncDirectory('');
  };
  const within = outcomes((files) => {
    written(files);
    files.rename('a', 'b');
  });
  assert.deepEqual([...within].sort(), ['a=1 d=/', 'b=1 d=/']);
  const between = outcomes((files) => {
    written(files);
    files.rename('a', 'd/a');
  });
  assert.deepEqual([...between].sort(), ['a=1 d/a=1 d=/', 'a=1 d=/', 'd/a=1 d=/']);
});

test('changes of one directory › each kept or lost by itself', () => {
  const seen = outcomes((files) => {
    for (const name of ['a', 'b']) {
      const file = files.open(name, 'new');
      assert.ok(file.ok);
    }
  });
  assert.deepEqual([...seen].sort(), ['', 'a=', 'a= b=', 'b=']);
});

test('the step that was asked for › crashes there, and so does all that follows', () => {
  const files = disk(3);
  files.crashAt = 2;
  assert.ok(files.makeDirectory('a').ok && files.makeDirectory('b').ok);
  assert.throws(() => files.makeDirectory('c'), SimCrash);
  assert.throws(() => files.readFile('a', 1), SimCrash);
  assert.throws(() => files.list(''), SimCrash);
});

test('failing, full › errors, not crashes', () => {
  const files = disk(4);
  files.capacityBytes = 3;
  assert.ok(writeNewFile(files, 'a', bytesOf('abc')).ok);
  const full = writeNewFile(files, 'b', bytesOf('d'));
  assert.deepEqual(full, { ok: false, error: { kind: 'full', path: 'b' } });
  files.failure = 'EIO';
  const failed = files.makeDirectory('d');
  assert.deepEqual(failed, { ok: false, error: { kind: 'device', path: 'd', code: 'EIO' } });
});
