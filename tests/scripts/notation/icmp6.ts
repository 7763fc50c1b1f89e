/**
 * ICMPv6 (RFC 4443): `icmp6 echo-request id 1 seq 2 "text"`, `icmp6 unreachable port about udp
 * 4000>53`, `icmp6 too-big mtu 1400 about tcp 80>4000 seq 1`, `icmp6 exceeded hop about ...`,
 * `icmp6 parameter option pointer 40`, `icmp6 type 200 code 0 hex 00000000`. As with `icmp`, what
 * an error is about went from us to the peer, or the other way in an error of ours.
 */

import { parseIpv6Address } from '#net';
import {
  emitIcmpv6,
  emitIpv6,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_INFORMATION_MIN,
  ICMPV6_PACKET_TOO_BIG,
  ICMPV6_PARAMETER_PROBLEM,
  ICMPV6_TIME_EXCEEDED,
  ICMPV6_UNREACHABLE,
  PROTOCOL_ICMPV6,
  parseIcmpv6,
} from '#net/wire';
import type { Scene } from '../scene.ts';
import { type Fields, ScriptSyntax, type Value } from '../words.ts';
import { readPacket } from './envelope.ts';
import { PROTOCOLS, readAbout, readCode } from './icmp.ts';
import type { Notation } from './notation.ts';
import { payloadFields, payloadOf, showPayload } from './udp.ts';

interface Kind {
  readonly type: number;
  readonly codes: readonly string[];
}

const KINDS: Readonly<Record<string, Kind>> = {
  unreachable: {
    type: ICMPV6_UNREACHABLE,
    codes: ['route', 'admin', 'scope', 'address', 'port', 'policy', 'reject'],
  },
  exceeded: { type: ICMPV6_TIME_EXCEEDED, codes: ['hop', 'reassembly'] },
  parameter: { type: ICMPV6_PARAMETER_PROBLEM, codes: ['field', 'next-header', 'option'] },
};
const ECHO: Readonly<Record<string, number>> = {
  'echo-request': ICMPV6_ECHO_REQUEST,
  'echo-reply': ICMPV6_ECHO_REPLY,
};
const IPV6_HEADER_BYTES = 40;
/** Enough for TCP's whole header. */
const QUOTE_BYTES = 20;

/** The start of the packet that an error is about. */
function quoted(fields: Fields, scene: Scene): Uint8Array {
  const ends = scene.ends(6);
  const [source, destination] = [fields.asrc ?? ends.us, fields.adst ?? ends.peer];
  const bytes = Number(fields.quote ?? QUOTE_BYTES);
  const transport = new DataView(new ArrayBuffer(Math.max(8, bytes)));
  const [ours, theirs] = [Number(fields.asport ?? 0), Number(fields.adport ?? 0)];
  transport.setUint16(0, ours);
  transport.setUint16(2, theirs);
  if (fields.about === PROTOCOLS.tcp) {
    const known = scene.conversation(destination, theirs, ours);
    transport.setUint32(4, known.ourSeq(Number(fields.aseq ?? 0)));
  } else transport.setUint16(4, 8);
  const out = new Uint8Array(IPV6_HEADER_BYTES + transport.byteLength);
  emitIpv6(out, 0, {
    trafficClass: 0,
    flowLabel: 0,
    nextHeader: Number(fields.about),
    hopLimit: 60,
    source: parseIpv6Address(String(source))!,
    destination: parseIpv6Address(String(destination))!,
    payload: new Uint8Array(transport.buffer),
  });
  const size = Number(fields.size ?? (fields.type === ICMPV6_PACKET_TOO_BIG ? 1_500 : 0));
  if (size > 0) new DataView(out.buffer).setUint16(4, size - IPV6_HEADER_BYTES);
  return out.subarray(0, IPV6_HEADER_BYTES + bytes);
}

