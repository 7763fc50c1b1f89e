/** The store behind the table: what an application brought fails; a network falls into halves. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { staticsKeptMax } from './limits.ts';
import { ArpHost, Hosts } from './test-hosts.ts';

test('collect rejects › said, and what is learned next is committed', async () => {
  const collect = () => Promise.reject(new Error('no room'));
  const net = await Hosts.started(1, { commitsKept: 5, collect });
  const [a] = net.hosts as [ArpHost];
  for (let i = 0; i < 12; i++) {
    assert(a.arp.setStatic(`10.0.1.${i}`, '02:00:00:00:00:01'));
    await net.pass(2);
  }
  assert(a.lines.some((line) => line.includes('no room')));
  assert(Number(a.arp.counters().historyCuts) >= 1);
  const log = await a.log();
  assert.equal(log[0], 'set 10.0.1.11 is 02:00:00:00:00:01: static, by command');
});

const pullFrom = async (sides: readonly (readonly ArpHost[])[]): Promise<void> => {
  for (const side of sides) {
    for (const one of side) {
      for (const other of side) if (one !== other) assert((await one.arp.pull(other.remote)).ok);
    }
  }
};

/** Two halves of a switch, each of which learns its own of one address; what all know at last. */
async function partitioned(seed: number): Promise<unknown> {
  const net = await Hosts.started(6, {}, seed);
  await net.pass(3);
  const sides = [net.hosts.slice(0, 3), net.hosts.slice(3)] as const;
  const { network: wire } = net.world;
  for (const one of sides[0]) {
    for (const other of sides[1]) wire.cut(one.host.host.device, other.host.host.device);
  }
  sides[0][0]!.send(sides[1][0]!.address);
  for (let round = 0; round < 4; round++) {
    for (const [i, side] of sides.entries()) {
      side[round % 3]!.send(side[(round + 1) % 3]!.address);
      const mac = Uint8Array.of(2, 0, 0, 0, i, round);
      if (round === 3) side[1]!.forge(1, '10.0.0.77', mac, side[0]!.address);
      await net.pass(10);
    }
    await pullFrom(sides);
  }
  assert(wire.counters.cut > 0);
  const views = net.hosts.map((host) => host.arp.neighbors().get('10.0.0.77'));
  const [one, two] = ['02:00:00:00:00:03', '02:00:00:00:01:03'];
  assert.deepEqual(views, [one, one, one, two, two, two]);
  assert(!sides[0][0]!.known().includes(sides[1][0]!.address));
  wire.heal();
  await pullFrom([net.hosts]);
  await pullFrom([net.hosts]);
  for (const { arp } of net.hosts) assert.equal(arp.neighbors().get('10.0.0.77'), two);
  sides[0][0]!.send(sides[1][0]!.address);
  await net.pass(1);
  await pullFrom([net.hosts, net.hosts]);
  assert(net.hosts[1]!.known().includes(sides[1][0]!.address));
  const tables = new Set(await Promise.all(net.hosts.map((host) => host.committed())));
  assert.equal(tables.size, 1);
  const heads = await Promise.all(net.hosts.map((host) => host.repository.headOf('main')));
  await pullFrom([net.hosts, net.hosts]);
  const after = await Promise.all(net.hosts.map((host) => host.repository.headOf('main')));
  assert.deepEqual(after, heads);
  return heads;
}

test('a switch in two halves that learn and expire; healed › all know the same, by the seed', async () => {
  assert.deepEqual(await partitioned(1), await partitioned(1));
});

test('nobody answers › four requests a second and a half apart, given up after six', async () => {
  const net = await Hosts.started(2);
  const [a] = net.hosts as [ArpHost];
  await net.pass(3);
  const carried = net.world.network.counters.carried;
  a.send('10.0.0.50');
  await net.pass(5.9);
  assert.equal(a.host.net.counters().arpGaveUp, 0);
  assert.equal(net.world.network.counters.carried - carried, 4);
  await net.pass(0.2);
  assert.equal(a.host.net.counters().arpGaveUp, 1);
  assert.deepEqual(
    await a.log(),
    ['begin: an empty cache'],
    'what was never known is not forgotten',
  );
});

test('a peer changes our static entries again and again › no more is pulled, ours are there at the next boot', async () => {
  const net = await Hosts.started(2);
  const [a, b] = net.hosts as [ArpHost, ArpHost];
  const [mac, forged] = ['02:00:00:00:00:77', '02:00:00:00:00:66'];
  assert(a.arp.setStatic('10.0.0.77', mac));
  await net.pass(1);
  const entries = new Map([['10.0.0.77', { mac: forged, origin: 'command' } as const]]);
  for (let i = 0; i <= staticsKeptMax; i++) {
    assert((await b.arp.pull(a.remote)).ok);
    const since = 253_402_300_799;
    assert((await b.arp.repository.branch('main').set(['static', a.name], { since, entries })).ok);
    assert.equal((await a.arp.pull(b.remote)).ok, i < staticsKeptMax);
    await net.pass(1);
  }
  assert(a.lines.some((line) => line.includes('static/host-1 is ours')));
  assert.equal(a.arp.neighbors().get('10.0.0.77'), mac);
  const again = new ArpHost(net.world, 1, {}, a.backend);
  assert((await again.arp.start()).ok);
  assert.equal(again.arp.neighbors().get('10.0.0.77'), mac);
  assert((await b.arp.pull(a.remote)).ok);
  assert((await again.arp.pull(b.remote)).ok, 'once it has what we say');
});
