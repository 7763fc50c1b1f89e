/**
 * TCP (RFC 9293): `tcp 4000>80 P. 1:101 ack 1 win 65535 <ts 100:0, sack 1:2 3:4>`, with the ports
 * left out when they are the script's. Sequence numbers count from each side's SYN, timestamps of
 * ours from our first. Options, if any are written, must be all of them. A payload without a text
 * is the next bytes of the side's stream, and is checked byte for byte.
 */

import {
  emitTcp,
  emptyTcpOptions,
  parseTcp,
  TCP_ACK,
  TCP_SYN,
  type TcpOptions,
  writeTcpOptions,
} from '#net/wire';
import { type Conversation, peerByte } from '../conversation.ts';
import type { Scene } from '../scene.ts';
import {
  bytesOfHex,
  bytesOfLatin1,
  type Fields,
  latin1Of,
  numberOf,
  ScriptSyntax,
  type Value,
  type Words,
} from '../words.ts';
import type { Direction, Notation } from './notation.ts';
import { isPrintable } from './udp.ts';

const PROTOCOL_TCP = 6;
/** As tcpdump has them; E is ECE, W is CWR. */
const FLAGS = 'FSRP.UEW';

function readFlags(word: string): string {
  const isKnown = word === '-' || [...word].every((flag) => FLAGS.includes(flag));
  if (!isKnown) throw new ScriptSyntax(`'${word}' should be flags, of ${FLAGS}, or -`);
  return flagsOf(word === '-' ? 0 : bitsOf(word));
}

const bitsOf = (flags: string): number =>
  flags === '-' ? 0 : [...flags].reduce((bits, flag) => bits | (1 << FLAGS.indexOf(flag)), 0);
const flagsOf = (bits: number): string =>
  [...FLAGS].filter((_, bit) => (bits >> bit) & 1).join('') || '-';

/** `1:101` or `1:101(100)` or `$a` or `*`. */
function readRange(words: Words, fields: Record<string, Value>): void {
  const word = words.next();
  const found = /^(-?\d+):(-?\d+)(\(\d+\))?$/.exec(word);
  if (found === null) {
    if (word !== '*') throw new ScriptSyntax(`'${word}' should be FROM:TO, sequence numbers`);
    return;
  }
  fields.seq = Number(found[1]);
  fields.len = Number(found[2]) - Number(found[1]);
}

/** What follows `<`, to `>`. */
function readOptions(words: Words, fields: Record<string, Value>): void {
  const names: string[] = [];
  while (!words.take('>')) {
    const name = words.next();
    if (name === ',') continue;
    if (name === 'mss' || name === 'ws') fields[name] = words.value();
    else if (name === 'ts') readTimestamps(words.next(), fields);
    else if (name === 'sack') {
      const blocks: string[] = [];
      while (/^-?\d+:-?\d+$/.test(words.peek())) blocks.push(words.next());
      if (blocks.length > 0) {
        fields.blocks = blocks.join(' ');
        names.push('blocks');
        continue;
      }
    } else if (name === 'hex') fields.optionBytes = words.hex();
    else throw new ScriptSyntax(`'${name}' is no TCP option`);
    names.push(name);
  }
  fields.options = names.sort().join();
}

function readTimestamps(word: string, fields: Record<string, Value>): void {
  const [value, echo] = word.split(':');
  if (value === undefined || echo === undefined) throw new ScriptSyntax('ts is VALUE:ECHO');
  if (value !== '*') fields.tsval = numberOf(value) ?? value;
  if (echo !== '*') fields.tsecr = numberOf(echo) ?? echo;
}

function optionsOf(fields: Fields, known: Conversation): TcpOptions {
  const options = emptyTcpOptions();
  const names = String(fields.options ?? '').split(',');
  options.mss = Number(fields.mss ?? 0);
  options.windowShift = Number(fields.ws ?? -1);
  options.sackPermitted = names.includes('sack');
  if (names.includes('ts')) {
    options.hasTimestamps = true;
    options.timestamp = Number(fields.tsval ?? 0);
    const echo = Number(fields.tsecr ?? 0);
    options.timestampEcho = known.ourTimestamp(echo);
  }
  for (const block of String(fields.blocks ?? '').match(/-?\d+/g) ?? []) {
    options.sack[options.sackCount] = known.ourSeq(Number(block));
    options.sackCount += 1;
  }
  options.sackCount /= 2;
  return options;
}

function write(fields: Fields, known: Conversation): Uint8Array {
  const seq = Number(fields.seq ?? 0);
  const flags = bitsOf(String(fields.flags));
  // The SYN comes before the first byte.
  const position = seq + ((flags & TCP_SYN) !== 0 ? 1 : 0);
  const payload =
    fields.text === undefined
      ? Uint8Array.from({ length: Number(fields.len ?? 0) }, (_, i) => peerByte(position + i))
      : bytesOfLatin1(String(fields.text));
  if (fields.text !== undefined && fields.len !== undefined && payload.length !== fields.len) {
    throw new ScriptSyntax(`the text has ${payload.length} bytes, the range ${fields.len}`);
  }
  known.peerSends(position, payload);
  const ack = (flags & TCP_ACK) === 0 && fields.ack === undefined ? 0 : Number(fields.ack ?? 0);
  const repr = {
    seq: known.peerSeq(seq),
    ack: fields.ack === undefined ? 0 : known.ourSeq(ack),
    flags,
    window: Number(fields.win ?? 65_535),
    urgent: Number(fields.urg ?? 0),
    sourcePort: Number(fields.sport),
    destinationPort: Number(fields.dport),
    payload,
  };
  const raw = bytesOfHex(String(fields.optionBytes ?? ''));
  const options = optionsOf(fields, known);
  const out = new Uint8Array(120 + payload.length);
  if (raw.length === 0) return out.subarray(0, emitTcp(out, 0, { ...repr, options }, 0));
  const scratch = new Uint8Array(60);
  const regular = scratch.subarray(0, writeTcpOptions(scratch, 0, options));
  const all = [...regular, ...raw];
  while (all.length % 4 !== 0) all.push(0);
  const body = Uint8Array.from([...all, ...payload]);
  const bytes = emitTcp(out, 0, { ...repr, options: emptyTcpOptions(), payload: body }, 0);
  out[12] = ((20 + all.length) / 4) << 4;
  return out.subarray(0, bytes);
}

