/**
 * ICMP (RFC 792): `icmp echo-request id 1 seq 2 "text"`, `icmp unreachable port about udp 4000>53`,
 * `icmp unreachable needed mtu 1400 about tcp 80>4000 seq 1`, `icmp exceeded ttl about ...`,
 * `icmp type 13 code 0 hex 00000000`. What an error is about went from us to the peer (in an
 * answer of ours: from the peer to us); `from ADDRESS`, `to ADDRESS` and `quote BYTES` say else,
 * for errors into the stack also `size BYTES` (of the whole quoted packet: 1500 where it was too
 * large) and `nodf`.
 */

import { ipv4AddressOf } from '#net';
import {
  emitIcmpv4,
  emitIpv4,
  ICMPV4_ECHO_REPLY,
  ICMPV4_ECHO_REQUEST,
  ICMPV4_TIME_EXCEEDED,
  ICMPV4_UNREACHABLE,
  parseIcmpv4,
} from '#net/wire';
import type { Scene } from '../scene.ts';
import { type Fields, ScriptSyntax, type Value, type Words } from '../words.ts';
import type { Notation } from './notation.ts';
import { payloadFields, payloadOf, showPayload } from './udp.ts';

const PROTOCOL_ICMP = 1;
const IP_HEADER_BYTES = 20;
export const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 };
const UNREACHABLE = ['net', 'host', 'protocol', 'port', 'needed'];
const EXCEEDED = ['ttl', 'reassembly'];
const ECHO: Readonly<Record<string, number>> = {
  'echo-request': ICMPV4_ECHO_REQUEST,
  'echo-reply': ICMPV4_ECHO_REPLY,
};

export function readCode(words: Words, names: readonly string[]): number {
  const word = words.next();
  const code = names.includes(word) ? names.indexOf(word) : Number(word);
  if (Number.isNaN(code)) throw new ScriptSyntax(`'${word}' should be one of ${names.join(', ')}`);
  return code;
}

/** `PROTOCOL [A>B] [seq N] [from A] [to B] [quote N]` after `about`. */
export function readAbout(words: Words, scene: Scene, fields: Record<string, Value>): void {
  const name = words.next();
  fields.about = PROTOCOLS[name] ?? Number(name);
  if (words.peek(1) === '>') {
    fields.asport = words.value();
    words.expect('>');
    fields.adport = words.value();
  }
  while (!words.isEmpty) {
    const word = words.next();
    if (word === 'seq') fields.aseq = words.value();
    else if (word === 'from') fields.asrc = scene.address(words.next());
    else if (word === 'to') fields.adst = scene.address(words.next());
    else if (word === 'quote' || word === 'size') fields[word] = words.number();
    else if (word === 'nodf') fields.nodf = 1;
    else throw new ScriptSyntax(`'${word}' is nothing that a quoted packet has`);
  }
}

/** The start of the packet that an error is about. */
function quoted(fields: Fields, scene: Scene): Uint8Array {
  const protocol = Number(fields.about);
  const source = ipv4AddressOf(Number(fields.asrc ?? scene.us.address));
  const destination = ipv4AddressOf(Number(fields.adst ?? scene.peer.address));
  const [ours, theirs] = [Number(fields.asport ?? 0), Number(fields.adport ?? 0)];
  const isTooLarge = fields.type === ICMPV4_UNREACHABLE && fields.code === 4;
  const bytes = Number(fields.size ?? (isTooLarge ? 1500 : 28)) - IP_HEADER_BYTES;
  const transport = new DataView(new ArrayBuffer(Math.max(bytes, Number(fields.quote ?? 8))));
  transport.setUint16(0, ours);
  transport.setUint16(2, theirs);
  if (protocol === PROTOCOLS.tcp) {
    const known = scene.conversation(destination, theirs, ours);
    transport.setUint32(4, known.ourSeq(Number(fields.aseq ?? 0)));
  } else transport.setUint16(4, 8);
  const out = new Uint8Array(IP_HEADER_BYTES + transport.byteLength);
  emitIpv4(out, 0, {
    trafficClass: 0,
    identification: 1,
    dontFragment: fields.nodf === undefined,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 60,
    protocol,
    source,
    destination,
    options: new Uint8Array(0),
    payload: new Uint8Array(transport.buffer),
  });
  return out.subarray(0, IP_HEADER_BYTES + Number(fields.quote ?? 8));
}

