/**
 * One seed: a whole network of hosts, routers and bad links does all kinds of work, while hosts
 * crash and links are cut (safety phase); then it is healed, and everything must finish, or fail
 * with a proper error, in bounded time (liveness); then nothing may be left (no leak).
 */

import { after, instantOfMicros, millis, seconds, Timer } from '#core';
import { ipv4AddressOf } from '#net';
import type { SimRandom, SimWorld } from '#targets/sim/index';
import { Dialogue, serveDialogues, Vain } from './dialogue.ts';
import { Echo, serveEcho } from './echo.ts';
import type { NetworkOptions } from './network-options.ts';
import { pattern, Violation } from './pattern.ts';
import { LivenessFailure } from './retried.ts';
import type { StackHost } from './stack-host.ts';
import { Network, segmentAddress } from './topology.ts';
import { type Habits, livenessLimit, serveTransfers, Transfer } from './transfer.ts';

interface Work {
  readonly name: string;
  readonly isDone: boolean;
}

/** Throws what goes wrong. */
export function runNetwork(world: SimWorld, options: NetworkOptions): void {
  const random = world.random.fork();
  const habits: Habits = { random: world.random.fork(), pauseShare: options.pauseShare };
  const network = new Network(world, options);
  let isHealed = false;
  const work = startWork(network, options, random, habits, () => isHealed);
  const healAt = instantOfMicros(options.safetySeconds * 1e6);
  world.run(healAt);
  network.heal();
  isHealed = true;
  work.push(...pingAll(network, options, random));
  const isDone = () => work.every((each) => each.isDone);
  const limit = after(healAt, livenessLimit);
  while (!isDone()) {
    if (world.step(limit)) continue;
    const open = work.filter((each) => !each.isDone).map(({ name }) => name);
    throw new LivenessFailure(`not done: ${open.join('; ')}`);
  }
  checkLeaks(network);
}

/** Draws who does what with whom, and when it begins. */
function startWork(
  network: Network,
  options: NetworkOptions,
  random: SimRandom,
  habits: Habits,
  isHealed: () => boolean,
): Work[] {
  const { hosts } = network;
  for (const host of hosts) {
    serveTransfers(host, habits);
    serveDialogues(host);
    serveEcho(host);
  }
  const pair = (): [StackHost, StackHost] => {
    const client = random.below(hosts.length);
    const server = (client + random.between(1, hosts.length - 1)) % hosts.length;
    return [hosts[client]!, hosts[server]!];
  };
  const start = (): number => random.below(options.safetySeconds * 1_000);
  const transfer = (bytesMax: number): Transfer => {
    const plan = {
      uploadBytes: random.below(bytesMax + 1),
      downloadBytes: random.below(bytesMax + 1),
      salt: random.below(1_000_000),
      abortAfterBytes: random.chance(options.abortShare) ? random.between(1, 50_000) : Infinity,
    };
    const made = new Transfer(...pair(), plan, habits, isHealed);
    made.startAfter(start());
    return made;
  };
  const dialogue = (): Dialogue => {
    const answers = Array.from({ length: random.between(1, 20) }, () => random.below(5_000));
    const plan = { salt: random.below(1_000_000), answers };
    const made = new Dialogue(...pair(), plan, isHealed);
    made.startAfter(start());
    return made;
  };
  const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
  return [
    ...times(options.transfers, () => transfer(options.transferBytesMax)),
    ...times(options.shortConnections, () => transfer(500)),
    ...times(options.dialogues, dialogue),
    ...times(options.echoes === 0 ? 0 : 2, () => new Echo(...pair(), options.echoes)),
    ...times(options.vain, () => vain(network, random, start())),
  ];
}

/** Nobody has the address; or nobody can route it. */
function vain(network: Network, random: SimRandom, startMillis: number): Work {
  const client = random.pick(network.hosts);
  const segment = random.below(network.segments.length);
  const nobody = segmentAddress(segment, 200);
  const nowhere = ipv4AddressOf(0x0afa0001);
  const made = new Vain(client, random.pick([nobody, nowhere]), ['unreachable', 'timeout']);
  made.startAfter(startMillis);
  return made;
}

/** Of 2,000 bytes, over links of 1,500, 1,400, 1,280 and 576. */
const FRAGMENTS_MAX = 6;

/** On a healed network every host answers its router, whole and in fragments. */
function pingAll(network: Network, options: NetworkOptions, random: SimRandom): Work[] {
  const { world, hosts, routers } = network;
  const [router] = routers;
  if (router === undefined) return [];
  // Cut up on the way, 2,000 bytes are six fragments, and one of them would find no room for ever.
  const isTight = options.links.some(({ there, back }) =>
    [there, back].some(({ device }) => (device.queueFramesMax ?? 0) < FRAGMENTS_MAX),
  );
  return [56, isTight ? 1_400 : 2_000].flatMap((bytes) =>
    hosts.map((host, i): Work => {
      const number = bytes * 16 + i;
      const work = { name: `ping ${host.name} with ${bytes} bytes`, isDone: false };
      const body = pattern(number, 0, bytes);
      const heard = router.onEchoReply;
      router.onEchoReply = (from, replied, content) => {
        if (replied !== number) heard(from, replied, content);
        else if (Buffer.compare(content, body) !== 0) throw new Violation('a wrong echo');
        else work.isDone = true;
      };
      const timer = new Timer(() => {
        if (work.isDone) return;
        const address = host.address();
        if (address !== null) router.ping(address, number, body);
        // At the same times each round, the same one would meet a full queue for ever.
        world.timers.arm(timer, after(world.timers.now, millis(random.between(500, 3_000))));
      });
      world.timers.arm(timer, after(world.timers.now, millis(i)));
      return work;
    }),
  );
}

/**
 * When everything is over and every timer of a closing connection has passed, nothing may be left.
 */
function checkLeaks(network: Network): void {
  const { world, hosts } = network;
  world.run(after(world.timers.now, seconds(300)));
  for (const { name, tcp, net } of hosts) {
    const { connections, timeWait } = tcp.counters();
    if (connections !== 0 || timeWait !== 0) {
      throw new Violation(`${name} still has ${connections} connections, ${timeWait} in TIME_WAIT`);
    }
    const held = Object.entries(net.memory.use()).filter(([, bytes]) => bytes !== 0);
    if (held.length > 0) throw new Violation(`${name} still holds memory: ${held.join('; ')}`);
    if (net.configuration === null) throw new LivenessFailure(`${name} lost its address`);
  }
}
