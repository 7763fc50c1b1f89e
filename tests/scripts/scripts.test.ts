/**
 * Every packet script of this folder, one test each; those of arp/ also with the cache that has a
 * history. README.md says how to write one.
 */

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Log } from '#core';
import { MemoryBackend } from '#git';
import { ARP_POLICY } from '#net';
import { Repository } from '#store';
import { nodeCrypto } from '#targets/node/crypto';
import { VersionedArp } from '#versioned-arp';
import { runScript } from './runner.ts';
import type { MakeArp } from './stage.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));

for (const path of globSync('**/*.pkt', { cwd: folder }).sort()) {
  test(path, () => {
    const { failure } = runScript(readFileSync(`${folder}/${path}`, 'utf8'));
    if (failure !== null) assert.fail(`tests/scripts/${path} ${failure}`);
  });
}

/** The other cache, with the times of ours: the same packets are due. */
const versioned: MakeArp = ({ clock, timers, random }) => {
  const author = { name: 'us', email: '' };
  const backend = new MemoryBackend();
  const entropy = random.fork();
  const repository = Repository.open({ backend, crypto: nodeCrypto, clock, author, entropy });
  const log = new Log(() => {}, 'warn').source('arp');
  const { table: _, believesUnasked: __, ...times } = ARP_POLICY;
  const made = new VersionedArp({
    repository,
    timers,
    clock,
    entropy: random.fork(),
    log,
    host: 'us',
    times,
  });
  void made.start();
  return made.policy;
};

for (const path of globSync('arp/*.pkt', { cwd: folder }).sort()) {
  test(`${path}, versioned`, () => {
    const { failure } = runScript(readFileSync(`${folder}/${path}`, 'utf8'), versioned);
    if (failure !== null) assert.fail(`tests/scripts/${path} ${failure}`);
  });
}
