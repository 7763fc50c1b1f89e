/** What the bench measured, as data: one line per published number and network. */
import type { MachineName } from './machines.ts';
import type { NetKind } from './network.ts';

export interface Line {
  id: string;
  what: string;
  unit: string;
  /** Null where the network plays no part. */
  net: NetKind | null;
  better: 'less' | 'more';
  /** Every sample, in the order of measuring; a machine that wasn't measured is absent. */
  samples: Partial<Record<MachineName, number[]>>;
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Of at least one sample. */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

export function medianOf(line: Line, name: MachineName): number | null {
  const samples = line.samples[name];
  return samples === undefined || samples.length === 0 ? null : spreadOf(samples).median;
}

export function addSample(line: Line, name: MachineName, value: number): void {
  const samples = line.samples[name] ?? [];
  samples.push(value);
  line.samples[name] = samples;
}