function recogniseAbout(body: Uint8Array): Fields {
  if (body.length < IP_HEADER_BYTES) return {};
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const headerBytes = (body[0]! & 15) * 4;
  const fields: Record<string, Value> = {
    about: body[9]!,
    asrc: view.getInt32(12),
    adst: view.getInt32(16),
    quote: body.length - headerBytes,
  };
  if (body.length >= headerBytes + 4) {
    fields.asport = view.getUint16(headerBytes);
    fields.adport = view.getUint16(headerBytes + 2);
  }
  return fields;
}

const isEcho = (type: Value | undefined): boolean =>
  type === ICMPV4_ECHO_REQUEST || type === ICMPV4_ECHO_REPLY;
const isError = (type: Value | undefined): boolean =>
  type === ICMPV4_UNREACHABLE || type === ICMPV4_TIME_EXCEEDED || type === 12;

export const icmp: Notation = {
  name: 'icmp',
  carrier: { protocol: PROTOCOL_ICMP },
  checksumAt: 2,
  read(words, scene) {
    const fields: Record<string, Value> = {};
    const kind = words.next();
    if (ECHO[kind] !== undefined) Object.assign(fields, { type: ECHO[kind], code: 0 });
    else if (kind === 'unreachable') {
      Object.assign(fields, { type: ICMPV4_UNREACHABLE, code: readCode(words, UNREACHABLE) });
    } else if (kind === 'exceeded') {
      Object.assign(fields, { type: ICMPV4_TIME_EXCEEDED, code: readCode(words, EXCEEDED) });
    } else if (kind === 'type') fields.type = words.number();
    else throw new ScriptSyntax(`'${kind}' is no ICMP message`);
    while (!words.isEmpty) {
      if (words.isText) {
        fields.text = words.text();
        continue;
      }
      const word = words.next();
      if (['code', 'id', 'seq', 'len'].includes(word)) fields[word] = words.value();
      else if (word === 'mtu') fields.seq = words.value();
      else if (word === 'hex') fields.hex = words.hex();
      else if (word === 'about') readAbout(words, scene, fields);
      else throw new ScriptSyntax(`'${word}' is nothing that an ICMP message has`);
    }
    return fields;
  },
  write(fields, _way, scene) {
    const body = fields.about === undefined ? payloadOf(fields) : quoted(fields, scene);
    const out = new Uint8Array(8 + body.length);
    emitIcmpv4(out, 0, {
      type: Number(fields.type),
      code: Number(fields.code ?? 0),
      word0: Number(fields.id ?? 0),
      word1: Number(fields.seq ?? 0),
      body,
    });
    return out;
  },
  recognise({ ip }) {
    if (ip === null || ip.protocol !== PROTOCOL_ICMP || ip.isFragment) return null;
    const parsed = parseIcmpv4(ip.payload);
    if (!parsed.ok) return null;
    const { type, code, word0, word1, body } = parsed.value;
    const inside = isError(type) ? recogniseAbout(body) : payloadFields(body);
    return { type, code, id: word0, seq: word1, ...inside };
  },
  show(fields, scene) {
    const { type, code, id, seq } = fields;
    if (isEcho(type)) {
      const name = type === ICMPV4_ECHO_REQUEST ? 'echo-request' : 'echo-reply';
      return `${name} id ${id} seq ${seq} ${showPayload(fields)}`;
    }
    if (!isError(type)) return `type ${type} code ${code} id ${id} seq ${seq} hex ${fields.hex}`;
    const name = Object.keys(PROTOCOLS).find((key) => PROTOCOLS[key] === fields.about);
    const way = `from ${scene.show(fields.asrc ?? 0)} to ${scene.show(fields.adst ?? 0)}`;
    const about = `about ${name ?? fields.about} ${fields.asport}>${fields.adport} ${way}`;
    if (type === ICMPV4_UNREACHABLE) {
      const mtu = code === 4 ? ` mtu ${seq}` : '';
      return `unreachable ${UNREACHABLE[Number(code)] ?? code}${mtu} ${about}`;
    }
    if (type === ICMPV4_TIME_EXCEEDED) return `exceeded ${EXCEEDED[Number(code)] ?? code} ${about}`;
    return `type ${type} code ${code} ${about}`;
  },
};
