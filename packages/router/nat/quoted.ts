/**
 * The packet that an ICMP error quotes, and how translation changes it (RFC 5508 §4): its address
 * and port, and all checksums on the way: the quoted IP header's, its transport's as far as it was
 * quoted, the error's own.
 */

import { hot, readI32be, readU16be, writeU16be, writeU32be } from '#core';
import { type Ipv4Address, ipv4AddressOf, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '#net';
import {
  checkIcmpv4,
  checkIpv4Header,
  ETHERNET_HEADER_BYTES,
  ICMPV4_HEADER_BYTES,
  IPV4_FRAGMENT_OFFSET_MASK,
  ipv4Destination,
  ipv4Fragment,
  ipv4HeaderBytes,
  ipv4Protocol,
  ipv4Source,
  isIcmpv4Error,
} from '#net/wire';
import { adjusted, type Packet } from '../packet.ts';
import { type Mapping, quotedSum } from './session.ts';

const IP_AT = ETHERNET_HEADER_BYTES;
/** An error must quote so much of the transport's header (RFC 792). */
const TRANSPORT_BYTES_MIN = 8;

export interface Quoted {
  /** Where the quoted packet, and its transport header, begin in the frame. */
  readonly at: number;
  readonly transportAt: number;
  readonly protocol: number;
  readonly source: Ipv4Address;
  /** 0 for ICMP, but the identifier on the side that is ours. */
  readonly sourcePort: number;
  readonly destination: Ipv4Address;
  readonly destinationPort: number;
}

/**
 * What `packet`, an ICMP error, quotes; null when a checksum is wrong or it quotes too little (RFC
 * 5508 REQ-3): then it is about nobody's packet.
 */
export function readQuoted(packet: Packet): Quoted | null {
  const { frame, at, end } = packet;
  if (checkIcmpv4(frame.subarray(at, end)) !== null) return null;
  return quotedIn(frame, at + ICMPV4_HEADER_BYTES, end);
}

function quotedIn(frame: Uint8Array, at: number, end: number): Quoted | null {
  const about = frame.subarray(at, end);
  if (checkIpv4Header(about) !== null) return null;
  const headerBytes = ipv4HeaderBytes(about);
  const isFirst = (ipv4Fragment(about) & IPV4_FRAGMENT_OFFSET_MASK) === 0;
  if (!isFirst || about.length < headerBytes + TRANSPORT_BYTES_MIN) return null;
  const protocol = ipv4Protocol(about);
  const isPorts = protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP;
  const isQuery = protocol === PROTOCOL_ICMP && !isIcmpv4Error(about[headerBytes]!);
  if (!isPorts && !isQuery) return null;
  return {
    at,
    transportAt: at + headerBytes,
    protocol,
    source: ipv4Source(about),
    sourcePort: readU16be(about, headerBytes + (isPorts ? 0 : 4)),
    destination: ipv4Destination(about),
    destinationPort: readU16be(about, headerBytes + (isPorts ? 2 : 4)),
  };
}

/** Puts `mapping`'s inside endpoint for the outside one that frame's quoted packet came from. */
export function quoteInside(frame: Uint8Array, quoted: Quoted, mapping: Mapping): void {
  const { insideAddress, insidePort, addressDeltaIn, deltaIn } = mapping;
  rewrite(frame, quoted, true, insideAddress, insidePort, addressDeltaIn, deltaIn);
}

/** Puts `mapping`'s outside endpoint for the inside one that frame's quoted packet went to. */
export function quoteOutside(frame: Uint8Array, quoted: Quoted, mapping: Mapping): void {
  const { outsideAddress, outsidePort, addressDeltaOut, deltaOut } = mapping;
  rewrite(frame, quoted, false, outsideAddress, outsidePort, addressDeltaOut, deltaOut);
}

function rewrite(
  frame: Uint8Array,
  { at, transportAt, protocol }: Quoted,
  isSource: boolean,
  address: Ipv4Address,
  port: number,
  addressDelta: number,
  delta: number,
): void {
  writeU32be(frame, at + (isSource ? 12 : 16), address);
  writeU16be(frame, at + 10, adjusted(readU16be(frame, at + 10), addressDelta));
  const portAt = protocol === PROTOCOL_ICMP ? 4 : isSource ? 0 : 2;
  writeU16be(frame, transportAt + portAt, port);
  const sumAt = transportAt + (protocol === PROTOCOL_TCP ? 16 : protocol === PROTOCOL_UDP ? 6 : 2);
  // Of TCP mostly nothing after the first 8 bytes is quoted.
  if (sumAt + 2 > frame.length) return;
  const sum = readU16be(frame, sumAt);
  if (protocol === PROTOCOL_UDP && sum === 0) return;
  writeU16be(frame, sumAt, quotedSum(protocol, sum, addressDelta, delta));
}

/** Addresses of an ICMP message itself, one hop less, and both its checksums. */
export function addressMessage(
  frame: Uint8Array,
  at: number,
  source: Ipv4Address,
  destination: Ipv4Address,
): void {
  writeU32be(frame, IP_AT + 12, source);
  writeU32be(frame, IP_AT + 16, destination);
  frame[IP_AT + 8]! -= 1;
  writeU16be(frame, IP_AT + 10, 0);
  writeU16be(frame, IP_AT + 10, 0xffff - hot.checksum(frame, IP_AT, at - IP_AT, 0));
  writeU16be(frame, at + 2, 0);
  writeU16be(frame, at + 2, 0xffff - hot.checksum(frame, at, frame.length - at, 0));
}

/** The source of a frame's IP packet. */
export const sourceIn = (frame: Uint8Array): Ipv4Address =>
  ipv4AddressOf(readI32be(frame, IP_AT + 12));

/** The frame's own packet, as if it were quoted: null when it isn't a first one with ports. */
export function readHead(frame: Uint8Array): Quoted | null {
  return quotedIn(frame, IP_AT, frame.length);
}
