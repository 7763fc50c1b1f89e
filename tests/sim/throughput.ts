/**
 * Megabits a second each way over loss and delay: the shape of our TCP on a 1 Gbit/s link, the same
 * in every run. `node tests/sim/throughput.ts` prints the table; `--write` also makes it the
 * snapshot.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { millis } from '#core';
import { moveBulk } from './bulk.ts';

/** Shares of frames lost, in percent; and milliseconds one way. */
const LOSS_PERCENT = [0, 0.1, 1, 3, 10] as const;
const DELAY_MILLIS = [0.1, 5, 50] as const;
const BYTES = 1_000_000;
const SNAPSHOT = new URL('./throughput.snapshot.json', import.meta.url);

export type Throughput = Record<string, number>;

/** By "loss 1 %, delay 5 ms": the median of three seeds, to three digits. */
export function measureThroughput(): Throughput {
  const table: Throughput = {};
  for (const lossPercent of LOSS_PERCENT) {
    for (const delayMillis of DELAY_MILLIS) {
      const rates = [1, 2, 3].map((seed) => {
        const faults = { delay: millis(delayMillis), lossShare: lossPercent / 100 };
        const report = moveBulk({ seed, bytes: BYTES, faults, device: { bitsPerSecond: 1e9 } });
        return (BYTES * 8) / 1e6 / report.virtualSeconds;
      });
      const median = rates.sort((a, b) => a - b)[1]!;
      table[`loss ${lossPercent} %, delay ${delayMillis} ms`] = Number(median.toPrecision(3));
    }
  }
  return table;
}

export const readSnapshot = (): Throughput =>
  JSON.parse(readFileSync(SNAPSHOT, 'utf8')) as Throughput;

if (import.meta.main) {
  const table = measureThroughput();
  for (const [name, rate] of Object.entries(table)) console.log(`${name}: ${rate} Mbit/s`);
  if (process.argv.includes('--write')) {
    writeFileSync(SNAPSHOT, `${JSON.stringify(table, null, 2)}\n`);
  }
}
