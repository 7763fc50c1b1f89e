/** A Store on a repository on the host's disk, for campaigns. */
import { randomFillSync } from 'node:crypto';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { wallTimeOfMillis } from '#core';
import { DiskBackend, formatOpenFault } from '#git/disk';
import { Repository } from '#store';
import { nodeCrypto } from '#targets/node/crypto';
import { NodeFileSystem } from '#targets/node/file-system';
import { zlib } from '#targets/node/zlib';

const PERSON = { name: 'Store', email: 'store@example.org' };

export function openStore(path: string) {
  const clock = { wall: () => wallTimeOfMillis(Date.now()) };
  const opened = DiskBackend.open(new NodeFileSystem(path), {
    crypto: nodeCrypto,
    zlib,
    entropy: { fill: (out) => void randomFillSync(out) },
    author: () => ({ ...PERSON, seconds: Math.floor(Date.now() / 1_000), zoneMinutes: 0 }),
    pause: (wait) => (wait === 0 ? setImmediate() : setTimeout(wait / 1_000)),
    clock,
  });
  if (!opened.ok) throw new Error(formatOpenFault(opened.error));
  const backend = opened.value;
  const who = { author: PERSON, entropy: null };
  const repository = Repository.open({ backend, crypto: nodeCrypto, clock, ...who });
  return { backend, repository };
}
