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
  const connect = (
    hostname: string,
    fixed: Readonly<Record<string, string>> = {},
    arp = '',
    more = '',
  ) => {
    const device = net.versionedArp({ store: store.memory(), static: fixed, peers: ['10.0.0.2'] });
    const node = deviceOrder({ arp: device }).at(-1)!;
    return versionedArpConnector.connect({
      machine: { timers, clock, entropy } as unknown as Machine,
      node,
      needs: [repository],
      args: { hostname, arp, 'arp-peers': more },
      log: new Log(() => {}, 'info'),
      name: 'app',
      inspection: null,
      secure: null,
    });
  };
  return { repository, connect };
}

test('a store that outlives a boot › the next boot knows what this one knew', async () => {
  const { repository, connect } = machineWith();
  const first = (await connect('ann')) as VersionedArp;
  assert(first.setStatic('10.0.0.5', '02:00:00:00:00:05'));
  await first.history.settled();
  const head = await repository.branch('main').headCommit();
  assert(head.ok && head.value?.author.name === 'ann');
  const next = (await connect('ann')) as VersionedArp;
  assert.deepEqual([...next.neighbors().keys()], ['10.0.0.5']);
});

test('static entries of configuration and boot › there, and gone at the boot without them', async () => {
  const { repository, connect } = machineWith();
  const [one, two] = ['02:00:00:00:00:01', '02:00:00:00:00:02'];
  const fixed = { '10.0.0.5': one, '10.0.0.6': one };
  const first = (await connect('ann', fixed, `10.0.0.6=${two},10.0.0.7=${two}`)) as VersionedArp;
  const known = [...first.neighbors()];
  assert.deepEqual(known, [
    ['10.0.0.5', one],
    ['10.0.0.6', two],
    ['10.0.0.7', two],
  ]);
  assert(first.setStatic('10.0.0.8', one));
  await first.history.settled();
  const second = (await connect('ann', { '10.0.0.6': two })) as VersionedArp;
  assert.deepEqual([...second.neighbors().keys()].sort(), ['10.0.0.6', '10.0.0.8']);
  await second.history.settled();
  const head = await repository.branch('main').headCommit();
  assert(head.ok && head.value !== null);
  assert.match(head.value.message, /^configure static entries: 10\.0\.0\.5, 10\.0\.0\.7\n/);
  const all = Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`10.0.1.${i}`, one]));
  assert.deepEqual(await connect('ann', all), { lacks: 'more than 128 static entries' });
  assert.deepEqual(await connect('ann', { '127.0.0.1': one }), {
    lacks: `127.0.0.1 can't be at ${one}`,
  });
});

test('a store that has something else on main › one sentence, at boot', async () => {
  const { repository, connect } = machineWith();
  await repository.branch('main').set(['neighbors', '10.0.0.5'], Buffer.from('a page'));
  const device = await connect('ann');
  assert('lacks' in device);
  assert.match(device.lacks, /neighbors\/10\.0\.0\.5 isn't neighbor/);
});

test('peers of configuration and boot › they may seed this host, and nobody else', async () => {
  const { connect } = machineWith();
  const arp = (await connect('ann', {}, '', '10.0.0.3')) as VersionedArp;
  assert.deepEqual(arp.peers, ['10.0.0.2', '10.0.0.3']);
  const remote = {
    fetch: async () => ({ ok: true, value: null }) as const,
    push: async () => ({ ok: true, value: 'behind' }) as const,
  };
  assert.deepEqual(await arp.pull({ name: '10.0.0.3', ...remote }), { ok: true, value: false });
  const refused = { ok: false, error: '10.0.0.4: it is none of our peers' };
  assert.deepEqual(await arp.pull({ name: '10.0.0.4', ...remote }), refused);
  assert.deepEqual(await arp.push({ name: '10.0.0.4', ...remote }), refused);
  assert.equal(arp.counters().pullFailures, 2);
});
