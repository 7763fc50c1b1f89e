/**
 * IPv6 extension headers (RFC 8200 §4): hop-by-hop and destination options, routing, fragment. Not
 * here: what is done about them (ipv6/ipv6-extensions-input.ts); authentication and encryption.
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

export const HEADER_HOP_BY_HOP = 0;
export const HEADER_ROUTING = 43;
export const HEADER_FRAGMENT = 44;
export const HEADER_NONE = 59;
export const HEADER_DESTINATION = 60;

const at = {
  nextHeader: 0,
  length: 1,
  options: 2,
  routingType: 2,
  segmentsLeft: 3,
  routingData: 4,
  fragment: 2,
  identification: 4,
} as const;
/** Lengths are in these units, the first not counted (RFC 8200 §4.2). */
const UNIT_BYTES = 8;
export const FRAGMENT_HEADER_BYTES = 8;
const MORE_FRAGMENTS_BIT = 1;
const OFFSET_MASK = 0xfff8;

export const OPTION_PAD1 = 0;
export const OPTION_PADN = 1;
/** RFC 2711: routers are to look at this packet. */
export const OPTION_ROUTER_ALERT = 5;

/** Null when the whole header is in `b`, whose first byte is the header's. O(1). */
export function checkExtension(b: Uint8Array): WireFault | null {
  const needBytes = b.length < UNIT_BYTES ? UNIT_BYTES : extensionBytes(b);
  return b.length < needBytes ? { kind: 'short', needBytes, haveBytes: b.length } : null;
}

export const extensionNextHeader = (b: Uint8Array): number => b[at.nextHeader]!;
/** Of a header with options or of a routing header. */
export const extensionBytes = (b: Uint8Array): number => (b[at.length]! + 1) * UNIT_BYTES;
export const routingType = (b: Uint8Array): number => b[at.routingType]!;
export const routingSegmentsLeft = (b: Uint8Array): number => b[at.segmentsLeft]!;
/** In bytes. */
export const fragmentOffset = (b: Uint8Array): number => readU16be(b, at.fragment) & OFFSET_MASK;
export const hasMoreFragments = (b: Uint8Array): boolean =>
  (readU16be(b, at.fragment) & MORE_FRAGMENTS_BIT) !== 0;
export const fragmentIdentification = (b: Uint8Array): number => readU32be(b, at.identification);

/** `value` is a view of the parsed bytes, at most 255 of them. */
export interface Ipv6Option {
  readonly type: number;
  readonly value: Uint8Array;
}

/** Options without the padding between them. */
export interface OptionsHeaderRepr {
  readonly nextHeader: number;
  readonly options: readonly Ipv6Option[];
}

/** A header of hop-by-hop or destination options. */
export function parseOptionsHeader(b: Uint8Array): Result<OptionsHeaderRepr, WireFault> {
  const fault = checkExtension(b);
  if (fault !== null) return { ok: false, error: fault };
  const end = extensionBytes(b);
  const options: Ipv6Option[] = [];
  let offset: number = at.options;
  while (offset < end) {
    const type = b[offset]!;
    if (type === OPTION_PAD1) {
      offset += 1;
      continue;
    }
    const valueAt = offset + 2;
    const next = valueAt + (valueAt <= end ? b[offset + 1]! : 0);
    if (next > end) return { ok: false, error: { kind: 'field', offset, value: type } };
    if (type !== OPTION_PADN) options.push({ type, value: b.subarray(valueAt, next) });
    offset = next;
  }
  return ok({ nextHeader: extensionNextHeader(b), options });
}

