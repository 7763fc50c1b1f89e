/**
 * IGMP (RFC 3376 §4, with the messages of RFC 2236 and RFC 1112 that it embraces). Not here: when
 * to say what (igmp/), and what routers do.
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

const at = {
  type: 0,
  code: 1,
  checksum: 2,
  group: 4,
  flags: 8,
  intervalCode: 9,
  sourceCount: 10,
  sources: 12,
  recordCount: 6,
  records: 8,
} as const;
/** Of one group record. */
const recordAt = { type: 0, auxiliaryWords: 1, sourceCount: 2, group: 4, sources: 8 } as const;
const SUPPRESS_BIT = 0x08;
const ROBUSTNESS_MASK = 0x07;
export const IGMP_BYTES_MIN = 8;
export const IGMP_QUERY_V3_BYTES_MIN = 12;
export const IGMP_RECORD_BYTES_MIN = 8;

export const IGMP_QUERY = 0x11;
export const IGMP_REPORT_V1 = 0x12;
export const IGMP_REPORT_V2 = 0x16;
export const IGMP_LEAVE_V2 = 0x17;
export const IGMP_REPORT_V3 = 0x22;

/** Types of a group record, RFC 3376 §4.2.12. */
export const IGMP_MODE_IS_EXCLUDE = 2;
export const IGMP_CHANGE_TO_INCLUDE = 3;
export const IGMP_CHANGE_TO_EXCLUDE = 4;

export interface IgmpQuery {
  readonly kind: 'query';
  /** Of the querier, told by length and code (RFC 3376 §7.1). */
  readonly version: 1 | 2 | 3;
  /** See `igmpCodeValue`: tenths of a second; 0 in version 1. */
  readonly code: number;
  /** Zero in a general query. */
  readonly group: Ipv4Address;
  readonly suppress: boolean;
  readonly robustness: number;
  readonly intervalCode: number;
  readonly sources: readonly Ipv4Address[];
}

export interface IgmpRecord {
  readonly type: number;
  readonly group: Ipv4Address;
  readonly sources: readonly Ipv4Address[];
}

/** `group` messages are the reports of versions 1 and 2 and the leave of version 2. */
export type IgmpRepr =
  | IgmpQuery
  | { readonly kind: 'records'; readonly records: readonly IgmpRecord[] }
  | {
      readonly kind: 'group';
      readonly type: typeof IGMP_REPORT_V1 | typeof IGMP_REPORT_V2 | typeof IGMP_LEAVE_V2;
      readonly group: Ipv4Address;
    };

/** The value of a Max Resp Code or QQIC: from 128 on a float (RFC 3376 §4.1.1). */
export function igmpCodeValue(code: number): number {
  return code < 128 ? code : ((code & 15) | 16) << (((code >> 4) & 7) + 3);
}

/** O(length): the checksum is verified, and every count is within the message. */
export function parseIgmp(b: Uint8Array): Result<IgmpRepr, WireFault> {
  if (b.length < IGMP_BYTES_MIN) {
    return {
      ok: false,
      error: { kind: 'short', needBytes: IGMP_BYTES_MIN, haveBytes: b.length },
    };
  }
  if (hot.checksum(b, 0, b.length, 0) !== 0xffff) {
    return { ok: false, error: { kind: 'checksum', offset: at.checksum } };
  }
  const type = b[at.type]!;
  switch (type) {
    case IGMP_QUERY:
      return parseQuery(b);
    case IGMP_REPORT_V3:
      return parseRecords(b);
    case IGMP_REPORT_V1:
    case IGMP_REPORT_V2:
    case IGMP_LEAVE_V2:
      return ok({ kind: 'group', type, group: ipv4AddressOf(readI32be(b, at.group)) });
    default:
      return { ok: false, error: { kind: 'field', offset: at.type, value: type } };
  }
}

function parseQuery(b: Uint8Array): Result<IgmpRepr, WireFault> {
  const code = b[at.code]!;
  const group = ipv4AddressOf(readI32be(b, at.group));
  const base = { kind: 'query', code, group } as const;
  if (b.length === IGMP_BYTES_MIN) {
    const version = code === 0 ? 1 : 2;
    return ok({ ...base, version, suppress: false, robustness: 0, intervalCode: 0, sources: [] });
  }
  if (b.length < IGMP_QUERY_V3_BYTES_MIN) {
    const needBytes = IGMP_QUERY_V3_BYTES_MIN;
    return { ok: false, error: { kind: 'short', needBytes, haveBytes: b.length } };
  }
  const sources = addressesAt(b, at.sources, readU16be(b, at.sourceCount));
  if (!sources.ok) return sources;
  return ok({
    ...base,
    version: 3,
    suppress: (b[at.flags]! & SUPPRESS_BIT) !== 0,
    robustness: b[at.flags]! & ROBUSTNESS_MASK,
    intervalCode: b[at.intervalCode]!,
    sources: sources.value,
  });
}

