/** Reads a script: its head, which sets the scene, and its steps. README.md has the grammar. */

import { ipv4AddressOf, memoryBytesDefault } from '#net';
import { type Action, actions } from './actions.ts';
import type { App } from './app.ts';
import { readEnvelope } from './notation/envelope.ts';
import { notations } from './notation/index.ts';
import type { Direction, Notation } from './notation/notation.ts';
import { Scene } from './scene.ts';
import { type Fields, ScriptSyntax, Words, withoutComment } from './words.ts';

/** When a step happens, in microseconds. */
export type When =
  | {
      readonly kind: 'at';
      readonly isRelative: boolean;
      readonly from: number;
      readonly to: number;
    }
  /** Within the same turn as the step before. */
  | { readonly kind: 'turn' }
  /** Whenever the packet or event comes. */
  | { readonly kind: 'any' };

export type Deed =
  | {
      readonly kind: 'packet';
      readonly direction: Direction;
      readonly notation: Notation;
      readonly envelope: Fields;
      readonly fields: Fields;
    }
  /** `bytes` may have any length when `what` has no payload. */
  | {
      readonly kind: 'event';
      readonly flow: number;
      readonly what: string;
      readonly content: number | string | null;
    }
  | { readonly kind: 'action'; readonly act: (app: App) => void }
  | { readonly kind: 'nothing'; readonly until: When };

export interface Step {
  readonly line: number;
  readonly text: string;
  readonly when: When;
  readonly deed: Deed;
}

export interface Head {
  seed: number;
  /** How far from its time a packet or event may be, in microseconds. */
  tolerance: number;
  /** Virtual time before the script begins, in microseconds; null: as `show` asks. */
  warm: number | null;
  /** What isn't hidden: 'arp', 'drained', 'configuration'. */
  readonly shown: Set<string>;
  mtuBytes: number;
  transmitChecksum: boolean;
  segmentBytesMax: number;
  queueFramesMax: number;
  bitsPerSecond: number;
  nagle: boolean;
  memoryBytes: number;
  readonly tcpLimits: Record<string, number>;
  /** Null: no IPv6. */
  ipv6: 'fixed' | 'auto' | null;
  /** Of stable addresses, in hexadecimal; '': random. */
  ipv6Secret: string;
  /** False: the stack has no address until the script gives it one. */
  isConfigured: boolean;
}

export interface Script {
  readonly head: Head;
  readonly scene: Scene;
  readonly steps: readonly Step[];
}

const NOW: When = { kind: 'at', isRelative: true, from: 0, to: 0 };
const MICROS = 1e6;

function readWhen(word: string): When | null {
  if (word === '=') return { kind: 'turn' };
  if (word === '*') return { kind: 'any' };
  const found = /^(\+?)(\d+(?:\.\d+)?)(?:\.\.(\d+(?:\.\d+)?))?$/.exec(word);
  if (found === null) return null;
  const from = Math.round(Number(found[2]) * MICROS);
  const to = found[3] === undefined ? from : Math.round(Number(found[3]) * MICROS);
  return { kind: 'at', isRelative: found[1] === '+', from, to };
}

type HeadWord = (words: Words, head: Head, scene: Scene) => void;

const readParty: HeadWord = (words, _head, scene) => {
  const name = words.next();
  const none = { address: ipv4AddressOf(0), address6: null, mac: scene.peer.mac };
  const old = scene.hosts.get(name) ?? none;
  while (!words.isEmpty) {
    if (words.take('mac')) old.mac = scene.mac(words.next());
    else {
      const [text, prefix] = words.next().split('/');
      const address = scene.address(text!);
      const isIpv4 = typeof address === 'number';
      if (isIpv4) old.address = ipv4AddressOf(address);
      else old.address6 = address;
      if (prefix !== undefined) scene[isIpv4 ? 'prefixBits' : 'prefixBits6'] = Number(prefix);
    }
  }
  scene.hosts.set(name, old);
};

