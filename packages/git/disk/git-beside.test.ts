/** `git` on the same repository: what it writes is read, what we write it reads. */

import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { wallTimeOfMillis } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { NodeFileSystem } from '#targets/node/file-system';
import { zlib } from '#targets/node/zlib';
import { formatBackendError } from '../backend.ts';
import { checkRepository } from '../check.ts';
import { hashObject, type NamedObject, nameObject } from '../object.ts';
import type { ObjectHash, ObjectId } from '../object-id.ts';
import { applyDelta } from '../pack/delta.ts';
import { must } from '../test-must.ts';
import { emitCommit } from '../wire/commit.ts';
import { emitTree } from '../wire/tree.ts';
import { DiskBackend, type DiskBackendOptions } from './disk-backend.ts';
import type { Elsewhere } from './layout.ts';
import { commitObjects, openTest, settleHost, TestHome, testOptions } from './test-repository.ts';

const home = new TestHome();
after(() => home.close());

const MAIN = 'refs/heads/main';
const clock = { wall: () => wallTimeOfMillis(Date.now()) };
const elsewhere: Elsewhere = (path, from) => {
  const at = resolve(from.name, path);
  return existsSync(at) ? new NodeFileSystem(at) : null;
};

const openAt = (path: string, more: Partial<DiskBackendOptions> = {}): DiskBackend =>
  openTest(new NodeFileSystem(path), 3, { isSynced: false, ...more });

function commitOf(
  hash: ObjectHash,
  files: Readonly<Record<string, string>>,
  parents: readonly ObjectId[],
): NamedObject[] {
  const object = (kind: NamedObject['kind'], bytes: Uint8Array) =>
    nameObject(nodeCrypto, hash, kind, bytes);
  const blobs = Object.values(files).map((text) => object('blob', Buffer.from(text)));
  const names = Object.keys(files);
  const entries = blobs.map(({ id }, i) => ({ mode: 0o100644 as const, name: names[i]!, id }));
  const tree = object('tree', emitTree(entries, hash === 'SHA-1' ? 20 : 32));
  const author = { name: 'A', email: 'a@example.org', seconds: 1_800_000_000, zoneMinutes: 0 };
  const commit = {
    tree: tree.id,
    parents,
    author,
    committer: author,
    extraHeaders: '',
    message: `${names.join(' ')}\n`,
  };
  return [...blobs, tree, object('commit', emitCommit(commit))];
}

