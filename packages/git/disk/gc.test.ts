import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { wallTimeOfMillis } from '#core';
import { directoryOf, makeDirectories, writeNewFile } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { NodeFileSystem } from '#targets/node/file-system';
import { SimCrash, type SimFileSystem, SimRandom } from '#targets/sim/index';
import { checkRepository } from '../check.ts';
import { type NamedObject, nameObject } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { must } from '../test-must.ts';
import type { DiskBackend } from './disk-backend.ts';
import { blobObject, commitObjects, openTest, simRepository, TestHome } from './test-repository.ts';

const home = new TestHome();
after(() => home.close());

const MAIN = 'refs/heads/main';
const clock = { wall: () => wallTimeOfMillis(Date.now()) };
const TWO_WEEKS_MILLIS = 14 * 86_400_000;

async function commits(backend: DiskBackend, from: number, count: number): Promise<ObjectId> {
  let last = must(await backend.readRef(MAIN))?.id ?? null;
  for (let i = from; i < from + count; i++) {
    const objects = commitObjects(`file ${i}\n`.repeat(50), last === null ? [] : [last]);
    must(await backend.writeObjects(objects));
    const { id } = objects.at(-1)!;
    must(await backend.updateRefs([{ name: MAIN, from: last, to: id }], 'test'));
    last = id;
  }
  return last!;
}

const write = async (backend: DiskBackend, text: string): Promise<NamedObject> => {
  const object = blobObject(text);
  must(await backend.writeObjects([object]));
  return object;
};

const loosePathOf = (path: string, { id }: NamedObject): string =>
  join(path, 'objects', id.slice(0, 2), id.slice(2));

test('loose objects, packs, some of them nobody’s › collected › one pack, the young stay', async () => {
  const { path, files } = home.repository();
  const backend = openTest(files, 1, { clock, isSynced: false });
  await commits(backend, 0, 10);
  home.git(path, 'repack', '-dq');
  const stale = await write(backend, 'old and nobody’s');
  const young = await write(backend, 'young and nobody’s');
  const last = await commits(backend, 10, 10);
  const old = new Date(Date.now() - 2 * TWO_WEEKS_MILLIS);
  utimesSync(loosePathOf(path, stale), old, old);
  writeFileSync(join(path, 'objects/pack/tmp_pack_left'), 'x');
  utimesSync(join(path, 'objects/pack/tmp_pack_left'), old, old);
  const report = must(await backend.gc({ pruneBefore: Date.now() - TWO_WEEKS_MILLIS }));
  assert.deepEqual(
    { ...report, packBytes: 0 },
    {
      objects: 80,
      packBytes: 0,
      packsRemoved: 1,
      looseRemoved: 40,
      unreachableKept: 1,
      unreachableRemoved: 1,
      refsPacked: 1,
    },
  );
  assert.equal(readdirSync(join(path, 'objects/pack')).length, 2);
  assert.ok(existsSync(loosePathOf(path, young)) && !existsSync(loosePathOf(path, stale)));
  assert.ok(!existsSync(join(path, 'gc.pid')));
  assert.equal(home.git(path, 'fsck', '--full', '--strict', '--no-dangling'), '');
  assert.equal(home.git(path, 'rev-list', '--count', last), '20');
  const checked = must(await checkRepository(backend, { crypto: nodeCrypto }));
  assert.deepEqual([checked.objects, checked.problemCount], [81, 0]);
  await commits(backend, 20, 2);
  const again = must(await backend.gc({ pruneBefore: null }));
  assert.deepEqual([again.packsRemoved, again.looseRemoved, again.objects], [1, 8, 88]);
  home.git(path, 'gc', '-q', '--prune=now');
  assert.equal(must(await backend.readRef(MAIN))?.id, home.git(path, 'rev-parse', 'main'));
  await backend.close();
});