function parseRecords(b: Uint8Array): Result<IgmpRepr, WireFault> {
  const records: IgmpRecord[] = [];
  let offset: number = at.records;
  for (let left = readU16be(b, at.recordCount); left > 0; left--) {
    const needBytes = offset + IGMP_RECORD_BYTES_MIN;
    if (needBytes > b.length) {
      return { ok: false, error: { kind: 'short', needBytes, haveBytes: b.length } };
    }
    const sourceCount = readU16be(b, offset + recordAt.sourceCount);
    const sources = addressesAt(b, offset + recordAt.sources, sourceCount);
    if (!sources.ok) return sources;
    const type = b[offset + recordAt.type]!;
    const group = ipv4AddressOf(readI32be(b, offset + recordAt.group));
    records.push({ type, group, sources: sources.value });
    // Auxiliary data has no use yet (RFC 3376 §4.2.11); a length past the end is found above.
    offset += IGMP_RECORD_BYTES_MIN + 4 * (sourceCount + b[offset + recordAt.auxiliaryWords]!);
  }
  if (offset > b.length) {
    return { ok: false, error: { kind: 'short', needBytes: offset, haveBytes: b.length } };
  }
  return ok({ kind: 'records', records });
}

function addressesAt(
  b: Uint8Array,
  from: number,
  count: number,
): Result<readonly Ipv4Address[], WireFault> {
  const needBytes = from + 4 * count;
  if (needBytes > b.length) {
    return { ok: false, error: { kind: 'short', needBytes, haveBytes: b.length } };
  }
  return ok(Array.from({ length: count }, (_, i) => ipv4AddressOf(readI32be(b, from + 4 * i))));
}

/** Bytes that emitIgmp writes. */
export function igmpBytes(repr: IgmpRepr): number {
  if (repr.kind === 'group') return IGMP_BYTES_MIN;
  if (repr.kind === 'query') {
    return repr.version < 3 ? IGMP_BYTES_MIN : IGMP_QUERY_V3_BYTES_MIN + 4 * repr.sources.length;
  }
  let total: number = at.records;
  for (const { sources } of repr.records) total += IGMP_RECORD_BYTES_MIN + 4 * sources.length;
  return total;
}

/** Writes the message at `offset`, checksum included, and returns its length. */
export function emitIgmp(to: Uint8Array, offset: number, repr: IgmpRepr): number {
  const lengthBytes = igmpBytes(repr);
  assert(offset + lengthBytes <= to.length);
  hot.fill(to, offset, IGMP_BYTES_MIN, 0);
  if (repr.kind === 'group') {
    to[offset] = repr.type;
    writeU32be(to, offset + at.group, repr.group);
  } else if (repr.kind === 'query') {
    emitQuery(to, offset, repr);
  } else {
    to[offset] = IGMP_REPORT_V3;
    writeU16be(to, offset + at.recordCount, repr.records.length);
    let next = offset + at.records;
    for (const { type, group, sources } of repr.records) {
      to[next] = type;
      to[next + recordAt.auxiliaryWords] = 0;
      writeU16be(to, next + recordAt.sourceCount, sources.length);
      writeU32be(to, next + recordAt.group, group);
      next = emitAddresses(to, next + recordAt.sources, sources);
    }
  }
  writeU16be(to, offset + at.checksum, 0xffff - hot.checksum(to, offset, lengthBytes, 0));
  return lengthBytes;
}

function emitQuery(to: Uint8Array, offset: number, repr: IgmpQuery): void {
  assert(repr.version !== 1 || repr.code === 0);
  to[offset] = IGMP_QUERY;
  to[offset + at.code] = repr.code;
  writeU32be(to, offset + at.group, repr.group);
  if (repr.version < 3) return;
  to[offset + at.flags] = (repr.suppress ? SUPPRESS_BIT : 0) | repr.robustness;
  to[offset + at.intervalCode] = repr.intervalCode;
  writeU16be(to, offset + at.sourceCount, repr.sources.length);
  emitAddresses(to, offset + at.sources, repr.sources);
}

function emitAddresses(to: Uint8Array, offset: number, list: readonly Ipv4Address[]): number {
  let next = offset;
  for (const address of list) {
    writeU32be(to, next, address);
    next += 4;
  }
  return next;
}

export function formatIgmp(repr: IgmpRepr): string {
  if (repr.kind === 'group') {
    return `igmp type 0x${repr.type.toString(16)} ${formatIpv4Address(repr.group)}`;
  }
  if (repr.kind === 'query') {
    return `igmp v${repr.version} query ${formatIpv4Address(repr.group)}`;
  }
  const groups = repr.records.map(({ type, group }) => `${type} ${formatIpv4Address(group)}`);
  return `igmp v3 report ${groups.join(', ')}`;
}