/** Commits on a branch; the commit. */
async function commit(
  backend: DiskBackend,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<ObjectId> {
  const before = must(await backend.readRef(name))?.id ?? null;
  const objects = commitOf(backend.hash, files, before === null ? [] : [before]);
  must(await backend.writeObjects(objects));
  const { id } = objects.at(-1)!;
  must(await backend.updateRefs([{ name, from: before, to: id }], 'commit: test'));
  return id;
}

/** Every object that git lists is read with the bytes that its id says. */
async function expectAllOf(backend: DiskBackend, path: string): Promise<number> {
  const listed = home.git(path, 'cat-file', '--batch-check', '--batch-all-objects');
  const lines = listed.split('\n').filter((line) => line !== '');
  for (const line of lines) {
    const [id, kind, size] = line.split(' ');
    const found = must(await backend.readObject(id as ObjectId));
    assert.ok(found !== null, `${line} is read`);
    assert.deepEqual([found.kind, String(found.bytes.length)], [kind, size]);
    assert.equal(hashObject(nodeCrypto, backend.hash, found.kind, found.bytes), id);
  }
  const ids: string[] = [];
  for await (const id of backend.objectIds()) ids.push(must(id));
  assert.deepEqual(
    ids.sort(),
    lines.map((line) => line.split(' ')[0]),
  );
  return lines.length;
}

const fsck = (path: string): string =>
  home.git(path, 'fsck', '--full', '--strict', '--no-dangling');

for (const hash of ['SHA-1', 'SHA-256'] as const) {
  test(`${hash}: we write › git › fsck, log, clone, ids; git gc › we read all, and go on`, async () => {
    const { path } = home.repository({ hash });
    const backend = openAt(path);
    const text = Array.from({ length: 400 }, (_, i) => `line ${i}\n`).join('');
    let last: ObjectId | null = null;
    for (let i = 0; i < 30; i++) {
      last = await commit(backend, MAIN, { a: `${i}\n`, b: `${text}${i}\n`, c: 'same\n' });
    }
    assert.equal(fsck(path), '');
    assert.equal(home.git(path, 'rev-parse', 'main'), last);
    assert.equal(home.git(path, 'log', '--format=%s', 'main').split('\n').length, 30);
    assert.equal(home.git(path, 'show', 'main:a'), '29');
    const clone = join(home.directory(), 'clone');
    home.git(home.path, 'clone', '-q', path, clone);
    assert.equal(readFileSync(join(clone, 'c'), 'utf8'), 'same\n');
    assert.equal(await expectAllOf(backend, path), 121);
    home.git(path, 'gc', '-q', '--prune=now');
    assert.equal(await expectAllOf(backend, path), 121);
    assert.equal(must(await backend.readRef(MAIN))?.id, last);
    const next = await commit(backend, MAIN, { a: 'after gc\n' });
    home.git(path, 'repack', '-adq');
    home.git(path, 'pack-refs', '--all', '--prune');
    assert.equal(must(await backend.readRef(MAIN))?.id, next);
    await commit(backend, MAIN, { a: 'after repack\n', c: 'same\n' });
    await expectAllOf(backend, path);
    assert.equal(fsck(path), '');
    await backend.close();
  });
}

test('git writes › branches, tags, packed or not, symbolic › we read the same', async () => {
  const { path } = home.repository();
  const work = join(home.directory(), 'work');
  home.git(home.path, 'clone', '-q', path, work);
  home.git(work, 'checkout', '-q', '-b', 'main');
  writeFileSync(join(work, 'a'), 'a\n');
  mkdirSync(join(work, 'd'));
  writeFileSync(join(work, 'd/b'), 'b\n');
  home.git(work, 'add', '.');
  home.git(work, 'commit', '-qm', 'first');
  home.git(work, 'tag', '-a', 'v1', '-m', 'one');
  home.git(work, 'tag', 'light');
  home.git(work, 'push', '-q', 'origin', 'main', 'main:deep/er/one', '--tags');
  const backend = openAt(path);
  const expectRefs = async (): Promise<void> => {
    const refs = must(await backend.listRefs(''));
    const format = '%(objectname) %(refname)';
    const want = home.git(path, 'for-each-ref', `--format=${format}`).split('\n');
    assert.deepEqual(
      refs.map(({ name, id }) => `${id} ${name}`),
      want,
    );
  };
  await expectRefs();
  home.git(path, 'pack-refs', '--all', '--prune');
  await expectRefs();
  home.git(path, 'symbolic-ref', 'refs/heads/alias', MAIN);
  home.git(path, 'update-ref', '-d', 'refs/heads/deep/er/one');
  await expectRefs();
  assert.deepEqual(must(await backend.readRef('refs/heads/alias')), { symbolic: MAIN });
  await expectAllOf(backend, path);
  // Through the symbolic one, as git does.
  const first = must(await backend.readRef(MAIN))!.id!;
  const objects = commitOf('SHA-1', { z: 'z' }, [first]);
  must(await backend.writeObjects(objects));
  const { id } = objects.at(-1)!;
  must(await backend.updateRefs([{ name: 'refs/heads/alias', from: first, to: id }], 'test'));
  assert.equal(home.git(path, 'rev-parse', 'main'), id);
  assert.equal(home.git(path, 'symbolic-ref', 'refs/heads/alias'), MAIN);
  await backend.close();
});

test('several refs at once, tags among them › git › the same refs, peeled, fsck clean', async () => {
  const { path } = home.repository();
  const backend = openAt(path);
  const id = await commit(backend, MAIN, { a: 'a' });
  home.git(path, 'tag', '-a', 'v1', '-m', 'one', id);
  const tag = home.git(path, 'rev-parse', 'refs/tags/v1') as ObjectId;
  const updates = ['refs/tags/v2', 'refs/tags/v3', 'refs/heads/x/y', 'refs/heads/z'].map(
    (name) => ({ name, from: null, to: name.startsWith('refs/tags/') ? tag : id }),
  );
  must(await backend.updateRefs(updates, 'test'));
  assert.equal(home.git(path, 'rev-parse', 'v3^{commit}'), id);
  assert.match(home.git(path, 'show-ref', '-d'), new RegExp(`${id} refs/tags/v2\\^\\{\\}`));
  assert.match(readFileSync(join(path, 'packed-refs'), 'utf8'), new RegExp(`\\^${id}`));
  const removed = updates.map(({ name, to }) => ({ name, from: to, to: null }));
  must(
    await backend.updateRefs([...removed, { name: 'refs/heads/x', from: null, to: id }], 'test'),
  );
  assert.equal(home.git(path, 'for-each-ref', '--format=%(refname:short)'), 'main\nx\nv1');
  assert.equal(fsck(path), '');
  await backend.close();
});

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1_000) yield bytes.subarray(at, at + 1_000);
}

