/**
 * A gateway whose guest is hostile in every protocol at once: addresses, names, connections and
 * datagrams to the world in frames that are rewritten on their way, checksums mended. Nothing need
 * arrive; nothing may throw, all invariants hold, and nothing stays when the guest is gone.
 */

import { after, millis, seconds, Timer } from '#core';
import { Gateway, gatewayNetwork } from '#gateway';
import { parseIpv4Address } from '#net';
import { directStack, stackOptions } from '#stack';
import { SimRandom, SimWorld } from '#targets/sim/index';
import { StackHost } from '../sim/stack-host.ts';
import { chatter, type HostileTally, rewrite } from './hostile-stack.ts';

const PORT = 80;
const SERVER = parseIpv4Address('198.51.100.10')!;
const PLACES = ['198.51.100.10', '198.51.100.99', '10.77.0.1', '10.77.0.2', '169.254.1.1'];
const QUESTION = Uint8Array.from(
  Buffer.from('\0\x07\x01\0\0\x01\0\0\0\0\0\0\x04host\x08internal\0\0\x01\0\x01', 'latin1'),
);

/** Runs `virtualSeconds` of hostility from `seed`; throws whatever the gateway throws. */
export async function runHostileGateway(
  seed: number,
  virtualSeconds: number,
): Promise<HostileTally> {
  const world = new SimWorld(seed);
  world.checkEvery = 10;
  const random = new SimRandom(seed + 1);
  const share = random.pick([0.02, 0.1, 0.4]);
  const tally = { rewritten: 0, opened: 0 };
  world.network.tap = (frame) => {
    if (!random.chance(share)) return;
    tally.rewritten += 1;
    rewrite(frame, random);
  };
  const outside = world.addSwitch();
  const server = new StackHost(world, 'server', {}, {}, outside);
  server.configure(SERVER, 24);
  server.tcp.listen(PORT, (flow) => chatter(flow, random));
  const echoing = server.net.udp.bind(7, {
    receive: (bytes, from) => echoing.ok && echoing.value.send(bytes.slice(), from),
  });
  const { device, entropy, log } = world.addHost('host', {}, outside);
  const options = stackOptions('198.51.100.1/24', '', '');
  const network = gatewayNetwork('10.77.0.0/24', {
    hostLoopback: '198.51.100.10',
    nameServers: [{ address: '198.51.100.10', port: 7 }],
    leaseSeconds: 20,
  });
  if (!options.ok || !network.ok) throw new TypeError('the options are wrong');
  const machine = { timers: world.timers, entropy };
  const host = await directStack(machine, device, options.value, log.source('host'));
  const own = world.addHost('gateway');
  const { timers, clock } = world;
  const logger = own.log.source('gateway');
  const parts = { device: own.device, entropy: own.entropy, timers, clock, logger, host };
  const gateway = new Gateway({ ...parts, network: network.value });
  world.onCheck(() => gateway.checkInvariants());
  const guest = new StackHost(world, 'guest', {});
  guest.net.startDhcp('guest');
  guest.net.startIpv6({ secret: null, fixed: null });
  await gateway.publish({
    ...{ protocol: 'tcp', hostAddress: null, hostPort: 8_080, guest: 'guest', guestPort: PORT },
  });
  guest.tcp.listen(PORT, (flow) => chatter(flow, random));
  const socket = guest.net.udp.bind(0, { receive() {}, unreachable() {} });
  const timer = new Timer(() => {
    timers.arm(timer, after(timers.now, millis(random.between(10, 300))));
    const place = random.pick(PLACES);
    const [from, to] = random.chance(0.8)
      ? [guest, parseIpv4Address(place)!]
      : [server, parseIpv4Address('198.51.100.1')!];
    const port = from === server ? 8_080 : random.pick([PORT, PORT, 53, 81]);
    from.tcp.connect(to, port, (result) => {
      if (!result.ok) return;
      tally.opened += 1;
      chatter(result.value, random);
      result.value.write(new Uint8Array(random.below(10_000)));
    });
    if (!socket.ok) return;
    const bytes = random.chance(0.5) ? QUESTION : new Uint8Array(random.below(4_000));
    socket.value.send(bytes, { address: place, port: random.pick([7, 53, 67, 9]) });
  });
  timers.arm(timer, after(timers.now, millis(10)));
  const settle = (): Promise<void> => Promise.resolve();
  const run = (count: number): Promise<void> => {
    const end = after(timers.now, seconds(count));
    return world.runAsync(() => timers.now >= end, end, settle);
  };
  await run(virtualSeconds);
  timers.stop(timer);
  guest.crash();
  await run(600);
  const { relays, foreignSynsHeld, udpFlows, udpMappings } = gateway.counters();
  if (relays! + foreignSynsHeld! + udpFlows! + udpMappings! > 0) {
    throw new RangeError(
      `something stays: ${relays} ${foreignSynsHeld} ${udpFlows} ${udpMappings}`,
    );
  }
  return tally;
}
