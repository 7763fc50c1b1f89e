/** A whole stack on a link where a router speaks IPv6: options, addresses, names, an HTTP host. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { instantOfMicros } from '#core';
import type { Stack } from '#device';
import { NetStack, parseIpv4Address } from '#net';
import { SimWorld } from '#targets/sim/index';
import { TestDhcpServer } from '../../tests/sim/dhcp-server.ts';
import { RaRouter } from '../../tests/sim/ra-router.ts';
import { directStack, ipv6Options, stackOptions } from './index.ts';

const SECRET = 'sixteen characters';

test('options › nothing, off, an address, a secret', () => {
  assert.deepEqual(ipv6Options('', '', ''), { ok: true, value: { secret: null, fixed: null } });
  assert.deepEqual(ipv6Options('off', '', ''), { ok: true, value: null });
  const fixed = ipv6Options('2001:db8::15/64', 'fe80::1', SECRET);
  assert.ok(fixed.ok && fixed.value?.fixed?.prefixBits === 64);
  assert.equal(fixed.value.secret?.length, 16);
  assert.deepEqual(ipv6Options('', '', SECRET), {
    ok: true,
    value: { secret: fixed.value.secret, fixed: null },
  });
  assert.ok(ipv6Options('2001:db8::15/128', '', '').ok);
  assert.ok(ipv6Options('2001:db8::15/64', '2001:db8::1', '').ok);
});

const refused: readonly [string, string, string, string][] = [
  ['2001:db8::15', '', '', 'ipv6'],
  ['2001:db8::15/0', '', '', 'ipv6'],
  ['2001:db8::15/129', '', '', 'ipv6'],
  ['2001:db8::15/x', '', '', 'ipv6'],
  ['10.0.2.15/24', '', '', 'ipv6'],
  ['ff02::1/64', '', '', 'ipv6'],
  ['fe80::1/64', '', '', 'ipv6'],
  ['::1/128', '', '', 'ipv6'],
  ['::ffff:10.0.0.1/96', '', '', 'ipv6'],
  ['on', '', '', 'ipv6'],
  ['', 'fe80::1', '', 'ipv6-gateway'],
  ['off', 'fe80::1', '', 'ipv6-gateway'],
  ['2001:db8::15/64', '2001:db9::1', '', 'ipv6-gateway'],
  ['2001:db8::15/64', '2001:db8::15', '', 'ipv6-gateway'],
  ['2001:db8::15/64', 'router', '', 'ipv6-gateway'],
  ['2001:db8::15/64', 'ff02::2', '', 'ipv6-gateway'],
  ['', '', 'fifteen charact', 'ipv6-secret'],
];
for (const [address, gateway, secret, kind] of refused) {
  test(`options › '${address}' '${gateway}' '${secret}' › ${kind}`, () => {
    const options = ipv6Options(address, gateway, secret);
    assert.ok(!options.ok);
    assert.equal(options.error.kind, kind);
  });
}

interface Site {
  readonly world: SimWorld;
  readonly stack: Promise<Stack>;
}

/** A stack that asks DHCP and routers, on a link that has them or not. */
function site(has: { dhcp?: boolean; router?: boolean }, address = ''): Site {
  const world = new SimWorld(5);
  const host = (name: string) => world.addHost(name);
  if (has.router === true) new RaRouter(world, host('router'), '2001:db8:0:1::');
  if (has.dhcp === true) {
    const { device, entropy, log } = host('dhcp');
    const logger = log.source('net');
    new TestDhcpServer({
      stack: new NetStack({ device, timers: world.timers, entropy, logger }),
      address: parseIpv4Address('10.0.0.1')!,
      firstAddress: parseIpv4Address('10.0.0.50')!,
      prefixBits: 24,
      leaseSeconds: 3_600,
      repliesToAll: true,
    });
  }
  const options = stackOptions('', '', '');
  const ipv6 = ipv6Options(address, '', SECRET);
  assert.ok(options.ok && ipv6.ok);
  const { device, entropy, log } = host('a');
  const given = { ...options.value, ipv6: ipv6.value };
  const stack = directStack({ timers: world.timers, entropy }, device, given, log.source('stack'));
  return { world, stack };
}

/** How long until there is a stack, in milliseconds, and which addresses it has then. */
async function started({ world, stack }: Site): Promise<[number, string]> {
  let found: Stack | null = null;
  void stack.then((value) => {
    found = value;
  });
  await world.runAsync(() => found !== null, instantOfMicros(60_000_000), setImmediate);
  const addresses = found!.addresses();
  const kinds = addresses.map((text) => text.replace(/^(fe80|2001:db8:0:1):.*/, '$1'));
  return [Math.round(world.timers.now / 1_000), kinds.join(' ')];
}

test('start › DHCP and a router › both, as soon as DHCP has answered', async () => {
  const [millis, addresses] = await started(site({ dhcp: true, router: true }));
  assert.match(addresses, /^10\.0\.0\.50\/24 fe80( 2001:db8:0:1)?$/);
  assert.ok(millis < 50, `${millis} ms`);
});

test('start › a router alone › a second after its advertisement, without a warning', async () => {
  const network = site({ router: true });
  const [millis, addresses] = await started(network);
  assert.equal(addresses, 'fe80 2001:db8:0:1');
  assert.ok(millis >= 1_000 && millis < 1_100, `${millis} ms`);
  network.world.run(instantOfMicros(20_000_000));
  assert.ok(!network.world.lines.some((line) => line.includes('no DHCP')));
});

test('start › DHCP alone, IPv6 off or on › as ever', async () => {
  assert.equal((await started(site({ dhcp: true }, 'off')))[1], '10.0.0.50/24');
  assert.match((await started(site({ dhcp: true })))[1], /^10\.0\.0\.50\/24 fe80$/);
});

test('start › a fixed IPv6 address alone › a second for DHCP, then it is enough', async () => {
  const [millis, addresses] = await started(site({}, '2001:db8:0:1::15/64'));
  assert.equal(addresses, 'fe80 2001:db8:0:1');
  assert.equal(millis, 1_000);
});

test('start › neither › waits on', async () => {
  const { world, stack } = site({});
  let isFound = false;
  void stack.then(() => {
    isFound = true;
  });
  await world.runAsync(
    () => world.timers.now >= 30_000_000,
    instantOfMicros(31_000_000),
    setImmediate,
  );
  assert.equal(isFound, false);
});
