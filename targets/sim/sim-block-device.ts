/**
 * A simulated disk: memory that answers after a while, in any order, and that loses power. What it
 * lends or takes it fills with 0xa5 until it answers, so that nobody relies on it before. Required
 * reading: packages/device/block.ts, sim-block-versions.ts (what a loss of power leaves).
 */

import { after, assert, err, micros, ok, type Result, Timer, type TimerQueue } from '#core';
import { type BlockDevice, type BlockError, checkBlockRange, checkBlocks } from '#device';
import { BlockVersions } from './sim-block-versions.ts';
import { SimRandom } from './sim-random.ts';

const POISON = 0xa5;
const ANSWER_MICROS_MAX = 500;

export interface SimBlockOptions {
  readonly name: string;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly isReadOnly: boolean;
  /** What is on it, from then on the device's; zeros unless given. */
  readonly image?: Uint8Array;
  /** A wrong device: `flush` answers and keeps nothing. */
  readonly flushLies?: boolean;
}

type Answer = Result<void, BlockError>;

export class SimBlockDevice implements BlockDevice {
  readonly name: string;
  readonly blockBytes: number;
  readonly physicalBlockBytes: number;
  readonly blockCount: number;
  readonly isReadOnly: boolean;
  /** Operations fail with this code from now on; 0: they don't. A write that fails may do parts. */
  failure = 0;
  /** Writes, flushes, discards and writes of zeros asked for so far. */
  changes = 0;
  /** Power is lost in the middle of the change of this number, from 0. */
  powerFailsAt = Number.POSITIVE_INFINITY;
  private isOn = true;
  private readonly flushLies: boolean;
  private readonly memory: Uint8Array;
  private readonly versions: BlockVersions;
  /** What writes under way bring. */
  private readonly underWay = new Set<{
    readonly firstBlock: number;
    readonly bytes: Uint8Array;
  }>();
  private readonly timers: TimerQueue | null;
  private readonly random: SimRandom;

  /** `timers`: null when it is to answer in the next promise job, in order. */
  constructor(options: SimBlockOptions, timers: TimerQueue | null, random: SimRandom) {
    const { name, blockBytes, blockCount, isReadOnly } = options;
    assert(blockBytes >= 512 && blockCount >= 1);
    this.name = name;
    this.blockBytes = blockBytes;
    this.physicalBlockBytes = blockBytes;
    this.blockCount = blockCount;
    this.isReadOnly = isReadOnly;
    this.flushLies = options.flushLies ?? false;
    this.memory = options.image ?? new Uint8Array(blockBytes * blockCount);
    assert(this.memory.length === blockBytes * blockCount, 'an image of its size');
    this.versions = new BlockVersions(this.memory, blockBytes);
    this.timers = timers;
    this.random = random;
  }

  read(firstBlock: number, into: Uint8Array): Promise<Answer> {
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

  write(firstBlock: number, bytes: Uint8Array): Promise<Answer> {
    const wrong = checkBlocks(this, firstBlock, bytes.length);
    return this.change(wrong, firstBlock, () => bytes.slice());
  }

  discard(firstBlock: number, blockCount: number): Promise<Answer> {
    const wrong = checkBlockRange(this, firstBlock, blockCount);
    return this.change(wrong, firstBlock, () => {
      const at = firstBlock * this.blockBytes;
      const left = this.memory.slice(at, at + blockCount * this.blockBytes);
      for (let i = 0; i < left.length; i += this.blockBytes) {
        const kind = this.random.below(3);
        if (kind > 0) left.fill(kind === 1 ? 0 : POISON, i, i + this.blockBytes);
      }
      return left;
    });
  }

  writeZeroes(firstBlock: number, blockCount: number): Promise<Answer> {
    const wrong = checkBlockRange(this, firstBlock, blockCount);
    return this.change(wrong, firstBlock, () => new Uint8Array(blockCount * this.blockBytes));
  }

  flush(): Promise<Answer> {
    this.countChange();
    const { completed } = this.versions;
    return this.answer(() => {
      if (this.failure !== 0) return err({ kind: 'device', code: this.failure });
      if (!this.flushLies) this.versions.flushed(completed);
      return ok(undefined);
    });
  }

  /**
   * Takes the power away, if that hasn't happened: the device is 'gone' from then on. Returns an
   * image that may have survived, drawn from `seed`; another one for another seed.
   */
  crash(seed: number): Uint8Array {
    this.isOn = false;
    return this.versions.survivor(new SimRandom(seed), [...this.underWay]);
  }

  /** Flips one bit in each of `count` blocks, drawn from `seed`, as time does; says which. */
  rot(seed: number, count: number): readonly number[] {
    const random = new SimRandom(seed);
    const blocks = new Set<number>();
    while (blocks.size < Math.min(count, this.blockCount)) {
      blocks.add(random.below(this.blockCount));
    }
    for (const block of blocks) {
      const bit = random.below(8 * this.blockBytes);
      const at = block * this.blockBytes + Math.floor(bit / 8);
      this.versions.replaced(block, () => {
        this.memory[at] = this.memory[at]! ^ (1 << (bit % 8));
      });
    }
    return [...blocks];
  }

  checkInvariants(): void {
    this.versions.checkInvariants();
  }

  private change(
    wrong: BlockError | null,
    firstBlock: number,
    content: () => Uint8Array,
  ): Promise<Answer> {
    if (this.isReadOnly) return this.answer(() => err({ kind: 'read only' }));
    if (wrong !== null) return this.answer(() => err(wrong));
    const write = { firstBlock, bytes: content() };
    if (this.isOn) this.underWay.add(write);
    this.countChange();
    return this.answer(() => {
      this.underWay.delete(write);
      if (this.failure !== 0) this.versions.wroteParts(write, this.random);
      else this.versions.wrote(write);
      return this.failure === 0 ? ok(undefined) : err({ kind: 'device', code: this.failure });
    });
  }

  private countChange(): void {
    if (this.changes++ >= this.powerFailsAt) this.isOn = false;
  }

  /** Does it, and says so, at some time to come; nothing more happens without power. */
  private answer(work: () => Answer): Promise<Answer> {
    const finish = (): Answer => (this.isOn ? work() : err({ kind: 'gone' }));
    if (this.timers === null) return Promise.resolve().then(finish);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const delay = micros(1 + this.random.below(ANSWER_MICROS_MAX));
    this.timers.arm(new Timer(() => resolve(finish())), after(this.timers.now, delay));
    return promise;
  }
}
