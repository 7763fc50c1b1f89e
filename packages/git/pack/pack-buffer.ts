/** A pack's bytes on their way out: hashed, counted, and joined to pieces worth sending. */

import { hot } from '#core';
import type { CryptoPrimitives, HashState } from '#device';
import type { ObjectHash } from '../object-id.ts';

/** Pieces have at least so many bytes, but for the last one. */
const PIECE_BYTES = 65_536;

export class PackBuffer {
  /** Bytes that were put in. */
  offset = 0;
  private readonly state: HashState;
  private buffer = new Uint8Array(PIECE_BYTES * 2);
  private used = 0;
  private readonly ready: Uint8Array[] = [];

  constructor(crypto: CryptoPrimitives, hash: ObjectHash) {
    this.state = crypto.createHash(hash);
  }

  /** Copies small bytes; large ones are handed on as they are, and must stay so. */
  put(bytes: Uint8Array): void {
    this.offset += bytes.length;
    if (bytes.length < PIECE_BYTES) {
      hot.copy(this.buffer, this.used, bytes, 0, bytes.length);
      this.used += bytes.length;
      if (this.used >= PIECE_BYTES) this.flush();
      return;
    }
    this.flush();
    this.state.update(bytes);
    this.ready.push(bytes);
  }

  /** Pieces that can be sent now. */
  take(): Uint8Array[] {
    return this.ready.splice(0);
  }

  /** The hash of everything; it is put behind it. */
  finish(): Uint8Array {
    this.flush();
    const checksum = this.state.digest();
    this.offset += checksum.length;
    this.ready.push(checksum);
    return checksum;
  }

  private flush(): void {
    if (this.used === 0) return;
    const piece = this.buffer.slice(0, this.used);
    this.state.update(piece);
    this.ready.push(piece);
    this.used = 0;
  }
}
