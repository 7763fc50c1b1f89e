/**
 * DHCPv6 messages as a stateless client sees them (RFC 8415 §8, §21; RFC 3646): information
 * requests and replies. Options with no meaning here are dropped. Not here: leases of addresses,
 * relays.
 */

import {
  assert,
  hot,
  ok,
  type Result,
  readU16be,
  readU32be,
  type WireFault,
  writeU16be,
  writeU32be,
} from '#core';
import {
  IPV6_ADDRESS_BYTES,
  type Ipv6Address,
  ipv6AddressAt,
  writeIpv6Address,
} from '../ipv6-address.ts';
import { emitDomainSearch, parseDomainSearch } from './dhcpv4-options.ts';

export const DHCPV6_REPLY = 7;
export const DHCPV6_INFORMATION_REQUEST = 11;
export const DHCPV6_CLIENT_PORT = 546;
export const DHCPV6_SERVER_PORT = 547;

const HEADER_BYTES = 4;
const OPTION_HEADER_BYTES = 4;
/** RFC 8415 §24. */
export const dhcpv6Option = {
  clientId: 1,
  serverId: 2,
  requested: 6,
  elapsed: 8,
  status: 13,
  dnsServers: 23,
  searchList: 24,
  refreshTime: 32,
  informationRetryMax: 83,
} as const;
const DUID_BYTES_MAX = 130;
const DUID_BYTES_MIN = 3;
/** DUID-LL, RFC 8415 §11.4, for Ethernet. */
const DUID_LINK_LAYER = 3;
const HARDWARE_ETHERNET = 1;

/** Null where an option is absent. Arrays of bytes are views of the parsed bytes. */
export interface Dhcpv6Repr {
  readonly type: number;
  /** 24 bits. */
  readonly transaction: number;
  readonly clientId: Uint8Array | null;
  readonly serverId: Uint8Array | null;
  /** Codes of options that the client asks for. */
  readonly requested: readonly number[];
  /** Hundredths of a second since the exchange began. */
  readonly elapsed: number | null;
  /** 0 is success. */
  readonly status: number | null;
  readonly dnsServers: readonly Ipv6Address[];
  readonly searchList: readonly string[];
  readonly refreshSeconds: number | null;
  readonly informationRetrySecondsMax: number | null;
}

type Draft = { -readonly [K in keyof Dhcpv6Repr]: Dhcpv6Repr[K] };

/** A repeated option counts where it stands last. O(length). */
export function parseDhcpv6(b: Uint8Array): Result<Dhcpv6Repr, WireFault> {
  if (b.length < HEADER_BYTES) return short(HEADER_BYTES, b);
  const repr: Draft = {
    ...dhcpv6Empty(b[0]!, readU32be(b, 0) & 0xffffff),
  };
  let offset = HEADER_BYTES;
  while (offset < b.length) {
    const valueAt = offset + OPTION_HEADER_BYTES;
    if (valueAt > b.length) return short(valueAt, b);
    const end = valueAt + readU16be(b, offset + 2);
    if (end > b.length) return short(end, b);
    const fault = readOption(repr, readU16be(b, offset), b.subarray(valueAt, end), valueAt);
    if (fault !== null) return { ok: false, error: fault };
    offset = end;
  }
  return ok(repr);
}

/** A message without options. */
export const dhcpv6Empty = (type: number, transaction: number): Dhcpv6Repr => ({
  type,
  transaction,
  clientId: null,
  serverId: null,
  requested: [],
  elapsed: null,
  status: null,
  dnsServers: [],
  searchList: [],
  refreshSeconds: null,
  informationRetrySecondsMax: null,
});

const short = (needBytes: number, b: Uint8Array): Result<never, WireFault> => ({
  ok: false,
  error: { kind: 'short', needBytes, haveBytes: b.length },
});

