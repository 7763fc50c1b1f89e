/**
 * DHCP messages (RFC 2131 §2) and their options as bytes (RFC 2132), long options joined (RFC
 * 3396). Not here: the client (dhcpv4/), and the boot file and server name of BOOTP, which are
 * dropped on parsing.
 */

import {
  assert,
  hot,
  ok,
  type Result,
  readI32be,
  readU16be,
  type WireFault,
  writeU16be,
  writeU32be,
} from '#core';
import type { Ipv4Address } from '../ip.ts';
import { formatIpv4Address, ipv4AddressOf } from '../ip-address.ts';
import { formatMac, MAC_BYTES } from './ethernet.ts';

const at = {
  operation: 0,
  hardware: 1,
  hardwareBytes: 2,
  hops: 3,
  xid: 4,
  seconds: 8,
  flags: 10,
  clientAddress: 12,
  yourAddress: 16,
  serverAddress: 20,
  relayAddress: 24,
  clientMac: 28,
  serverName: 44,
  bootFile: 108,
  cookie: 236,
  options: 240,
} as const;
export const DHCPV4_HEADER_BYTES = 240;
const COOKIE = 0x63825363;
const BROADCAST_BIT = 0x8000;

export const DHCPV4_BOOT_REQUEST = 1;
export const DHCPV4_BOOT_REPLY = 2;

/** Values of option 53. */
export const DHCPV4_DISCOVER = 1;
export const DHCPV4_OFFER = 2;
export const DHCPV4_REQUEST = 3;
export const DHCPV4_DECLINE = 4;
export const DHCPV4_ACK = 5;
export const DHCPV4_NAK = 6;
export const DHCPV4_RELEASE = 7;
export const DHCPV4_INFORM = 8;

export const dhcpv4Option = {
  pad: 0,
  netmask: 1,
  router: 3,
  dnsServers: 6,
  hostName: 12,
  domain: 15,
  mtu: 26,
  broadcast: 28,
  ntpServers: 42,
  requestedAddress: 50,
  leaseSeconds: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  parameterList: 55,
  messageBytesMax: 57,
  renewSeconds: 58,
  rebindSeconds: 59,
  clientIdentifier: 61,
  domainSearch: 119,
  classlessRoutes: 121,
  end: 255,
} as const;

/** Null when the fixed part is there and is Ethernet's; options are checked by parsing. O(1). */
export function checkDhcpv4(b: Uint8Array): WireFault | null {
  if (b.length < DHCPV4_HEADER_BYTES) {
    return { kind: 'short', needBytes: DHCPV4_HEADER_BYTES, haveBytes: b.length };
  }
  const operation = b[at.operation]!;
  if (operation !== DHCPV4_BOOT_REQUEST && operation !== DHCPV4_BOOT_REPLY) {
    return { kind: 'field', offset: at.operation, value: operation };
  }
  const hardware = readU16be(b, at.hardware);
  if (hardware !== 0x0106) return { kind: 'field', offset: at.hardware, value: hardware };
  const cookie = readI32be(b, at.cookie);
  if (cookie !== COOKIE) return { kind: 'field', offset: at.cookie, value: cookie };
  return null;
}

export const dhcpv4Operation = (b: Uint8Array): number => b[at.operation]!;
/** The transaction, as a signed 32-bit integer. */
export const dhcpv4Xid = (b: Uint8Array): number => readI32be(b, at.xid);

export interface Dhcpv4Option {
  /** 1..254. */
  readonly code: number;
  /** Any length: options over 255 bytes travel in pieces (RFC 3396). */
  readonly value: Uint8Array;
}

export interface Dhcpv4Repr {
  readonly operation: number;
  readonly xid: number;
  readonly seconds: number;
  readonly broadcast: boolean;
  readonly clientAddress: Ipv4Address;
  readonly yourAddress: Ipv4Address;
  readonly serverAddress: Ipv4Address;
  readonly relayAddress: Ipv4Address;
  /** Six bytes, a copy. */
  readonly clientMac: Uint8Array;
  /**
   * One entry a code, in order of first appearance; without pad, end and overload. Values are
   * copies.
   */
  readonly options: readonly Dhcpv4Option[];
}

/** O(length). */
export function parseDhcpv4(b: Uint8Array): Result<Dhcpv4Repr, WireFault> {
  const fault = checkDhcpv4(b);
  if (fault !== null) return { ok: false, error: fault };
  const pieces = new Map<number, Uint8Array[]>();
  const optionsFault = collectAllOptions(b, pieces);
  if (optionsFault !== null) return { ok: false, error: optionsFault };
  const address = (offset: number): Ipv4Address => ipv4AddressOf(readI32be(b, offset));
  return ok({
    operation: dhcpv4Operation(b),
    xid: dhcpv4Xid(b),
    seconds: readU16be(b, at.seconds),
    broadcast: (readU16be(b, at.flags) & BROADCAST_BIT) !== 0,
    clientAddress: address(at.clientAddress),
    yourAddress: address(at.yourAddress),
    serverAddress: address(at.serverAddress),
    relayAddress: address(at.relayAddress),
    clientMac: b.slice(at.clientMac, at.clientMac + MAC_BYTES),
    options: Array.from(pieces, ([code, values]) => ({ code, value: joined(values) })),
  });
}

/**
 * The options field, then the file and name fields when option 52 lends them (RFC 3396 §5: in this
 * order).
 */
