/**
 * The superblock, as it is now and as it is on the device. Generation g is written to slot g mod 2,
 * and once that is flushed, to the same slot at the device's end: of two generations one is whole
 * at any moment, and the last one that was flushed is there twice. Read first: wire/superblock.ts.
 */

import { err, ok, type Result } from '#core';
import type { Disk } from './disk.ts';
import type { StoreFault } from './fault.ts';
import { SLOTS } from './geometry.ts';
import type { Checksum } from './wire/checksum.ts';
import { emitSuperblock, type RunRoot, type Superblock } from './wire/superblock.ts';

/** What a superblock says beside geometry and segments. */
export interface RootState {
  logFirst: number;
  collectedFirst: number;
  tail: Superblock['tail'];
  allocations: number;
  collections: number;
  runs: readonly RunRoot[];
}

export class Roots {
  readonly storeId: Uint8Array;
  readonly hash: 'SHA-1' | 'SHA-256';
  readonly state: RootState;
  generation: number;
  readonly #disk: Disk;
  readonly #checksum: Checksum;
  /** The last superblock, while only its first copy is written. */
  #halfWritten: Uint8Array | null = null;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(disk: Disk, checksum: Checksum, from: Superblock) {
    const { storeId, hash, generation, segments: _, ...state } = from;
    this.storeId = storeId;
    this.hash = hash;
    this.generation = generation;
    this.state = { ...state };
    this.#disk = disk;
    this.#checksum = checksum;
  }

  /**
   * Writes the state as it is now. It counts once a flush is done: this one's own when `isDurable`,
   * or the caller's, who then calls `settle` with the generation that this gives.
   */
  commit(isDurable: boolean): Promise<Result<number, StoreFault>> {
    return this.#alone(async () => {
      const before = await this.#settle(true);
      if (!before.ok) return before;
      this.generation += 1;
      const { generation } = this;
      const bytes = this.#emit();
      const first = await this.#write(this.generation % 2, bytes);
      if (!first.ok) return first;
      this.#halfWritten = bytes;
      const settled = isDurable ? await this.#settle(true) : first;
      return settled.ok ? ok(generation) : settled;
    });
  }

  /** A flush was done since the commit of `generation`: writes its second copy. */
  settle(generation: number): Promise<Result<void, StoreFault>> {
    return this.#alone(async () =>
      this.generation === generation ? this.#settle(false) : ok(undefined),
    );
  }

  /** Writes the state as it is to `slot`, whose copy was lost. */
  heal(slot: number): Promise<Result<void, StoreFault>> {
    return this.#alone(() => this.#write(slot, this.#emit()));
  }

  superblock(): Superblock {
    const { geometry, table } = this.#disk;
    return {
      ...this.state,
      generation: this.generation,
      storeId: this.storeId,
      hash: this.hash,
      blockBytes: geometry.blockBytes,
      deviceBytes: geometry.deviceBytes,
      segmentBytes: geometry.segmentBytes,
      segments: table.entries(),
    };
  }

  async #settle(mustFlush: boolean): Promise<Result<void, StoreFault>> {
    const bytes = this.#halfWritten;
    if (bytes === null) return ok(undefined);
    if (mustFlush) {
      const flushed = await this.#disk.flush();
      if (!flushed.ok) return flushed;
    }
    this.#halfWritten = null;
    return this.#write(SLOTS / 2 + (this.generation % 2), bytes);
  }

  #emit(): Uint8Array {
    const bytes = new Uint8Array(this.#disk.geometry.slotBytes);
    emitSuperblock(this.#checksum, bytes, this.superblock());
    return bytes;
  }

  async #write(slot: number, bytes: Uint8Array): Promise<Result<void, StoreFault>> {
    const { geometry, device } = this.#disk;
    const written = await device.write(geometry.blockOf(geometry.slotAt(slot)), bytes);
    return written.ok ? written : err({ kind: 'device', error: written.error });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work);
    this.#busy = done;
    return done;
  }
}