test('packs › sent whole and thin › kept as packs that git reads; a bad one leaves nothing', async () => {
  const { path } = home.repository();
  const { path: from } = home.repository();
  const source = openAt(from);
  const text = Array.from({ length: 200 }, (_, i) => `line ${i}\n`).join('');
  const first = await commit(source, MAIN, { a: text, b: 'b' });
  const second = await commit(source, MAIN, { a: `${text}more\n`, b: 'b' });
  const target = openAt(path);
  const pack = (revisions: string, ...args: string[]): Uint8Array => {
    const all = ['pack-objects', '--stdout', '--revs', '-q', ...args];
    return home.bytesOf(from, revisions, all);
  };
  const whole = pack(`${first}\n`);
  assert.equal(must(await target.addPack(inPieces(whole))).objects, 4);
  const thin = pack(`${second}\n^${first}\n`, '--thin', '--delta-base-offset');
  // Three of its own, and the base that it is thin of.
  assert.equal(must(await target.addPack(inPieces(thin))).objects, 4);
  must(await target.updateRefs([{ name: MAIN, from: null, to: second }], 'push'));
  assert.equal(await expectAllOf(target, path), 7);
  assert.equal(fsck(path), '');
  const bad = whole.slice();
  bad[40]! ^= 1;
  for (const wrong of [bad, whole.subarray(0, 50), thin.subarray(0, 0)]) {
    const refused = await target.addPack(inPieces(wrong));
    assert.ok(!refused.ok && refused.error.kind === 'damaged');
  }
  const left = readdirSync(join(path, 'objects/pack')).filter((name) => name.startsWith('tmp'));
  assert.deepEqual(left, []);
  await source.close();
  await target.close();
});

test('many objects at once › one pack › git reads it, fsck is clean', async () => {
  const { path } = home.repository();
  const backend = openAt(path);
  const files = Object.fromEntries(
    Array.from({ length: 200 }, (_, i) => [`f${1_000 + i}`, `${i}`]),
  );
  await commit(backend, MAIN, files);
  assert.equal(readdirSync(join(path, 'objects/pack')).length, 2);
  assert.equal(await expectAllOf(backend, path), 202);
  assert.equal(fsck(path), '');
  const entry = must(await backend.readEntry((await backend.readRef(MAIN).then(must))!.id!));
  assert.equal(entry?.kind, 'commit');
  await backend.close();
});

