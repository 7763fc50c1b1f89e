/**
 * What one seed means for the scenario of whole networks: hosts, segments, routers, what is wrong
 * with each link in each direction, who crashes, and what is done over it. All of it is drawn here
 * and printed.
 */

import { type Duration, micros } from '#core';
import { noFaults, type SimFaults, type SimNetDeviceOptions, SimRandom } from '#targets/sim/index';

/** One direction of a link between two routers. */
export interface WayPlan {
  readonly faults: SimFaults;
  /** Of the device that sends this way: rate, and the queue before it. */
  readonly device: Partial<SimNetDeviceOptions>;
  /** Routes prefer small sums: different ones there and back make routes asymmetric. */
  readonly weight: number;
}

export interface LinkPlan {
  readonly from: number;
  readonly to: number;
  readonly mtuBytes: number;
  readonly there: WayPlan;
  readonly back: WayPlan;
}

export interface SegmentPlan {
  readonly mtuBytes: number;
  readonly faults: SimFaults;
}

export interface HostPlan {
  readonly segment: number;
  readonly isDhcp: boolean;
  /** An address of IPv6, too, where the segment can carry it. */
  readonly hasIpv6: boolean;
  readonly device: Partial<SimNetDeviceOptions>;
  /** Milliseconds; null: it stays up. */
  readonly crash: { readonly at: number; readonly downFor: number } | null;
}

export interface CutPlan {
  readonly link: number;
  readonly at: number;
  readonly length: number;
}

export interface NetworkOptions {
  readonly seed: number;
  readonly safetySeconds: number;
  /** Router i serves segment i; without any, there is one segment. */
  readonly routers: number;
  readonly segments: readonly SegmentPlan[];
  readonly links: readonly LinkPlan[];
  readonly hosts: readonly HostPlan[];
  /** One router joins all segments by IPv6, and hosts learn their addresses from it. */
  readonly hasIpv6Router: boolean;
  /** Routers that drop what is too large without a word (RFC 2923 §2.1). */
  readonly blackHoles: readonly number[];
  readonly cuts: readonly CutPlan[];
  readonly transfers: number;
  readonly transferBytesMax: number;
  readonly abortShare: number;
  readonly pauseShare: number;
  readonly dialogues: number;
  readonly shortConnections: number;
  readonly echoes: number;
  readonly vain: number;
}

const DOWN_MILLIS_MAX = 3_000;
const CUT_MILLIS_MAX = 3_000;

/** Most faults are absent in some networks: one with all of them hides bugs of one with few. */
function drawFaults(random: SimRandom, delay: Duration, most: number): SimFaults {
  const share = (limit: number): number => (random.chance(0.5) ? 0 : random.unit() * limit);
  return {
    ...noFaults(),
    delay,
    lossShare: share(most),
    duplicateShare: share(most / 2),
    reorderShare: share(most),
    reorderDelay: micros(Math.max(1, Math.round(delay * random.pick([0.5, 1, 3])))),
    corruptShare: share(most / 4),
  };
}

function drawWay(random: SimRandom, mtuBytes: number): WayPlan {
  const delay = micros(random.pick([100, 2_000, 10_000, 40_000]));
  return {
    faults: drawFaults(random, delay, 0.1),
    device: {
      mtuBytes,
      bitsPerSecond: random.pick([Number.POSITIVE_INFINITY, 1e8, 1e7, 2e6]),
      queueFramesMax: random.pick([5, 20, 100]),
    },
    weight: random.between(1, 5),
  };
}

function drawHost(random: SimRandom, segments: number, safetySeconds: number): HostPlan {
  const transmitChecksum = random.chance(0.5);
  const isCrashing = random.chance(0.2);
  return {
    segment: random.below(segments),
    isDhcp: random.chance(0.4),
    hasIpv6: random.chance(0.5),
    device: {
      bitsPerSecond: random.pick([Number.POSITIVE_INFINITY, 1e9, 1e8]),
      queueFramesMax: random.pick([4, 32, 256]),
      transmitChecksum,
      segmentBytesMax: transmitChecksum ? random.pick([0, 16_384, 65_535]) : 0,
      receivesPartialChecksums: random.chance(0.3),
    },
    crash: isCrashing
      ? {
          at: random.below(safetySeconds * 1_000),
          downFor: random.between(10, DOWN_MILLIS_MAX),
        }
      : null,
  };
}

