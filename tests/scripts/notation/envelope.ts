/**
 * What carries a packet: Ethernet and IP, written in square brackets before the protocol's name.
 * All of it may be left out. Not here: IPv6's headers (envelope6.ts), protocols (the other files of
 * this folder).
 */

import {
  type IpAddress,
  ipv4AddressOf,
  isIpv6Multicast,
  isMulticast,
  parseIpv6Address,
} from '#net';
import {
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_IPV4,
  emitEthernet,
  emitIpv4,
  formatMac,
  ipv4HeaderBytes,
  parseEthernet,
  parseIpv4,
  pseudoHeaderSum,
} from '#net/wire';
import type { Scene } from '../scene.ts';
import { bytesOfHex, type Fields, hexOf, ScriptSyntax, type Value, type Words } from '../words.ts';
import { ETHERTYPE_IPV6, readIpv6, writeIpv6 } from './envelope6.ts';
import type { Notation } from './notation.ts';

/** From where to where a packet goes, for checksums; addresses as Scene.address has them. */
export interface Way {
  readonly source: Value;
  readonly destination: Value;
  /** The sum over the pseudo-header. */
  pseudoSum(protocol: number, lengthBytes: number): number;
}

/** A frame that our stack sent, taken apart. */
export interface Packet {
  readonly frame: Uint8Array;
  readonly etherType: number;
  /** What follows the Ethernet header. */
  readonly linkPayload: Uint8Array;
  /** What follows the IP header; null: not IP, or malformed. */
  readonly ip: {
    readonly protocol: number;
    readonly way: Way;
    readonly payload: Uint8Array;
    readonly isFragment: boolean;
  } | null;
  readonly envelope: Fields;
}

const ipOf = (address: Value): IpAddress =>
  typeof address === 'number' ? ipv4AddressOf(address) : parseIpv6Address(address)!;

export const wayOf = (source: Value, destination: Value): Way => ({
  source,
  destination,
  pseudoSum: (protocol, length) =>
    pseudoHeaderSum(ipOf(source), ipOf(destination), protocol, length),
});

/** Which IP carries a packet: what its envelope says, else what the script's other packets have. */
export function familyOf(notation: Notation, envelope: Fields, scene: Scene): 4 | 6 {
  if (notation.family !== undefined) return notation.family;
  if (envelope.v === 4 || envelope.v === 6) return envelope.v;
  const given = [envelope.src, envelope.dst].find((each) => each !== undefined && each !== '*');
  if (given === undefined) return scene.family;
  return typeof given === 'number' ? 4 : 6;
}

export const ECN_NAMES = ['not-ect', 'ect1', 'ect0', 'ce'] as const;
const NUMBERS = ['ttl', 'tos', 'id', 'off', 'type', 'total'];
const SWITCHES = ['df', 'nodf', 'mf', 'badsum', 'ipbadsum'];

/** Reads `[...]` when it is next: see README.md for what may stand in it. */
export function readEnvelope(words: Words, scene: Scene): Fields {
  const fields: Record<string, Value> = {};
  if (!words.take('[')) return fields;
  while (!words.take(']')) {
    const name = words.next();
    if (name === ',') continue;
    if (name === 'src' || name === 'dst') fields[name] = scene.address(words.next());
    else if (name === 'smac' || name === 'dmac') fields[name] = scene.mac(words.next());
    else if (NUMBERS.includes(name)) fields[name] = words.value();
    else if (name === 'ecn') fields.ecn = words.next();
    else if (name === 'opt') fields.opt = words.hex();
    else if (name === 'frag') Object.assign(fields, readFragment(words));
    else if (name === 'nodf') fields.df = 0;
    else if (name === 'v4' || name === 'v6') fields.v = name === 'v4' ? 4 : 6;
    else if (name === 'hbh') fields.hbh = words.hex();
    else if (SWITCHES.includes(name)) fields[name] = 1;
    else throw new ScriptSyntax(`'${name}' is nothing that an envelope has`);
  }
  return fields;
}

/** `frag ID FROM:TO`: these bytes of the packet after its IP header, as a fragment. */
function readFragment(words: Words): Fields {
  const id = words.number();
  const [from, to] = words.next().split(':').map(Number);
  if (from === undefined || to === undefined || from % 8 !== 0 || to < from) {
    throw new ScriptSyntax('a fragment is FROM:TO, with FROM a multiple of 8');
  }
  return { id, fragFrom: from, fragTo: to };
}

/** The frame for a packet into our stack. */
export function writeFrame(
  notation: Notation,
  envelope: Fields,
  fields: Fields,
  scene: Scene,
): Uint8Array {
  const family = familyOf(notation, envelope, scene);
  const ends = scene.ends(family);
  const source = envelope.src ?? ends.peer;
  const destination = envelope.dst ?? ends.us;
  let payload = notation.write(fields, wayOf(source, destination), scene);
  if (envelope.badsum === 1) payload[notation.checksumAt ?? 0]! ^= 0x55;
  let etherType = 'etherType' in notation.carrier ? notation.carrier.etherType : 0;
  if ('protocol' in notation.carrier) {
    const protocol = Number(fields.proto ?? notation.carrier.protocol);
    const packet = { source, destination, protocol, payload };
    etherType = family === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
    payload = family === 4 ? writeIpv4(envelope, packet) : writeIpv6(envelope, packet);
  }
  const to = new Uint8Array(ETHERNET_HEADER_BYTES + payload.length);
  emitEthernet(to, {
    source: macBytes(envelope.smac ?? scene.macOf(source)),
    destination: macBytes(envelope.dmac ?? macTowards(destination, scene)),
    etherType: Number(envelope.type ?? etherType),
    payload,
  });
  return to;
}

