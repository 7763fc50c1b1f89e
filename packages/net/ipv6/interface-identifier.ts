/**
 * Semantically opaque interface identifiers (RFC 7217): an address that stays the same on one
 * network as long as the secret does, says nothing about the hardware, and is another one on
 * another network. The secret is 16 bytes: of the boot argument `--ipv6-secret` where given, so
 * that addresses survive reboots; else random at each boot, and so are the addresses.
 */

import { assert, hot, readI32be } from '#core';
import { Ipv6Address, writeIpv6Address } from '../ipv6-address.ts';
import { type SipKey, sipHash, sipKeyOf } from './siphash.ts';

export const SECRET_BYTES = 16;

/** The secret of a text, which should be hard to guess: 16 bytes of SipHash under fixed keys. */
export function secretOfText(text: string): Uint8Array {
  const message = hot.utf8Encode(text);
  const secret = new Uint8Array(SECRET_BYTES);
  for (let half = 0; half < 2; half++) {
    const hash = sipHash({ k0: 0x6d6f7267616e61n, k1: BigInt(half) }, message);
    writeU64be(secret, 8 * half, hash);
  }
  return secret;
}

export class InterfaceIdentifiers {
  private readonly key: SipKey;
  private readonly mac: Uint8Array;

  constructor(secret: Uint8Array, mac: Uint8Array) {
    this.key = sipKeyOf(secret);
    this.mac = mac;
  }

  /**
   * RFC 7217 §5: F(prefix, interface, network, attempt, secret) in the prefix of 64 bits. The
   * interface is told by its link address; the network by nothing, which §5 allows.
   */
  addressIn(prefix: Ipv6Address, attempt: number): Ipv6Address {
    assert(attempt <= 255);
    const message = new Uint8Array(8 + this.mac.length + 1);
    const whole = new Uint8Array(16);
    writeIpv6Address(whole, 0, prefix);
    hot.copy(message, 0, whole, 0, 8);
    hot.copy(message, 8, this.mac, 0, this.mac.length);
    message[8 + this.mac.length] = attempt;
    const bits = new Uint8Array(8);
    writeU64be(bits, 0, sipHash(this.key, message));
    const [w2, w3] = [readI32be(bits, 0), readI32be(bits, 4)];
    return new Ipv6Address(prefix.w0, prefix.w1, w2, w3);
  }
}

/**
 * Whether the last 64 bits are of those that no host may take (RFC 5453): the subnet's routers, and
 * the anycast identifiers of RFC 2526.
 */
export function isReservedIdentifier(a: Ipv6Address): boolean {
  if ((a.w2 === 0 && a.w3 === 0) || (a.w2 === 0x02005eff && a.w3 >>> 24 === 0xfe)) return true;
  return a.w2 === 0xfdffffff - 0x100000000 && a.w3 >>> 7 === 0xffffff80 >>> 7;
}

function writeU64be(b: Uint8Array, at: number, value: bigint): void {
  for (let i = 0; i < 8; i++) b[at + i] = Number((value >> BigInt(56 - 8 * i)) & 0xffn);
}
