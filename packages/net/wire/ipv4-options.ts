/**
 * Options of the IPv4 header (RFC 791 §3.1) as a list. Not here: what they mean, but for their
 * kinds; ipv4/ipv4-input.ts refuses source routes and ignores the rest (RFC 7126).
 */

import { assert, hot, ok, type Result, type WireFault } from '#core';

export const IPV4_OPTIONS_BYTES_MAX = 40;
const END = 0;
const NO_OPERATION = 1;
/** Copied flag, class and number in one byte. */
export const IPV4_OPTION_LOOSE_SOURCE_ROUTE = 131;
export const IPV4_OPTION_STRICT_SOURCE_ROUTE = 137;
/** RFC 2113: routers look at packets that aren't addressed to them. */
export const IPV4_OPTION_ROUTER_ALERT = 148;

/** A fault when an option's length is below 2 or past the end; its offset is the option's. */
export function checkIpv4Options(b: Uint8Array): WireFault | null {
  let offset = 0;
  while (offset < b.length && b[offset] !== END) {
    if (b[offset] === NO_OPERATION) {
      offset += 1;
      continue;
    }
    const lengthBytes = offset + 1 < b.length ? b[offset + 1]! : 0;
    if (lengthBytes < 2 || offset + lengthBytes > b.length) {
      return { kind: 'field', offset, value: lengthBytes };
    }
    offset += lengthBytes;
  }
  return null;
}

/** Whether an option of `kind` is there. `b` must have passed checkIpv4Options. */
export function hasIpv4Option(b: Uint8Array, kind: number): boolean {
  let offset = 0;
  while (offset < b.length && b[offset] !== END) {
    if (b[offset] === kind) return true;
    offset += b[offset] === NO_OPERATION ? 1 : b[offset + 1]!;
  }
  return false;
}

export interface Ipv4Option {
  /** 2..255. */
  readonly kind: number;
  /** What follows kind and length: a view of the parsed bytes. */
  readonly value: Uint8Array;
}

/** The options up to the end of the list; paddings are left out. At most 40 bytes. */
export function parseIpv4Options(b: Uint8Array): Result<readonly Ipv4Option[], WireFault> {
  if (b.length > IPV4_OPTIONS_BYTES_MAX) {
    return { ok: false, error: { kind: 'field', offset: 0, value: b.length } };
  }
  const fault = checkIpv4Options(b);
  if (fault !== null) return { ok: false, error: fault };
  const options: Ipv4Option[] = [];
  let offset = 0;
  while (offset < b.length && b[offset] !== END) {
    const kind = b[offset]!;
    if (kind === NO_OPERATION) {
      offset += 1;
      continue;
    }
    const next = offset + b[offset + 1]!;
    options.push({ kind, value: b.subarray(offset + 2, next) });
    offset = next;
  }
  return ok(options);
}

/** Writes the options from offset 0, padded to words with zeros, and returns the length. */
export function emitIpv4Options(to: Uint8Array, options: readonly Ipv4Option[]): number {
  let offset = 0;
  for (const { kind, value } of options) {
    assert(kind > NO_OPERATION && kind <= 255);
    to[offset] = kind;
    to[offset + 1] = value.length + 2;
    hot.copy(to, offset + 2, value, 0, value.length);
    offset += value.length + 2;
  }
  while (offset % 4 !== 0) {
    to[offset] = END;
    offset += 1;
  }
  assert(offset <= IPV4_OPTIONS_BYTES_MAX);
  return offset;
}

export function formatIpv4Options(options: readonly Ipv4Option[]): string {
  return options.map(({ kind, value }) => `option ${kind}, ${value.length} bytes`).join('; ');
}
