/**
 * The parts of files that were read last, in blocks: what is read from a pack lies together, and
 * a call into the host for each small entry costs more than the entry. What several files have so
 * is bounded by their cache.
 */

import type { Result } from '#core';
import { err, ok } from '#core';
import type { FileError, OpenFile } from '#device';
import type { ObjectCache } from '../pack/object-cache.ts';

const BLOCK_BYTES = 32_768;
/** Enough for the head of an entry of a pack, and for most that is behind it. */
const SOME_BYTES = 256;
const NO_BYTES = new Uint8Array(0);

export type BlockCache = ObjectCache<number, { readonly bytes: Uint8Array }>;

export class FileWindow {
  readonly #file: OpenFile;
  readonly #cache: BlockCache;
  readonly #keyAt: number;
  /** The block that was used last: most reads are of it again. */
  #last: Uint8Array = NO_BYTES;
  #lastNumber = -1;

  /** No other user of `cache` has keys from `keyAt` on, as far as the file goes. */
  constructor(file: OpenFile, cache: BlockCache, keyAt: number) {
    this.#file = file;
    this.#cache = cache;
    this.#keyAt = keyAt;
  }

  /**
   * The bytes from `at` on, `count` of them or fewer at the end of the file: borrowed, and not to
   * be changed.
   */
  read(at: number, count: number): Result<Uint8Array, FileError> {
    const first = Math.floor(at / BLOCK_BYTES);
    const skip = at - first * BLOCK_BYTES;
    if (skip + count > BLOCK_BYTES) return this.#readAcross(at, count);
    const block = this.#block(first);
    return block.ok ? ok(block.value.subarray(skip, skip + count)) : block;
  }

  /**
   * As `read`, but at least some of `count` bytes is enough, as far as they cost no copy: whoever
   * needs the rest asks again.
   */
  readSome(at: number, count: number): Result<Uint8Array, FileError> {
    const rest = BLOCK_BYTES - (at % BLOCK_BYTES);
    return this.read(at, rest >= SOME_BYTES ? Math.min(count, rest) : Math.min(count, SOME_BYTES));
  }

  /** What is large isn't kept. */
  #readAcross(at: number, count: number): Result<Uint8Array, FileError> {
    const bytes = new Uint8Array(count);
    if (count > BLOCK_BYTES) {
      const read = this.#file.read(at, bytes);
      return read.ok ? ok(bytes.subarray(0, read.value)) : read;
    }
    let done = 0;
    while (done < count) {
      const next = at + done;
      const number = Math.floor(next / BLOCK_BYTES);
      const block = this.#block(number);
      if (!block.ok) return block;
      const skip = next - number * BLOCK_BYTES;
      const part = block.value.subarray(skip, skip + count - done);
      if (part.length === 0) break;
      bytes.set(part, done);
      done += part.length;
    }
    return ok(bytes.subarray(0, done));
  }

  #block(number: number): Result<Uint8Array, FileError> {
    if (number === this.#lastNumber) return ok(this.#last);
    const key = this.#keyAt + number;
    let block = this.#cache.get(key)?.bytes;
    if (block === undefined) {
      const bytes = new Uint8Array(BLOCK_BYTES);
      const read = this.#file.read(number * BLOCK_BYTES, bytes);
      if (!read.ok) return err(read.error);
      block = bytes.subarray(0, read.value);
      this.#cache.add(key, { bytes: block });
    }
    this.#last = block;
    this.#lastNumber = number;
    return ok(block);
  }
}
