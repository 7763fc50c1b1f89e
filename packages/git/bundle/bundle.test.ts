/** Bundles, with Git at the other end, both ways. */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { MemoryBackend } from '../memory-backend.ts';
import type { ObjectHash, ObjectId } from '../object-id.ts';
import { idsOf, piecesOf, sameIds, TestGit, tools } from '../pack/test-git.ts';
import { unpackObjects } from '../pack/unpack-objects.ts';
import { must } from '../test-must.ts';
import { type BundleRequest, exportBundle, importBundle } from './bundle.ts';

const git = new TestGit();
after(() => git.close());
const file = join(git.path, 'test.bundle');

async function load(path: string, hash: ObjectHash, ...args: string[]): Promise<MemoryBackend> {
  const backend = new MemoryBackend({ hash });
  const revisions = args.length === 0 ? ['--all'] : [];
  const input = args.join('\n');
  const pack = git.git(path, ['pack-objects', '--revs', '--stdout', '-q', ...revisions], input);
  must(await unpackObjects(piecesOf(pack, 65_536), backend, tools, { check: 'nothing' }));
  return backend;
}

async function bundleOf(backend: MemoryBackend, request: BundleRequest): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const exported = must(await exportBundle(backend, tools, request));
  for await (const piece of exported.pieces) pieces.push(piece);
  return Buffer.concat(pieces);
}

for (const hash of ['SHA-1', 'SHA-256'] as const satisfies readonly ObjectHash[]) {
  const path = git.history({ seed: 9, commits: 30, files: 10, hash });
  const idOf = (name: string) => git.lines(path, ['rev-parse', name])[0] as ObjectId;
  const main = idOf('main');
  const old = idOf('main~6');
  const refs = [
    { name: 'HEAD', id: main },
    { name: 'refs/heads/main', id: main },
    { name: 'refs/tags/v1', id: idOf('v1') },
  ];

  test(`${hash} › a bundle of ours › Git verifies and clones it`, async () => {
    const backend = await load(path, hash);
    writeFileSync(file, await bundleOf(backend, { refs, without: [] }));
    git.git(path, ['bundle', 'verify', file]);
    const clone = join(git.path, `clone-${hash}`);
    git.git(git.path, ['clone', '-q', file, clone]);
    git.git(clone, ['fsck', '--full', '--strict']);
    assert.equal(git.lines(clone, ['rev-parse', 'HEAD'])[0], main);
    assert.equal(git.lines(clone, ['rev-parse', 'v1'])[0], idOf('v1'));
  });

  test(`${hash} › a history that ends early › refused: nobody could take it`, async () => {
    const backend = await load(path, hash);
    must(await backend.updateShallow({ add: [old], remove: [] }));
    const cutOff = await exportBundle(backend, tools, { refs, without: [] });
    assert.deepEqual(cutOff, { ok: false, error: { kind: 'cut off', id: old } });
    const later = { refs: [{ name: 'refs/heads/main', id: main }], without: [old] };
    assert((await exportBundle(backend, tools, later)).ok);
  });

  test(`${hash} › what was left out › Git needs it, and builds on it`, async () => {
    const backend = await load(path, hash);
    const request = { refs: [{ name: 'refs/heads/main', id: main }], without: [old] };
    writeFileSync(file, await bundleOf(backend, request));
    const other = git.repository(hash);
    assert.notEqual(git.run(other, ['bundle', 'verify', file]).status, 0);
    git.git(other, ['fetch', '-q', path, `${old}:refs/heads/old`]);
    git.git(other, ['bundle', 'verify', file]);
    git.git(other, ['fetch', '-q', file, 'main:main']);
    git.git(other, ['fsck', '--full', '--strict']);
    assert.equal(git.lines(other, ['rev-parse', 'main'])[0], main);
  });

  test(`${hash} › a bundle of Git's › taken in, all objects and no ref`, async () => {
    for (const [version, pieceBytes] of [
      [hash === 'SHA-1' ? 2 : 3, 1_000_000],
      [3, 101],
    ]) {
      git.git(path, ['bundle', 'create', '-q', `--version=${version}`, file, '--all']);
      const bytes = readFileSync(file);
      const backend = new MemoryBackend({ hash });
      const taken = must(await importBundle(backend, tools, piecesOf(bytes, pieceBytes!)));
      sameIds(await idsOf(backend), git.allIds(path));
      assert.equal(taken.objects, git.allIds(path).length);
      assert.ok(taken.head.refs.some(({ name, id }) => name === 'refs/heads/main' && id === main));
      assert.deepEqual(must(await backend.listRefs('')), []);
    }
  });

  test(`${hash} › a bundle of Git's upon others › refused without them, taken with them`, async () => {
    git.git(path, ['bundle', 'create', '-q', file, 'main', `^${old}`]);
    const bytes = readFileSync(file);
    const empty = new MemoryBackend({ hash });
    const refused = await importBundle(empty, tools, piecesOf(bytes, 1_000));
    assert.deepEqual(refused, { ok: false, error: { kind: 'missing prerequisites', ids: [old] } });
    assert.deepEqual(await idsOf(empty), []);
    const backend = await load(path, hash, old);
    must(await importBundle(backend, tools, piecesOf(bytes, 1_000)));
    assert.ok(must(await backend.hasObject(main)));
  });

  test(`${hash} › cut, with more behind it, of the other hash › refused`, async () => {
    git.git(path, ['bundle', 'create', '-q', file, 'main']);
    const bytes = new Uint8Array(readFileSync(file));
    for (const count of [0, 5, 20, 60, 100, 1_000, bytes.length - 1]) {
      const cut = piecesOf(bytes.subarray(0, count), 999);
      assert.equal((await importBundle(new MemoryBackend({ hash }), tools, cut)).ok, false);
    }
    const long = piecesOf(new Uint8Array([...bytes, 0]), 1_000);
    const trailing = await importBundle(new MemoryBackend({ hash }), tools, long);
    assert.ok(!trailing.ok && trailing.error.kind === 'pack');
    assert.equal(trailing.error.fault.kind, 'trailing');
    const otherHash = hash === 'SHA-1' ? 'SHA-256' : 'SHA-1';
    const other = new MemoryBackend({ hash: otherHash });
    const refused = await importBundle(other, tools, piecesOf(bytes, 1_000));
    assert.deepEqual(refused, { ok: false, error: { kind: 'other hash' } });
  });
}

