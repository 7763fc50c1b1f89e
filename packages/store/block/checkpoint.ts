/**
 * A checkpoint: what opening need not scan. Refs go to the log as a whole, objects written so far
 * to a run of the index; then a superblock says that scanning begins at those refs. The writer goes
 * on meanwhile. Read first: log.ts, block-index.ts.
 */

import { assert, err, ok, type Result } from '#core';
import type { Merged } from './block-index.ts';
import type { StoreCore } from './core.ts';
import type { StoreFault } from './fault.ts';
import { TAIL_BYTES_MAX } from './limits.ts';
import type { Log } from './log.ts';
import type { StreamEnd } from './stream-writer.ts';
import { emitRecord } from './wire/record.ts';
import { emitRefChanges } from './wire/refs.ts';

export class Checkpoints {
  readonly #core: StoreCore;
  readonly #log: Log;
  /** Runs that a merge leaves alone: a collection is replacing them. */
  keptRuns = 0;
  #running: Promise<Result<void, StoreFault>> | null = null;

  constructor(core: StoreCore, log: Log) {
    this.#core = core;
    this.#log = log;
  }

  /** Called after each turn of the writer: begins one when it is due, and waits when it is late. */
  afterTurn(): Promise<void> | null {
    const { index, tailObjectsMax } = this.#core;
    const isLate = index.recentCount >= 4 * tailObjectsMax;
    if (this.#running !== null) return isLate ? this.#wait(this.#running) : null;
    const isDue = index.recentCount >= tailObjectsMax || this.#log.tailBytes >= TAIL_BYTES_MAX;
    if (!isDue || this.#log.failed !== null) return null;
    return this.#wait(this.begin());
  }

  async #wait(running: Promise<unknown>): Promise<void> {
    await running;
  }

  /** Ends when one that is under way has ended. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /**
   * The part that has the log for itself: it marks where the tail begins. The rest goes on behind
   * the writer's back. Resolves when the writer may go on.
   */
  async begin(): Promise<Result<void, StoreFault>> {
    const marked = await this.mark();
    if (!marked.ok) {
      // With no room for it the old tail is as good, only longer.
      if (marked.error.kind !== 'full') this.#log.failed ??= marked.error;
      this.#log.tailBytes = 0;
      return marked.error.kind === 'full' ? ok(undefined) : marked;
    }
    this.start(marked.value, false);
    return ok(undefined);
  }

  /** Writes all refs to the log: the next superblock's tail begins there. */
  async mark(): Promise<Result<StreamEnd, StoreFault>> {
    assert(this.#running === null, 'one checkpoint at a time');
    const { index, checksum } = this.#core;
    const log = this.#log;
    const tail: StreamEnd = { ...log.writer.end };
    const payload = emitRefChanges(log.refs.snapshot());
    const record = emitRecord(checksum, { kind: 'snapshot', payload });
    if (!log.mayTake(record.length)) return err({ kind: 'full' });
    const written = await log.appendBatch([record], [null]);
    if (!written.ok) return written;
    index.freeze();
    log.tailBytes = 0;
    return ok(tail);
  }

  /** Writes the run and the superblock; see `idle`. `isWhole`: all runs become one. */
  start(tail: StreamEnd, isWhole: boolean): Promise<Result<void, StoreFault>> {
    const running = this.#finish(tail, isWhole).then((done) => {
      if (!done.ok) this.#fail(done.error);
      this.#running = null;
      return done;
    });
    this.#running = running;
    return running;
  }

  #fail(fault: StoreFault): void {
    this.#core.index.thaw();
    if (fault.kind !== 'full') this.#log.failed ??= fault;
  }

  async #finish(tail: StreamEnd, isWhole: boolean): Promise<Result<void, StoreFault>> {
    const { index, disk, counters } = this.#core;
    const merged = await index.merge(this.keptRuns, isWhole);
    if (!merged.ok) return merged;
    // The refs that the tail begins with, and the run, before what names them.
    const flushed = await disk.flush();
    if (!flushed.ok) return flushed;
    const installed = await this.#install(tail, merged.value);
    if (installed.ok) counters.checkpoints += 1;
    return installed;
  }

  async #install(tail: StreamEnd, merged: Merged): Promise<Result<void, StoreFault>> {
    const { index, disk, roots } = this.#core;
    const { table } = disk;
    if (merged.run !== null) table.keep(merged.run.root.firstSegment);
    const gone = index.install(merged);
    const doomed = gone.flatMap(({ root }) => table.doom(root.firstSegment));
    roots.state.tail = { ...tail };
    roots.state.runs = index.roots;
    const committed = await roots.commit(true);
    if (!committed.ok) return committed;
    this.#core.epoch += 1;
    table.releaseDoomed(doomed);
    return ok(undefined);
  }
}