function recogniseAbout(body: Uint8Array): Fields {
  // Cut off as it is, it would be no packet: its length is made what is there.
  const frame = new Uint8Array(14 + body.length);
  frame.set([0x86, 0xdd], 12);
  frame.set(body, 14);
  const bytes = Math.max(0, body.length - IPV6_HEADER_BYTES);
  frame.set([bytes >> 8, bytes & 255], 18);
  const { ip, envelope } = readPacket(frame);
  if (ip === null) return {};
  const { payload } = ip;
  const fields: Record<string, Value> = {
    about: ip.protocol,
    asrc: envelope.src!,
    adst: envelope.dst!,
    quote: payload.length,
  };
  if (payload.length >= 4) {
    fields.asport = (payload[0]! << 8) | payload[1]!;
    fields.adport = (payload[2]! << 8) | payload[3]!;
  }
  return fields;
}

export const icmp6: Notation = {
  name: 'icmp6',
  family: 6,
  carrier: { protocol: PROTOCOL_ICMPV6 },
  checksumAt: 2,
  read(words, scene) {
    const fields: Record<string, Value> = {};
    const name = words.next();
    const kind = KINDS[name];
    if (ECHO[name] !== undefined) Object.assign(fields, { type: ECHO[name], code: 0 });
    else if (kind !== undefined) {
      Object.assign(fields, { type: kind.type, code: readCode(words, kind.codes) });
    } else if (name === 'too-big') Object.assign(fields, { type: ICMPV6_PACKET_TOO_BIG, code: 0 });
    else if (name === 'type') fields.type = words.number();
    else throw new ScriptSyntax(`'${name}' is no ICMPv6 message`);
    while (!words.isEmpty) {
      if (words.isText) {
        fields.text = words.text();
        continue;
      }
      const word = words.next();
      if (['code', 'id', 'seq', 'len'].includes(word)) fields[word] = words.value();
      else if (word === 'mtu' || word === 'pointer') fields.word = words.value();
      else if (word === 'hex') fields.hex = words.hex();
      else if (word === 'about') readAbout(words, scene, fields);
      else throw new ScriptSyntax(`'${word}' is nothing that an ICMPv6 message has`);
    }
    return fields;
  },
  write(fields, way, scene) {
    const body = fields.about === undefined ? payloadOf(fields) : quoted(fields, scene);
    const out = new Uint8Array(8 + body.length);
    const word = Number(fields.word ?? Number(fields.id ?? 0) * 65_536 + Number(fields.seq ?? 0));
    const repr = { type: Number(fields.type), code: Number(fields.code ?? 0), word, body };
    emitIcmpv6(out, 0, repr, way.pseudoSum(PROTOCOL_ICMPV6, out.length));
    return out;
  },
  recognise({ ip }) {
    if (ip === null || ip.protocol !== PROTOCOL_ICMPV6 || ip.isFragment) return null;
    const sum = ip.way.pseudoSum(PROTOCOL_ICMPV6, ip.payload.length);
    const parsed = parseIcmpv6(ip.payload, sum);
    if (!parsed.ok) return null;
    const { type, code, word, body } = parsed.value;
    const isError = type < ICMPV6_INFORMATION_MIN;
    const inside = isError ? recogniseAbout(body) : payloadFields(body);
    return { type, code, word, id: Math.floor(word / 65_536), seq: word % 65_536, ...inside };
  },
  show(fields, scene) {
    const { type, code, word, id, seq } = fields;
    const echo = Object.keys(ECHO).find((name) => ECHO[name] === type);
    if (echo !== undefined) return `${echo} id ${id} seq ${seq} ${showPayload(fields)}`;
    if (Number(type) >= ICMPV6_INFORMATION_MIN) {
      return `type ${type} code ${code} id ${id} seq ${seq} hex ${fields.hex}`;
    }
    const name = Object.keys(PROTOCOLS).find((key) => PROTOCOLS[key] === fields.about);
    const way = `from ${scene.show(fields.asrc ?? 0)} to ${scene.show(fields.adst ?? 0)}`;
    const about = `about ${name ?? fields.about} ${fields.asport}>${fields.adport} ${way}`;
    if (type === ICMPV6_PACKET_TOO_BIG) return `too-big mtu ${word} ${about}`;
    const found = Object.entries(KINDS).find(([, kind]) => kind.type === type);
    if (found === undefined) return `type ${type} code ${code} ${about}`;
    const [kind, { codes }] = found;
    const pointer = type === ICMPV6_PARAMETER_PROBLEM ? ` pointer ${word}` : '';
    return `${kind} ${codes[Number(code)] ?? code}${pointer} ${about}`;
  },
};
