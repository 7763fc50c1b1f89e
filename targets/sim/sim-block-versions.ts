/**
 * What may be on a disk when its power is lost: of each block the content that was flushed last,
 * and every one written since. Reads see the newest; a loss of power leaves any, in no order, or a
 * mix of two, or (of a block that was being written) nothing that makes sense. Not here: time,
 * errors (sim-block-device.ts).
 */

import { assert, hot } from '#core';
import type { SimRandom } from './sim-random.ts';

/** Content that came with write number `number`; the first of a block's is what was flushed. */
interface Version {
  readonly number: number;
  readonly bytes: Uint8Array;
}

export interface BlockWrite {
  readonly firstBlock: number;
  /** Whole blocks, never changed. */
  readonly bytes: Uint8Array;
}

/** How a loss of power goes. A disk has one cause of trouble at a time, or several. */
const OUTCOMES = ['lost', 'kept', 'in order', 'any write', 'any block', 'torn', 'wrecked'] as const;

interface Loss {
  readonly outcome: (typeof OUTCOMES)[number];
  /** By number: whether the write got to the disk, where whole ones do or don't. */
  readonly reached: readonly boolean[];
  readonly random: SimRandom;
}

export class BlockVersions {
  /** Writes that came to an end so far. */
  completed = 0;
  /** What reads see: of each block the last version. */
  private readonly memory: Uint8Array;
  private readonly blockBytes: number;
  /** Blocks with more than what was flushed. */
  private readonly blocks = new Map<number, Version[]>();

  /** `memory` is on the disk, flushed, and is written to from now on. */
  constructor(memory: Uint8Array, blockBytes: number) {
    this.memory = memory;
    this.blockBytes = blockBytes;
  }

  wrote({ firstBlock, bytes }: BlockWrite): void {
    const number = ++this.completed;
    const { blockBytes } = this;
    for (let at = 0; at < bytes.length; at += blockBytes) {
      const block = firstBlock + at / blockBytes;
      this.add(block, { number, bytes: bytes.subarray(at, at + blockBytes) });
    }
    this.memory.set(bytes, firstBlock * blockBytes);
  }

  /** A write that failed: each block is the old or the new one. */
  wroteParts({ firstBlock, bytes }: BlockWrite, random: SimRandom): void {
    const { blockBytes } = this;
    const at = firstBlock * blockBytes;
    const left = this.memory.slice(at, at + bytes.length);
    for (let i = 0; i < bytes.length; i += blockBytes) {
      if (random.chance(0.5)) left.set(bytes.subarray(i, i + blockBytes), i);
    }
    this.wrote({ firstBlock, bytes: left });
  }

  /** Every write up to number `upTo` is there for good. O(blocks written since the last one). */
  flushed(upTo: number): void {
    for (const [block, versions] of this.blocks) {
      const kept = versions.findLastIndex(({ number }) => number <= upTo);
      assert(kept >= 0, 'a block has what was flushed');
      versions.splice(0, kept);
      if (versions.length === 1) this.blocks.delete(block);
    }
  }

  /** Changes what reads see of a block, flushed as it is, by `change`. */
  replaced(block: number, change: () => void): void {
    change();
    // A version that isn't the newest one would hide what changed.
    this.blocks.delete(block);
  }

  /** An image after a loss of power, while `underWay` was being written. */
  survivor(random: SimRandom, underWay: readonly BlockWrite[]): Uint8Array {
    const image = this.memory.slice();
    const outcome = random.pick(OUTCOMES);
    const count = this.completed + underWay.length;
    const last = random.between(0, count);
    const reached = Array.from({ length: count + 1 }, (_, number) =>
      outcome === 'in order' ? number <= last : random.chance(0.5),
    );
    // The last one that it got to may be there in part.
    const partial = outcome === 'in order' ? last : 0;
    for (const [block, versions] of this.withUnderWay(underWay)) {
      if (partial !== 0) reached[partial] = random.chance(0.5);
      image.set(this.left(versions, { outcome, reached, random }), block * this.blockBytes);
    }
    return image;
  }

  checkInvariants(): void {
    for (const [block, versions] of this.blocks) {
      assert(versions.length > 1, 'a block with one version needs no list');
      for (let i = 1; i < versions.length; i++) {
        assert(versions[i - 1]!.number < versions[i]!.number, 'versions are in order');
        assert(versions[i]!.number <= this.completed, 'of writes that were');
      }
      const newest = versions.at(-1)!.bytes;
      const at = block * this.blockBytes;
      assert(hot.equal(newest, 0, this.memory, at, this.blockBytes), 'reads see the newest');
    }
  }

  private add(block: number, version: Version): void {
    const versions = this.blocks.get(block);
    if (versions !== undefined) versions.push(version);
    else this.blocks.set(block, [{ number: 0, bytes: this.content(block) }, version]);
  }

  private content(block: number): Uint8Array {
    return this.memory.slice(block * this.blockBytes, (block + 1) * this.blockBytes);
  }

  private withUnderWay(underWay: readonly BlockWrite[]): Map<number, Version[]> {
    const all = new Map([...this.blocks].map(([block, versions]) => [block, versions.slice()]));
    let number = this.completed;
    for (const { firstBlock, bytes } of underWay) {
      number++;
      for (let at = 0; at < bytes.length; at += this.blockBytes) {
        const block = firstBlock + at / this.blockBytes;
        const versions = all.get(block) ?? [{ number: 0, bytes: this.content(block) }];
        versions.push({ number, bytes: bytes.subarray(at, at + this.blockBytes) });
        all.set(block, versions);
      }
    }
    return all;
  }

  /** What is left of one block. */
  private left(versions: readonly Version[], { outcome, reached, random }: Loss): Uint8Array {
    const flushed = versions[0]!;
    switch (outcome) {
      case 'lost':
        return flushed.bytes;
      case 'kept':
        return versions.at(-1)!.bytes;
      case 'in order':
      case 'any write': {
        const newest = versions.findLast(({ number }) => reached[number]);
        return (newest ?? flushed).bytes;
      }
      case 'any block':
        return random.pick(versions).bytes;
      case 'torn':
        return this.torn(random.pick(versions).bytes, random.pick(versions).bytes, random);
      case 'wrecked': {
        if (random.chance(0.5)) return random.pick(versions).bytes;
        const left = new Uint8Array(this.blockBytes);
        random.fill(left);
        return left;
      }
    }
  }

  private torn(before: Uint8Array, behind: Uint8Array, random: SimRandom): Uint8Array {
    const left = behind.slice();
    const cut = random.below(this.blockBytes + 1);
    left.set(before.subarray(0, cut));
    return left;
  }
}