test('packed and nobody’s › collected › loosened while the pack is young, gone when it is old', async () => {
  const handles = readdirSync('/proc/self/fd').length;
  const { path, files } = home.repository();
  const backend = openTest(files, 1, { clock, isSynced: false });
  const first = await commits(backend, 0, 5);
  await commits(backend, 5, 5);
  home.git(path, 'repack', '-adq');
  // What Git keeps about packs and commits, and would miss what goes.
  home.git(path, 'commit-graph', 'write', '--reachable');
  home.git(path, 'multi-pack-index', 'write');
  must(await backend.updateRefs([{ name: MAIN, from: 'any', to: first }], 'back'));
  const spared = must(await backend.gc({ pruneBefore: Date.now() - TWO_WEEKS_MILLIS }));
  assert.deepEqual([spared.unreachableKept, spared.unreachableRemoved], [20, 0]);
  assert.equal(home.git(path, 'fsck', '--full', '--no-dangling'), '');
  const gone = must(await backend.gc({ pruneBefore: Date.now() + 1_000 }));
  assert.deepEqual([gone.unreachableKept, gone.unreachableRemoved], [0, 20]);
  assert.equal(home.git(path, 'fsck', '--full', '--unreachable'), '');
  await backend.close();
  assert.equal(readdirSync('/proc/self/fd').length, handles, 'files of packs are closed');
});

test('a work tree › collected › what its index may name stays, however old', async () => {
  const path = home.directory();
  home.git(path, 'init', '-q', '-b', 'main', '.');
  home.git(path, 'commit', '-q', '--allow-empty', '-m', 'first');
  writeFileSync(join(path, 'staged'), 'staged');
  home.git(path, 'add', 'staged');
  const backend = openTest(new NodeFileSystem(path), 1, { clock, isSynced: false });
  // What a push leaves that was killed.
  const left = join(path, '.git/objects/pack/tmp_pack_left');
  writeFileSync(left, 'x');
  must(await backend.gc({ pruneBefore: null }));
  must(await backend.gc({ pruneBefore: Date.now() - TWO_WEEKS_MILLIS }));
  assert.ok(existsSync(left));
  must(await backend.gc({ pruneBefore: Date.now() + 1_000 }));
  assert.equal(existsSync(left), false);
  home.git(path, 'commit', '-qm', 'second');
  assert.equal(home.git(path, 'fsck', '--full', '--strict', '--no-dangling'), '');
  await backend.close();
});

test('a repository that borrows › collected › only its own is packed, as by git', async () => {
  const { path, files } = home.repository();
  const lender = openTest(files, 1, { clock, isSynced: false });
  await commits(lender, 0, 5);
  must(await lender.gc({ pruneBefore: null }));
  const loose = await write(lender, 'loose in the lender');
  await lender.updateRefs([{ name: 'refs/tags/loose', from: null, to: loose.id }], 'test');
  const own = home.directory();
  home.git(own, 'clone', '-q', '--shared', '--bare', path, '.');
  const elsewhere = (to: string) => new NodeFileSystem(to);
  const options = { clock, isSynced: false, elsewhere };
  const backend = openTest(new NodeFileSystem(own), 2, options);
  assert.equal(backend.alternateCount, 1);
  const empty = must(await backend.gc({ pruneBefore: null }));
  assert.deepEqual([empty.objects, readdirSync(join(own, 'objects/pack'))], [0, []]);
  await commits(backend, 5, 3);
  // Everything is in both.
  home.git(own, 'repack', '-adq');
  const report = must(await backend.gc({ pruneBefore: Date.now() + 1_000 }));
  assert.deepEqual([report.objects, report.packsRemoved, report.unreachableRemoved], [12, 1, 0]);
  assert.equal(home.git(own, 'fsck', '--full', '--strict', '--no-dangling'), '');
  assert.equal(home.git(own, 'rev-list', '--count', 'main'), '8');
  home.git(own, 'repack', '-adlfq');
  const counted = home.git(own, 'count-objects', '-v');
  assert.match(counted, /^in-pack: 12$/m, 'git packs as many');
  for (const each of [lender, backend]) await each.close();
});

