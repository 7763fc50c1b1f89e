/**
 * `node tests/sim/main.ts --seed=N` runs one seed; `--seeds=A..B`, or `--seed=N` with
 * `--seeds=COUNT` or `--minutes=M`, many. Each seed means one run of both scenarios, or of the one
 * that `--scenario` names. `--pcap=FILE` records the last run; `--all` goes on after a failure.
 * Exit codes: 0 passed, 1 usage, 3 crash, 4 liveness, 5 correctness.
 */

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { PcapRecorder, type SimWorld } from '#targets/sim/index';
import { type Report, runSeed, type Scenario, type Verdict } from './scenario.ts';

const EXIT = { passed: 0, crash: 3, liveness: 4, correctness: 5 } as const;
const PCAP_FRAMES_MAX = 100_000;
const LINES_SHOWN = 20;

const USAGE =
  'usage: node tests/sim/main.ts --seed=N [--seeds=COUNT|A..B] [--minutes=M] ' +
  '[--scenario=lan|network] [--pcap=FILE] [--all]';

interface Arguments {
  readonly seed: number;
  readonly count: number;
  readonly deadline: number;
  readonly scenarios: readonly Scenario[];
  readonly pcap: string | undefined;
  readonly goesOn: boolean;
}

/** Null when they make no sense. */
function readArguments(): Arguments | null {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string' },
        seeds: { type: 'string' },
        minutes: { type: 'string' },
        scenario: { type: 'string' },
        pcap: { type: 'string' },
        all: { type: 'boolean', default: false },
      },
    });
    const range = /^(\d+)\.\.(\d+)$/.exec(values.seeds ?? '');
    const seed = Number(range?.[1] ?? values.seed ?? Number.NaN);
    const byTime = values.minutes !== undefined;
    const count =
      range === null
        ? Number(values.seeds ?? (byTime ? Number.MAX_SAFE_INTEGER : 1))
        : Number(range[2]) - seed + 1;
    const deadline = byTime ? performance.now() + Number(values.minutes) * 60_000 : Infinity;
    const { scenario, pcap, all: goesOn } = values;
    const scenarios: readonly Scenario[] =
      scenario === 'lan' || scenario === 'network' ? [scenario] : ['lan', 'network'];
    const isKnown = scenario === undefined || scenarios.length === 1;
    const isSound =
      Number.isSafeInteger(seed) && seed >= 0 && count >= 1 && !Number.isNaN(deadline) && isKnown;
    return isSound ? { seed, count, deadline, scenarios, pcap, goesOn } : null;
  } catch {
    return null;
  }
}

function explain(report: Report): void {
  for (const line of report.lines.slice(-LINES_SHOWN)) console.error(`  ${line}`);
  console.error(report.error instanceof Error ? report.error.stack : String(report.error));
  console.error(`${report.verdict} at ${report.virtualSeconds} s of virtual time`);
  console.error(`replay: ${report.replay}`);
}

function main(): number {
  const given = readArguments();
  if (given === null) {
    console.error(USAGE);
    return 1;
  }
  let runs = 0;
  let worst: Verdict = 'passed';
  for (; runs < given.count && performance.now() < given.deadline; runs++) {
    for (const scenario of given.scenarios) {
      const { verdict } = runOne(given, given.seed + runs, scenario);
      if (verdict === 'passed') continue;
      worst = verdict;
      if (!given.goesOn) return EXIT[verdict];
    }
  }
  console.log(worst === 'passed' ? `${runs} seeds passed` : `${runs} seeds, not all passed`);
  return EXIT[worst];
}

function runOne({ count, pcap: file }: Arguments, seed: number, scenario: Scenario): Report {
  const pcap = file === undefined ? null : new PcapRecorder(PCAP_FRAMES_MAX);
  const prepare = (world: SimWorld): void => {
    if (pcap !== null) world.network.tap = pcap.tap;
  };
  const report = runSeed(seed, prepare, scenario);
  const isPassed = report.verdict === 'passed';
  if (count === 1 || !isPassed) console.log(`${scenario} ${report.options}`);
  if (pcap !== null && file !== undefined) writeFileSync(file, pcap.bytes());
  if (!isPassed) explain(report);
  return report;
}

process.exitCode = main();
