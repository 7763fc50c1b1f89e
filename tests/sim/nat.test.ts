/**
 * A NAT router between two lossy segments: hosts of the inside move bytes with hosts outside, all
 * at once and by both families, through tables that are large enough and tables that aren't. Every
 * byte is checked, and in the end nothing is left.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, instantOfMicros, millis, seconds, Timer } from '#core';
import type { Flow } from '#device';
import {
  type IpAddress,
  type Ipv4Address,
  type Ipv6Address,
  parseIpv4Address,
  parseIpv6Address,
} from '#net';
import { Router, Router6 } from '#router';
import { type SimNetDeviceOptions, type SimSwitch, SimWorld } from '#targets/sim/index';
import { PatternSink, PatternSource } from './pattern.ts';
import { StackHost } from './stack-host.ts';

const ip = (text: string): Ipv4Address => parseIpv4Address(text)!;
const ip6 = (text: string): Ipv6Address => parseIpv6Address(text)!;
const INSIDE = ip('192.168.7.1');
const OUTSIDE = ip('198.51.100.2');
const INSIDE6 = ip6('fd00:7::1');
const OUTSIDE6 = ip6('fd00:1::ff');
const TCP_PORT = 80;
const UDP_PORT = 7;
const BYTES = 6_000;
const HOURS_MICROS = 3_600e6;

interface Plan {
  readonly seed: number;
  readonly hosts: number;
  readonly servers: number;
  readonly connections: number;
  readonly datagrams: number;
  readonly sessionsMax: number;
}

class Crowd {
  readonly world: SimWorld;
  readonly router: Router;
  readonly router6: Router6;
  readonly outer: SimSwitch;
  closed = 0;
  failed = 0;
  echoed = 0;
  private readonly plan: Plan;
  private readonly hosts: StackHost[] = [];
  private readonly servers: StackHost[] = [];

  constructor(plan: Plan) {
    this.plan = plan;
    const world = new SimWorld(plan.seed);
    this.world = world;
    world.checkEvery = 200;
    this.outer = world.addSwitch();
    const { random } = world;
    for (const network of [world.network, this.outer]) {
      network.faults.delay = millis(1);
      network.faults.lossShare = random.between(0, 30) / 1_000;
      network.faults.duplicateShare = random.between(0, 30) / 1_000;
      network.faults.reorderShare = random.between(0, 100) / 1_000;
      network.faults.reorderDelay = millis(5);
    }
    const [inside, outside] = [this.host('inside'), this.host('outside', this.outer)];
    this.place(inside, INSIDE, null, INSIDE6, null);
    this.place(outside, OUTSIDE, ip('198.51.100.10'), OUTSIDE6, ip6('fd00:1::10'));
    const { timers } = world;
    const sides = { inside: inside.net, outside: outside.net, timers };
    const { sessionsMax } = plan;
    this.router = new Router({
      ...sides,
      entropy: inside.host.entropy,
      nat: { forwards: [], sessionsMax },
    });
    this.router6 = new Router6({ ...sides, firewall: { rules: [], flowsMax: sessionsMax } });
    world.onCheck(() => this.router.checkInvariants());
    world.onCheck(() => this.router6.checkInvariants());
    for (let i = 0; i < plan.servers; i++) this.addServer(i);
    for (let i = 0; i < plan.hosts; i++) this.addHost(i);
  }

  /** Everybody begins, within some seconds. */
  start(): void {
    const { connections, datagrams } = this.plan;
    for (const [h, host] of this.hosts.entries()) {
      for (let i = 0; i < connections; i++) this.later(() => this.connect(host, h + i));
      this.sendDatagrams(host, datagrams);
    }
  }

  get total(): number {
    return this.plan.hosts * this.plan.connections;
  }

  private later(run: () => void): void {
    const { timers, random } = this.world;
    timers.arm(new Timer(run), after(timers.now, millis(random.between(3_000, 6_000))));
  }

  private host(name: string, network?: SimSwitch): StackHost {
    const { random } = this.world;
    const sums = random.between(0, 1) === 1;
    const device: Partial<SimNetDeviceOptions> = {
      transmitChecksum: sums,
      segmentBytesMax: sums && random.between(0, 1) === 1 ? 65_535 : 0,
      receivesPartialChecksums: random.between(0, 1) === 1,
    };
    return new StackHost(this.world, name, device, {}, network);
  }

  private place(
    { net, host }: StackHost,
    ipv4: Ipv4Address,
    gateway: Ipv4Address | null,
    ipv6: Ipv6Address,
    gateway6: Ipv6Address | null,
  ): void {
    const secret = new Uint8Array(16);
    host.entropy.fill(secret);
    net.startIpv6({ secret, fixed: { address: ipv6, prefixBits: 64, gateway: gateway6 } });
    const none = { dnsServers: [], domain: null, mtuBytes: null };
    net.configure({ addresses: [{ address: ipv4, prefixBits: 24 }], gateway, ...none });
  }

  private addServer(i: number): void {
    const server = this.host(`server${i}`, this.outer);
    this.place(server, ip(`198.51.100.${10 + i}`), OUTSIDE, ip6(`fd00:1::${10 + i}`), OUTSIDE6);
    server.tcp.listen(TCP_PORT, (flow) => this.move(flow, 1, 2));
    const opened = server.net.udp.open(UDP_PORT, {
      datagram: (bytes, source, port) => {
        if (opened.ok) opened.value.send(bytes.slice(), source, port);
      },
    });
    assert.ok(opened.ok);
    this.servers.push(server);
  }

  private addHost(i: number): void {
    const host = this.host(`host${i}`);
    this.place(host, ip(`192.168.7.${10 + i}`), INSIDE, ip6(`fd00:7::${10 + i}`), INSIDE6);
    this.hosts.push(host);
  }

  private addressOf(index: number): IpAddress {
    const at = index % this.servers.length;
    return index % 2 === 0 ? ip(`198.51.100.${10 + at}`) : ip6(`fd00:1::${10 + at}`);
  }

  private connect(host: StackHost, index: number): void {
    host.tcp.connect(this.addressOf(index), TCP_PORT, (result) => {
      if (result.ok) this.move(result.value, 2, 1);
      else this.failed += 1;
    });
  }

  private move(flow: Flow, sends: number, takes: number): void {
    const source = new PatternSource(flow, sends, BYTES, () => 1_000);
    const sink = new PatternSink('nat', takes, BYTES);
    flow.attach({
      data: (bytes) => sink.take(bytes),
      drained: () => source.pump(),
      end: () => sink.end(),
      closed: (how) => {
        if (how === 'closed') this.closed += 1;
        else this.failed += 1;
      },
    });
    source.pump();
  }

  /** From the same ports on every host, to every server; large ones go in fragments. */
  private sendDatagrams(host: StackHost, count: number): void {
    for (let i = 0; i < count; i++) {
      const body = new Uint8Array(i % 3 === 0 ? 4_000 : 40).fill(i);
      const opened = host.net.udp.open(5_000 + i, {
        datagram: (bytes) => {
          assert.deepEqual(bytes, body);
          this.echoed += 1;
        },
      });
      assert.ok(opened.ok);
      this.later(() => opened.value.send(body, this.addressOf(i), UDP_PORT));
    }
  }
}

