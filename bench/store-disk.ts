/** Repositories on disk for benches: made by `git fast-import`, opened by a Store, or copied. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { wallTimeOfMillis } from '#core';
import { type ObjectBackend, unpackObjects } from '#git';
import { DiskBackend, formatOpenFault } from '#git/disk';
import { Repository } from '#store';
import { nodeCrypto } from '#targets/node/crypto';
import { NodeFileSystem } from '#targets/node/file-system';
import { zlib } from '#targets/node/zlib';

export const millisOf = (start: number): number => performance.now() - start;

export type Git = (cwd: string, args: readonly string[], input?: string | Uint8Array) => Buffer;

/** Git with nothing but `home` to look for settings in; gives what it writes. */
export const gitWith =
  (home: string): Git =>
  (cwd, args, input = '') => {
    const env = { PATH: process.env.PATH, HOME: home, GIT_CONFIG_NOSYSTEM: '1' };
    const done = spawnSync('git', args, { cwd, input, env, maxBuffer: 2 ** 31 - 1 });
    if (done.status !== 0) throw new Error(`git ${args.join(' ')}: ${done.stderr}`);
    return done.stdout;
  };

/** Writes every object of the repository at `path` to `backend`, each whole. */
export async function copyObjects(git: Git, path: string, backend: ObjectBackend): Promise<void> {
  const pack = git(path, ['pack-objects', '--all', '--revs', '--stdout', '-q']);
  const pieces = (async function* () {
    yield pack;
  })();
  const tools = { crypto: nodeCrypto, zlib };
  const done = await unpackObjects(pieces, backend, tools, { check: 'nothing' });
  if (!done.ok) throw new Error(JSON.stringify(done.error));
}

/** A bare repository at `path` whose main has directories of files, in one pack. */
export function seedRepository(path: string, directories: number, filesEach: number): void {
  mkdirSync(path, { recursive: true });
  execFileSync('git', ['init', '-q', '--bare', '-b', 'main', path]);
  let input = 'commit refs/heads/main\ncommitter A <a@example.org> 1800000000 +0000\ndata 1\ns\n';
  for (let i = 0; i < directories; i++) {
    for (let j = 0; j < filesEach; j++) {
      const text = `first ${i} ${j}\n`;
      input += `M 100644 inline d${i}/f${j}\ndata ${text.length}\n${text}`;
    }
  }
  execFileSync('git', ['fast-import', '--quiet'], { cwd: path, input });
}

export function openDisk(path: string, isSynced: boolean) {
  const clock = { wall: () => wallTimeOfMillis(Date.now()) };
  const person = { name: 'A', email: 'a@example.org' };
  const entropy = { fill: (out: Uint8Array) => void randomFillSync(out) };
  const opened = DiskBackend.open(new NodeFileSystem(path), {
    crypto: nodeCrypto,
    zlib,
    entropy,
    author: () => ({ ...person, seconds: Math.floor(Date.now() / 1_000), zoneMinutes: 0 }),
    pause: (wait) => (wait === 0 ? setImmediate() : setTimeout(wait / 1_000)),
    clock,
    isSynced,
  });
  if (!opened.ok) throw new Error(formatOpenFault(opened.error));
  const backend = opened.value;
  const crypto = nodeCrypto;
  const repository = Repository.open({ backend, crypto, clock, author: person, entropy });
  return { backend, repository };
}
