/**
 * A simulated disk: memory that answers after a while, in any order. What it lends or takes it
 * fills with 0xa5 until it answers, so that nobody relies on it before. Required reading:
 * packages/device/block.ts. Not here: a loss of power, bits that rot.
 */

import { after, assert, err, micros, ok, type Result, Timer, type TimerQueue } from '#core';
import { type BlockDevice, type BlockError, checkBlocks } from '#device';
import type { SimRandom } from './sim-random.ts';

const POISON = 0xa5;
const ANSWER_MICROS_MAX = 500;

export interface SimBlockOptions {
  readonly name: string;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly isReadOnly: boolean;
}

export class SimBlockDevice implements BlockDevice {
  readonly name: string;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly isReadOnly: boolean;
  /** Operations fail with this code from now on; 0: they don't. */
  failure = 0;
  private readonly memory: Uint8Array;
  private readonly timers: TimerQueue;
  private readonly random: SimRandom;

  constructor(options: SimBlockOptions, timers: TimerQueue, random: SimRandom) {
    const { name, blockBytes, blockCount, isReadOnly } = options;
    assert(blockBytes >= 512 && blockCount >= 1);
    this.name = name;
    this.blockBytes = blockBytes;
    this.blockCount = blockCount;
    this.isReadOnly = isReadOnly;
    this.memory = new Uint8Array(blockBytes * blockCount);
    this.timers = timers;
    this.random = random;
  }

  read(firstBlock: number, into: Uint8Array): Promise<Result<void, BlockError>> {
    const wrong = checkBlocks(this, firstBlock, into.length);
    if (wrong !== null) return this.answer(() => err(wrong));
    const at = firstBlock * this.blockBytes;
    into.fill(POISON);
    return this.answer(() => {
      if (this.failure !== 0) return err({ kind: 'device', code: this.failure });
      into.set(this.memory.subarray(at, at + into.length));
      return ok(undefined);
    });
  }

  write(firstBlock: number, bytes: Uint8Array): Promise<Result<void, BlockError>> {
    const wrong = checkBlocks(this, firstBlock, bytes.length);
    if (this.isReadOnly) return this.answer(() => err({ kind: 'read only' }));
    if (wrong !== null) return this.answer(() => err(wrong));
    const at = firstBlock * this.blockBytes;
    return this.answer(() => {
      if (this.failure !== 0) return err({ kind: 'device', code: this.failure });
      this.memory.set(bytes, at);
      return ok(undefined);
    });
  }

  flush(): Promise<Result<void, BlockError>> {
    return this.answer(() => {
      if (this.failure !== 0) return err({ kind: 'device', code: this.failure });
      return ok(undefined);
    });
  }

  /** Does it, and says so, at some time to come. */
  private answer(work: () => Result<void, BlockError>): Promise<Result<void, BlockError>> {
    const { promise, resolve } = Promise.withResolvers<Result<void, BlockError>>();
    const delay = micros(1 + this.random.below(ANSWER_MICROS_MAX));
    this.timers.arm(new Timer(() => resolve(work())), after(this.timers.now, delay));
    return promise;
  }
}
