/**
 * `node tests/sim/main.ts --seed=N [--seeds=COUNT] [--minutes=M] [--pcap=FILE]`: runs seeds from N
 * on, COUNT of them or for so long. Exit codes: 0 passed, 1 usage, 3 crash, 4 liveness, 5
 * correctness.
 */

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { PcapRecorder } from '#targets/sim/index';
import { formatOptions } from './options.ts';
import { type Report, runSeed } from './scenario.ts';

const EXIT = { passed: 0, crash: 3, liveness: 4, correctness: 5 } as const;
const PCAP_FRAMES_MAX = 100_000;
const LINES_SHOWN = 20;

interface Arguments {
  readonly seed: number;
  readonly count: number;
  readonly deadline: number;
  readonly pcap: string | undefined;
}

/** Null when they make no sense. */
function readArguments(): Arguments | null {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string' },
        seeds: { type: 'string' },
        minutes: { type: 'string' },
        pcap: { type: 'string' },
      },
    });
    const seed = Number(values.seed ?? Number.NaN);
    const byTime = values.minutes !== undefined;
    const count = Number(values.seeds ?? (byTime ? Number.MAX_SAFE_INTEGER : 1));
    const deadline = byTime ? performance.now() + Number(values.minutes) * 60_000 : Infinity;
    const isSound =
      Number.isSafeInteger(seed) && seed >= 0 && count >= 1 && !Number.isNaN(deadline);
    return isSound ? { seed, count, deadline, pcap: values.pcap } : null;
  } catch {
    return null;
  }
}

function explain(report: Report): void {
  for (const line of report.lines.slice(-LINES_SHOWN)) console.error(`  ${line}`);
  console.error(report.error instanceof Error ? report.error.stack : String(report.error));
  console.error(`${report.verdict} at ${report.virtualSeconds} s of virtual time`);
  console.error(`replay: node tests/sim/main.ts --seed=${report.options.seed}`);
}

function main(): number {
  const given = readArguments();
  if (given === null) {
    console.error(
      'usage: node tests/sim/main.ts --seed=N [--seeds=COUNT] [--minutes=M] [--pcap=FILE]',
    );
    return 1;
  }
  let runs = 0;
  for (; runs < given.count && performance.now() < given.deadline; runs++) {
    const pcap = given.pcap === undefined ? null : new PcapRecorder(PCAP_FRAMES_MAX);
    const report = runSeed(given.seed + runs, (world) => {
      if (pcap !== null) world.network.tap = pcap.tap;
    });
    if (given.count === 1 || report.verdict !== 'passed')
      console.log(formatOptions(report.options));
    if (pcap !== null && given.pcap !== undefined) writeFileSync(given.pcap, pcap.bytes());
    if (report.verdict === 'passed') continue;
    explain(report);
    return EXIT[report.verdict];
  }
  console.log(`${runs} seeds passed`);
  return EXIT.passed;
}

process.exitCode = main();
