/**
 * Whole stacks on a network that rewrites what they say to each other and then mends the checksums:
 * a hostile peer in every protocol at once. Nothing need arrive; nothing may throw, and all
 * invariants hold.
 */

import { after, millis, seconds, Timer } from '#core';
import type { Flow } from '#device';
import { formatIpv4Address, parseIpv4Address } from '#net';
import { SimRandom, SimWorld } from '#targets/sim/index';
import { TestDhcpServer } from '../sim/dhcp-server.ts';
import { StackHost } from '../sim/stack-host.ts';
import { mend } from './mend.ts';

const PORT = 80;

/** Changes some bytes of a frame's headers, mostly, and mends its checksums, mostly. */
export function rewrite(frame: Uint8Array, random: SimRandom): void {
  const end = random.chance(0.8) ? Math.min(frame.length, 74) : frame.length;
  for (let i = random.between(1, 3); i > 0; i--) {
    const at = random.between(12, end - 1);
    frame[at] = random.chance(0.5)
      ? frame[at]! ^ (1 << random.below(8))
      : random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
  }
  if (random.chance(0.9)) mend(frame);
}

/** Takes anything, answers with as much, and breaks off now and then. */
export function chatter(flow: Flow, random: SimRandom): void {
  let isOpen = true;
  flow.attach({
    data(bytes) {
      if (random.chance(0.05)) flow.abort();
      else if (random.chance(0.1)) flow.shutdown();
      else flow.write(new Uint8Array(Math.min(bytes.length, 20_000)));
    },
    drained() {},
    end: () => flow.shutdown(),
    closed() {
      if (!isOpen) throw new RangeError('closed told twice');
      isOpen = false;
    },
  });
}

export interface HostileTally {
  readonly rewritten: number;
  readonly opened: number;
}

/** Runs `virtualSeconds` of hostility from `seed`; throws whatever the stacks throw. */
export function runHostile(seed: number, virtualSeconds: number): HostileTally {
  const world = new SimWorld(seed);
  const random = new SimRandom(seed + 1);
  const share = random.pick([0.02, 0.1, 0.4]);
  let rewritten = 0;
  let opened = 0;
  world.network.tap = (frame) => {
    if (!random.chance(share)) return;
    rewritten += 1;
    rewrite(frame, random);
  };
  const transmitChecksum = random.chance(0.5);
  const device = {
    mtuBytes: random.pick([576, 1_500]),
    transmitChecksum,
    segmentBytesMax: transmitChecksum ? random.pick([0, 65_535]) : 0,
    queueFramesMax: random.pick([8, 256]),
    bitsPerSecond: 1e8,
  };
  const [router, server, client] = ['router', 'server', 'client'].map(
    (name) => new StackHost(world, name, device),
  ) as [StackHost, StackHost, StackHost];
  const address = parseIpv4Address('10.0.2.15')!;
  new TestDhcpServer({
    stack: router.net,
    address: parseIpv4Address('10.0.2.2')!,
    prefixBits: 24,
    firstAddress: parseIpv4Address('10.0.2.16')!,
    leaseSeconds: 20,
    repliesToAll: random.chance(0.5),
  });
  server.configure(address, 24);
  client.net.startDhcp();
  server.tcp.listen(PORT, (flow) => chatter(flow, random));
  const echo = client.net.udp.bind(0, { receive() {}, unreachable() {} });
  const echoing = server.net.udp.bind(7, {
    receive: (bytes, from) => echoing.ok && echoing.value.send(bytes.slice(), from),
  });
  const timer = new Timer(() => {
    client.tcp.connect(address, PORT, (result) => {
      if (!result.ok) return;
      opened += 1;
      chatter(result.value, random);
      result.value.write(new Uint8Array(random.below(10_000)));
    });
    if (echo.ok) {
      const to = { address: formatIpv4Address(address), port: random.pick([7, PORT]) };
      // Now and then in fragments.
      echo.value.send(new Uint8Array(random.chance(0.2) ? 4_000 : random.below(100)), to);
      const group = `239.0.0.${random.below(4)}`;
      if (random.chance(0.5)) echo.value.join(group);
      else echo.value.leave(group);
    }
    world.timers.arm(timer, after(world.timers.now, millis(random.between(10, 300))));
  });
  world.timers.arm(timer, after(world.timers.now, millis(10)));
  world.run(after(world.timers.now, seconds(virtualSeconds)));
  return { rewritten, opened };
}
