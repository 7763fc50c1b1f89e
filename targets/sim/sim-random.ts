/** Randomness of simulated networks: seeded, and split so that parts don't disturb each other. */

import { SeededRandom } from '#core';
import type { Entropy } from '#device';

export class SimRandom extends SeededRandom implements Entropy {
  /** An integer low..high. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)];
    if (choice === undefined) throw new RangeError('nothing to pick from');
    return choice;
  }

  /** An independent generator, so that one part's draws don't shift another's. */
  fork(): SimRandom {
    return new SimRandom(this.u32() * 0x100000 + (this.u32() >>> 12));
  }

  fill(out: Uint8Array): void {
    for (let i = 0; i < out.length; i++) out[i] = this.u32();
  }
}