test('entries › read as they are stored, whole and as deltas › make the objects again', async () => {
  const { path } = home.repository();
  const backend = openAt(path);
  const text = Array.from({ length: 300 }, (_, i) => `line ${i}\n`).join('');
  for (let i = 0; i < 8; i++) await commit(backend, MAIN, { a: `${text}${i}\n` });
  for (const byId of [false, true]) {
    home.git(path, ...(byId ? ['-c', 'repack.useDeltaBaseOffset=false'] : []), 'repack', '-adfq');
    let deltas = 0;
    const packs = new Set<number | undefined>();
    for await (const listed of backend.objectIds()) {
      const id = must(listed);
      const entry = must(await backend.readEntry(id))!;
      const object = must(await backend.readObject(id))!;
      assert.equal(entry.kind, object.kind);
      packs.add(entry.pack);
      const inflated = must(zlib.inflate(entry.deflated, 0, entry.sizeBytes));
      assert.equal(inflated.usedBytes, entry.deflated.length);
      if (entry.base === null) {
        assert.deepEqual(inflated.bytes, object.bytes);
        continue;
      }
      deltas++;
      const base = must(await backend.readObject(entry.base))!;
      assert.deepEqual(must(applyDelta(base.bytes, inflated.bytes, 1 << 20)), object.bytes);
    }
    assert.ok(deltas > 3, `${deltas} deltas`);
    assert.ok(packs.size === 1 && !packs.has(undefined), 'one pack, and its number');
  }
  await backend.close();
});

test('reflogs › as core.logAllRefUpdates says › git reflog shows them', async () => {
  const path = home.directory();
  home.git(path, 'init', '-q', '-b', 'main', '.');
  home.git(path, 'commit', '-q', '--allow-empty', '-m', 'first');
  const backend = openAt(path);
  const first = must(await backend.readRef(MAIN))!.id!;
  must(await backend.updateRefs([{ name: 'refs/heads/b', from: null, to: first }], 'branch: made'));
  await commit(backend, 'refs/heads/b', { a: 'a' });
  must(await backend.updateRefs([{ name: 'refs/tags/t', from: null, to: first }], 'tag'));
  assert.match(
    home.git(path, 'reflog', 'show', 'b'),
    /^\w+ b@\{0\}: commit: test\n\w+ b@\{1\}: branch: made$/,
  );
  assert.ok(!existsSync(join(path, '.git/logs/refs/tags/t')));
  must(await backend.setHead('refs/heads/b'));
  assert.match(
    home.git(path, 'reflog', 'show', 'HEAD'),
    /HEAD@\{0\}: checkout: moving to refs\/heads\/b/,
  );
  assert.equal(fsck(path), '');
  await backend.close();
  const { path: bare } = home.repository();
  const quiet = openAt(bare);
  await commit(quiet, MAIN, { a: 'a' });
  assert.ok(!existsSync(join(bare, 'logs')));
  home.git(bare, 'config', 'core.logAllRefUpdates', 'always');
  const loud = openAt(bare);
  const id = await commit(loud, MAIN, { b: 'b' });
  must(await loud.updateRefs([{ name: 'refs/odd/x', from: null, to: id }], 'odd'));
  assert.match(home.git(bare, 'reflog', 'show', 'refs/odd/x'), /odd$/);
  must(await loud.updateRefs([{ name: 'refs/odd/x', from: id, to: null }], 'gone'));
  assert.ok(!existsSync(join(bare, 'logs/refs/odd/x')));
  await quiet.close();
  await loud.close();
});

test('a branch that is checked out › updated › refused, git status stays clean; allowed › done', async () => {
  const path = home.directory();
  home.git(path, 'init', '-q', '-b', 'main', '.');
  writeFileSync(join(path, 'a'), 'a\n');
  home.git(path, 'add', '.');
  home.git(path, 'commit', '-qm', 'first');
  const backend = openAt(path);
  const first = must(await backend.readRef(MAIN))!.id!;
  const objects = commitOf('SHA-1', { a: 'b' }, [first]);
  must(await backend.writeObjects(objects));
  const { id } = objects.at(-1)!;
  const update = [{ name: MAIN, from: first, to: id }];
  const refused = await backend.updateRefs(update, 'test');
  assert.ok(!refused.ok && refused.error.kind === 'checked out' && refused.error.name === MAIN);
  await commit(backend, 'refs/heads/other', { a: 'b' });
  assert.equal(home.git(path, 'status', '--porcelain'), '');
  await backend.close();
  home.git(path, 'config', 'receive.denyCurrentBranch', 'ignore');
  const allowed = openAt(path);
  must(await allowed.updateRefs(update, 'test'));
  assert.equal(home.git(path, 'rev-parse', 'main'), id);
  await allowed.close();
});