/**
 * Leaves corruption in one place of the network only. A packet that loses a bit on each of two
 * links can have the same checksum as before (network 31622): that is the checksum's limit (RFC
 * 1071), and no fault of a stack.
 */
function corruptOnce(
  random: SimRandom,
  segments: readonly SegmentPlan[],
  links: readonly LinkPlan[],
): void {
  const places = [
    ...segments.map(({ faults }) => [faults]),
    ...links.map(({ there, back }) => [there.faults, back.faults]),
  ];
  const kept = random.below(places.length);
  for (const [i, faults] of places.entries()) {
    if (i !== kept) for (const each of faults) each.corruptShare = 0;
  }
}

/** A line or ring of routers, now and then with one more link across. */
function drawLinks(random: SimRandom, routers: number): LinkPlan[] {
  const pairs: [number, number][] = [];
  for (let i = 1; i < routers; i++) pairs.push([i - 1, i]);
  if (routers > 2 && random.chance(0.6)) pairs.push([routers - 1, 0]);
  if (routers > 3 && random.chance(0.3)) pairs.push([0, 2]);
  return pairs.map(([from, to]) => {
    const mtuBytes = random.pick([576, 1_280, 1_400, 1_500, 1_500, 9_000]);
    return {
      from,
      to,
      mtuBytes,
      there: drawWay(random, mtuBytes),
      back: drawWay(random, mtuBytes),
    };
  });
}

/** The same options for the same seed as long as this file stays as it is. */
export function drawNetwork(seed: number): NetworkOptions {
  const random = new SimRandom(seed);
  const safetySeconds = random.between(1, 6);
  const routers = random.pick([0, 1, 2, 2, 3, 4]);
  const segmentCount = Math.max(1, routers);
  const segments = Array.from({ length: segmentCount }, (): SegmentPlan => {
    const delay = micros(random.pick([20, 200, 1_000]));
    return {
      mtuBytes: random.pick([576, 1_500, 1_500, 9_000]),
      faults: drawFaults(random, delay, 0.05),
    };
  });
  const hostCount = random.pick([2, 3, 4, 6, 10, 20]);
  const hosts = Array.from({ length: hostCount }, () =>
    drawHost(random, segmentCount, safetySeconds),
  );
  const links = drawLinks(random, routers);
  corruptOnce(new SimRandom(seed + 1e9), segments, links);
  const cuts = links.flatMap((_, link): CutPlan[] =>
    random.chance(0.3)
      ? [
          {
            link,
            at: random.below(safetySeconds * 1_000),
            length: random.between(10, CUT_MILLIS_MAX),
          },
        ]
      : [],
  );
  return {
    seed,
    safetySeconds,
    routers,
    segments,
    links,
    hosts,
    hasIpv6Router: random.chance(0.6),
    blackHoles: Array.from({ length: routers }, (_, i) => i).filter(() => random.chance(0.15)),
    cuts,
    transfers: random.between(0, 6),
    transferBytesMax: random.pick([100, 20_000, 100_000]),
    abortShare: random.chance(0.5) ? 0 : 0.3,
    pauseShare: random.chance(0.5) ? 0 : 0.1,
    dialogues: random.between(0, 3),
    shortConnections: random.pick([0, 0, 10, 40]),
    echoes: random.pick([0, 5, 10]),
    vain: random.between(0, 2),
  };
}

/** The options in one line; the plans as JSON, what is usual left out. */
export const formatNetwork = (options: NetworkOptions): string =>
  Object.entries(options)
    .map(([name, value]) => `${name}=${JSON.stringify(value, shorter)}`)
    .join(' ');

const shorter = (_name: string, value: unknown): unknown => {
  if (value === 0 || value === null || value === false) return undefined;
  if (value === Number.POSITIVE_INFINITY) return undefined;
  return typeof value === 'number' ? +value.toFixed(4) : value;
};
