/** The hash of all handshake messages so far, RFC 8446 §4.4.1. */

import type { CryptoPrimitives, HashName, HashState } from '#device';
import { handshakeType } from './wire/handshake.ts';

export class Transcript {
  private readonly crypto: CryptoPrimitives;
  private readonly hash: HashName;
  private state: HashState;

  constructor(crypto: CryptoPrimitives, hash: HashName) {
    this.crypto = crypto;
    this.hash = hash;
    this.state = crypto.createHash(hash);
  }

  /** `message` with its header. */
  add(message: Uint8Array): void {
    this.state.update(message);
  }

  /** Of all that was added. */
  digest(): Uint8Array {
    return this.state.digest();
  }

  /** As `digest`, had the first `bytes` of `message` been added. */
  digestWith(message: Uint8Array, bytes: number): Uint8Array {
    const state = this.state.copy();
    state.update(message.subarray(0, bytes));
    return state.digest();
  }

  /** Before a HelloRetryRequest: the first ClientHello counts as a message that has its hash. */
  replaceByHash(): void {
    const digest = this.state.digest();
    this.state = this.crypto.createHash(this.hash);
    this.state.update(Uint8Array.of(handshakeType.message_hash, 0, 0, digest.length));
    this.state.update(digest);
  }
}
