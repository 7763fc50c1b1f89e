/**
 * A batch: the records that are written together, after a header whose checksum goes over the
 * batch before too. So what a crash left behind the end of the log is never taken for a part of it.
 */

import { err, hot, ok, type Result, readU32be, type WireFault, writeU32be } from '#core';
import type { CryptoPrimitives } from '#device';
import { SUM_BYTES } from './checksum.ts';
import { readU48be, writeU48be } from './places.ts';

const at = { magic: 0, bodyBytes: 4, sequence: 8, reserved: 14, chain: 16 } as const;

export const BATCH_HEAD_BYTES = 24;
const MAGIC = 0x4d474254; // "MGBT"

export interface BatchHead {
  readonly bodyBytes: number;
  /** One more than that of the batch before it, in time. */
  readonly sequence: number;
  readonly chain: Uint8Array;
}

export function parseBatchHead(b: Uint8Array): Result<BatchHead, WireFault> {
  if (b.length < BATCH_HEAD_BYTES) {
    return err({ kind: 'short', needBytes: BATCH_HEAD_BYTES, haveBytes: b.length });
  }
  const magic = readU32be(b, at.magic);
  if (magic !== MAGIC) return err({ kind: 'field', offset: at.magic, value: magic });
  if (b[at.reserved] !== 0 || b[at.reserved + 1] !== 0) {
    return err({ kind: 'field', offset: at.reserved, value: b[at.reserved]! });
  }
  return ok({
    bodyBytes: readU32be(b, at.bodyBytes),
    sequence: readU48be(b, at.sequence),
    chain: b.slice(at.chain, at.chain + SUM_BYTES),
  });
}

export function emitBatchHead(to: Uint8Array, repr: BatchHead): number {
  writeU32be(to, at.magic, MAGIC);
  writeU32be(to, at.bodyBytes, repr.bodyBytes);
  writeU48be(to, at.sequence, repr.sequence);
  to.fill(0, at.reserved, at.chain);
  hot.copy(to, at.chain, repr.chain, 0, SUM_BYTES);
  return BATCH_HEAD_BYTES;
}

/** The checksum of a batch: of the one before, the header's own fields, and the body in pieces. */
export class BatchSum {
  readonly #state;

  constructor(crypto: CryptoPrimitives, before: Uint8Array, head: Omit<BatchHead, 'chain'>) {
    const bytes = new Uint8Array(SUM_BYTES + at.chain);
    hot.copy(bytes, 0, before, 0, SUM_BYTES);
    const fields = new Uint8Array(BATCH_HEAD_BYTES);
    emitBatchHead(fields, { ...head, chain: before });
    hot.copy(bytes, SUM_BYTES, fields, 0, at.chain);
    this.#state = crypto.createHash('SHA-256');
    this.#state.update(bytes);
  }

  update(body: Uint8Array): void {
    this.#state.update(body);
  }

  digest(): Uint8Array {
    return this.#state.digest().subarray(0, SUM_BYTES);
  }
}
