/** A pack's bytes in memory, up to a bound. */

import { assert, err, ok, type Result } from '#core';
import type { BackendError } from '../backend.ts';
import type { PackStore } from './index-pack.ts';

const FIRST_BYTES = 65_536;

export class MemoryPackStore implements PackStore {
  private readonly bytesMax: number;
  private all = new Uint8Array(FIRST_BYTES);
  private used = 0;

  /** More bytes than that are refused as 'full'. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** What is there; borrowed. */
  get bytes(): Uint8Array {
    return this.all.subarray(0, this.used);
  }

  append(bytes: Uint8Array): Result<void, BackendError> {
    const needBytes = this.used + bytes.length;
    if (needBytes > this.bytesMax) return err({ kind: 'full' });
    if (needBytes > this.all.length) {
      const grown = new Uint8Array(Math.max(needBytes, this.all.length * 2));
      grown.set(this.bytes);
      this.all = grown;
    }
    this.all.set(bytes, this.used);
    this.used = needBytes;
    return ok(undefined);
  }

  write(at: number, bytes: Uint8Array): Result<void, BackendError> {
    assert(at + bytes.length <= this.used);
    this.all.set(bytes, at);
    return ok(undefined);
  }

  read(at: number, count: number): Result<Uint8Array, BackendError> {
    assert(at + count <= this.used);
    return ok(this.all.subarray(at, at + count));
  }
}
