/** What the parts of an open store share. */

import type { CryptoPrimitives, Zlib } from '#device';
import type { ObjectHash } from '#git';
import type { BlockIndex } from './block-index.ts';
import type { Disk } from './disk.ts';
import type { RunContext } from './index-run.ts';
import type { Roots } from './roots.ts';
import type { SegmentTaker } from './stream-writer.ts';
import type { Checksum } from './wire/checksum.ts';

/** Counted since it was opened. */
export interface StoreCounters {
  batches: number;
  flushes: number;
  checkpoints: number;
  collections: number;
  /** Calls of `updateRefs` that shared a flush with another one. */
  shared: number;
  /** Refused as 'full'. */
  full: number;
  /** Reads that found damage. */
  damaged: number;
}

export interface StoreCore {
  readonly disk: Disk;
  readonly roots: Roots;
  readonly taker: SegmentTaker;
  readonly index: BlockIndex;
  readonly runs: RunContext;
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  readonly checksum: Checksum;
  readonly hash: ObjectHash;
  readonly idBytes: number;
  readonly pause: () => Promise<void>;
  readonly counters: StoreCounters;
  readonly tailObjectsMax: number;
  /**
   * Grows when the index lets go of objects, and when segments are given back: who found or read
   * something meanwhile looks again.
   */
  epoch: number;
}
