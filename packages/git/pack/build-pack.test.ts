/** What is selected and written, with Git as the judge. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { MemoryBackend } from '../memory-backend.ts';
import type { ObjectHash, ObjectId } from '../object-id.ts';
import { must } from '../test-must.ts';
import { type PackRequest, selectObjects } from './select-objects.ts';
import { piecesOf, sameIds, TestGit, tools } from './test-git.ts';
import { unpackObjects } from './unpack-objects.ts';
import { PackStopped, packPieces, type WriteOptions } from './write-pack.ts';

const git = new TestGit();
after(() => git.close());

const WHOLE: WriteOptions = { ofsDelta: true, thin: false, deltas: null, reuse: true };
const DELTAS: WriteOptions = { ...WHOLE, deltas: { window: 10, depth: 50 } };

async function load(path: string, hash: ObjectHash): Promise<MemoryBackend> {
  const backend = new MemoryBackend({ hash });
  const pack = git.git(path, ['pack-objects', '--revs', '--stdout', '-q', '--all']);
  must(await unpackObjects(piecesOf(pack, 65_536), backend, tools, { check: 'nothing' }));
  return backend;
}

async function build(backend: MemoryBackend, request: PackRequest, options: WriteOptions) {
  const selection = must(await selectObjects(backend, request));
  const pieces: Uint8Array[] = [];
  const writing = packPieces(backend, tools, selection, options);
  for (;;) {
    const next = await writing.next();
    if (next.done === true) {
      const bytes = Buffer.concat(pieces);
      assert.equal(bytes.length, next.value.sizeBytes);
      return { bytes, written: next.value, selection };
    }
    pieces.push(next.value);
  }
}

/** Ids that a request is to give, by Git. */
const expected = (path: string, args: readonly string[]): ObjectId[] =>
  git.lines(path, ['rev-list', '--objects', ...args]).map((line) => line.split(' ')[0] as ObjectId);

