/**
 * Multicast listener discovery (RFC 3810 §5, with the messages of RFC 2710 that it embraces), as
 * whole ICMPv6 messages. Checksums are icmpv6.ts's. Not here: when to say what (mld/), and what
 * routers do.
 */

import { assert, hot, ok, type Result, readU16be, type WireFault, writeU16be } from '#core';
import {
  IPV6_ADDRESS_BYTES,
  type Ipv6Address,
  ipv6AddressAt,
  writeIpv6Address,
} from '../ipv6-address.ts';
import { formatIpv6Address } from '../ipv6-text.ts';

export const MLD_QUERY = 130;
export const MLD_REPORT_V1 = 131;
export const MLD_DONE_V1 = 132;
export const MLD_REPORT_V2 = 143;
export const MLD_V1_BYTES = 24;
export const MLD_QUERY_V2_BYTES_MIN = 28;
const RECORDS_AT = 8;
const RECORD_BYTES_MIN = 20;
const SUPPRESS_BIT = 0x08;
const ROBUSTNESS_MASK = 0x07;
const at = {
  type: 0,
  code: 1,
  checksum: 2,
  responseCode: 4,
  recordCount: 6,
  group: 8,
  flags: 24,
  intervalCode: 25,
  sourceCount: 26,
  sources: 28,
} as const;
const recordAt = { type: 0, auxiliaryWords: 1, sourceCount: 2, group: 4, sources: 20 } as const;

/** Types of a record, RFC 3810 §5.2.12. */
export const MLD_MODE_IS_EXCLUDE = 2;
export const MLD_CHANGE_TO_INCLUDE = 3;
export const MLD_CHANGE_TO_EXCLUDE = 4;

export interface MldQuery {
  readonly kind: 'query';
  /** Of the querier, told by the length (RFC 3810 §8.1). */
  readonly version: 1 | 2;
  /** See `mldResponseMillis`. */
  readonly responseCode: number;
  /** :: in a general query. */
  readonly group: Ipv6Address;
  readonly suppress: boolean;
  readonly robustness: number;
  readonly intervalCode: number;
  readonly sources: readonly Ipv6Address[];
}

export interface MldRecord {
  readonly type: number;
  readonly group: Ipv6Address;
  readonly sources: readonly Ipv6Address[];
}

export type MldRepr =
  | MldQuery
  | { readonly kind: 'records'; readonly records: readonly MldRecord[] }
  | {
      readonly kind: 'group';
      readonly type: typeof MLD_REPORT_V1 | typeof MLD_DONE_V1;
      readonly group: Ipv6Address;
    };

export const isMldType = (type: number): boolean =>
  (type >= MLD_QUERY && type <= MLD_DONE_V1) || type === MLD_REPORT_V2;

/** Milliseconds of a Maximum Response Code: from 32,768 on a float (RFC 3810 §5.1.3). */
export function mldResponseMillis(code: number): number {
  if (code < 32_768) return code;
  return ((code & 0xfff) | 0x1000) * 2 ** (((code >> 12) & 7) + 3);
}

/** O(length): every count is within the message. */
export function parseMld(b: Uint8Array): Result<MldRepr, WireFault> {
  const type = b[at.type] ?? 0;
  if (!isMldType(type))
    return { ok: false, error: { kind: 'field', offset: at.type, value: type } };
  if (type === MLD_REPORT_V2) return parseRecords(b);
  if (b.length < MLD_V1_BYTES) return short(MLD_V1_BYTES, b);
  const group = ipv6AddressAt(b, at.group);
  if (type === MLD_REPORT_V1 || type === MLD_DONE_V1) return ok({ kind: 'group', type, group });
  const responseCode = readU16be(b, at.responseCode);
  const base = { kind: 'query', responseCode, group } as const;
  if (b.length === MLD_V1_BYTES) {
    const none = { suppress: false, robustness: 0, intervalCode: 0, sources: [] };
    return ok({ ...base, version: 1, ...none });
  }
  // RFC 3810 §8.1: lengths between are nobody's.
  if (b.length < MLD_QUERY_V2_BYTES_MIN) return short(MLD_QUERY_V2_BYTES_MIN, b);
  const count = readU16be(b, at.sourceCount);
  const needBytes = at.sources + count * IPV6_ADDRESS_BYTES;
  if (b.length < needBytes) return short(needBytes, b);
  return ok({
    ...base,
    version: 2,
    suppress: (b[at.flags]! & SUPPRESS_BIT) !== 0,
    robustness: b[at.flags]! & ROBUSTNESS_MASK,
    intervalCode: b[at.intervalCode]!,
    sources: addressesAt(b, at.sources, count),
  });
}

