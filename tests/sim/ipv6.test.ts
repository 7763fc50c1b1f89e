/**
 * IPv6 across a router: two links that lose, repeat and reorder frames, of different MTUs, with
 * addresses made from what the router advertises.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros, millis } from '#core';
import type { Flow } from '#device';
import { formatIpv6Address, type Ipv6Address } from '#net';
import { SimRandom, SimWorld } from '#targets/sim/index';
import { PatternSink, PatternSource, pattern } from './pattern.ts';
import { RaRouter } from './ra-router.ts';
import { StackHost } from './stack-host.ts';

const PORT = 80;
const PREFIXES = ['2001:db8:0:a::', '2001:db8:0:b::'];

interface Plan {
  readonly mtuBytes?: number;
  readonly lossShare?: number;
  readonly offload?: boolean;
}

class Site {
  readonly world: SimWorld;
  readonly router: RaRouter;
  readonly a: StackHost;
  readonly b: StackHost;

  /** Two hosts on two links, a router between; `b` has addresses when this returns. */
  constructor(seed: number, { mtuBytes = 1_500, lossShare = 0, offload = false }: Plan = {}) {
    this.world = new SimWorld(seed);
    const { world } = this;
    const far = world.addSwitch();
    for (const network of [world.network, far]) {
      Object.assign(network.faults, {
        delay: millis(2),
        lossShare,
        duplicateShare: lossShare / 2,
        reorderShare: lossShare,
        reorderDelay: millis(3),
      });
    }
    this.router = new RaRouter(world, world.addHost('router.0'), PREFIXES[0]!);
    this.router.addLink(world.addHost('router.1', { mtuBytes }, far), PREFIXES[1]!);
    const device = offload ? { transmitChecksum: true, segmentBytesMax: 65_535 } : {};
    this.a = new StackHost(world, 'a', device);
    this.b = new StackHost(world, 'b', { ...device, mtuBytes }, {}, far);
    for (const host of [this.a, this.b]) host.net.startIpv6({ secret: null, fixed: null });
    world.runUntil(() => this.a.net.ipv6!.isGlobal && this.b.net.ipv6!.isGlobal, minutes(30));
  }

  run(seconds: number): void {
    this.world.run(instantOfMicros(this.world.timers.now + seconds * 1e6));
  }
}

const minutes = (count: number) => instantOfMicros(count * 60e6);

/** The address from a prefix that is in use now; the newest. */
function globalOf(host: StackHost): Ipv6Address {
  const last = host.net.ipv6!.addresses.at(-1);
  assert.ok(last !== undefined && last.origin === 'advertised');
  return last.address;
}

/** Moves `bytes` both ways at once between the two, every byte checked; how long it took. */
function moveBoth(site: Site, bytes: number): number {
  const { world, a, b } = site;
  let closed = 0;
  const join = (flow: Flow, sends: number, takes: number): void => {
    const source = new PatternSource(flow, sends, bytes, () => 10_000);
    const sink = new PatternSink(`to ${takes}`, takes, bytes);
    flow.attach({
      data: (arrived) => sink.take(arrived),
      drained: () => source.pump(),
      end: () => sink.end(),
      closed(how) {
        assert.equal(how, 'closed');
        closed += 1;
      },
    });
    source.pump();
  };
  const listening = b.tcp.listen(PORT, (flow) => join(flow, 1, 2));
  assert.ok(listening.ok);
  const from = world.timers.now;
  const connect = (): void => {
    void a.tcp.connect(globalOf(b), PORT, (result) => {
      if (result.ok) join(result.value, 2, 1);
      else connect();
    });
  };
  connect();
  world.runUntil(() => closed === 2, instantOfMicros(from + 3_600e6));
  listening.value.close();
  return (world.timers.now - from) / 1e6;
}

