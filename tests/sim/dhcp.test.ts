/**
 * Days of DHCP on a bad link: two servers with pools of their own that fall silent and refuse now
 * and then, hosts that squat on addresses of the pools, three clients. A client never uses an
 * address that no server grants it, nor one that another host has for longer than it takes to find
 * out; with everything healed all have one.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, millis, seconds, Timer } from '#core';
import { formatIpv4Address, type Ipv4Address, ipv4AddressOf, parseIpv4Address } from '#net';
import { SimRandom, SimWorld } from '#targets/sim/index';
import { TestDhcpServer } from './dhcp-server.ts';
import { StackHost } from './stack-host.ts';

const SEEDS = 8;
const HOURS = 12;
const LEASE_SECONDS = 600;
/** Probes, announcements and their answers, some of which are lost. */
const CONFLICT_SECONDS_MAX = 3_600;

class Household {
  readonly world: SimWorld;
  readonly random: SimRandom;
  readonly servers: readonly TestDhcpServer[];
  readonly clients: readonly StackHost[];
  readonly squatted = new Set<Ipv4Address>();
  /** By client, since when its address is a squatter's. */
  private readonly sharedSince = new Map<StackHost, number>();

  constructor(seed: number) {
    this.world = new SimWorld(seed);
    this.random = new SimRandom(seed + 1);
    const host = (name: string) => new StackHost(this.world, name, {});
    this.servers = [1, 2].map((n) => this.server(host(`server${n}`), n));
    for (const text of ['10.0.1.0', '10.0.1.2', '10.0.2.1']) {
      const address = parseIpv4Address(text)!;
      this.squatted.add(address);
      host(`squatter ${text}`).configure(address, 16);
    }
    this.clients = ['a', 'b', 'c'].map(host);
    this.world.onCheck(() => this.check());
  }

  get now(): number {
    return this.world.timers.now / 1e6;
  }

  /** Something changes every few minutes: a server falls silent, refuses, or is well again. */
  trouble(): void {
    const server = this.random.pick(this.servers);
    server.isSilent = this.random.chance(0.4);
    server.refuses = this.random.chance(0.1);
    this.world.network.faults.lossShare = this.random.pick([0, 0.05, 0.3]);
    const wait = millis(this.random.between(10_000, 900_000));
    this.world.timers.arm(this.timer, after(this.world.timers.now, wait));
  }

  heal(): void {
    this.world.timers.stop(this.timer);
    this.world.network.heal();
    for (const server of this.servers) {
      server.isSilent = false;
      server.refuses = false;
    }
  }

  private readonly timer = new Timer(() => this.trouble());

  private server({ net }: StackHost, n: number): TestDhcpServer {
    return new TestDhcpServer({
      stack: net,
      address: ipv4AddressOf(parseIpv4Address('10.0.0.0')! + n),
      prefixBits: 16,
      firstAddress: ipv4AddressOf(parseIpv4Address('10.0.0.0')! + 256 * n),
      leaseSeconds: LEASE_SECONDS,
      repliesToAll: n === 1,
      now: () => this.now,
    });
  }

  private check(): void {
    const used = new Set<Ipv4Address>();
    for (const client of this.clients) {
      const address = client.address();
      if (address === null || !this.squatted.has(address)) this.sharedSince.delete(client);
      if (address === null) continue;
      const text = `${client.name} has ${formatIpv4Address(address)}`;
      assert.ok(!used.has(address), `${text}, as has another`);
      used.add(address);
      const mac = client.host.device.mac.join(':');
      const isGranted = this.servers.some((server) => {
        const grant = server.granted.get(mac);
        return grant?.address === address && this.now <= grant.until;
      });
      assert.ok(isGranted, `${text}, which nobody grants at ${this.now}`);
      if (!this.squatted.has(address)) continue;
      const since = this.sharedSince.get(client) ?? this.now;
      this.sharedSince.set(client, since);
      assert.ok(this.now - since < CONFLICT_SECONDS_MAX, `${text}, which is squatted on`);
    }
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`seed ${seed} › ${HOURS} hours of trouble › nobody uses what isn't granted, all end with an address`, () => {
    const house = new Household(seed);
    const { world, clients, squatted } = house;
    for (const { net } of clients) net.startDhcp();
    house.trouble();
    world.run(after(world.timers.now, seconds(HOURS * 3_600)));
    house.heal();
    world.run(after(world.timers.now, seconds(3_600)));
    for (const client of clients) {
      const address = client.address();
      assert.ok(address !== null && !squatted.has(address), client.name);
    }
    const declines = clients.map(({ net }) => net.counters().dhcpDeclines ?? 0);
    assert.ok(declines.some((count) => count > 0));
  });
}
