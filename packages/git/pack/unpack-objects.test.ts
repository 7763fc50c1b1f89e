import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { MemoryBackend } from '../memory-backend.ts';
import type { ObjectHash } from '../object-id.ts';
import { must } from '../test-must.ts';
import { idsOf, piecesOf, sameIds, TestGit, tools } from './test-git.ts';
import { unpackObjects } from './unpack-objects.ts';

const git = new TestGit();
after(() => git.close());

const SETTINGS: readonly (readonly string[])[] = [
  ['--window=0'],
  ['--window=10', '--depth=50', '--delta-base-offset'],
  ['--window=50', '--depth=400'],
  ['--window=10', '--depth=1', '--compression=0', '--delta-base-offset'],
  ['--window=10', '--depth=4095', '--compression=9'],
];

const packOf = (path: string, args: readonly string[], revisions: string): Buffer =>
  git.git(
    path,
    ['pack-objects', '--revs', '--stdout', '-q', '--no-reuse-delta', ...args],
    revisions,
  );

for (const hash of ['SHA-1', 'SHA-256'] as const satisfies readonly ObjectHash[]) {
  const path = git.history({ seed: 1, commits: 30, files: 20, hash });
  const ids = git.allIds(path);

  test(`${hash} › Git's packs of all settings, in pieces of any size › every object`, async () => {
    for (const args of SETTINGS) {
      const pack = packOf(path, [...args, '--all'], '');
      for (const pieceBytes of args.includes('--depth=50') ? [pack.length, 999, 7] : [10_000]) {
        const backend = new MemoryBackend({ hash });
        const options = { check: 'objects' } as const;
        const done = await unpackObjects(piecesOf(pack, pieceBytes), backend, tools, options);
        assert.deepEqual(done, { ok: true, value: { objects: ids.length } }, args.join(' '));
        sameIds(await idsOf(backend), ids);
      }
    }
  });

  test(`${hash} › a thin pack › completed from what is here, else its bases are missing`, async () => {
    const old = git.lines(path, ['rev-parse', 'main~5'])[0]!;
    const backend = new MemoryBackend({ hash });
    const base = packOf(path, [], `${old}\n`);
    must(await unpackObjects(piecesOf(base, 4_096), backend, tools, { check: 'objects' }));
    const thin = packOf(path, ['--thin', '--delta-base-offset', '--all'], `^${old}\n`);
    const unpack = (to: MemoryBackend) =>
      unpackObjects(piecesOf(thin, 4_096), to, tools, { check: 'objects' });
    must(await unpack(backend));
    sameIds(await idsOf(backend), ids);
    const empty = await unpack(new MemoryBackend({ hash }));
    assert.ok(!empty.ok && empty.error.kind === 'missing base', JSON.stringify(empty));
  });
}
