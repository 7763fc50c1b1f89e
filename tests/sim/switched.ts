/**
 * Whole stacks on ports of our own switch (packages/switch), in virtual time: two switches with a
 * cable between them, hosts on cables that lose, repeat, reorder and corrupt; hosts crash, are cut
 * off, and move to other ports, of the other switch too. Then all is mended, and everything that
 * was begun must end well.
 */

import { after, assert, instantOfMicros, micros, millis, seconds, Timer, writeU32be } from '#core';
import { ipv4AddressOf } from '#net';
import { noImpairment, type PortHandler, PREFIX_BYTES, Switch, type SwitchPort } from '#switch';
import {
  noFaults,
  type SimFaults,
  type SimNetDevice,
  type SimRandom,
  type SimSwitch,
  SimWorld,
} from '#targets/sim/index';
import { Dialogue, serveDialogues } from './dialogue.ts';
import { Echo, serveEcho } from './echo.ts';
import { LivenessFailure } from './retried.ts';
import { StackHost } from './stack-host.ts';

const HOSTS = 5;
const DIALOGUES = 6;
const ECHOES = 20;
const FIRST_ADDRESS = 0x0a000001;
const SAFETY_SECONDS = 60;
const LIVENESS_SECONDS = 900;
/** Small, so that hosts push each other out of the tables. */
const TABLE = { addressesMax: 6, addressesOfPortMax: 4, portsMax: 16 };

/** The switch's end of a cable, which can be pulled out of a port and put into another. */
class Trunk implements PortHandler {
  port: SwitchPort | null = null;
  private readonly device: SimNetDevice;

  constructor(device: SimNetDevice) {
    this.device = device;
    device.attach({
      receive: (frame) => {
        const bytes = new Uint8Array(PREFIX_BYTES + frame.length);
        writeU32be(bytes, 0, frame.length);
        bytes.set(frame, PREFIX_BYTES);
        this.port?.receive(bytes, PREFIX_BYTES, bytes.length);
      },
      transmitReady() {},
    });
  }

  transmit(bytes: Uint8Array, start: number, end: number): boolean {
    const memory = this.device.reserve();
    if (memory === null) return false;
    memory.set(bytes.subarray(start, end));
    this.device.commit(end - start, [], null);
    return true;
  }
}

interface Member {
  readonly host: StackHost;
  readonly cable: SimSwitch;
  readonly trunk: Trunk;
  readonly trunkDevice: SimNetDevice;
  isUp: boolean;
}

export interface Switched {
  readonly world: SimWorld;
  readonly switches: readonly Switch[];
  readonly members: readonly Member[];
  /** All that ever was plugged in. */
  readonly ports: SwitchPort[];
  readonly events: Record<'crashed' | 'moved' | 'cut', number>;
}

/** Throws what is wrong; the world with its counters when nothing is. */
export function runSwitched(seed: number): Switched {
  const world = new SimWorld(seed);
  world.checkEvery = 20;
  const random = world.random.fork();
  const switches = [0, 1].map(() => new Switch(world.timers, world.random.fork(), TABLE));
  const events = { crashed: 0, moved: 0, cut: 0 };
  const switched: Switched = { world, switches, members: [], ports: [], events };
  joinSwitches(switched, random);
  const members = Array.from({ length: HOSTS }, (_, i) => addMember(switched, random, i));
  (switched.members as Member[]).push(...members);
  for (const one of switches) world.onCheck(() => one.checkInvariants());
  world.onCheck(() => checkBalance(switched));
  if (random.chance(0.5)) {
    switches[0]!.impairment = { ...noImpairment(), delay: millis(2), jitter: millis(3) };
    switches[1]!.impairment = { ...noImpairment(), lossShare: 0.02, bitsPerSecond: 20e6 };
  }
  let isHealed = false;
  const work = begin(switched, random, () => isHealed);
  trouble(switched, random);
  world.run(instantOfMicros(seconds(SAFETY_SECONDS)));
  heal(switched);
  isHealed = true;
  const limit = after(world.timers.now, seconds(LIVENESS_SECONDS));
  world.runUntil(() => work.every(({ isDone }) => isDone), limit);
  return switched;
}

function plug({ ports }: Switched, network: Switch, trunk: Trunk): void {
  trunk.port?.unplug();
  trunk.port = network.plug(`${ports.length}`, trunk);
  assert(trunk.port !== null);
  ports.push(trunk.port);
}