test('nothing to bundle › exported › refused, as Git does', async () => {
  const path = git.history({ seed: 10, commits: 3, files: 2 });
  const main = git.lines(path, ['rev-parse', 'main'])[0] as ObjectId;
  const backend = await load(path, 'SHA-1');
  const refs = [{ name: 'refs/heads/main', id: main }];
  for (const request of [
    { refs: [], without: [] },
    { refs, without: [main] },
  ]) {
    const made = await exportBundle(backend, tools, request);
    assert.deepEqual(made, { ok: false, error: { kind: 'empty' } });
  }
});

test('a name that no ref has › taken in › malformed', async () => {
  const path = git.history({ seed: 12, commits: 3, files: 2 });
  git.git(path, ['bundle', 'create', '-q', file, 'main']);
  const bytes = readFileSync(file);
  bytes.write('..', bytes.indexOf('heads'));
  const taken = await importBundle(new MemoryBackend(), tools, piecesOf(bytes, 1_000));
  assert.ok(!taken.ok && taken.error.kind === 'malformed');
});

test('a ref to an object that is nowhere › taken in › dangling', async () => {
  const path = git.history({ seed: 11, commits: 3, files: 2 });
  git.git(path, ['bundle', 'create', '-q', file, 'main']);
  const main = git.lines(path, ['rev-parse', 'main'])[0]!;
  const bytes = readFileSync(file);
  bytes.write('0'.repeat(39), bytes.indexOf(main));
  const taken = await importBundle(new MemoryBackend(), tools, piecesOf(bytes, 1_000));
  assert.ok(!taken.ok && taken.error.kind === 'dangling');
});
