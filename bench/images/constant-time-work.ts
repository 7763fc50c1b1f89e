/**
 * Whether the time of a comparison tells where two arrays differ, as numbers: Welch's t of the
 * times of two kinds of input, which take turns at random. Images run it too.
 */

import { SeededRandom } from '#core';
import { constantTimeEqual } from '#crypto';

/** As long as a Finished of SHA-384, and longer, where a difference grows. */
const BYTES = 48;
const BATCHES = 1_500;
/** The slowest times are the machine's, not ours. */
const KEPT = 0.9;

/** What must be found out: it stops at the first difference. */
function earlyEqual(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

type Equal = (a: Uint8Array, b: Uint8Array) => boolean;

export interface Finding {
  readonly what: string;
  readonly t: number;
  /** Microseconds for a comparison, of either kind. */
  readonly micros: readonly [number, number];
}

interface Sample {
  readonly mean: number;
  readonly variance: number;
  readonly count: number;
}

function sampleOf(times: readonly number[]): Sample {
  const kept = times.toSorted((a, b) => a - b).slice(0, Math.floor(times.length * KEPT));
  const mean = kept.reduce((sum, time) => sum + time, 0) / kept.length;
  const squares = kept.reduce((sum, time) => sum + (time - mean) ** 2, 0);
  return { mean, variance: squares / (kept.length - 1), count: kept.length };
}

function compare(
  what: string,
  equal: Equal,
  inputs: readonly [Uint8Array, Uint8Array],
  nowMicros: () => number,
  batch: number,
): Finding {
  const random = new SeededRandom(1);
  const secret = new Uint8Array(BYTES).fill(0x5a);
  const times: [number[], number[]] = [[], []];
  let found = 0;
  for (let i = 0; i < 2 * BATCHES; i++) {
    const kind = random.below(2) as 0 | 1;
    const given = inputs[kind];
    const start = nowMicros();
    for (let j = 0; j < batch; j++) if (equal(secret, given)) found++;
    times[kind].push((nowMicros() - start) / batch);
  }
  const [a, b] = [sampleOf(times[0]), sampleOf(times[1])];
  const t = (a.mean - b.mean) / Math.sqrt(a.variance / a.count + b.variance / b.count);
  // The results are used, so that no comparison is left out.
  return { what: found < 0 ? '' : what, t, micros: [a.mean, b.mean] };
}

/** `batch`: comparisons that one time is taken of. */
export function findings(nowMicros: () => number, batch: number): Finding[] {
  const differingAt = (at: number): Uint8Array => {
    const bytes = new Uint8Array(BYTES).fill(0x5a);
    if (at >= 0) bytes[at]! ^= 1;
    return bytes;
  };
  const [first, last, same] = [differingAt(0), differingAt(BYTES - 1), differingAt(-1)];
  const questions: readonly (readonly [string, Equal, Uint8Array, Uint8Array])[] = [
    ['control: the same input twice', constantTimeEqual, last, last.slice()],
    ['control, must be told apart: early exit', earlyEqual, first, last],
    ['first byte differs / last byte', constantTimeEqual, first, last],
    ['first byte differs / none', constantTimeEqual, first, same],
    ['all bytes differ / none', constantTimeEqual, new Uint8Array(BYTES), same],
  ];
  return questions.map(([what, equal, a, b]) => compare(what, equal, [a, b], nowMicros, batch));
}
