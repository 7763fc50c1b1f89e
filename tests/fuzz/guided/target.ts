/** What the guided fuzzer runs: an input is a list of records, whatever bytes they have. */

import type { SimRandom } from '#targets/sim/index';

export interface GuidedTarget {
  readonly name: string;
  /** Whether a file's blocks count as something new. */
  isMeasured(url: string): boolean;
  /** What to begin with, when there is no corpus. */
  seeds(random: SimRandom): Uint8Array[][];
  /** A record that an input may get more of. */
  draw(random: SimRandom): Uint8Array;
  /** Changes a record in place, or gives another. */
  mutate(record: Uint8Array, random: SimRandom): Uint8Array;
  /**
   * Runs one input, each time alike. Throws when something that must hold doesn't. Returns what it
   * met, in words: a word that was never heard before is as good as a block that never ran.
   */
  run(input: readonly Uint8Array[]): readonly string[];
}