/** `v` is the option's value, which stands at `at` in the message. */
function readOption(repr: Draft, code: number, v: Uint8Array, at: number): WireFault | null {
  const wrong: WireFault = { kind: 'field', offset: at, value: v.length };
  switch (code) {
    case dhcpv6Option.clientId:
    case dhcpv6Option.serverId:
      if (v.length < DUID_BYTES_MIN || v.length > DUID_BYTES_MAX) return wrong;
      if (code === dhcpv6Option.clientId) repr.clientId = v;
      else repr.serverId = v;
      return null;
    case dhcpv6Option.requested:
      if (v.length % 2 !== 0) return wrong;
      repr.requested = Array.from({ length: v.length / 2 }, (_, i) => readU16be(v, 2 * i));
      return null;
    case dhcpv6Option.elapsed:
      if (v.length !== 2) return wrong;
      repr.elapsed = readU16be(v, 0);
      return null;
    case dhcpv6Option.status:
      if (v.length < 2) return wrong;
      repr.status = readU16be(v, 0);
      return null;
    case dhcpv6Option.dnsServers:
      if (v.length % IPV6_ADDRESS_BYTES !== 0) return wrong;
      repr.dnsServers = Array.from({ length: v.length / IPV6_ADDRESS_BYTES }, (_, i) =>
        ipv6AddressAt(v, i * IPV6_ADDRESS_BYTES),
      );
      return null;
    case dhcpv6Option.searchList: {
      const names = parseDomainSearch(v);
      if (!names.ok) return wrong;
      repr.searchList = names.value;
      return null;
    }
    case dhcpv6Option.refreshTime:
    case dhcpv6Option.informationRetryMax:
      if (v.length !== 4) return wrong;
      if (code === dhcpv6Option.refreshTime) repr.refreshSeconds = readU32be(v, 0);
      else repr.informationRetrySecondsMax = readU32be(v, 0);
      return null;
    default:
      return null;
  }
}

/** Writes the message from offset 0 and returns its length. */
export function emitDhcpv6(to: Uint8Array, repr: Dhcpv6Repr): number {
  assert(repr.type <= 255 && repr.transaction <= 0xffffff);
  writeU32be(to, 0, repr.transaction);
  to[0] = repr.type;
  let next = HEADER_BYTES;
  const option = (code: number, isThere: boolean, write: (at: number) => number): void => {
    if (!isThere) return;
    const bytes = write(next + OPTION_HEADER_BYTES);
    writeU16be(to, next, code);
    writeU16be(to, next + 2, bytes);
    next += OPTION_HEADER_BYTES + bytes;
  };
  const bytes = (code: number, value: Uint8Array | null): void =>
    option(code, value !== null, (at) => {
      if (value !== null) hot.copy(to, at, value, 0, value.length);
      return value?.length ?? 0;
    });
  const number = (code: number, value: number | null, count: 2 | 4): void =>
    option(code, value !== null, (at) => {
      if (count === 2) writeU16be(to, at, value ?? 0);
      else writeU32be(to, at, value ?? 0);
      return count;
    });
  bytes(dhcpv6Option.clientId, repr.clientId);
  bytes(dhcpv6Option.serverId, repr.serverId);
  option(dhcpv6Option.requested, repr.requested.length > 0, (at) => {
    repr.requested.forEach((code, i) => {
      writeU16be(to, at + 2 * i, code);
    });
    return 2 * repr.requested.length;
  });
  number(dhcpv6Option.elapsed, repr.elapsed, 2);
  number(dhcpv6Option.status, repr.status, 2);
  option(dhcpv6Option.dnsServers, repr.dnsServers.length > 0, (at) => {
    repr.dnsServers.forEach((server, i) => {
      writeIpv6Address(to, at + i * IPV6_ADDRESS_BYTES, server);
    });
    return repr.dnsServers.length * IPV6_ADDRESS_BYTES;
  });
  option(dhcpv6Option.searchList, repr.searchList.length > 0, (at) =>
    emitDomainSearch(to.subarray(at), repr.searchList),
  );
  number(dhcpv6Option.refreshTime, repr.refreshSeconds, 4);
  number(dhcpv6Option.informationRetryMax, repr.informationRetrySecondsMax, 4);
  return next;
}

/** The client's identifier from its link address (RFC 8415 §11.4): the same after every boot. */
export function duidOf(mac: Uint8Array): Uint8Array {
  const duid = new Uint8Array(4 + mac.length);
  writeU16be(duid, 0, DUID_LINK_LAYER);
  writeU16be(duid, 2, HARDWARE_ETHERNET);
  hot.copy(duid, 4, mac, 0, mac.length);
  return duid;
}

export const formatDhcpv6 = (repr: Dhcpv6Repr): string =>
  `dhcpv6 type ${repr.type} transaction ${repr.transaction}, ${repr.dnsServers.length} servers`;