test('a repository that borrows from itself by a link › collected › nothing is lost', async () => {
  const { path, files } = home.repository();
  const objects = join(path, 'objects');
  renameSync(objects, join(path, 'linked'));
  symlinkSync('linked', objects);
  mkdirSync(join(objects, 'info'), { recursive: true });
  writeFileSync(join(objects, 'info/alternates'), `${join(path, 'linked')}\n`);
  const elsewhere = (to: string) => new NodeFileSystem(to);
  const backend = openTest(files, 1, { clock, isSynced: false, elsewhere });
  assert.equal(backend.alternateCount, 1);
  await commits(backend, 0, 3);
  for (let i = 0; i < 2; i++) must(await backend.gc({ pruneBefore: Date.now() + 1_000 }));
  rmSync(join(objects, 'info/alternates'));
  assert.equal(home.git(path, 'fsck', '--full', '--strict', '--no-dangling'), '');
  assert.equal(home.git(path, 'rev-list', '--count', 'main'), '3');
  await backend.close();
});

test('a packed file rotten, loose beside it › collected › damaged, and nothing is gone', async () => {
  const { path, files } = home.repository();
  const backend = openTest(files, 1, { clock, isSynced: false });
  // So big that what Git packed together isn't read to be compared again.
  const random = new SimRandom(3);
  const blobs = Array.from({ length: 2 }, () => {
    const noise = new Uint8Array(70_000);
    random.fill(noise);
    return nameObject(nodeCrypto, 'SHA-1', 'blob', noise);
  });
  must(await backend.writeObjects(blobs));
  // Written when a ref is.
  must(await backend.updateRefs([{ name: 'refs/tags/t', from: null, to: blobs[0]!.id }], 'test'));
  must(await backend.updateRefs([{ name: 'refs/tags/t', from: 'any', to: null }], 'test'));
  const lines = blobs.map(({ id }, i) => `100644 blob ${id}\tf${i}\n`).join('');
  const tree = home.gitWith(path, lines, ['mktree']);
  home.git(path, 'update-ref', MAIN, home.git(path, 'commit-tree', '-m', 'noise', tree));
  home.git(path, 'gc', '-q');
  const { id } = blobs[0]!;
  const directory = join(path, 'objects/pack');
  const name = readdirSync(directory).find((one) => one.endsWith('.pack'))!;
  const verified = home.git(path, 'verify-pack', '-v', join(directory, name));
  const [, , , , at] = verified
    .split('\n')
    .find((line) => line.startsWith(id))!
    .split(/ +/);
  const content = home.bytesOf(path, '', ['cat-file', 'blob', id]);
  rmSync(join(directory, name.replace('.pack', '.rev')), { force: true });
  const bytes = readFileSync(join(directory, name));
  bytes[Number(at) + 8]! ^= 1;
  chmodSync(join(directory, name), 0o644);
  writeFileSync(join(directory, name), bytes);
  // Its only copy that is whole.
  const loose = join(path, 'objects', id.slice(0, 2), id.slice(2));
  mkdirSync(join(loose, '..'), { recursive: true });
  writeFileSync(
    loose,
    deflateSync(Buffer.concat([Buffer.from(`blob ${content.length}\0`), content])),
  );
  const again = openTest(files, 2, { clock, isSynced: false });
  const refused = await again.gc({ pruneBefore: null });
  assert.ok(!refused.ok && refused.error.kind === 'damaged', JSON.stringify(refused));
  assert.match(refused.error.what, /has another entry at \d+ than its index says/);
  assert.ok(existsSync(loose) && existsSync(join(directory, name)));
  assert.ok(!readdirSync(directory).some((one) => one.startsWith('tmp_')));
  for (const each of [backend, again]) await each.close();
});

