import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros } from '#core';
import { parseIpAddress } from '#net';
import { SimWorld } from '#targets/sim/index';
import { openSide, Router, routeIpv6, serveAddresses, showRouter } from './router.ts';

function sides(inside = '192.168.7.1/24') {
  const world = new SimWorld(5);
  const outer = world.addSwitch();
  const [first, second] = [world.addHost('inside'), world.addHost('outside', {}, outer)];
  const { timers } = world;
  const around = { timers, entropy: first.entropy, log: first.log.source('router') };
  const ipv6 = { ipv6: '2001:db8:7::1/64' };
  const net = openSide(first.device, { ipv4: inside, ...ipv6 }, around);
  const outside = openSide(
    second.device,
    {
      ...{ ipv4: '198.51.100.2/24', gateway: '198.51.100.1' },
      ...{ ipv6: '2001:db8:1::2/64', ipv6Gateway: '2001:db8:1::1' },
    },
    around,
  );
  return { world, outer, around, inside: net, outside };
}

test('a router › a host that plugs in › has an IPv4 address, an IPv6 one, and ways out', () => {
  const { world, around, inside, outside } = sides();
  const router = new Router({ inside, outside, ...around, nat: { forwards: [] } });
  const leases = serveAddresses(inside, outside, '192.168.7.100-192.168.7.110', around);
  const firewall = { rules: [] };
  const router6 = routeIpv6({ inside, outside, ...around, firewall }, around);
  const shown = new Map<string, () => unknown>();
  const show = (name: string, take: () => unknown): void => void shown.set(name, take);
  showRouter({ section: show, stack: show }, { inside, outside }, { router, router6, leases });
  const guest = world.addHost('guest');
  const log = guest.log.source('guest');
  const host = openSide(guest.device, { ipv4: '', ipv6: '' }, { ...around, log });
  world.run(instantOfMicros(10_000_000));
  const [ipv4, , ipv6] = host.addresses();
  assert.match(ipv4!, /^192\.168\.7\.1\d\d\/24$/);
  assert.match(ipv6!, /^2001:db8:7:[:0-9a-f]+\/64$/);
  assert.equal(host.ipv6?.routers.defaultRouters.length, 1);
  assert.equal(leases.leases().length, 1);
  assert.deepEqual([...shown.keys()], ['inside', 'outside', 'router', 'firewall', 'leases']);
  const socket = host.udp.open(5_001, { datagram() {} });
  assert.ok(socket.ok);
  socket.value.send(new Uint8Array(4), parseIpAddress('203.0.113.5')!, 53);
  socket.value.send(new Uint8Array(4), parseIpAddress('2001:db8:9::5')!, 53);
  world.run(instantOfMicros(11_000_000));
  const text = JSON.stringify([...shown.values()].map((take) => take()));
  assert.match(text, /"remote":"203\.0\.113\.5:53"/);
  assert.match(text, /"remote":"\[2001:db8:9::5\]:53"/);
  assert.ok(host.configuration?.gateway);
});

test('the outside has no way › hosts get addresses, and no default router', () => {
  const { world, outer, around, inside } = sides();
  const other = world.addHost('lonely', {}, outer);
  const outside = openSide(other.device, { ipv4: '198.51.100.3/24', ipv6: '' }, around);
  routeIpv6({ inside, outside, ...around, firewall: null }, around);
  const host = openSide(
    world.addHost('guest').device,
    { ipv4: '192.168.7.9/24', ipv6: '' },
    around,
  );
  world.run(instantOfMicros(10_000_000));
  assert.equal(host.addresses().length, 3);
  assert.equal(host.ipv6?.routers.defaultRouters.length, 0);
});

test('texts that are wrong › one sentence each', () => {
  const { world, around, inside, outside } = sides();
  const device = () => world.addHost('more').device;
  for (const texts of [
    { ipv4: '10.0.0.1' },
    { ipv4: '10.0.0.1/24', gateway: '10.9.9.9' },
    { ipv4: '10.0.0.1/24', ipv6: 'x' },
  ]) {
    assert.throws(() => openSide(device(), texts, around), /./);
  }
  const small = world.addHost('small', { mtuBytes: 1_000 }).device;
  assert.throws(() => openSide(small, { ipv4: '10.0.0.1/24', ipv6: '' }, around), /too small/);
  for (const pool of [
    ...['', 'x', '192.168.7.5', '192.168.7.9-192.168.7.5', '192.168.8.1-192.168.8.9'],
    ...['192.168.7.0-192.168.7.9', '192.168.7.5-192.168.7.255'],
  ]) {
    assert.throws(() => serveAddresses(inside, outside, pool, around), /FIRST-LAST/, pool);
  }
});