const headWords: Readonly<Record<string, HeadWord>> = {
  host: readParty,
  gateway(words, _head, scene) {
    const address = scene.address(words.next());
    if (typeof address === 'number') scene.gateway = ipv4AddressOf(address);
    else scene.gateway6 = address;
  },
  /** Packets are IPv6 unless they say otherwise, and we have the address `us6`. */
  family(words, head, scene) {
    scene.family = words.number() === 6 ? 6 : 4;
    if (scene.family === 6) head.ipv6 ??= 'fixed';
  },
  /** `ipv6 fixed`: the address `us6`; `ipv6 auto [secret HEX]`: what routers say. */
  ipv6(words, head) {
    head.ipv6 = words.next() === 'auto' ? 'auto' : 'fixed';
    if (words.take('secret')) head.ipv6Secret = words.hex();
  },
  unconfigured(_words, head) {
    head.isConfigured = false;
  },
  ports(words, _head, scene) {
    scene.peerPort = words.number();
    scene.ourPort = words.number();
  },
  iss(words, _head, scene) {
    scene.begin(words.number());
  },
  seed(words, head) {
    head.seed = words.number();
  },
  tolerance(words, head) {
    head.tolerance = Math.round(words.number() * MICROS);
  },
  warm(words, head) {
    head.warm = Math.round(words.number() * MICROS);
  },
  show(words, head) {
    while (!words.isEmpty) head.shown.add(words.next());
  },
  mtu(words, head) {
    head.mtuBytes = words.number();
  },
  offload(words, head) {
    words.expect('sum');
    head.transmitChecksum = true;
    if (words.take('segment')) head.segmentBytesMax = words.number();
  },
  queue(words, head) {
    head.queueFramesMax = words.number();
  },
  rate(words, head) {
    head.bitsPerSecond = words.number();
  },
  nagle(words, head) {
    head.nagle = words.next() === 'on';
  },
  memory(words, head) {
    head.memoryBytes = words.number();
  },
  limit(words, head) {
    const name = words.next();
    head.tcpLimits[name] = words.number();
  },
};

export const defaultHead = (): Head => ({
  seed: 1,
  tolerance: 0,
  warm: null,
  shown: new Set(),
  mtuBytes: 1_500,
  transmitChecksum: false,
  segmentBytesMax: 0,
  queueFramesMax: 256,
  bitsPerSecond: Number.POSITIVE_INFINITY,
  nagle: true,
  memoryBytes: memoryBytesDefault,
  tcpLimits: {},
  ipv6: null,
  ipv6Secret: '',
  isConfigured: true,
});

/** Throws ScriptSyntax with the line's number. */
export function readScript(text: string): Script {
  const head = defaultHead();
  const scene = new Scene();
  const steps: Step[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = withoutComment(raw);
    if (line === '') continue;
    try {
      const words = new Words(line);
      const headWord = steps.length === 0 ? headWords[words.peek()] : undefined;
      if (headWord !== undefined) {
        words.next();
        headWord(words, head, scene);
      } else steps.push(readStep(words, scene, index + 1, line));
      words.end();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ScriptSyntax(`line ${index + 1}: ${why}\n    ${line}`);
    }
  }
  return { head, scene, steps };
}

function readStep(words: Words, scene: Scene, line: number, text: string): Step {
  const given = readWhen(words.peek());
  if (given !== null) words.next();
  return { line, text, when: given ?? NOW, deed: readDeed(words, scene) };
}

function readDeed(words: Words, scene: Scene): Deed {
  if (words.take('<')) return readPacketLine(words, scene, 'in');
  if (words.take('>')) return readPacketLine(words, scene, 'out');
  const isEvent = words.take('!');
  const flow = /^@\d+$/.test(words.peek()) ? Number(words.next().slice(1)) : 0;
  if (isEvent) return readEvent(words, flow);
  words.take('expect');
  const name = words.next();
  if (name === 'nothing') {
    words.expect('until');
    const until = readWhen(words.next());
    if (until === null) throw new ScriptSyntax('a time should follow');
    return { kind: 'nothing', until };
  }
  const action: Action | undefined = actions[name];
  if (action === undefined) throw new ScriptSyntax(`'${name}' is nothing that can be done`);
  return { kind: 'action', act: action(words, scene, flow) };
}

function readPacketLine(words: Words, scene: Scene, direction: Direction): Deed {
  const written = readEnvelope(words, scene);
  const name = words.next();
  const notation = notations.find((each) => each.name === name);
  if (notation === undefined) throw new ScriptSyntax(`'${name}' is no protocol`);
  const fields = notation.read(words, scene, direction);
  const implied = notation.envelope?.(fields, direction, scene) ?? {};
  return { kind: 'packet', direction, notation, envelope: { ...implied, ...written }, fields };
}

/** `data 100`, `data "text"`, `end`, `closed reset`, `datagram 5000 "text"`, ... */
function readEvent(words: Words, flow: number): Deed {
  const parts = [words.next()];
  let content: number | string | null = null;
  while (!words.isEmpty) {
    if (words.isText) content = words.text();
    else if (words.take('len') || parts[0] === 'data') content = words.number();
    else parts.push(words.next());
  }
  return { kind: 'event', flow, what: parts.join(' '), content };
}