test('20 seeds › losses, a small MTU on one side, offloads › every byte, and nothing stays', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SimRandom(seed);
    const plan = {
      mtuBytes: random.pick([1_280, 1_400, 1_500]),
      lossShare: random.pick([0, 0.01, 0.05]),
      offload: random.chance(0.5),
    };
    const site = new Site(seed, plan);
    moveBoth(site, 100_000);
    site.run(200);
    for (const host of [site.a, site.b]) {
      const { connections, timeWait } = host.tcp.counters();
      assert.deepEqual([connections, timeWait], [0, 0], `seed ${seed}`);
    }
    assert.ok(site.router.counters.forwarded > 100);
  }
});

test('a smaller MTU behind the router › a peer that doesn’t say so › learnt from its error', () => {
  // Both ends say 1,460 where only the way between is smaller.
  const site = new Site(3);
  const narrow = site.world.addSwitch();
  const { router, world } = site;
  router.addLink(world.addHost('router.2', { mtuBytes: 1_280 }, narrow), '2001:db8:0:c::');
  const c = new StackHost(world, 'c', { mtuBytes: 1_500 }, {}, narrow);
  c.net.startIpv6({ secret: null, fixed: null });
  world.runUntil(() => c.net.ipv6!.isGlobal, minutes(5));
  Object.assign(site, { b: c });
  moveBoth(site, 100_000);
  assert.ok(router.counters.tooBig >= 1);
  assert.equal(site.a.tcp.counters().pathMtu, 1);
  assert.equal(site.a.net.ip.route(globalOf(c))?.mtuBytes, 1_280);
});

test('UDP › messages larger than the way › in fragments, whole on the other side', () => {
  const site = new Site(4, { mtuBytes: 1_280 });
  const got: number[] = [];
  const server = site.b.net.udp.bind(7, {
    receive(bytes, from) {
      got.push(bytes.length);
      assert.ok(server.ok && server.value.send(bytes.slice(), from));
    },
  });
  const back: Uint8Array[] = [];
  const client = site.a.net.udp.bind(0, { receive: (bytes) => back.push(bytes.slice()) });
  assert.ok(client.ok);
  const to = { address: formatIpv6Address(globalOf(site.b)), port: 7 };
  const sizes = [0, 1, 1_192, 1_232, 1_233, 5_000, 12_000];
  // The first packet to a router that isn't known waits in a queue of eight.
  client.value.send(new Uint8Array(1), to);
  site.run(5);
  for (const size of sizes) {
    // What the first link carries whole is too big for the second: ICMPv6 says so, UDP tries again.
    for (let tries = 0; tries < 3 && back.at(-1)?.length !== size; tries++) {
      client.value.send(pattern(1, 0, size), to);
      site.run(5);
    }
    assert.deepEqual(back.at(-1), pattern(1, 0, size).slice(), `${size}`);
  }
  assert.ok(site.b.net.counters().reassemblyDone! > 0);
});

test('renumbering › the old prefix fades, new connections come from the new one', () => {
  const site = new Site(5);
  const { router, a } = site;
  const old = globalOf(a);
  router.lifetimes = { validSeconds: 7_300, preferredSeconds: 0 };
  router.options = [
    {
      kind: 'prefix',
      prefixBits: 64,
      isOnLink: true,
      isAutonomous: true,
      validSeconds: 86_400,
      preferredSeconds: 14_400,
      prefix: { ...old, w1: 0xd, w2: 0, w3: 0 } as Ipv6Address,
    },
  ];
  router.advertiseAll();
  site.run(5);
  const source = a.net.ipv6!.sourceFor(globalOf(site.b));
  assert.match(formatIpv6Address(source!), /^2001:db8:0:d:/);
  assert.ok(a.net.ipv6!.isOurs(old), 'kept for what has it');
  router.isSilent = true;
  site.run(7_400);
  assert.equal(a.net.ipv6!.isOurs(old), false);
});

test('the router dies › silence › its routes end, and it is asked for again', () => {
  const site = new Site(6);
  site.router.isSilent = true;
  const before = site.router.counters.solicitations;
  site.run(1_900);
  assert.equal(site.a.net.ip.route(globalOf(site.b)), null);
  assert.ok(site.router.counters.solicitations > before);
  site.router.isSilent = false;
  site.run(3_700);
  moveBoth(site, 10_000);
});
