/** The image of bench/crypto.ts: measures the base's primitives, a line "what|micros" each. */
import { primitives } from '#crypto/platform';
import type { Entropy } from '#device';
import type { Base } from '#targets/base/base';
import { measure, work } from './crypto-work.ts';

declare const __base: Base;

const entropy: Entropy = {
  fill(out) {
    if (!__base.entropyFill(out)) throw new Error('no entropy');
  },
};

for (const { what, run } of work(primitives, entropy)) {
  __base.consoleWrite(`${what}|${measure(run, () => __base.clockMonotonic())}\n`);
}
