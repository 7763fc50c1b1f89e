import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileSystemCases } from '#device/conformance';
import { NodeFileSystem } from './file-system.ts';

const home = mkdtempSync(path.join(tmpdir(), 'morgana-files-'));
after(() => rmSync(home, { recursive: true }));
let made = 0;
function rig() {
  const root = path.join(home, String(made++), 'root');
  mkdirSync(root, { recursive: true });
  return { root, above: path.dirname(root), files: new NodeFileSystem(root) };
}

/** The kernel tells of changes within a millisecond or so; that it tells nothing has no event. */
async function settle(isDone?: () => boolean): Promise<void> {
  if (isDone === undefined) return wait(50);
  for (let tries = 0; tries < 500 && !isDone(); tries++) await wait(4);
}

for (const { name, run } of fileSystemCases) {
  test(`host › ${name}`, async () => {
    await run(rig().files, settle);
  });
}

test('no directory at the root › Node’s error', () => {
  assert.throws(() => new NodeFileSystem(path.join(home, 'none')), { code: 'ENOENT' });
});

test('links inside of the root › followed; a root behind a link works', () => {
  const { root, above, files } = rig();
  mkdirSync(path.join(root, 'd'));
  writeFileSync(path.join(root, 'd/a'), 'inside');
  symlinkSync('d', path.join(root, 'to-d'));
  symlinkSync('d/a', path.join(root, 'to-a'));
  symlinkSync('root', path.join(above, 'to-root'));
  for (const fs of [files, new NodeFileSystem(path.join(above, 'to-root'))]) {
    for (const name of ['to-d/a', 'to-a', 'd/a']) {
      const read = fs.readFile(name, 10);
      assert.ok(read.ok && Buffer.from(read.value).toString() === 'inside', name);
      const found = fs.stat(name);
      assert.ok(found.ok && found.value?.kind === 'file');
    }
    const list = fs.list('to-d');
    assert.deepEqual(list.ok && list.value, [{ name: 'a', kind: 'file' }]);
  }
});

test('links out of the root › refused by every call, and nothing is touched', () => {
  const { root, above, files } = rig();
  mkdirSync(path.join(above, 'out'));
  mkdirSync(path.join(above, 'root-beside'));
  writeFileSync(path.join(above, 'out/a'), 'outside');
  writeFileSync(path.join(root, 'mine'), 'mine');
  symlinkSync('../out', path.join(root, 'relative'));
  symlinkSync(path.join(above, 'out'), path.join(root, 'absolute'));
  // The root's name is the beginning of its name.
  symlinkSync('../root-beside', path.join(root, 'beside'));
  symlinkSync('../out/a', path.join(root, 'file'));
  const outside = (result: { ok: boolean }) => {
    assert.equal((result as { error?: { kind: string } }).error?.kind, 'outside');
  };
  for (const directory of ['relative', 'absolute', 'beside']) {
    const name = `${directory}/a`;
    for (const mode of ['read', 'new', 'sealed', 'append'] as const)
      outside(files.open(name, mode));
    outside(files.readFile(name, 10));
    outside(files.remove(name));
    outside(files.rename(name, 'b'));
    outside(files.rename('mine', `${directory}/b`));
    outside(files.link('mine', `${directory}/b`));
    outside(files.makeDirectory(`${directory}/d`));
    outside(files.removeDirectory(`${directory}/d`));
    outside(files.stat(name));
    outside(files.stat(directory));
    outside(files.list(directory));
    outside(files.syncDirectory(directory));
    outside(files.watch(directory, () => {}));
  }
  outside(files.readFile('file', 10));
  outside(files.open('file', 'append'));
  outside(files.stat('file'));
  assert.equal(readFileSync(path.join(above, 'out/a'), 'utf8'), 'outside');
  assert.ok(!existsSync(path.join(above, 'out/b')) && !existsSync(path.join(above, 'out/d')));
});

test('a link to nowhere and a circle › absent and an error; removed as links', () => {
  const { root, files } = rig();
  symlinkSync('nowhere', path.join(root, 'nowhere-link'));
  symlinkSync('circle', path.join(root, 'circle'));
  const found = files.stat('nowhere-link');
  assert.ok(found.ok && found.value === null);
  const read = files.readFile('circle', 10);
  assert.deepEqual(read, { ok: false, error: { kind: 'device', path: 'circle', code: 'ELOOP' } });
  assert.ok(files.remove('circle').ok && files.remove('nowhere-link').ok);
});

test('sealed › nobody may write it afterwards; the kernel’s files › not read', () => {
  const { root, files } = rig();
  const file = files.open('a', 'sealed');
  assert.ok(file.ok);
  file.value.close();
  assert.equal(statSync(path.join(root, 'a')).mode & 0o222, 0);
  const null0 = new NodeFileSystem('/dev').readFile('null', 10);
  assert.deepEqual(null0, { ok: false, error: { kind: 'device', path: 'null', code: 'EINVAL' } });
});
