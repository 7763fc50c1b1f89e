/** The device on a store that outlives a boot, and on one that is something else's. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Log } from '#core';
import type { Machine } from '#device';
import { MemoryBackend } from '#git';
import { Repository } from '#store';
import { nodeCrypto } from '#targets/node/crypto';
import { SimWorld } from '#targets/sim/index';
import type { VersionedArp } from '#versioned-arp';
import { net, store } from '../config.ts';
import { deviceOrder } from '../devices.ts';
import { versionedArpConnector } from './connector.ts';

function machineWith() {
  const world = new SimWorld(1);
  const { timers, clock, random: entropy } = world;
  const author = { name: 'app', email: '' };
  const backend = new MemoryBackend();
  const repository = Repository.open({ backend, crypto: nodeCrypto, clock, author, entropy });
  const node = deviceOrder({ arp: net.versionedArp({ store: store.memory() }) }).at(-1)!;
  const connect = (hostname: string) =>
    versionedArpConnector.connect({
      machine: { timers, clock, entropy } as unknown as Machine,
      node,
      needs: [repository],
      args: { hostname },
      log: new Log(() => {}, 'info'),
      name: 'app',
      inspection: null,
      secure: null,
    });
  return { repository, connect };
}

test('a store that outlives a boot › the next boot knows what this one knew', async () => {
  const { repository, connect } = machineWith();
  const first = (await connect('ann')) as VersionedArp;
  assert(first.setStatic('10.0.0.5', '02:00:00:00:00:05'));
  await first.history.settled();
  const head = await repository.branch('main').headCommit();
  assert(head.ok && head.value?.author.name === 'ann');
  const next = (await connect('')) as VersionedArp;
  assert.deepEqual([...next.records().keys()], ['neighbors/10.0.0.5']);
});

test('a store that has something else on main › one sentence, at boot', async () => {
  const { repository, connect } = machineWith();
  await repository.branch('main').set(['neighbors', '10.0.0.5'], Buffer.from('a page'));
  const device = await connect('ann');
  assert('lacks' in device);
  assert.match(device.lacks, /neighbors\/10\.0\.0\.5 isn't neighbor/);
});
