/**
 * Neighbour discovery messages (RFC 4861 §4), as whole ICMPv6 messages. Checksums are verified and
 * written by icmpv6.ts. Not here: what makes a message valid beyond its form (§6.1, §7.1, §8.1:
 * ndp/).
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
import { formatIpv6Address } from '../ipv6-text.ts';
import {
  emitNdpOptions,
  type NdpOption,
  parseNdpOptions,
  preferenceBits,
  preferenceOf,
  type RouterPreference,
} from './ndp-options.ts';

export const NDP_ROUTER_SOLICITATION = 133;
export const NDP_ROUTER_ADVERTISEMENT = 134;
export const NDP_NEIGHBOR_SOLICITATION = 135;
export const NDP_NEIGHBOR_ADVERTISEMENT = 136;
export const NDP_REDIRECT = 137;

/** Bytes before the options, by type. */
const HEAD_BYTES = { 133: 8, 134: 16, 135: 24, 136: 24, 137: 40 } as const;
const MANAGED_BIT = 0x80;
const OTHER_BIT = 0x40;
const PREFERENCE_SHIFT = 3;
const ROUTER_BIT = 0x80;
const SOLICITED_BIT = 0x40;
const OVERRIDE_BIT = 0x20;
const at = {
  type: 0,
  code: 1,
  checksum: 2,
  hopLimit: 4,
  flags: 5,
  lifetime: 6,
  reachable: 8,
  retransmit: 12,
  neighborFlags: 4,
  target: 8,
  destination: 24,
} as const;

export interface RouterAdvertisement {
  readonly type: typeof NDP_ROUTER_ADVERTISEMENT;
  /** 0: not said, as in the next fields. */
  readonly hopLimit: number;
  /** Addresses, or only other things, come from DHCPv6. */
  readonly isManaged: boolean;
  readonly isOther: boolean;
  readonly preference: RouterPreference;
  /** 0: not a default router. */
  readonly lifetimeSeconds: number;
  readonly reachableMillis: number;
  readonly retransmitMillis: number;
  readonly options: readonly NdpOption[];
}

export type NdpRepr =
  | { readonly type: typeof NDP_ROUTER_SOLICITATION; readonly options: readonly NdpOption[] }
  | RouterAdvertisement
  | {
      readonly type: typeof NDP_NEIGHBOR_SOLICITATION;
      readonly target: Ipv6Address;
      readonly options: readonly NdpOption[];
    }
  | {
      readonly type: typeof NDP_NEIGHBOR_ADVERTISEMENT;
      readonly isRouter: boolean;
      readonly isSolicited: boolean;
      readonly isOverride: boolean;
      readonly target: Ipv6Address;
      readonly options: readonly NdpOption[];
    }
  | {
      readonly type: typeof NDP_REDIRECT;
      readonly target: Ipv6Address;
      readonly destination: Ipv6Address;
      readonly options: readonly NdpOption[];
    };

export const isNdpType = (type: number): boolean =>
  type >= NDP_ROUTER_SOLICITATION && type <= NDP_REDIRECT;

/** `b` is the ICMPv6 message, whose checksum is not looked at; its code must be 0. */
export function parseNdp(b: Uint8Array): Result<NdpRepr, WireFault> {
  const type = b[at.type] ?? 0;
  if (!isNdpType(type))
    return { ok: false, error: { kind: 'field', offset: at.type, value: type } };
  const headBytes = HEAD_BYTES[type as keyof typeof HEAD_BYTES];
  if (b.length < headBytes) {
    return { ok: false, error: { kind: 'short', needBytes: headBytes, haveBytes: b.length } };
  }
  const code = b[at.code]!;
  if (code !== 0) return { ok: false, error: { kind: 'field', offset: at.code, value: code } };
  const parsed = parseNdpOptions(b, headBytes);
  if (!parsed.ok) return parsed;
  return ok(readMessage(b, type as NdpRepr['type'], parsed.value));
}