test('branches of linked work trees, of a main one, of none › updated › refused as by git', async () => {
  const path = home.directory();
  home.git(path, 'init', '-q', '-b', 'main', '.');
  const unborn = openAt(path);
  const objects = commitOf('SHA-1', { a: 'a' }, []);
  must(await unborn.writeObjects(objects));
  const { id } = objects.at(-1)!;
  const move = (backend: DiskBackend, name: string, to: ObjectId | null = id) =>
    backend.updateRefs([{ name, from: 'any', to }], 'test');
  const isRefused = async (backend: DiskBackend, name: string, where: string) => {
    const moved = await move(backend, name, null);
    assert.ok(!moved.ok && moved.error.kind === 'checked out', name);
    assert.equal(moved.error.where, where);
    assert.match(formatBackendError(moved.error), /receive\.denyCurrentBranch/);
  };
  await isRefused(unborn, MAIN, path);
  must(await move(unborn, 'refs/heads/side'));
  await unborn.close();
  home.git(path, 'commit', '-q', '--allow-empty', '-m', 'first');
  const linked = `${path}-linked`;
  home.git(path, 'worktree', 'add', '-q', linked, 'side');
  for (const at of [path, linked]) {
    const backend = openAt(at, { elsewhere });
    await isRefused(backend, MAIN, path);
    await isRefused(backend, 'refs/heads/side', linked);
    must(await move(backend, 'refs/heads/other'));
    await backend.close();
  }
  // Bare, with a work tree beside it: the main one's HEAD counts for nothing.
  home.git(path, 'config', 'core.bare', 'true');
  const bare = openAt(join(path, '.git'));
  await isRefused(bare, 'refs/heads/side', linked);
  must(await move(bare, MAIN));
  await bare.close();
});

test('a linked work tree, a clone that borrows › opened › their parts are found', async () => {
  const { path } = home.repository();
  const backend = openAt(path);
  const id = await commit(backend, MAIN, { a: 'a' });
  const tree = join(home.directory(), 'tree');
  home.git(path, 'worktree', 'add', '-q', '-b', 'side', tree, 'main');
  const linked = openAt(tree, { elsewhere });
  assert.deepEqual(must(await linked.readRef('HEAD')), { symbolic: 'refs/heads/side' });
  assert.equal(must(await linked.readRef(MAIN))?.id, id);
  assert.ok(must(await linked.readObject(id)) !== null);
  const lone = DiskBackend.open(new NodeFileSystem(tree), testOptions(1));
  assert.ok(!lone.ok && lone.error.kind === 'elsewhere');
  const borrower = join(home.directory(), 'borrower.git');
  home.git(home.path, 'clone', '-q', '--bare', '--shared', path, borrower);
  const shared = openAt(borrower, { elsewhere });
  assert.equal(await expectAllOf(shared, borrower), 3);
  await commit(shared, MAIN, { b: 'b' });
  await expectAllOf(shared, borrower);
  assert.equal(fsck(borrower), '');
  for (const each of [backend, linked, shared]) await each.close();
});