/** A cable from one switch to the other. */
function joinSwitches(switched: Switched, random: SimRandom): void {
  const { world, switches } = switched;
  const cable = world.addSwitch();
  cable.faults = drawFaults(random);
  for (const network of switches) {
    plug(switched, network, new Trunk(world.addHost('uplink', {}, cable).device));
  }
}

function addMember(switched: Switched, random: SimRandom, index: number): Member {
  const { world, switches } = switched;
  const cable = world.addSwitch();
  cable.faults = drawFaults(random);
  const host = new StackHost(world, `host ${index}`, {}, {}, cable);
  host.run(() => host.configure(ipv4AddressOf(FIRST_ADDRESS + index), 24));
  const bitsPerSecond = random.pick([Number.POSITIVE_INFINITY, 10e6]);
  const { device } = world.addHost('port', { bitsPerSecond, queueFramesMax: 64 }, cable);
  const trunk = new Trunk(device);
  plug(switched, random.pick(switches), trunk);
  serveDialogues(host);
  serveEcho(host);
  return { host, cable, trunk, trunkDevice: device, isUp: true };
}

const drawFaults = (random: SimRandom): SimFaults => ({
  delay: micros(random.between(10, 5_000)),
  lossShare: random.pick([0, 0.01, 0.1]),
  duplicateShare: random.pick([0, 0.05]),
  reorderShare: random.pick([0, 0.1]),
  reorderDelay: millis(5),
  corruptShare: random.pick([0, 0.01]),
});

/** What must be done in the end: dialogues and echoes between hosts drawn. */
function begin({ members }: Switched, random: SimRandom, isHealed: () => boolean) {
  const pair = (): [StackHost, StackHost] => {
    const client = random.below(HOSTS);
    const server = (client + random.between(1, HOSTS - 1)) % HOSTS;
    return [members[client]!.host, members[server]!.host];
  };
  const dialogues = Array.from({ length: DIALOGUES }, () => {
    const answers = Array.from({ length: random.between(1, 20) }, () => random.below(8_000));
    const plan = { salt: random.below(1_000_000), answers };
    const dialogue = new Dialogue(...pair(), plan, isHealed);
    dialogue.startAfter(random.below(SAFETY_SECONDS * 1_000));
    return dialogue;
  });
  return [...dialogues, new Echo(...pair(), ECHOES), new Echo(...pair(), ECHOES)];
}

/** Every second or two something happens, until the safety phase is over. */
function trouble(switched: Switched, random: SimRandom): void {
  const { world, members, switches, events } = switched;
  const { timers } = world;
  const timer = new Timer((now) => {
    if (now >= seconds(SAFETY_SECONDS)) return;
    timers.arm(timer, after(now, millis(random.between(500, 2_500))));
    const member = random.pick(members);
    switch (random.below(4)) {
      case 0:
        plug(switched, random.pick(switches), member.trunk);
        events.moved += 1;
        break;
      case 1:
        if (member.isUp) {
          member.host.crash();
          events.crashed += 1;
        } else member.host.boot();
        member.isUp = !member.isUp;
        break;
      case 2:
        member.cable.cut(member.host.host.device, member.trunkDevice);
        events.cut += 1;
        break;
      default:
        member.cable.heal();
        member.cable.faults = drawFaults(random);
    }
  });
  timers.arm(timer, after(timers.now, seconds(1)));
}

function heal({ members, switches }: Switched): void {
  for (const network of switches) network.impairment = null;
  for (const member of members) {
    member.cable.heal();
    member.cable.faults = noFaults();
    if (!member.isUp) member.host.boot();
    member.isUp = true;
    if (member.host.address() === null)
      throw new LivenessFailure(`${member.host.name}: no address`);
  }
}

/** Every frame that came in was forwarded, flooded, or dropped for one reason. */
function checkBalance({ ports, switches }: Switched): void {
  let received = 0;
  let dropped = 0;
  for (const { counters, drops } of ports) {
    received += counters.received;
    const { runt, oversize, badSource, forgedSource, reserved, samePort } = drops;
    dropped += runt + oversize + badSource + forgedSource + reserved + samePort;
  }
  let carried = 0;
  for (const network of switches) {
    const { forwarded = 0, flooded = 0 } = network.counters();
    carried += forwarded + flooded;
  }
  assert(received === carried + dropped, 'a frame is unaccounted for');
}
