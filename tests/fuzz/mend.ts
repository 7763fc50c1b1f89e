/** Mends the checksums of a frame, so that what was changed in it gets past them. */

import { hot, readU16be, writeU16be } from '#core';

const IP_AT = 14;
const IPV6_HEADER_BYTES = 40;
/** By protocol: where the checksum is. */
const FIELD_AT: Readonly<Record<number, number>> = { 1: 2, 2: 2, 6: 16, 17: 6, 58: 2 };
/** ICMP and IGMP for IPv4 have no pseudo-header. */
const BARE = [1, 2];

/** In place; whatever isn't IPv4 or IPv6, or too short, stays as it is. */
export function mend(frame: Uint8Array): void {
  if (frame.length < IP_AT + 20) return;
  const etherType = readU16be(frame, 12);
  if (etherType === 0x0800) mendIpv4(frame);
  else if (etherType === 0x86dd) mendIpv6(frame);
}

function mendIpv4(frame: Uint8Array): void {
  const headerBytes = (frame[IP_AT]! & 15) * 4;
  const transportAt = IP_AT + headerBytes;
  if (headerBytes < 20 || frame.length < transportAt) return;
  writeU16be(frame, IP_AT + 10, 0);
  writeU16be(frame, IP_AT + 10, 0xffff - hot.checksum(frame, IP_AT, headerBytes, 0));
  const end = Math.min(frame.length, IP_AT + readU16be(frame, IP_AT + 2));
  const protocol = frame[IP_AT + 9]!;
  const isBare = BARE.includes(protocol);
  mendTransport(frame, transportAt, end, protocol, isBare ? 0 : hot.checksum(frame, 26, 8, 0));
}

function mendIpv6(frame: Uint8Array): void {
  const transportAt = IP_AT + IPV6_HEADER_BYTES;
  if (frame.length < transportAt) return;
  const end = Math.min(frame.length, transportAt + readU16be(frame, IP_AT + 4));
  // Behind extension headers nothing is mended, but hop-by-hop options before MLD.
  let at = transportAt;
  let next = frame[IP_AT + 6]!;
  while ((next === 0 || next === 60) && at + 8 <= end) {
    next = frame[at]!;
    at += (frame[at + 1]! + 1) * 8;
  }
  mendTransport(frame, at, end, next, hot.checksum(frame, 22, 32, 0));
}

function mendTransport(
  frame: Uint8Array,
  at: number,
  end: number,
  protocol: number,
  addressSum: number,
): void {
  const fieldAt = FIELD_AT[protocol];
  if (fieldAt === undefined || at + fieldAt + 2 > end) return;
  const bytes = end - at;
  writeU16be(frame, at + fieldAt, 0);
  let pseudo = BARE.includes(protocol) ? 0 : addressSum + protocol + bytes;
  while (pseudo > 0xffff) pseudo = (pseudo & 0xffff) + (pseudo >> 16);
  writeU16be(frame, at + fieldAt, 0xffff - hot.checksum(frame, at, bytes, pseudo));
}
