/**
 * A server's session tickets, RFC 5077 §4: what it must remember of a session, sealed with a key of
 * its own, kept by the client. Keys are made from entropy, used for `rotateEvery`, and forgotten
 * when the last ticket sealed with them is too old, so a stolen key opens little. Not here: what is
 * in a ticket (server-13.ts, those of TLS 1.2).
 */

import { type Duration, hot, type Instant, readU32be, seconds, since, writeU32be } from '#core';
import { wipe } from '#crypto';
import type { Aead, CryptoPrimitives, Entropy } from '#device';
import { TICKET_LIFETIME_SECONDS_MAX } from './limits.ts';
import { AEAD_NONCE_BYTES, AEAD_TAG_BYTES } from './record/protection-13.ts';

const NAME_BYTES = 16;
const KEY_BYTES = 32;
/** When it was sealed, in seconds since the keys began. */
const TIME_BYTES = 4;
const HEAD_BYTES = NAME_BYTES + AEAD_NONCE_BYTES;
const OVERHEAD_BYTES = HEAD_BYTES + TIME_BYTES + AEAD_TAG_BYTES;
const NOTHING = new Uint8Array(0);

export interface TicketLifetimes {
  /** How long a key seals. */
  readonly rotateEvery: Duration;
  /** How long a ticket is good for, at most a week. */
  readonly lifetimeSeconds: number;
}

const DEFAULT_LIFETIMES: TicketLifetimes = {
  rotateEvery: seconds(12 * 3_600),
  lifetimeSeconds: 24 * 3_600,
};

interface TicketKey {
  readonly name: Uint8Array;
  readonly aead: Aead;
  readonly madeAt: Instant;
  sealed: number;
}

export class TicketKeys {
  readonly lifetimeSeconds: number;
  private readonly crypto: CryptoPrimitives;
  private readonly entropy: Entropy;
  private readonly rotateEvery: Duration;
  private readonly beganAt: Instant;
  /** The newest first. At most as many as lifetimes have rotations, and one. */
  private readonly keys: TicketKey[] = [];

  constructor(
    crypto: CryptoPrimitives,
    entropy: Entropy,
    now: Instant,
    lifetimes: Partial<TicketLifetimes> = {},
  ) {
    const { rotateEvery, lifetimeSeconds } = { ...DEFAULT_LIFETIMES, ...lifetimes };
    this.crypto = crypto;
    this.entropy = entropy;
    this.rotateEvery = rotateEvery;
    this.lifetimeSeconds = Math.min(lifetimeSeconds, TICKET_LIFETIME_SECONDS_MAX);
    this.beganAt = now;
  }

  /** A ticket of `contents`, which stay the caller's. */
  seal(contents: Uint8Array, now: Instant): Uint8Array {
    const key = this.current(now);
    const plain = new Uint8Array(TIME_BYTES + contents.length);
    writeU32be(plain, 0, this.secondsAt(now));
    hot.copy(plain, TIME_BYTES, contents, 0, contents.length);
    const ticket = new Uint8Array(OVERHEAD_BYTES + contents.length);
    hot.copy(ticket, 0, key.name, 0, NAME_BYTES);
    // A counter: a nonce is never used twice with a key, and no two tickets are alike.
    writeU32be(ticket, HEAD_BYTES - 4, key.sealed++);
    const nonce = ticket.subarray(NAME_BYTES, HEAD_BYTES);
    key.aead.seal(nonce, NOTHING, plain, 0, plain.length, ticket, HEAD_BYTES);
    wipe(plain);
    return ticket;
  }

  /** What was sealed; null for anything that isn't a ticket of ours, or is too old. */
  open(ticket: Uint8Array, now: Instant): Uint8Array | null {
    this.forgetOld(now);
    if (ticket.length < OVERHEAD_BYTES) return null;
    const key = this.keys.find(({ name }) => hot.equal(name, 0, ticket, 0, NAME_BYTES));
    if (key === undefined) return null;
    const nonce = ticket.slice(NAME_BYTES, HEAD_BYTES);
    const sealedBytes = ticket.length - HEAD_BYTES;
    const plain = new Uint8Array(sealedBytes - AEAD_TAG_BYTES);
    if (!key.aead.open(nonce, NOTHING, ticket, HEAD_BYTES, sealedBytes, plain, 0)) return null;
    if (this.secondsAt(now) - readU32be(plain, 0) > this.lifetimeSeconds) {
      wipe(plain);
      return null;
    }
    return plain.subarray(TIME_BYTES);
  }

  /** Wipes all keys: no ticket opens any more. */
  destroy(): void {
    for (const key of this.keys.splice(0)) key.aead.destroy();
  }

  private current(now: Instant): TicketKey {
    this.forgetOld(now);
    const newest = this.keys[0];
    // RFC 5116's limit for one key is far beyond what 32 bits count.
    const isGood = newest !== undefined && since(newest.madeAt, now) < this.rotateEvery;
    if (isGood && newest.sealed < 0xffff_ffff) return newest;
    const name = new Uint8Array(NAME_BYTES);
    const secret = new Uint8Array(KEY_BYTES);
    this.entropy.fill(name);
    this.entropy.fill(secret);
    const key = { name, aead: this.crypto.aead('AES-256-GCM', secret), madeAt: now, sealed: 0 };
    wipe(secret);
    this.keys.unshift(key);
    return key;
  }

  private forgetOld(now: Instant): void {
    const usefulFor = this.rotateEvery + seconds(this.lifetimeSeconds);
    for (let i = this.keys.length - 1; i >= 0; i--) {
      const key = this.keys[i]!;
      if (since(key.madeAt, now) <= usefulFor) return;
      key.aead.destroy();
      this.keys.pop();
    }
  }

  private secondsAt(now: Instant): number {
    return Math.floor(since(this.beganAt, now) / seconds(1));
  }
}
