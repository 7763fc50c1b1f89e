/**
 * One connection that moves `bytes` both ways at once over a lossy link, every byte checked as it
 * arrives.
 */

import { instantOfMicros, millis } from '#core';
import type { Flow } from '#device';
import { parseIpv4Address } from '#net';
import { type SimFaults, type SimNetDeviceOptions, SimWorld } from '#targets/sim/index';
import { PatternSink, PatternSource } from './pattern.ts';
import { StackHost } from './stack-host.ts';

export interface BulkReport {
  readonly virtualSeconds: number;
  readonly lost: number;
  readonly retransmitted: number;
  readonly timeouts: number;
  readonly framesCarried: number;
}

const PORT = 5001;
const PIECE_BYTES = 16_384;
const LOW_WATER_BYTES = 131_072;

export interface BulkPlan {
  readonly seed: number;
  /** Each way. */
  readonly bytes: number;
  readonly faults: Partial<SimFaults>;
  readonly device: Partial<SimNetDeviceOptions>;
}

/**
 * This share of frames is lost, as much repeated, and as much reordered; a millisecond each way.
 */
export const evenFaults = (share: number): Partial<SimFaults> => ({
  delay: millis(1),
  lossShare: share,
  duplicateShare: share,
  reorderShare: share,
  reorderDelay: millis(3),
});

/** Throws Violation for wrong content, SimTimeout when it takes over an hour of virtual time. */
export function moveBulk({ seed, bytes, faults, device }: BulkPlan): BulkReport {
  const world = new SimWorld(seed);
  world.checkEvery = 500;
  Object.assign(world.network.faults, faults);
  const [a, b] = ['a', 'b'].map((name) => new StackHost(world, name, device)) as [
    StackHost,
    StackHost,
  ];
  const address = parseIpv4Address('10.0.0.2')!;
  a.configure(parseIpv4Address('10.0.0.1')!, 24);
  b.configure(address, 24);
  let closed = 0;
  const join = (flow: Flow, name: string, sends: number, takes: number): void => {
    flow.lowWaterBytes = LOW_WATER_BYTES;
    const source = new PatternSource(flow, sends, bytes, () => PIECE_BYTES);
    const sink = new PatternSink(name, takes, bytes);
    flow.attach({
      data: (arrived) => sink.take(arrived),
      drained: () => source.pump(),
      end: () => sink.end(),
      closed: (how) => {
        if (how === 'closed') closed += 1;
      },
    });
    source.pump();
  };
  b.tcp.listen(PORT, (flow) => join(flow, 'a to b', 2, 1));
  a.tcp.connect(address, PORT, (result) => {
    if (result.ok) join(result.value, 'b to a', 1, 2);
  });
  world.runUntil(() => closed === 2, instantOfMicros(3_600e6));
  return {
    virtualSeconds: world.timers.now / 1e6,
    lost: world.network.counters.lost,
    retransmitted: (a.tcp.counters().retransmitted ?? 0) + (b.tcp.counters().retransmitted ?? 0),
    timeouts: (a.tcp.counters().timeouts ?? 0) + (b.tcp.counters().timeouts ?? 0),
    framesCarried: world.network.counters.carried,
  };
}