test('a broken ref among others › left out as by git, named, and mended', async () => {
  const { path, files } = home.repository();
  const backend = openTest(files, 1, { clock, isSynced: false });
  const objects = commitObjects('one', []);
  must(await backend.writeObjects(objects));
  const { id } = objects.at(-1)!;
  const broken = 'refs/heads/broken';
  for (const name of [MAIN, broken, 'refs/heads/z']) {
    must(await backend.updateRefs([{ name, from: null, to: id }], 'test'));
  }
  home.git(path, 'pack-refs', '--all');
  const bad = ['x', `${id.slice(1)}\n`, 'ref: ../up\n', 'ref: refs/heads/broken\n', ''];
  for (const text of bad) {
    writeFileSync(join(path, broken), text);
    // Also what is packed doesn't show through.
    const listed = must(await backend.listRefs('')).map(({ name }) => name);
    assert.deepEqual(listed, [MAIN, 'refs/heads/z']);
    assert.equal(listed.join('\n'), home.git(path, 'for-each-ref', '--format=%(refname)'));
    const read = must(await backend.listBrokenRefs('refs/heads/'));
    assert.deepEqual(
      read.map(({ name }) => name),
      [broken],
    );
    assert.deepEqual(must(await backend.listBrokenRefs('refs/tags/')), []);
    const report = must(await checkRepository(backend, { crypto: nodeCrypto }));
    assert.deepEqual(
      report.problems.map(({ kind }) => kind),
      ['broken ref'],
    );
    const collected = await backend.gc({ pruneBefore: null });
    assert.ok(!collected.ok && collected.error.kind === 'damaged', 'what it named isn’t known');
    assert.match(collected.error.what, /^refs\/heads\/broken is a broken ref/);
  }
  const one = await backend.readRef(broken);
  assert.ok(!one.ok && one.error.kind === 'damaged' && /^refs\/heads\/broken/.test(one.error.what));
  must(await backend.updateRefs([{ name: broken, from: 'any', to: id }], 'mended'));
  assert.equal(must(await backend.listRefs('')).length, 3);
  must(await backend.gc({ pruneBefore: null }));
  await backend.close();
});

test('what isn’t known › opened › refused, by name; what git ignores is ignored', () => {
  const cases: [string, string | null][] = [
    ['', null],
    ['[core]\n\trepositoryformatversion = 2\n', 'version'],
    ['[core]\n\trepositoryformatversion = 1\n[extensions]\n\tfoo = bar\n', 'extension'],
    ['[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = md5\n', 'extension'],
    [
      '[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = constructor\n',
      'extension',
    ],
    ['[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpartialClone = x\n', 'extension'],
    ['[core]\n\trepositoryformatversion = 1\n[extensions]\n\tnoop = true\n', null],
    ['[extensions]\n\tfoo = bar\n', null],
    ['[core\n', 'malformed'],
    ['[core]\n\tbare = "true\n', 'malformed'],
  ];
  for (const [text, want] of cases) {
    const { path, files } = home.repository();
    appendFileSync(join(path, 'config'), text);
    const opened = DiskBackend.open(files, testOptions(1));
    assert.equal(opened.ok ? null : opened.error.kind, want, text);
  }
  const none = DiskBackend.open(new NodeFileSystem(home.directory()), testOptions(1));
  assert.ok(!none.ok && none.error.kind === 'no repository');
});

test('watched › git changes refs, packs them, adds objects › told of changes only', async () => {
  const { path } = home.repository();
  const backend = openAt(path, {
    pause: (wait) => new Promise((done) => setTimeout(done, wait / 1_000)),
  });
  const id = await commit(backend, MAIN, { a: 'a' });
  let told = 0;
  const stop = backend.watchRefs(() => told++);
  const until = async (what: string): Promise<void> => {
    for (let tries = 0; tries < 100 && told === 0; tries++) await settleHost();
    assert.ok(told > 0, what);
    told = 0;
  };
  home.git(path, 'update-ref', 'refs/heads/side/one', id);
  await until('made');
  home.git(path, 'update-ref', 'refs/heads/side/two', id);
  await until('made in a directory that is new');
  home.git(path, 'pack-refs', '--all', '--prune');
  home.gitWith(path, 'x', ['hash-object', '-w', '--stdin']);
  await settleHost();
  await settleHost();
  assert.equal(told, 0, 'packing changes no ref');
  home.git(path, 'update-ref', '-d', 'refs/heads/side/one');
  await until('removed');
  home.git(path, 'symbolic-ref', 'HEAD', 'refs/heads/side/two');
  await until('HEAD');
  stop();
  home.git(path, 'update-ref', 'refs/heads/late', id);
  await settleHost();
  assert.equal(told, 0, 'ended');
  await backend.close();
});