test('a git gc under way, a kept pack, precious objects › refused, left, refused', async () => {
  const { path, files } = home.repository();
  const backend = openTest(files, 1, { clock, isSynced: false });
  await commits(backend, 0, 3);
  home.git(path, 'repack', '-adq');
  const [pack] = readdirSync(join(path, 'objects/pack')).filter((name) => name.endsWith('.pack'));
  writeFileSync(join(path, 'objects/pack', pack!.replace('.pack', '.keep')), '');
  await commits(backend, 3, 1);
  writeFileSync(join(path, 'gc.pid'), '1 elsewhere');
  const busy = await backend.gc({ pruneBefore: null });
  assert.ok(!busy.ok && busy.error.kind === 'busy');
  assert.match(busy.error.what, /^gc\.pid, made 0 seconds ago, says that process 1 of elsewhere/);
  const old = new Date(Date.now() - 13 * 3_600_000);
  utimesSync(join(path, 'gc.pid'), old, old);
  must(await backend.gc({ pruneBefore: null }));
  assert.ok(existsSync(join(path, 'objects/pack', pack!)));
  assert.equal(home.git(path, 'fsck', '--full', '--strict'), '');
  home.git(path, 'config', 'extensions.preciousObjects', 'true');
  home.git(path, 'config', 'core.repositoryformatversion', '1');
  const precious = openTest(files, 1, { clock });
  const refused = await precious.gc({ pruneBefore: null });
  assert.ok(!refused.ok && refused.error.kind === 'read only');
  for (const each of [backend, precious]) await each.close();
});

const CACHES = ['objects/pack/multi-pack-index', 'objects/info/commit-graph'];

const packsOf = (files: SimFileSystem): string[] =>
  must(files.list('objects/pack')).flatMap(({ name }) => (name.endsWith('.idx') ? name : []));

test('power lost at every step of a collection › reopened › all that was named is there', async () => {
  const times = { wall: () => wallTimeOfMillis(1_800_000_000_000) };
  for (let step = 0; ; step++) {
    const files = simRepository(3);
    const backend = openTest(files, 4, { clock: times });
    const first = await commits(backend, 0, 2);
    must(await backend.gc({ pruneBefore: null }));
    const last = await commits(backend, 2, 2);
    must(await backend.updateRefs([{ name: 'refs/heads/b', from: null, to: first }], 'test'));
    const packs = packsOf(files);
    // Of Git: they tell of packs and commits that go.
    for (const cache of CACHES) {
      must(makeDirectories(files, directoryOf(cache)));
      must(writeNewFile(files, cache, new Uint8Array(1)));
      must(files.syncDirectory(directoryOf(cache)));
    }
    must(files.syncDirectory('objects'));
    files.crashAt = files.steps + step;
    try {
      must(await backend.gc({ pruneBefore: 1_799_999_999_000 }));
      assert.ok(step > 30, `${step} steps`);
      break;
    } catch (error) {
      if (!(error instanceof SimCrash)) throw error;
    }
    const back = files.crashed(new SimRandom(step));
    // As whoever finds them does, when nobody is left who could have them.
    for (const { path } of [...back.contents()]) {
      if (/(\.lock|^gc\.pid)$/.test(path)) must(back.remove(path));
    }
    const left = packsOf(back);
    for (const cache of packs.every((name) => left.includes(name)) ? [] : CACHES) {
      assert.equal(must(back.stat(cache)), null, `step ${step}: ${cache}`);
    }
    const again = openTest(back, 5, { clock: times });
    assert.equal(must(await again.readRef(MAIN))?.id, last);
    const report = must(await checkRepository(again, { crypto: nodeCrypto }));
    assert.deepEqual(report.problems, [], `step ${step}`);
    assert.equal(report.objects, 16);
    must(await again.gc({ pruneBefore: null }));
    await again.close();
  }
});
