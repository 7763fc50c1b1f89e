/**
 * Guests behind a gateway, on two networks with faults: addresses by DHCP, transfers and echoes
 * with a server beyond it, connections that the server refuses, a guest that crashes in the middle
 * of it all. Every byte is checked; with everything healed all is done, and nothing stays behind.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, micros, millis, seconds, Timer } from '#core';
import { Gateway, gatewayNetwork } from '#gateway';
import { parseIpv4Address } from '#net';
import { directStack, stackOptions } from '#stack';
import { noFaults, type SimFaults, SimRandom, type SimSwitch, SimWorld } from '#targets/sim/index';
import { Echo, serveEcho } from './echo.ts';
import { StackHost } from './stack-host.ts';
import { type Habits, livenessLimit, serveTransfers, Transfer } from './transfer.ts';

const SEEDS = 6;
const FAULTY_SECONDS = 40;
const SERVER = parseIpv4Address('198.51.100.10')!;
const CLOSED_PORT = 81;

function drawFaults(random: SimRandom): SimFaults {
  return {
    ...noFaults(),
    delay: micros(random.between(50, 20_000)),
    lossShare: random.pick([0, 0.01, 0.05]),
    duplicateShare: random.pick([0, 0.02]),
    reorderShare: random.pick([0, 0.05]),
  };
}

class Household {
  readonly world: SimWorld;
  readonly random: SimRandom;
  readonly outside: SimSwitch;
  readonly guests: readonly StackHost[];
  readonly server: StackHost;
  readonly habits: Habits;
  gateway!: Gateway;
  isHealed = false;
  refusals = 0;

  constructor(seed: number) {
    this.world = new SimWorld(seed);
    this.world.checkEvery = 20;
    this.random = new SimRandom(seed + 1);
    this.outside = this.world.addSwitch();
    this.world.network.faults = drawFaults(this.random);
    this.outside.faults = drawFaults(this.random);
    this.habits = { random: this.random, pauseShare: this.random.pick([0, 0.02]) };
    this.server = new StackHost(this.world, 'server', {}, {}, this.outside);
    this.server.configure(SERVER, 24);
    serveTransfers(this.server, this.habits);
    serveEcho(this.server);
    this.guests = ['a', 'b'].map((name) => new StackHost(this.world, name, {}));
    for (const guest of this.guests) guest.run(() => guest.net.startDhcp(guest.name));
  }

  async open(): Promise<void> {
    const { world } = this;
    const { device, entropy, log } = world.addHost('host', {}, this.outside);
    const options = stackOptions('198.51.100.1/24', '', '');
    assert(options.ok);
    const machine = { timers: world.timers, entropy };
    const host = await directStack(machine, device, options.value, log.source('host'));
    const network = gatewayNetwork('10.77.0.0/24', { allowsHost: false });
    assert(network.ok);
    const own = world.addHost('gateway');
    this.gateway = new Gateway({
      device: own.device,
      host,
      timers: world.timers,
      entropy: own.entropy,
      clock: world.clock,
      logger: own.log.source('gateway'),
      network: network.value,
    });
    world.onCheck(() => this.gateway.checkInvariants());
  }

  /** Connects to where nobody listens, again and again, until it is refused after all is healed. */
  refusal(guest: StackHost): { readonly name: string; readonly isDone: boolean } {
    const work = { name: `a refusal for ${guest.name}`, isDone: false };
    const attempt = (): void => {
      if (guest.address() === null) {
        this.world.timers.arm(timer, after(this.world.timers.now, seconds(1)));
        return;
      }
      const { boots } = guest;
      guest.tcp.connect(SERVER, CLOSED_PORT, (result) => {
        if (guest.boots !== boots) return;
        assert(!result.ok, 'nobody listens there');
        this.refusals += 1;
        work.isDone = this.isHealed && result.error.kind === 'refused';
        if (!work.isDone) this.world.timers.arm(timer, after(this.world.timers.now, seconds(3)));
      });
    };
    const timer = new Timer(attempt);
    guest.run(() => this.world.timers.arm(timer, this.world.timers.now));
    return work;
  }

  crashes(guest: StackHost): void {
    const { timers } = this.world;
    const boot = new Timer(() => guest.boot());
    const crash = new Timer(() => {
      guest.crash();
      timers.arm(boot, after(timers.now, millis(this.random.between(100, 5_000))));
    });
    timers.arm(crash, after(timers.now, millis(this.random.between(2_000, 30_000))));
  }

  transfer(guest: StackHost, salt: number): Transfer {
    const plan = {
      uploadBytes: this.random.pick([0, 10, 20_000, 300_000]),
      downloadBytes: this.random.pick([0, 10, 20_000, 300_000]),
      salt,
      abortAfterBytes: this.random.pick([Number.POSITIVE_INFINITY, 1_000]),
    };
    // Breaking off needs something to break off.
    const abortAfterBytes = plan.downloadBytes < 1_000 ? Infinity : plan.abortAfterBytes;
    const whole = { ...plan, abortAfterBytes };
    return new Transfer(guest, this.server, whole, this.habits, () => this.isHealed);
  }

  async run(howLong: number, isDone: () => boolean): Promise<void> {
    const { world } = this;
    const end = after(world.timers.now, seconds(howLong));
    // What the host promises is kept within a few of these.
    await world.runAsync(
      () => isDone() || world.timers.now >= end,
      end,
      () => Promise.resolve(),
    );
  }
}