function recogniseOptions(options: TcpOptions, known: Conversation): Fields {
  const names: string[] = [];
  const fields: Record<string, Value> = {};
  if (options.mss !== 0) names.push('mss');
  if (options.windowShift >= 0) names.push('ws');
  if (options.sackPermitted) names.push('sack');
  if (options.hasTimestamps) {
    names.push('ts');
    fields.tsval = known.relativeTimestamp(options.timestamp);
    fields.tsecr = options.timestampEcho >>> 0;
  }
  if (options.sackCount > 0) {
    names.push('blocks');
    const edges = [...options.sack.subarray(0, 2 * options.sackCount)];
    const relative = edges.map((edge) => known.relativePeers(edge));
    fields.blocks = relative
      .flatMap((left, i) => (i % 2 === 0 ? [`${left}:${relative[i + 1]}`] : []))
      .join(' ');
  }
  return {
    options: names.sort().join(),
    ...(options.mss === 0 ? {} : { mss: options.mss }),
    ...(options.windowShift < 0 ? {} : { ws: options.windowShift }),
    ...fields,
  };
}

function showOptions(fields: Fields): string {
  const shown = String(fields.options ?? '')
    .split(',')
    .filter((name) => name !== '')
    .map((name) => {
      if (name === 'ts') return `ts ${fields.tsval}:${fields.tsecr}`;
      if (name === 'blocks') return `sack ${fields.blocks}`;
      return name === 'sack' ? name : `${name} ${fields[name]}`;
    });
  return shown.length === 0 ? '' : ` <${shown.join(', ')}>`;
}

function readPorts(words: Words, scene: Scene, direction: Direction): Fields {
  if (words.peek(1) !== '>') return scene.defaultPorts(direction);
  const first = words.value();
  words.expect('>');
  return { sport: first, dport: words.value() };
}

export const tcp: Notation = {
  name: 'tcp',
  carrier: { protocol: PROTOCOL_TCP },
  checksumAt: 16,
  read(words, scene, direction) {
    const fields: Record<string, Value> = { ...readPorts(words, scene, direction) };
    fields.flags = readFlags(words.next());
    readRange(words, fields);
    while (!words.isEmpty) {
      if (words.isText) {
        fields.text = words.text();
        continue;
      }
      const word = words.next();
      if (word === 'ack' || word === 'win' || word === 'urg') fields[word] = words.value();
      else if (word === '<') readOptions(words, fields);
      else throw new ScriptSyntax(`'${word}' is nothing that a TCP segment has`);
    }
    return fields;
  },
  write(fields, way, scene) {
    const ours = Number(fields.dport);
    const known = scene.conversation(way.source, Number(fields.sport), ours);
    const segment = write(fields, known);
    segment.fill(0, 16, 18);
    const parsed = new Uint8Array(segment);
    const sum = scene.checksum(parsed, way.pseudoSum(PROTOCOL_TCP, parsed.length));
    parsed[16] = sum >> 8;
    parsed[17] = sum;
    return parsed;
  },
  recognise({ ip }, scene) {
    if (ip === null || ip.protocol !== PROTOCOL_TCP || ip.isFragment) return null;
    const parsed = parseTcp(ip.payload, ip.way.pseudoSum(PROTOCOL_TCP, ip.payload.length));
    if (!parsed.ok) return null;
    const { sourcePort, destinationPort, flags, window, urgent, options, payload, ...rest } =
      parsed.value;
    const known = scene.conversation(ip.way.destination, destinationPort, sourcePort);
    if ((flags & TCP_SYN) !== 0) known.ourIss ??= rest.seq;
    const seq = known.relativeOurs(rest.seq);
    const corrupt = known.checkOurs(seq, payload);
    return {
      sport: sourcePort,
      dport: destinationPort,
      flags: flagsOf(flags),
      seq,
      len: payload.length,
      win: window,
      ...((flags & TCP_ACK) !== 0 ? { ack: known.relativePeers(rest.ack) } : {}),
      ...(urgent === 0 ? {} : { urg: urgent }),
      ...recogniseOptions(options, known),
      text: latin1Of(payload),
      ...(corrupt === null ? {} : { corrupt }),
    };
  },
  show(fields, scene) {
    const { sport, dport, flags, seq, len, ack, win, text } = fields;
    const ports = scene.isDefaultPorts(sport!, dport!) ? '' : `${sport}>${dport} `;
    const acked = ack === undefined ? '' : ` ack ${ack}`;
    const payload = bytesOfLatin1(String(text ?? ''));
    const isText = payload.length > 0 && payload.length <= 30 && isPrintable(payload);
    return (
      `${ports}${flags} ${seq}:${Number(seq) + Number(len)}${acked} win ${win}` +
      `${showOptions(fields)}${isText ? ` ${JSON.stringify(latin1Of(payload))}` : ''}`
    );
  },
};
