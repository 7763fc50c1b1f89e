import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { MemoryBackend } from '../memory-backend.ts';
import type { ObjectHash } from '../object-id.ts';
import { must } from '../test-must.ts';
import { type IndexedPack, indexPack } from './index-pack.ts';
import { MemoryPackStore } from './memory-pack-store.ts';
import { emitPackIndex, PackIndex } from './pack-index.ts';
import { piecesOf, TestGit, tools } from './test-git.ts';
import { unpackObjects } from './unpack-objects.ts';

const git = new TestGit();
after(() => git.close());
const options = { check: 'objects' } as const;

async function index(pack: Uint8Array, backend: MemoryBackend, pieceBytes = 5_000) {
  const store = new MemoryPackStore(100_000_000);
  const done = await indexPack(piecesOf(pack, pieceBytes), store, backend, tools, options);
  return { done, bytes: store.bytes };
}

/** What `git index-pack` makes of it. */
function gitIndex(path: string, pack: Uint8Array, ...args: string[]): Buffer {
  const file = join(git.path, 'test.pack');
  writeFileSync(file, pack);
  git.git(path, ['index-pack', '--strict', ...args, '-o', join(git.path, 'test.idx'), file]);
  return readFileSync(join(git.path, 'test.idx'));
}

for (const hash of ['SHA-1', 'SHA-256'] as const satisfies readonly ObjectHash[]) {
  const path = git.history({ seed: 2, commits: 50, files: 15, hash });
  const ids = git.allIds(path);
  const pack = git.git(path, [
    'pack-objects',
    '--revs',
    '--stdout',
    '-q',
    '--all',
    '--no-reuse-delta',
  ]);

  test(`${hash} › a pack of Git's › indexed › the same index as Git's`, async () => {
    const { done, bytes } = await index(pack, new MemoryBackend({ hash }));
    const { entries, checksum } = must<IndexedPack>(done);
    assert.ok(Buffer.from(bytes).equals(pack));
    const idx = emitPackIndex(tools.crypto, hash, entries, checksum);
    assert.ok(gitIndex(path, pack).equals(idx));
  });

  test(`${hash} › indexes of Git's, of version 1 and with 64-bit offsets › found as in ours`, async () => {
    const { done } = await index(pack, new MemoryBackend({ hash }));
    const offsets = new Map(must<IndexedPack>(done).entries.map((entry) => [entry.id, entry]));
    for (const version of ['1', '2', '2,0x40']) {
      const opened = must(
        PackIndex.parse(gitIndex(path, pack, `--index-version=${version}`), hash),
      );
      assert.equal(opened.count, ids.length);
      assert.equal(opened.firstDisorder(), -1);
      assert.ok(opened.hashMatches(tools.crypto));
      for (const id of ids) {
        const at = opened.find(id);
        assert.equal(opened.idAt(at), id);
        assert.equal(opened.offsetAt(at), offsets.get(id)!.offset);
        assert.equal(opened.crcAt(at), version === '1' ? null : offsets.get(id)!.crc);
      }
      assert.equal(opened.find('0'.repeat(ids[0]!.length) as (typeof ids)[0] & string), -1);
    }
  });

  test(`${hash} › a thin pack › completed, and Git agrees that it is whole`, async () => {
    const old = git.lines(path, ['rev-parse', 'main~5'])[0]!;
    const backend = new MemoryBackend({ hash });
    const base = git.git(path, ['pack-objects', '--revs', '--stdout', '-q'], `${old}\n`);
    must(await unpackObjects(piecesOf(base, 4_096), backend, tools, options));
    const args = ['pack-objects', '--revs', '--stdout', '-q', '--thin', '--all'];
    const thin = git.git(path, args, `^${old}\n`);
    const { done, bytes } = await index(thin, backend);
    const { entries, checksum } = must<IndexedPack>(done);
    assert.ok(bytes.length > thin.length);
    const other = git.repository(hash);
    git.git(other, ['unpack-objects', '-q'], base);
    assert.ok(gitIndex(other, bytes).equals(emitPackIndex(tools.crypto, hash, entries, checksum)));
    const missing = await index(thin, new MemoryBackend({ hash }));
    assert.ok(!missing.done.ok && missing.done.error.kind === 'missing base');
  });

  test(`${hash} › an index written and read › its entries, large offsets too`, () => {
    const entries = ids.map((id, i) => ({ id, offset: 12 + i * 0x1000_0000, crc: -i }));
    const idx = emitPackIndex(tools.crypto, hash, entries, new Uint8Array(ids[0]!.length / 2));
    const opened = must(PackIndex.parse(idx, hash));
    for (const { id, offset, crc } of entries) {
      const at = opened.find(id);
      assert.equal(opened.offsetAt(at), offset);
      assert.equal(opened.crcAt(at), crc | 0);
    }
  });

  test(`${hash} › an index cut, or with a damaged head › a fault; damaged ids › found out`, () => {
    const idx = new Uint8Array(gitIndex(path, pack));
    for (let count = 0; count < idx.length; count += count < 1_100 ? 1 : 97) {
      const opened = PackIndex.parse(idx.subarray(0, count), hash);
      // What is cut by whole offsets of 8 bytes doesn't look cut.
      if (opened.ok) assert.equal(opened.value.hashMatches(tools.crypto), false);
    }
    for (let at = 0; at < 1_032; at++) {
      const bad = idx.slice();
      bad[at] = bad[at]! ^ 0x80;
      const opened = PackIndex.parse(bad, hash);
      if (opened.ok) assert.equal(opened.value.hashMatches(tools.crypto), false);
    }
    const swapped = idx.slice();
    swapped.copyWithin(1_032, 1_032 + 500, 1_032 + 532);
    assert.ok(must(PackIndex.parse(swapped, hash)).firstDisorder() >= 0);
  });
}

test('an empty pack › indexed, unpacked › no objects', async () => {
  const path = git.repository();
  const pack = git.git(path, ['pack-objects', '--stdout', '-q'], '');
  const { done } = await index(pack, new MemoryBackend());
  assert.deepEqual(must<IndexedPack>(done).entries, []);
  const unpacked = await unpackObjects(piecesOf(pack, 1), new MemoryBackend(), tools, options);
  assert.deepEqual(unpacked, { ok: true, value: { objects: 0 } });
});
