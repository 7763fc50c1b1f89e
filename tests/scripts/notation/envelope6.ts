/**
 * IPv6 (RFC 8200) as an envelope: hop limit and traffic class as IPv4's `ttl` and `tos`, `[hbh
 * HEX]` for a header of hop-by-hop options, `[frag ID FROM:TO]` and `[id, off, mf]` for a fragment
 * header.
 */

import { formatIpv6Address, parseIpv6Address } from '#net';
import { emitIpv6, parseIpv6 } from '#net/wire';
import { bytesOfHex, type Fields, hexOf, ScriptSyntax, type Value } from '../words.ts';
import { type Carried, ECN_NAMES, type Packet, wayOf } from './envelope.ts';

export const ETHERTYPE_IPV6 = 0x86dd;
const HOP_BY_HOP = 0;
const FRAGMENT = 44;
const EXTENSIONS = [HOP_BY_HOP, 43, 60];
const FRAGMENT_BYTES = 8;
const UNIT_BYTES = 8;

export function writeIpv6(envelope: Fields, packet: Carried): Uint8Array {
  const ecn = ECN_NAMES.indexOf(String(envelope.ecn ?? 'not-ect') as 'ce');
  const source = parseIpv6Address(String(packet.source));
  const destination = parseIpv6Address(String(packet.destination));
  if (source === null || destination === null || ecn < 0) {
    throw new ScriptSyntax('an IPv6 packet needs IPv6 addresses');
  }
  let { payload, protocol: nextHeader } = packet;
  const isPart = envelope.fragFrom !== undefined || envelope.mf === 1 || envelope.off !== undefined;
  if (isPart) {
    payload = fragment(envelope, nextHeader, payload);
    nextHeader = FRAGMENT;
  }
  if (envelope.hbh !== undefined) {
    const options = bytesOfHex(String(envelope.hbh));
    const whole = new Uint8Array(Math.ceil((2 + options.length) / UNIT_BYTES) * UNIT_BYTES);
    whole.set([nextHeader, whole.length / UNIT_BYTES - 1, ...options]);
    payload = Uint8Array.from([...whole, ...payload]);
    nextHeader = HOP_BY_HOP;
  }
  const out = new Uint8Array(40 + payload.length);
  emitIpv6(out, 0, {
    trafficClass: Number(envelope.tos ?? 0) | ecn,
    flowLabel: 0,
    nextHeader,
    hopLimit: Number(envelope.ttl ?? 64),
    source,
    destination,
    payload,
  });
  if (envelope.total !== undefined) {
    out[4] = Number(envelope.total) >> 8;
    out[5] = Number(envelope.total);
  }
  return out;
}

function fragment(envelope: Fields, nextHeader: number, payload: Uint8Array): Uint8Array {
  const [from, to] = [Number(envelope.fragFrom ?? 0), Number(envelope.fragTo ?? payload.length)];
  const at = from + Number(envelope.off ?? 0);
  const part = payload.subarray(from, to);
  const header = new DataView(new ArrayBuffer(FRAGMENT_BYTES));
  header.setUint8(0, nextHeader);
  header.setUint16(2, at | (envelope.mf === 1 || to < payload.length ? 1 : 0));
  header.setUint32(4, Number(envelope.id ?? 1));
  return Uint8Array.from([...new Uint8Array(header.buffer), ...part]);
}

/** Takes a packet of our stack's apart; extension headers other than these two are passed over. */
export function readIpv6(frame: Uint8Array, packet: Uint8Array, link: Fields): Packet {
  const parsed = parseIpv6(packet);
  const base = { frame, etherType: ETHERTYPE_IPV6, linkPayload: packet };
  if (!parsed.ok) return { ...base, ip: null, envelope: link };
  const { source, destination, hopLimit, trafficClass, nextHeader, payload } = parsed.value;
  const fields: Record<string, Value> = {
    ...link,
    src: formatIpv6Address(source),
    dst: formatIpv6Address(destination),
    ttl: hopLimit,
    tos: trafficClass & ~3,
    ecn: ECN_NAMES[trafficClass & 3]!,
  };
  let protocol = nextHeader;
  let at = 0;
  let isFragment = false;
  while (at + UNIT_BYTES <= payload.length) {
    const bytes = (payload[at + 1]! + 1) * UNIT_BYTES;
    if (protocol === FRAGMENT) {
      const view = new DataView(payload.buffer, payload.byteOffset + at);
      const place = view.getUint16(2);
      isFragment = true;
      Object.assign(fields, { off: place & ~7, mf: place & 1, id: view.getUint32(4) });
      protocol = payload[at]!;
      at += FRAGMENT_BYTES;
    } else if (EXTENSIONS.includes(protocol)) {
      if (protocol === HOP_BY_HOP) fields.hbh = hexOf(payload.subarray(at + 2, at + bytes));
      protocol = payload[at]!;
      at += bytes;
    } else break;
  }
  const way = wayOf(fields.src!, fields.dst!);
  const ip = { protocol, way, payload: payload.subarray(at), isFragment };
  return { ...base, ip, envelope: fields };
}