/** Writes the header at `offset`, padded to a multiple of 8, and returns its length. */
export function emitOptionsHeader(to: Uint8Array, offset: number, repr: OptionsHeaderRepr): number {
  let next = offset + at.options;
  for (const { type, value } of repr.options) {
    assert(type !== OPTION_PAD1 && type !== OPTION_PADN && value.length <= 255);
    to[next] = type;
    to[next + 1] = value.length;
    hot.copy(to, next + 2, value, 0, value.length);
    next += 2 + value.length;
  }
  const padBytes = (UNIT_BYTES - ((next - offset) % UNIT_BYTES)) % UNIT_BYTES;
  if (padBytes === 1) to[next] = OPTION_PAD1;
  if (padBytes >= 2) {
    to[next] = OPTION_PADN;
    to[next + 1] = padBytes - 2;
    hot.fill(to, next + 2, padBytes - 2, 0);
  }
  const bytes = next + padBytes - offset;
  assert(bytes <= 256 * UNIT_BYTES);
  to[offset + at.nextHeader] = repr.nextHeader;
  to[offset + at.length] = bytes / UNIT_BYTES - 1;
  return bytes;
}

export function formatOptionsHeader(repr: OptionsHeaderRepr): string {
  const options = repr.options.map(({ type, value }) => `${type} of ${value.length} bytes`);
  return `options ${options.join(', ')}; next header ${repr.nextHeader}`;
}

/** `data` is a view of the parsed bytes, 4 of them and a multiple of 8. */
export interface RoutingHeaderRepr {
  readonly nextHeader: number;
  readonly type: number;
  readonly segmentsLeft: number;
  readonly data: Uint8Array;
}

export function parseRoutingHeader(b: Uint8Array): Result<RoutingHeaderRepr, WireFault> {
  const fault = checkExtension(b);
  if (fault !== null) return { ok: false, error: fault };
  return ok({
    nextHeader: extensionNextHeader(b),
    type: routingType(b),
    segmentsLeft: routingSegmentsLeft(b),
    data: b.subarray(at.routingData, extensionBytes(b)),
  });
}

/** Writes the header at `offset` and returns its length. */
export function emitRoutingHeader(to: Uint8Array, offset: number, repr: RoutingHeaderRepr): number {
  const bytes = at.routingData + repr.data.length;
  assert(bytes % UNIT_BYTES === 0 && bytes <= 256 * UNIT_BYTES);
  to[offset + at.nextHeader] = repr.nextHeader;
  to[offset + at.length] = bytes / UNIT_BYTES - 1;
  to[offset + at.routingType] = repr.type;
  to[offset + at.segmentsLeft] = repr.segmentsLeft;
  hot.copy(to, offset + at.routingData, repr.data, 0, repr.data.length);
  return bytes;
}

export const formatRoutingHeader = (repr: RoutingHeaderRepr): string =>
  `routing type ${repr.type}, ${repr.segmentsLeft} segments left; next header ${repr.nextHeader}`;

export interface FragmentHeaderRepr {
  readonly nextHeader: number;
  /** In bytes, a multiple of 8. */
  readonly offset: number;
  readonly isMore: boolean;
  /** 32 bits, unsigned. */
  readonly identification: number;
}

export function parseFragmentHeader(b: Uint8Array): Result<FragmentHeaderRepr, WireFault> {
  if (b.length < FRAGMENT_HEADER_BYTES) {
    const short = { kind: 'short', needBytes: FRAGMENT_HEADER_BYTES, haveBytes: b.length } as const;
    return { ok: false, error: short };
  }
  return ok({
    nextHeader: extensionNextHeader(b),
    offset: fragmentOffset(b),
    isMore: hasMoreFragments(b),
    identification: fragmentIdentification(b),
  });
}

/** Writes the 8 bytes at `offset` and returns their number. */
export function emitFragmentHeader(
  to: Uint8Array,
  offset: number,
  repr: FragmentHeaderRepr,
): number {
  assert((repr.offset & ~OFFSET_MASK) === 0);
  to[offset + at.nextHeader] = repr.nextHeader;
  to[offset + 1] = 0;
  writeU16be(to, offset + at.fragment, repr.offset | (repr.isMore ? MORE_FRAGMENTS_BIT : 0));
  writeU32be(to, offset + at.identification, repr.identification);
  return FRAGMENT_HEADER_BYTES;
}

export const formatFragmentHeader = (repr: FragmentHeaderRepr): string =>
  `fragment ${repr.identification} at ${repr.offset}${repr.isMore ? ', more follow' : ''}`;