const SEEDS = 6;

test(`seeds 1 to ${SEEDS} › lossy segments, both families › all bytes arrive, nothing is left`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const plan = { hosts: 4, servers: 3, connections: 10, datagrams: 12, sessionsMax: 1_024 };
    const crowd = new Crowd({ seed, ...plan });
    crowd.start();
    const { world, router, router6 } = crowd;
    world.runUntil(
      () => crowd.closed + crowd.failed >= 2 * crowd.total,
      instantOfMicros(HOURS_MICROS),
    );
    assert.equal(crowd.failed, 0, `seed ${seed}`);
    assert.ok(crowd.echoed >= plan.hosts * plan.datagrams * 0.6, `seed ${seed}: ${crowd.echoed}`);
    const counters = router.counters();
    assert.ok(counters.natPortsOther! > 0 && counters.fragments! > 0, `seed ${seed}`);
    assert.equal(counters.natDropTableFull, 0);
    world.checkEvery = 1;
    world.run(after(world.timers.now, seconds(7_500)));
    assert.deepEqual([router.tables(9).sessionCount, router.counters().natMappings], [0, 0]);
    assert.equal(router6.flows.size, 0);
  }
});

test('more connections than the table holds › some fail, none that is open suffers', () => {
  const plan = { hosts: 5, servers: 2, connections: 30, datagrams: 30, sessionsMax: 64 };
  const crowd = new Crowd({ seed: 9, ...plan });
  crowd.outer.faults.lossShare = 0;
  crowd.world.network.faults.lossShare = 0;
  crowd.start();
  const { world, router, router6 } = crowd;
  world.run(after(world.timers.now, seconds(1_200)));
  const counters = { ...router.counters(), ...router6.counters() };
  assert.ok(counters.natEvicted! + counters.natHostEvicted! > 0);
  assert.ok(counters.flowsEvicted! + counters.flowsHostEvicted! > 0);
  assert.ok(crowd.closed >= crowd.total, `${crowd.closed} ends of ${2 * crowd.total}`);
  world.run(after(world.timers.now, seconds(7_500)));
  assert.deepEqual([router.tables(9).sessionCount, router6.flows.size], [0, 0]);
});