for (const hash of ['SHA-1', 'SHA-256'] as const satisfies readonly ObjectHash[]) {
  const path = git.history({ seed: 4, commits: hash === 'SHA-1' ? 40 : 20, files: 12, hash });
  const tips = git.lines(path, ['rev-parse', '--all']) as ObjectId[];
  const main = git.lines(path, ['rev-parse', 'main'])[0] as ObjectId;
  const backend = load(path, hash);

  test(`${hash} › everything wanted › a pack with exactly that, which Git takes`, async () => {
    for (const options of [WHOLE, DELTAS, { ...DELTAS, ofsDelta: false }]) {
      const { bytes, written } = await build(await backend, { wants: tips, haves: [] }, options);
      const other = git.repository(hash);
      git.git(other, ['index-pack', '--strict', '--stdin'], bytes);
      sameIds(git.allIds(other), expected(path, ['--all']));
      assert.equal(written.objects, git.allIds(other).length);
      assert.equal(written.deltas > 0, options.deltas !== null);
      git.git(other, ['update-ref', 'refs/heads/main', main]);
      git.git(other, ['fsck', '--full', '--strict']);
    }
  });

  test(`${hash} › deltas › about as small as Git's`, async () => {
    const { bytes } = await build(await backend, { wants: tips, haves: [] }, DELTAS);
    const args = ['pack-objects', '--revs', '--stdout', '-q', '--all', '--no-reuse-delta'];
    const theirs = git.git(path, [...args, '--delta-base-offset']);
    assert.ok(bytes.length < theirs.length * 1.15, `${bytes.length} of ${theirs.length}`);
  });

  test(`${hash} › the same request › the same bytes`, async () => {
    const first = await build(await backend, { wants: tips, haves: [] }, DELTAS);
    const second = await build(await backend, { wants: tips, haves: [] }, DELTAS);
    assert.ok(first.bytes.equals(second.bytes));
  });

  test(`${hash} › what the other side has › not sent; thin packs are completed from it`, async () => {
    for (const have of hash === 'SHA-1' ? ['main~1', 'main~12'] : ['main~3']) {
      const old = git.lines(path, ['rev-parse', have])[0] as ObjectId;
      const wanted = expected(path, [main, `^${old}`]);
      const other = git.repository(hash);
      git.git(other, ['fetch', '-q', path, `${old}:refs/heads/old`]);
      const before = git.allIds(other);
      for (const thin of [false, true]) {
        const options = { ...DELTAS, thin };
        const request = { wants: [main], haves: [old] };
        const { bytes, selection } = await build(await backend, request, options);
        const sent = Array.from({ length: selection.count }, (_, i) => selection.idAt(i));
        const missing = wanted.filter((id) => !before.includes(id) && !sent.includes(id));
        assert.deepEqual(missing, []);
        assert.ok(sent.length <= wanted.length + 10, `${sent.length} of ${wanted.length}`);
        if (have !== 'main~12' && thin) {
          assert.notEqual(
            git.run(git.repository(hash), ['index-pack', '--stdin'], bytes).status,
            0,
          );
        }
        git.git(other, ['index-pack', '--strict', '--fix-thin', '--stdin'], bytes);
        git.git(other, ['update-ref', 'refs/heads/main', main]);
        git.git(other, ['fsck', '--full', '--strict']);
        git.git(other, ['update-ref', '-d', 'refs/heads/main']);
      }
    }
  });

  test(`${hash} › nothing that the other side lacks › an empty pack`, async () => {
    const { written } = await build(await backend, { wants: [main], haves: [main] }, WHOLE);
    assert.equal(written.objects, 0);
    const parent = git.lines(path, ['rev-parse', 'main~3'])[0] as ObjectId;
    const older = await build(await backend, { wants: [parent], haves: [main] }, WHOLE);
    assert.equal(older.written.objects, 0);
  });

  test(`${hash} › an end › its parents are left out, as by --depth`, async () => {
    const shallow = git.repository(hash);
    git.git(shallow, ['fetch', '-q', '--depth=3', `file://${path}`, 'main:refs/heads/main']);
    const ends = new Set(readFileSync(join(shallow, 'shallow'), 'utf8').trim().split('\n'));
    const request = { wants: [main], haves: [], ends: ends as Set<ObjectId> };
    const { selection } = await build(await backend, request, WHOLE);
    const sent = Array.from({ length: selection.count }, (_, i) => selection.idAt(i));
    sameIds(sent, git.allIds(shallow));
  });

  test(`${hash} › tags, trees and files wanted › they and what they reach`, async () => {
    const tag = git.lines(path, ['rev-parse', 'v1'])[0] as ObjectId;
    const tree = git.lines(path, ['rev-parse', 'main~1:d1'])[0] as ObjectId;
    const file = git.lines(path, ['rev-parse', 'main:d2/e2/file-2.txt'])[0] as ObjectId;
    for (const wants of [[tag], [tree], [file], [tag, tree, file]]) {
      const { selection } = await build(await backend, { wants, haves: [] }, WHOLE);
      const sent = Array.from({ length: selection.count }, (_, i) => selection.idAt(i));
      sameIds(sent, expected(path, wants));
    }
  });
}

test('an object that is missing › selected or written › told, with its id', async () => {
  const backend = new MemoryBackend();
  const id = 'a'.repeat(40) as ObjectId;
  const selected = await selectObjects(backend, { wants: [id], haves: [id] });
  assert.ok(!selected.ok && selected.error.kind === 'damaged' && selected.error.id === id);
  const path = git.history({ seed: 5, commits: 3, files: 2 });
  const full = await load(path, 'SHA-1');
  const wants = git.lines(path, ['rev-parse', '--all']) as ObjectId[];
  const selection = must(await selectObjects(full, { wants, haves: [] }));
  const writing = packPieces(backend, tools, selection, WHOLE);
  await assert.rejects(
    async () => {
      for await (const _ of writing);
    },
    (error) => error instanceof PackStopped && error.error.kind === 'damaged',
  );
});
