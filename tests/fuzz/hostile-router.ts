/**
 * A router between two networks that rewrite what passes and then mend the checksums: hostile hosts
 * on both sides of translation and firewall. Nothing need arrive; nothing may throw, tables stay
 * within their bounds, and all invariants hold.
 */

import { after, millis, seconds, Timer } from '#core';
import { type Ipv4Address, type Ipv6Address, parseIpv4Address, parseIpv6Address } from '#net';
import { parseForwards, parseRules, Router, Router6 } from '#router';
import { SimRandom, type SimSwitch, SimWorld } from '#targets/sim/index';
import { StackHost } from '../sim/stack-host.ts';
import { chatter, type HostileTally, rewrite } from './hostile-stack.ts';

const SESSIONS_MAX = 64;
const HOSTS = 3;
const ip = (text: string): Ipv4Address => parseIpv4Address(text)!;
const ip6 = (text: string): Ipv6Address => parseIpv6Address(text)!;

export interface RouterTally extends HostileTally {
  /** Of the router's counters that say why a packet was dropped, how many count something. */
  readonly reasons: number;
}

/** Runs `virtualSeconds` of hostility from `seed`; throws whatever the router throws. */
export function runHostileRouter(seed: number, virtualSeconds: number): RouterTally {
  const world = new SimWorld(seed);
  const random = new SimRandom(seed + 1);
  world.checkEvery = 50;
  const outer = world.addSwitch();
  const share = random.pick([0.02, 0.1, 0.4]);
  let rewritten = 0;
  for (const network of [world.network, outer]) {
    network.faults.duplicateShare = 0.05;
    network.faults.reorderShare = 0.1;
    network.faults.reorderDelay = millis(20);
    network.tap = (frame) => {
      if (!random.chance(share)) return;
      rewritten += 1;
      rewrite(frame, random);
    };
  }
  const host = (name: string, network: SimSwitch, mtuBytes: number): StackHost => {
    const transmitChecksum = random.chance(0.5);
    const device = {
      mtuBytes,
      transmitChecksum,
      receivesPartialChecksums: random.chance(0.5),
      segmentBytesMax: transmitChecksum ? random.pick([0, 65_535]) : 0,
      queueFramesMax: random.pick([8, 256]),
      bitsPerSecond: 1e8,
    };
    return new StackHost(world, name, device, {}, network);
  };
  const place = (
    { net }: StackHost,
    ipv4: string,
    gateway: string | null,
    ipv6: string,
    gateway6: string | null,
  ): void => {
    const fixed = {
      address: ip6(ipv6),
      prefixBits: 64,
      gateway: gateway6 === null ? null : ip6(gateway6),
    };
    net.startIpv6({ secret: new Uint8Array(16).fill(seed), fixed });
    const router = gateway === null ? null : ip(gateway);
    const none = { dnsServers: [], domain: null, mtuBytes: null };
    net.configure({ addresses: [{ address: ip(ipv4), prefixBits: 24 }], gateway: router, ...none });
  };
  const mtuBytes = random.pick([1_280, 1_400, 1_500]);
  const inside = host('inside', world.network, 1_500);
  const outside = host('outside', outer, mtuBytes);
  place(inside, '192.168.7.1', null, 'fd00:7::1', null);
  place(outside, '198.51.100.2', '198.51.100.10', 'fd00:1::ff', 'fd00:1::10');
  const forwards = parseForwards('tcp:80=192.168.7.10,udp:7=192.168.7.10,udp:80=192.168.7.11:7');
  const rules = parseRules('tcp:*:80,udp:*:7,ping:*');
  if (!forwards.ok || !rules.ok) throw new TypeError('forwards and rules');
  const sides = { inside: inside.net, outside: outside.net, timers: world.timers };
  const router = new Router({
    ...sides,
    entropy: inside.host.entropy,
    clampsMss: random.chance(0.5),
    nat: {
      forwards: forwards.value,
      sessionsMax: SESSIONS_MAX,
      filtering: random.pick(['endpoint-independent', 'address-and-port-dependent'] as const),
    },
  });
  const firewall = { rules: rules.value, flowsMax: SESSIONS_MAX };
  const router6 = new Router6({ ...sides, firewall: random.chance(0.9) ? firewall : null });
  world.onCheck(() => router.checkInvariants());
  world.onCheck(() => router6.checkInvariants());
  let opened = 0;
  const all: StackHost[] = [];
  for (let i = 0; i < HOSTS; i++) {
    const [near, far] = [host(`host${i}`, world.network, 1_500), host(`far${i}`, outer, mtuBytes)];
    place(near, `192.168.7.${10 + i}`, '192.168.7.1', `fd00:7::${10 + i}`, 'fd00:7::1');
    place(far, `198.51.100.${10 + i}`, '198.51.100.2', `fd00:1::${10 + i}`, 'fd00:1::ff');
    all.push(near, far);
  }
  const targets = [
    ...['198.51.100.10', '198.51.100.11', '198.51.100.2', '192.168.7.1', '192.168.7.11'].map(ip),
    ...['203.0.113.5', '198.51.100.99', '192.168.7.99'].map(ip),
    ...['fd00:1::10', 'fd00:1::11', 'fd00:7::10', 'fd00:7::11', 'fd00:7::99', 'fd00:9::1'].map(ip6),
  ];
  for (const one of all) {
    one.tcp.listen(80, (flow) => chatter(flow, random));
    const echo = one.net.udp.open(7, {
      datagram: (bytes, source, port) => {
        if (echo.ok && random.chance(0.9)) echo.value.send(bytes.slice(), source, port);
      },
    });
    const asking = one.net.udp.open(0, { datagram() {} });
    const timer = new Timer(() => {
      one.tcp.connect(random.pick(targets), 80, (result) => {
        if (!result.ok) return;
        opened += 1;
        chatter(result.value, random);
        result.value.write(new Uint8Array(random.below(10_000)));
      });
      const body = new Uint8Array(random.chance(0.3) ? 4_000 : random.below(100));
      if (asking.ok) asking.value.send(body, random.pick(targets), random.pick([7, 80, 99]));
      world.timers.arm(timer, after(world.timers.now, millis(random.between(20, 400))));
    });
    world.timers.arm(timer, after(world.timers.now, millis(random.between(2_000, 2_500))));
  }
  world.run(after(world.timers.now, seconds(virtualSeconds)));
  const counters = [...Object.entries(router.counters()), ...Object.entries(router6.counters())];
  const reasons = counters.filter(([name, count]) => /drop/i.test(name) && count > 0).length;
  return { rewritten, opened, reasons };
}