async function household(seed: number): Promise<void> {
  const x = new Household(seed);
  await x.open();
  const work: { readonly isDone: boolean; readonly name: string }[] = [];
  x.guests.forEach((guest, i) => {
    for (let n = 0; n < 4; n++) {
      const transfer = x.transfer(guest, seed * 100 + i * 10 + n);
      transfer.startAfter(x.random.between(0, 20_000));
      work.push(transfer);
    }
    work.push(new Echo(guest, x.server, 30), x.refusal(guest));
  });
  x.crashes(x.guests[0]!);
  await x.run(FAULTY_SECONDS, () => false);
  x.world.network.heal();
  x.outside.heal();
  x.isHealed = true;
  const isAllDone = (): boolean => work.every(({ isDone }) => isDone);
  await x.run(livenessLimit / 1_000_000, isAllDone);
  const late = work.filter(({ isDone }) => !isDone).map(({ name }) => name);
  assert.deepEqual(late, [], `seed ${seed}\n${x.world.lines.slice(-20).join('\n')}`);
  await x.run(400, () => false);
  const { relays, foreignSynsHeld, udpFlows, udpMappings, connections } = x.gateway.counters();
  assert.deepEqual(
    { relays, foreignSynsHeld, udpFlows, udpMappings, connections },
    { relays: 0, foreignSynsHeld: 0, udpFlows: 0, udpMappings: 0, connections: 0 },
    `seed ${seed}`,
  );
  assert(x.refusals >= 2 && x.gateway.counters().tcpNatOpened! >= 6);
}

test('gateway › a thousand short connections, 40 at a time, frames lost › all whole, none stays', async () => {
  const x = new Household(1);
  await x.open();
  x.world.checkEvery = 500;
  for (const network of [x.world.network, x.outside]) {
    network.faults = { ...noFaults(), lossShare: 0.005 };
  }
  const page = new Uint8Array(2_000).fill(0x5a);
  const port = 8_000;
  x.server.tcp.listen(port, (flow) => {
    const answer = (): void => {
      flow.write(page);
      flow.shutdown();
    };
    flow.attach({ data: answer, drained() {}, end() {}, closed() {} });
  });
  const [guest] = x.guests;
  await x.run(30, () => guest!.address() !== null);
  let [started, whole] = [0, 0];
  const next = (): void => {
    if (started >= 1_000) return;
    started += 1;
    guest!.tcp.connect(SERVER, port, (result) => {
      assert(result.ok);
      const flow = result.value;
      let bytes = 0;
      flow.attach({
        data: (piece) => {
          bytes += piece.length;
        },
        drained() {},
        end: () => flow.shutdown(),
        closed(how) {
          assert.deepEqual([bytes, how], [page.length, 'closed']);
          whole += 1;
          next();
        },
      });
      flow.write(Uint8Array.of(1));
    });
  };
  for (let i = 0; i < 40; i++) next();
  await x.run(3_600, () => whole === 1_000);
  await x.run(120, () => false);
  const { relays, foreignSynsHeld, connections, tcpNatOpened } = x.gateway.counters();
  assert.deepEqual([whole, relays, foreignSynsHeld, connections], [1_000, 0, 0, 0]);
  assert.equal(tcpNatOpened, 1_000);
});

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`gateway › two lossy networks, a guest crashes › all done, nothing stays (seed ${seed})`, () =>
    household(seed));
}
