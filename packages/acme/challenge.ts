/**
 * Proofs that a name is ours (RFC 8555 §8): which are given, and where whoever answers the
 * authority's questions finds them. http-01.ts and tls-alpn-01.ts answer.
 */

import { assert } from '#core';
import { CHALLENGES_MAX } from './limits.ts';
import type { Identifier } from './wire/resources.ts';

export type ChallengeType = 'http-01' | 'tls-alpn-01';

export interface Proof {
  readonly type: ChallengeType;
  readonly identifier: Identifier;
  readonly token: string;
  /** RFC 8555 §8.1. */
  readonly keyAuthorization: string;
}

/** Answers the authority's questions. */
export interface Responder {
  /** From now on. */
  present(proof: Proof): void;
  /** No longer. */
  withdraw(proof: Proof): void;
}

/** The proofs that are to be given now: what answers HTTP and TLS looks here. */
export class Proofs implements Responder {
  private readonly proofs = new Set<Proof>();

  get size(): number {
    return this.proofs.size;
  }

  present(proof: Proof): void {
    assert(this.proofs.size < CHALLENGES_MAX, 'an order has no more names');
    this.proofs.add(proof);
  }

  withdraw(proof: Proof): void {
    this.proofs.delete(proof);
  }

  /** O(proofs), which are few. */
  find(type: ChallengeType, isIt: (proof: Proof) => boolean): Proof | null {
    for (const proof of this.proofs) if (proof.type === type && isIt(proof)) return proof;
    return null;
  }
}
