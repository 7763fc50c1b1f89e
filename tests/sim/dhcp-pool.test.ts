/**
 * Our DHCP server and our client on a bad link: more machines than addresses, leases of a minute,
 * machines that crash, the server started anew in the middle with nothing remembered. No two
 * machines use one address, but for as long as it takes to find out when a server has forgotten who
 * has it; with everything healed, as many have one as there are.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, millis, seconds, Timer } from '#core';
import { Dhcpv4Server, formatIpv4Address, ipv4AddressOf, parseIpv4Address } from '#net';
import { SimRandom, SimWorld } from '#targets/sim/index';
import { StackHost } from './stack-host.ts';

const SEEDS = 4;
const MINUTES = 30;
const LEASE_SECONDS = 60;
const POOL = 5;
const MACHINES = 7;
const SERVER = parseIpv4Address('10.0.0.1')!;
/** Until old leases end, and probes are over. */
const CONFUSION = seconds(2 * LEASE_SECONDS);
const FIRST = parseIpv4Address('10.0.0.10')!;

class Street {
  readonly world: SimWorld;
  readonly random: SimRandom;
  readonly host: StackHost;
  readonly machines: readonly StackHost[];
  private readonly isUp = new Set<StackHost>();
  server!: Dhcpv4Server;
  isHealed = false;
  private confusedUntil = 0;

  constructor(seed: number) {
    this.world = new SimWorld(seed);
    this.world.checkEvery = 5;
    this.random = new SimRandom(seed + 1);
    this.host = new StackHost(this.world, 'server', {});
    this.host.configure(SERVER, 24);
    this.serve();
    this.machines = Array.from({ length: MACHINES }, (_, i) => {
      const machine = new StackHost(this.world, `m${i}`, {});
      machine.run(() => {
        machine.net.startDhcp(machine.name);
        this.isUp.add(machine);
      });
      return machine;
    });
    this.world.onCheck(() => this.check());
  }

  /** A server that remembers nothing. */
  serve(): void {
    const last = ipv4AddressOf(FIRST + POOL - 1);
    const server = new Dhcpv4Server({
      udp: this.host.net.udp,
      timers: this.world.timers,
      logger: this.host.host.log.source('dhcp'),
      serve: {
        ...{ address: SERVER, prefixBits: 24, leaseSeconds: LEASE_SECONDS, router: null },
        ...{ dnsServers: [], domain: null, searchDomains: [], mtuBytes: null },
      },
      pool: { first: FIRST, last },
    });
    assert(server.start());
    this.world.onCheck(() => server.checkInvariants());
    this.server = server;
  }

  /** Crashes and boots machines at random, and once starts the server anew. */
  live(): void {
    const { timers } = this.world;
    const soon = (least: number, most: number) =>
      after(timers.now, millis(this.random.between(least, most)));
    for (const machine of this.machines) {
      const timer = new Timer(() => {
        if (this.isUp.has(machine)) {
          machine.crash();
          this.isUp.delete(machine);
          timers.arm(timer, soon(1_000, 200_000));
        } else {
          machine.boot();
          if (!this.isHealed) timers.arm(timer, soon(5_000, 400_000));
        }
      });
      timers.arm(timer, soon(5_000, 400_000));
    }
    const anew = new Timer(() => {
      this.server.stop();
      this.serve();
      this.confusedUntil = after(timers.now, CONFUSION);
    });
    timers.arm(anew, soon(600_000, 1_200_000));
  }

  /** Machines that are up and have an address, by address. */
  used(): Map<number, string> {
    const used = new Map<number, string>();
    for (const machine of this.machines) {
      const address = this.isUp.has(machine) ? machine.address() : null;
      if (address === null) continue;
      const other = used.get(address);
      const text = formatIpv4Address(address);
      const isConfused = this.world.timers.now < this.confusedUntil;
      assert(other === undefined || isConfused, `${text} is used by ${other} and ${machine.name}`);
      used.set(address, machine.name);
    }
    return used;
  }

  private check(): void {
    this.used();
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`DHCP › more machines than addresses, crashes, losses › none is two’s (seed ${seed})`, () => {
    const x = new Street(seed);
    const { world, random } = x;
    world.network.faults.lossShare = random.pick([0, 0.05, 0.2]);
    world.network.faults.duplicateShare = random.pick([0, 0.05]);
    x.live();
    world.run(after(world.timers.now, seconds(MINUTES * 60)));
    world.network.heal();
    x.isHealed = true;
    world.run(after(world.timers.now, seconds(15 * 60)));
    assert.equal(x.used().size, POOL, `seed ${seed}`);
    const bound = x.server.leases().filter(({ state }) => state === 'bound');
    assert.equal(bound.length, POOL);
    for (const { address, hostName } of bound) {
      assert.equal(x.used().get(parseIpv4Address(address)!), hostName, `seed ${seed}`);
    }
  });
}