/** What an IP header carries, and from where to where. */
export interface Carried {
  readonly source: Value;
  readonly destination: Value;
  readonly protocol: number;
  readonly payload: Uint8Array;
}

function writeIpv4(envelope: Fields, packet: Carried): Uint8Array {
  const { payload } = packet;
  const [from, to] = [Number(envelope.fragFrom ?? 0), Number(envelope.fragTo ?? payload.length)];
  const ecn = ECN_NAMES.indexOf(String(envelope.ecn ?? 'not-ect') as 'ce');
  if (ecn < 0) throw new ScriptSyntax('ecn is not-ect, ect0, ect1 or ce');
  const out = new Uint8Array(60 + payload.length);
  const length = emitIpv4(out, 0, {
    protocol: packet.protocol,
    source: ipv4AddressOf(Number(packet.source)),
    destination: ipv4AddressOf(Number(packet.destination)),
    trafficClass: Number(envelope.tos ?? 0) | ecn,
    identification: Number(envelope.id ?? 1),
    dontFragment: envelope.df === 1,
    moreFragments: envelope.mf === 1 || to < payload.length,
    fragmentOffset: (from + Number(envelope.off ?? 0)) / 8,
    ttl: Number(envelope.ttl ?? 64),
    options: bytesOfHex(String(envelope.opt ?? '')),
    payload: payload.subarray(from, to),
  });
  if (envelope.total !== undefined) {
    out[2] = Number(envelope.total) >> 8;
    out[3] = Number(envelope.total);
  }
  if (envelope.ipbadsum === 1) out[10]! ^= 0x55;
  return out.subarray(0, length);
}

export const macBytes = (text: Value): Uint8Array =>
  Uint8Array.from(String(text).split(':'), (byte) => Number.parseInt(byte, 16));

/** Whom a sender on the link would address (RFC 1112 §6.4 for groups). */
function macTowards(to: Value, scene: Scene): string {
  if (typeof to === 'string') return macTowards6(to, scene);
  const destination = ipv4AddressOf(to);
  const subnet = scene.broadcast;
  if (destination === ipv4AddressOf(-1) || destination === subnet) return 'ff:ff:ff:ff:ff:ff';
  if (!isMulticast(destination)) return scene.us.mac;
  return formatMac(
    Uint8Array.of(1, 0, 0x5e, (destination >> 16) & 0x7f, (destination >> 8) & 255, destination),
  );
}

/** RFC 2464 §7 for groups. */
function macTowards6(text: string, scene: Scene): string {
  const destination = parseIpv6Address(text);
  if (destination === null || !isIpv6Multicast(destination)) return scene.us.mac;
  const { w3 } = destination;
  return formatMac(Uint8Array.of(0x33, 0x33, w3 >> 24, w3 >> 16, w3 >> 8, w3));
}

/** Takes a frame of our stack's apart. */
export function readPacket(frame: Uint8Array): Packet {
  const ethernet = parseEthernet(frame);
  if (!ethernet.ok) {
    return { frame, etherType: 0, linkPayload: frame, ip: null, envelope: {} };
  }
  const { etherType, payload, source, destination } = ethernet.value;
  const link = { smac: formatMac(source), dmac: formatMac(destination) };
  if (etherType === ETHERTYPE_IPV6) return readIpv6(frame, payload, link);
  const parsed = etherType === ETHERTYPE_IPV4 ? parseIpv4(payload) : null;
  if (parsed === null || !parsed.ok) {
    return { frame, etherType, linkPayload: payload, ip: null, envelope: link };
  }
  const ip = parsed.value;
  const isFragment = ip.moreFragments || ip.fragmentOffset !== 0;
  const envelope: Fields = {
    ...link,
    src: ip.source,
    dst: ip.destination,
    ttl: ip.ttl,
    tos: ip.trafficClass & ~3,
    ecn: ECN_NAMES[ip.trafficClass & 3]!,
    id: ip.identification,
    df: ip.dontFragment ? 1 : 0,
    mf: ip.moreFragments ? 1 : 0,
    off: ip.fragmentOffset * 8,
    opt: hexOf(payload.subarray(20, ipv4HeaderBytes(payload))),
  };
  const way = wayOf(ip.source, ip.destination);
  const inside = { protocol: ip.protocol, way, payload: ip.payload, isFragment };
  return { frame, etherType, linkPayload: payload, ip: inside, envelope };
}

/** What is remarkable about an envelope, in brackets; '' when nothing is. */
export function showEnvelope(envelope: Fields, scene: Scene): string {
  const parts: string[] = [];
  const { src, dst, ecn, mf, off, opt, ttl, hbh } = envelope;
  const ends = scene.ends(typeof src === 'string' ? 6 : 4);
  if (src !== undefined && typeof src !== typeof scene.ends(scene.family).us) {
    parts.push(typeof src === 'string' ? 'v6' : 'v4');
  }
  if (src !== undefined && src !== ends.us) parts.push(`src ${scene.show(src)}`);
  if (dst !== undefined && dst !== ends.peer) parts.push(`dst ${scene.show(dst)}`);
  if (ttl !== undefined && ttl !== 64) parts.push(`ttl ${ttl}`);
  if (ecn !== undefined && ecn !== 'not-ect') parts.push(`ecn ${ecn}`);
  if (off !== undefined && (off !== 0 || mf === 1)) parts.push(`id ${envelope.id}, off ${off}`);
  if (mf === 1) parts.push('mf');
  if (hbh !== undefined) parts.push(`hbh ${hbh}`);
  if (opt !== undefined && opt !== '') parts.push(`opt ${opt}`);
  return parts.length === 0 ? '' : `[${parts.join(', ')}] `;
}
