/**
 * What one seed means: every choice of a run, drawn from it and printed, so that a failure explains
 * itself.
 */

import { type Duration, micros } from '#core';
import { SimRandom } from '#targets/sim/index';

export interface SimOptions {
  readonly seed: number;
  /** Delay one way, and how often and how much longer some frames take. */
  readonly delay: Duration;
  readonly reorderShare: number;
  readonly reorderDelay: Duration;
  readonly lossShare: number;
  readonly duplicateShare: number;
  readonly corruptShare: number;
  /** Cuts between two hosts, in the safety phase. */
  readonly cuts: number;
  readonly safetySeconds: number;
  readonly mtuBytes: number;
  readonly bitsPerSecond: number;
  readonly queueFramesMax: number;
  readonly transmitChecksum: boolean;
  readonly segmentBytesMax: number;
  readonly receivesPartialChecksums: boolean;
  readonly dhcpRepliesToAll: boolean;
  readonly leaseSeconds: number;
  readonly transfers: number;
  readonly transferBytesMax: number;
  /** Share of transfers that the client breaks off. */
  readonly abortShare: number;
  /** Share of received pieces after which a reader pauses. */
  readonly pauseShare: number;
  readonly echoes: number;
}

/** The same options for the same seed, for ever: a found seed is a test. */
export function drawOptions(seed: number): SimOptions {
  const random = new SimRandom(seed);
  // Most faults are absent in some runs: a network with all of them hides bugs of one with few.
  const share = (most: number): number => (random.chance(0.4) ? 0 : random.unit() * most);
  const transmitChecksum = random.chance(0.5);
  const delayMicros = random.pick([20, 500, 5_000, 40_000]);
  return {
    seed,
    delay: micros(delayMicros),
    reorderShare: share(0.2),
    reorderDelay: micros(delayMicros * random.pick([1, 2, 5])),
    lossShare: share(0.1),
    duplicateShare: share(0.1),
    corruptShare: share(0.03),
    cuts: random.below(4),
    safetySeconds: random.between(1, 8),
    mtuBytes: random.pick([576, 1_280, 1_500, 1_500, 9_000]),
    bitsPerSecond: random.pick([Number.POSITIVE_INFINITY, 1e9, 2e7]),
    queueFramesMax: random.pick([4, 32, 256]),
    transmitChecksum,
    segmentBytesMax: transmitChecksum ? random.pick([0, 16_384, 65_535]) : 0,
    receivesPartialChecksums: random.chance(0.3),
    dhcpRepliesToAll: random.chance(0.5),
    leaseSeconds: random.pick([120, 600, 86_400]),
    transfers: random.between(1, 12),
    transferBytesMax: random.pick([0, 100, 20_000, 200_000]),
    abortShare: share(0.3),
    pauseShare: share(0.2),
    echoes: random.between(0, 20),
  };
}

export const formatOptions = (options: SimOptions): string =>
  Object.entries(options)
    .map(([name, value]) => `${name}=${typeof value === 'number' ? +value.toFixed(4) : value}`)
    .join(' ');