function readMessage(b: Uint8Array, type: NdpRepr['type'], options: NdpOption[]): NdpRepr {
  switch (type) {
    case NDP_ROUTER_SOLICITATION:
      return { type, options };
    case NDP_ROUTER_ADVERTISEMENT:
      return {
        type,
        hopLimit: b[at.hopLimit]!,
        isManaged: (b[at.flags]! & MANAGED_BIT) !== 0,
        isOther: (b[at.flags]! & OTHER_BIT) !== 0,
        preference: preferenceOf((b[at.flags]! >> PREFERENCE_SHIFT) & 3),
        lifetimeSeconds: readU16be(b, at.lifetime),
        reachableMillis: readU32be(b, at.reachable),
        retransmitMillis: readU32be(b, at.retransmit),
        options,
      };
    case NDP_NEIGHBOR_SOLICITATION:
      return { type, target: ipv6AddressAt(b, at.target), options };
    case NDP_NEIGHBOR_ADVERTISEMENT: {
      const flags = b[at.neighborFlags]!;
      return {
        type,
        isRouter: (flags & ROUTER_BIT) !== 0,
        isSolicited: (flags & SOLICITED_BIT) !== 0,
        isOverride: (flags & OVERRIDE_BIT) !== 0,
        target: ipv6AddressAt(b, at.target),
        options,
      };
    }
    case NDP_REDIRECT:
      return {
        type,
        target: ipv6AddressAt(b, at.target),
        destination: ipv6AddressAt(b, at.destination),
        options,
      };
  }
}

/** Writes the message at `offset`, the checksum zero, and returns its length. */
export function emitNdp(to: Uint8Array, offset: number, repr: NdpRepr): number {
  const headBytes = HEAD_BYTES[repr.type];
  hot.fill(to, offset, headBytes, 0);
  to[offset + at.type] = repr.type;
  switch (repr.type) {
    case NDP_ROUTER_SOLICITATION:
      break;
    case NDP_ROUTER_ADVERTISEMENT:
      assert(repr.lifetimeSeconds <= 0xffff);
      to[offset + at.hopLimit] = repr.hopLimit;
      to[offset + at.flags] =
        (repr.isManaged ? MANAGED_BIT : 0) |
        (repr.isOther ? OTHER_BIT : 0) |
        (preferenceBits(repr.preference) << PREFERENCE_SHIFT);
      writeU16be(to, offset + at.lifetime, repr.lifetimeSeconds);
      writeU32be(to, offset + at.reachable, repr.reachableMillis);
      writeU32be(to, offset + at.retransmit, repr.retransmitMillis);
      break;
    case NDP_NEIGHBOR_ADVERTISEMENT:
      to[offset + at.neighborFlags] =
        (repr.isRouter ? ROUTER_BIT : 0) |
        (repr.isSolicited ? SOLICITED_BIT : 0) |
        (repr.isOverride ? OVERRIDE_BIT : 0);
      writeIpv6Address(to, offset + at.target, repr.target);
      break;
    case NDP_NEIGHBOR_SOLICITATION:
      writeIpv6Address(to, offset + at.target, repr.target);
      break;
    case NDP_REDIRECT:
      writeIpv6Address(to, offset + at.target, repr.target);
      writeIpv6Address(to, offset + at.destination, repr.destination);
      break;
  }
  return emitNdpOptions(to, offset + headBytes, repr.options) - offset;
}
assert(at.destination + IPV6_ADDRESS_BYTES === HEAD_BYTES[NDP_REDIRECT]);

export function formatNdp(repr: NdpRepr): string {
  const options = repr.options.map(({ kind }) => kind).join(', ');
  switch (repr.type) {
    case NDP_ROUTER_SOLICITATION:
      return `router solicitation [${options}]`;
    case NDP_ROUTER_ADVERTISEMENT:
      return `router advertisement, ${repr.lifetimeSeconds} s [${options}]`;
    case NDP_NEIGHBOR_SOLICITATION:
      return `who has ${formatIpv6Address(repr.target)} [${options}]`;
    case NDP_NEIGHBOR_ADVERTISEMENT:
      return `${formatIpv6Address(repr.target)} is here [${options}]`;
    case NDP_REDIRECT:
      return `${formatIpv6Address(repr.destination)} is by ${formatIpv6Address(repr.target)}`;
  }
}
