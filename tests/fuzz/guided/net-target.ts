/**
 * Everything below TCP: an input is a list of frames for a stack with open ports, with some time
 * before each. It begins with what the packet scripts send, so each protocol that has scripts is
 * fuzzed from messages that make sense.
 */

import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { SimRandom } from '#targets/sim/index';
import { runScript } from '../../scripts/runner.ts';
import { mend } from '../mend.ts';
import { Subject } from './subject.ts';
import type { GuidedTarget } from './target.ts';

const PORTS = [80, 81];
const UDP_PORTS = [5_000, 5_001, 4_000];
const WAITS = [0, 0, 1_000, 100_000, 1e6, 3e6, 30e6, 300e6];
const FRAME_BYTES_MAX = 1_514;
/** Frames in answer to one. */
const ANSWERS_MAX = 100;
const SCRIPTS = fileURLToPath(new URL('../../scripts/', import.meta.url));
/** Of one script; later ones repeat what earlier ones did. */
const FRAMES_MAX = 12;

let scripted: Uint8Array[][] | null = null;

/** What each packet script sends: the first byte of a record says how long to wait before. */
function scriptInputs(): Uint8Array[][] {
  scripted ??= globSync('**/*.pkt', { cwd: SCRIPTS })
    .sort()
    .map((path) =>
      runScript(readFileSync(SCRIPTS + path, 'utf8'))
        .inputs.filter((frame) => frame.length <= FRAME_BYTES_MAX)
        .slice(0, FRAMES_MAX)
        .map((frame) => Uint8Array.from([isUdp(frame, 68) ? 2 | ANSWERS_BIT : 2, ...frame])),
    )
    .filter((input) => input.length > 0)
    .map((input) =>
      input.some((each) => isUdp(each.slice(1), 68)) ? [ASK_DHCP, ...input] : input,
    );
  return scripted;
}

/** A record of one byte: from here on the address comes by DHCP. */
const ASK_DHCP = Uint8Array.of(1);
/** In a record's first byte: an answer of DHCP gets the identifier of our last question. */
const ANSWERS_BIT = 0x80;
const XID_AT = 46;

const isUdp = (frame: Uint8Array, port: number): boolean =>
  frame.length > XID_AT + 4 && frame[23] === 17 && frame[37] === port && frame[36] === 0;

function run(input: readonly Uint8Array[]): readonly string[] {
  let xid: Uint8Array | null = null;
  const subject = new Subject(
    (frame) => {
      if (isUdp(frame, 67)) xid = frame.slice(XID_AT, XID_AT + 4);
    },
    { hasIpv6: true },
  );
  let isDhcp = false;
  for (const port of PORTS) {
    subject.listen(port, (flow) => {
      flow.onData = (_position, bytes) => flow.flow.write(bytes.slice());
    });
  }
  for (const port of UDP_PORTS) {
    const bound = subject.net.udp.bind(port, {
      receive: (bytes, from) => {
        if (bound.ok && from.port !== port) bound.value.send(bytes, from);
      },
    });
  }
  for (const record of input) {
    const wait = record[0] ?? 0;
    subject.wait(WAITS[wait % WAITS.length]!);
    if (record.length === 1 && !isDhcp) {
      isDhcp = true;
      subject.net.configure(null);
      subject.net.startDhcp('fuzz');
    }
    const frame = record.slice(1);
    if (xid !== null && (wait & ANSWERS_BIT) !== 0 && isUdp(frame, 68)) {
      frame.set(xid, XID_AT);
      mend(frame);
    }
    const before = subject.wire.sent;
    subject.wire.inject(frame);
    subject.turn();
    const answers = subject.wire.sent - before;
    if (answers > ANSWERS_MAX) throw new RangeError(`${answers} answers to one frame`);
  }
  subject.expectNothingLeft();
  const { tcp, net } = subject;
  return Object.entries({ ...net.counters(), ...tcp.counters() })
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${Math.min(3, count)}`);
}

const draw = (random: SimRandom): Uint8Array =>
  random.chance(0.05) ? ASK_DHCP.slice() : random.pick(random.pick(scriptInputs())).slice();

function mutate(record: Uint8Array, random: SimRandom): Uint8Array {
  let changed = record;
  for (let i = random.between(1, 3); i > 0; i--) {
    const at = random.between(1, Math.max(1, Math.min(changed.length, 110) - 1));
    switch (random.below(6)) {
      case 0:
        changed[0] = random.below(WAITS.length) | (random.chance(0.5) ? ANSWERS_BIT : 0);
        break;
      case 1:
        changed[at] = changed[at]! ^ (1 << random.below(8));
        break;
      case 2:
        changed[at] = random.pick([0, 1, 4, 5, 8, 16, 0x7f, 0x80, 0xff]);
        break;
      case 3:
        changed = changed.slice(0, Math.max(2, at));
        break;
      case 4:
        changed = Uint8Array.from([...changed, ...changed.subarray(0, random.below(64))]);
        break;
      default:
        changed.fill(random.u32(), at, at + random.between(1, 4));
    }
  }
  changed = changed.slice(0, FRAME_BYTES_MAX + 1);
  if (random.chance(0.9)) mend(changed.subarray(1));
  return changed;
}

export const netTarget: GuidedTarget = {
  name: 'net',
  isMeasured: (url) => url.includes('/packages/net/') && !url.includes('/packages/net/tcp/'),
  seeds: scriptInputs,
  draw,
  mutate,
  run,
};
