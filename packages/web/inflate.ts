/**
 * A source of bytes out of a compressed one: gzip (RFC 1952) and deflate (RFC 1950; raw RFC 1951
 * too, which some send under that name), by fflate. Linked where something decompresses.
 */

import { Decompress } from 'fflate';
import { concatBytes } from './blob.ts';
import type { ByteSource } from './body-stream.ts';

/**
 * Compressed bytes that are taken at once: they grow at most 1,032-fold (RFC 1951: 258 bytes by two
 * bits), so a hostile body costs a megabyte at a time, and its reader decides how often.
 */
export const INFLATE_STEP_BYTES = 1_024;

/** Deviates: RFC 1952 §2.3.1: the CRC at the end isn't checked; TCP's and TLS's sums are. */
export class Inflating implements ByteSource {
  private readonly source: ByteSource;
  private readonly decoder: Decompress;
  private readonly out: Uint8Array[] = [];
  /** Compressed bytes that aren't taken yet. */
  private rest: Uint8Array = new Uint8Array(0);
  private isDone = false;
  private hasBegun = false;

  constructor(source: ByteSource) {
    this.source = source;
    this.decoder = new Decompress((chunk) => {
      if (chunk.length > 0) this.out.push(chunk);
    });
  }

  async read(): Promise<Uint8Array | null> {
    while (this.out.length === 0 && !this.isDone) {
      if (this.rest.length === 0) await this.fill();
      else this.step();
    }
    if (this.out.length === 0) return null;
    const chunk = this.out.length === 1 ? this.out[0]! : concatBytes(this.out);
    this.out.length = 0;
    return chunk;
  }

  cancel(reason: unknown): void {
    this.isDone = true;
    this.out.length = 0;
    this.source.cancel(reason);
  }

  private async fill(): Promise<void> {
    const chunk = await this.source.read();
    if (chunk !== null) {
      this.rest = chunk;
      return;
    }
    this.isDone = true;
    // An empty body is one whatever its coding is said to be.
    if (this.hasBegun) this.push(new Uint8Array(0), true);
  }

  private step(): void {
    const count = Math.min(this.rest.length, INFLATE_STEP_BYTES);
    this.push(this.rest.subarray(0, count), false);
    this.rest = this.rest.subarray(count);
  }

  private push(bytes: Uint8Array, isLast: boolean): void {
    this.hasBegun = true;
    try {
      // The decoder may keep what it is given until it has more.
      this.decoder.push(bytes.slice(), isLast);
    } catch (error) {
      this.cancel(error);
      throw new TypeError('the compressed body is malformed', { cause: error });
    }
  }
}
