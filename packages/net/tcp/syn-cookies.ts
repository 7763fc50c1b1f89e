// tidy: int32
/**
 * SYN cookies, RFC 4987 §3.6: when half-open connections find no room, the SYN-ACK's sequence
 * number says all that must be remembered, and the stack keeps nothing until it is acknowledged.
 * Of its 32 bits 25 are a keyed hash of addresses, ports, the peer's first sequence number and the
 * other 7, which say its MSS, window scale and SACK (as FreeBSD has it): so nothing is lost for
 * peers without timestamps, and peers with them repeat theirs in the acknowledgment. What the MSS
 * and the shift are rounded to is never more than the peer said.
 *
 * Keys are random and live two periods; a cookie is good for one to two of them. While none was
 * made for so long, acknowledgments aren't looked at. A forger has one chance in 2^24 a segment
 * (two keys), and only during an attack.
 */

import type { Instant, SeqNumber } from '#core';
import type { Entropy } from '#device';
import type { IpAddress } from '../ip.ts';
import { type TcpOptions, WINDOW_SHIFT_MAX } from '../wire/tcp.ts';
import { addressWord, halfSipHash } from './isn.ts';
import { COOKIE_PERIOD } from './limits.ts';

/** In order; the first is what a smaller one becomes (MSS_MIN is enforced later anyway). */
const MSS = [88, 536, 1_024, 1_220, 1_360, 1_400, 1_440, 1_460] as const;
/** The first is no window scaling at all. */
const SHIFTS = [-1, 0, 2, 4, 6, 7, 8, 10] as const;
const DATA_BITS = 7;
const DATA_MASK = (1 << DATA_BITS) - 1;
const SACK_BIT = 64;
const KEY_WORDS = 4;

/** What a cookie says of the SYN. */
export interface CookieFacts {
  readonly mss: number;
  readonly windowShift: number;
  readonly sackPermitted: boolean;
}

/** The last entry that isn't above `value`. */
function indexUnder(values: readonly number[], value: number): number {
  let i = values.length - 1;
  while (i > 0 && values[i]! > value) i--;
  return i;
}

export class SynCookies {
  private readonly entropy: Entropy;
  /** This period's key and the last one's. */
  private key: Int32Array = new Int32Array(KEY_WORDS);
  private before: Int32Array = new Int32Array(KEY_WORDS);
  private period = -1;
  /** When the last cookie was made. */
  private madeAt = Number.NEGATIVE_INFINITY;

  constructor(entropy: Entropy) {
    this.entropy = entropy;
  }

  /** The sequence number to answer a SYN with; `seq` and `options` are the SYN's. */
  make(
    now: Instant,
    local: IpAddress,
    remote: IpAddress,
    ports: number,
    seq: number,
    options: TcpOptions,
  ): SeqNumber {
    this.rotate(now);
    this.madeAt = now;
    // RFC 9293 §3.7.1: without the option it is 536.
    const mss = options.mss === 0 ? 1 : indexUnder(MSS, options.mss);
    const shift = Math.min(options.windowShift, WINDOW_SHIFT_MAX);
    const sack = options.sackPermitted ? SACK_BIT : 0;
    const data = mss | (indexUnder(SHIFTS, shift) << 3) | sack;
    return cookieOf(this.key, local, remote, ports, seq, data) as SeqNumber;
  }

  /** What `cookie` says, when this stack made it lately for such a SYN; else null. */
  read(
    now: Instant,
    local: IpAddress,
    remote: IpAddress,
    ports: number,
    seq: number,
    cookie: number,
  ): CookieFacts | null {
    if (now - this.madeAt > 2 * COOKIE_PERIOD) return null;
    this.rotate(now);
    for (const key of [this.key, this.before]) {
      const data = (cookie ^ addressesHash(key, local, remote, ports)) & DATA_MASK;
      if (cookieOf(key, local, remote, ports, seq, data) !== cookie) continue;
      return {
        mss: MSS[data & 7]!,
        windowShift: SHIFTS[(data >> 3) & 7]!,
        sackPermitted: (data & SACK_BIT) !== 0,
      };
    }
    return null;
  }

  private rotate(now: Instant): void {
    const period = Math.floor(now / COOKIE_PERIOD);
    if (period === this.period) return;
    // Nothing made under the older key is good any more.
    const isNext = period === this.period + 1;
    this.before = isNext ? this.key : this.randomKey();
    this.key = this.randomKey();
    this.period = period;
  }

  private randomKey(): Int32Array {
    const bytes = new Uint8Array(KEY_WORDS * 4);
    this.entropy.fill(bytes);
    return new Int32Array(bytes.buffer);
  }
}

function addressesHash(
  key: Int32Array,
  local: IpAddress,
  remote: IpAddress,
  ports: number,
): number {
  const [key0, key1] = [key[0]!, key[1]!];
  const from = addressWord(key0, key1, remote);
  return halfSipHash(key0, key1, addressWord(key0, key1, local), from, ports);
}

function cookieOf(
  key: Int32Array,
  local: IpAddress,
  remote: IpAddress,
  ports: number,
  seq: number,
  data: number,
): number {
  const who = addressesHash(key, local, remote, ports);
  const hash = halfSipHash(key[2]!, key[3]!, who, seq, data);
  return (hash & ~DATA_MASK) | ((data ^ who) & DATA_MASK) | 0;
}