function collectAllOptions(b: Uint8Array, into: Map<number, Uint8Array[]>): WireFault | null {
  const fault = collectOptions(b, at.options, b.length, into);
  if (fault !== null) return fault;
  const overload = into.get(dhcpv4Option.overload);
  into.delete(dhcpv4Option.overload);
  if (overload === undefined) return null;
  const value = joined(overload);
  const lent = value[0];
  if (value.length !== 1 || lent === undefined || lent < 1 || lent > 3) {
    return { kind: 'field', offset: at.options, value: dhcpv4Option.overload };
  }
  const fileFault = (lent & 1) === 0 ? null : collectOptions(b, at.bootFile, at.cookie, into);
  if (fileFault !== null) return fileFault;
  const nameFault = (lent & 2) === 0 ? null : collectOptions(b, at.serverName, at.bootFile, into);
  // An overload inside of a lent field lends nothing more.
  into.delete(dhcpv4Option.overload);
  return nameFault;
}

/**
 * Adds the options in [from, end) to `into`; stops at the end option. A length past `end` is a
 * fault.
 */
function collectOptions(
  b: Uint8Array,
  from: number,
  end: number,
  into: Map<number, Uint8Array[]>,
): WireFault | null {
  let offset = from;
  while (offset < end) {
    const code = b[offset]!;
    if (code === dhcpv4Option.end) return null;
    offset += 1;
    if (code === dhcpv4Option.pad) continue;
    const lengthBytes = offset < end ? b[offset]! : 0;
    const next = offset + 1 + lengthBytes;
    if (next > end) return { kind: 'short', needBytes: next, haveBytes: end };
    const value = b.subarray(offset + 1, next);
    const earlier = into.get(code);
    if (earlier === undefined) into.set(code, [value]);
    else earlier.push(value);
    offset = next;
  }
  return null;
}

/** A fresh array with the bytes of all `values`. */
function joined(values: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(values.reduce((sum, value) => sum + value.length, 0));
  let offset = 0;
  for (const value of values) {
    whole.set(value, offset);
    offset += value.length;
  }
  return whole;
}

/** The value of an option of 4 bytes, as an address or seconds. */
export function dhcpv4U32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32be(bytes, 0, value);
  return bytes;
}

/** Value of an option of exactly 4 bytes as a signed 32-bit integer, or null. */
export function dhcpv4OptionI32(repr: Dhcpv4Repr, code: number): number | null {
  const value = dhcpv4OptionBytes(repr, code);
  return value === null || value.length !== 4 ? null : readI32be(value, 0);
}

/** Value of an option, or null when it isn't there. */
export function dhcpv4OptionBytes(repr: Dhcpv4Repr, code: number): Uint8Array | null {
  for (const option of repr.options) if (option.code === code) return option.value;
  return null;
}

/**
 * Value of an option that lists addresses, at most `countMax` of them; empty when absent or
 * malformed.
 */
export function dhcpv4OptionAddresses(
  repr: Dhcpv4Repr,
  code: number,
  countMax: number,
): Ipv4Address[] {
  const value = dhcpv4OptionBytes(repr, code);
  const addresses: Ipv4Address[] = [];
  if (value === null || value.length % 4 !== 0) return addresses;
  const end = Math.min(value.length, countMax * 4);
  for (let i = 0; i < end; i += 4) addresses.push(ipv4AddressOf(readI32be(value, i)));
  return addresses;
}

/** Option 53, or null in a plain BOOTP message. */
export function dhcpv4MessageType(repr: Dhcpv4Repr): number | null {
  const value = dhcpv4OptionBytes(repr, dhcpv4Option.messageType);
  return value?.length === 1 ? (value[0] ?? null) : null;
}

/** Bytes that emitDhcpv4 writes. */
export function dhcpv4Bytes(repr: Dhcpv4Repr): number {
  let total = DHCPV4_HEADER_BYTES + 1;
  for (const { value } of repr.options) {
    total += value.length + 2 * Math.max(1, Math.ceil(value.length / 255));
  }
  return total;
}

/**
 * Writes the message from offset 0, with the end option, and returns its length. Borrows `repr`.
 */
export function emitDhcpv4(to: Uint8Array, repr: Dhcpv4Repr): number {
  assert(repr.clientMac.length === MAC_BYTES);
  assert(dhcpv4Bytes(repr) <= to.length);
  hot.fill(to, 0, DHCPV4_HEADER_BYTES, 0);
  to[at.operation] = repr.operation;
  writeU16be(to, at.hardware, 0x0106);
  writeU32be(to, at.xid, repr.xid);
  writeU16be(to, at.seconds, repr.seconds);
  writeU16be(to, at.flags, repr.broadcast ? BROADCAST_BIT : 0);
  writeU32be(to, at.clientAddress, repr.clientAddress);
  writeU32be(to, at.yourAddress, repr.yourAddress);
  writeU32be(to, at.serverAddress, repr.serverAddress);
  writeU32be(to, at.relayAddress, repr.relayAddress);
  hot.copy(to, at.clientMac, repr.clientMac, 0, MAC_BYTES);
  writeU32be(to, at.cookie, COOKIE);
  let offset: number = at.options;
  for (const { code, value } of repr.options) {
    assert(code > 0 && code < 255 && code !== dhcpv4Option.overload);
    let from = 0;
    do {
      const count = Math.min(255, value.length - from);
      to[offset] = code;
      to[offset + 1] = count;
      hot.copy(to, offset + 2, value, from, count);
      offset += 2 + count;
      from += count;
    } while (from < value.length);
  }
  to[offset] = dhcpv4Option.end;
  return offset + 1;
}

export function formatDhcpv4(repr: Dhcpv4Repr): string {
  const codes = repr.options.map((option) => option.code).join(' ');
  const type = dhcpv4MessageType(repr) ?? 'bootp';
  const your = formatIpv4Address(repr.yourAddress);
  return `dhcp type ${type} client ${formatMac(repr.clientMac)} your ${your}, options ${codes}`;
}