function parseRecords(b: Uint8Array): Result<MldRepr, WireFault> {
  if (b.length < RECORDS_AT) return short(RECORDS_AT, b);
  const records: MldRecord[] = [];
  let offset = RECORDS_AT;
  for (let left = readU16be(b, at.recordCount); left > 0; left--) {
    if (offset + RECORD_BYTES_MIN > b.length) return short(offset + RECORD_BYTES_MIN, b);
    const count = readU16be(b, offset + recordAt.sourceCount);
    const sourcesEnd = offset + recordAt.sources + count * IPV6_ADDRESS_BYTES;
    const end = sourcesEnd + b[offset + recordAt.auxiliaryWords]! * 4;
    if (end > b.length) return short(end, b);
    records.push({
      type: b[offset + recordAt.type]!,
      group: ipv6AddressAt(b, offset + recordAt.group),
      sources: addressesAt(b, offset + recordAt.sources, count),
    });
    offset = end;
  }
  return ok({ kind: 'records', records });
}

const short = (needBytes: number, b: Uint8Array): Result<never, WireFault> => ({
  ok: false,
  error: { kind: 'short', needBytes, haveBytes: b.length },
});

const addressesAt = (b: Uint8Array, from: number, count: number): Ipv6Address[] =>
  Array.from({ length: count }, (_, i) => ipv6AddressAt(b, from + i * IPV6_ADDRESS_BYTES));

/** Writes the message at `offset`, the checksum zero, and returns its length. */
export function emitMld(to: Uint8Array, offset: number, repr: MldRepr): number {
  hot.fill(to, offset, RECORDS_AT, 0);
  switch (repr.kind) {
    case 'group':
      to[offset + at.type] = repr.type;
      writeIpv6Address(to, offset + at.group, repr.group);
      return MLD_V1_BYTES;
    case 'records':
      return emitRecords(to, offset, repr.records);
    case 'query':
      to[offset + at.type] = MLD_QUERY;
      writeU16be(to, offset + at.responseCode, repr.responseCode);
      writeIpv6Address(to, offset + at.group, repr.group);
      if (repr.version === 1) return MLD_V1_BYTES;
      to[offset + at.flags] = (repr.suppress ? SUPPRESS_BIT : 0) | repr.robustness;
      to[offset + at.intervalCode] = repr.intervalCode;
      writeU16be(to, offset + at.sourceCount, repr.sources.length);
      return emitAddresses(to, offset + at.sources, repr.sources) - offset;
  }
}

function emitRecords(to: Uint8Array, offset: number, records: readonly MldRecord[]): number {
  to[offset + at.type] = MLD_REPORT_V2;
  writeU16be(to, offset + at.recordCount, records.length);
  let next = offset + RECORDS_AT;
  for (const { type, group, sources } of records) {
    assert(sources.length <= 0xffff);
    to[next + recordAt.type] = type;
    to[next + recordAt.auxiliaryWords] = 0;
    writeU16be(to, next + recordAt.sourceCount, sources.length);
    writeIpv6Address(to, next + recordAt.group, group);
    next = emitAddresses(to, next + recordAt.sources, sources);
  }
  return next - offset;
}

function emitAddresses(to: Uint8Array, from: number, list: readonly Ipv6Address[]): number {
  list.forEach((address, i) => {
    writeIpv6Address(to, from + i * IPV6_ADDRESS_BYTES, address);
  });
  return from + list.length * IPV6_ADDRESS_BYTES;
}

export function formatMld(repr: MldRepr): string {
  switch (repr.kind) {
    case 'group': {
      const what = repr.type === MLD_DONE_V1 ? 'done' : 'report';
      return `mld ${what} ${formatIpv6Address(repr.group)}`;
    }
    case 'records':
      return repr.records
        .map(({ type, group }) => `mld record ${type} ${formatIpv6Address(group)}`)
        .join(', ');
    case 'query':
      return `mld query v${repr.version} ${formatIpv6Address(repr.group)}`;
  }
}
