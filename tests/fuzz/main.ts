/**
 * `node tests/fuzz/main.ts --seed=N --seconds=N [--only=NAME]`: fuzzes every wire module, and whole
 * stacks ('hostile'), for that long. Exit codes: 0 passed, 1 usage, 3 a stack threw, 5 a wire
 * module broke a promise.
 */

import { parseArgs } from 'node:util';
import { SimRandom } from '#targets/sim/index';
import { runHostile } from './hostile-stack.ts';
import { registry } from './registry.ts';
import { fuzz, WireViolation } from './wire-case.ts';

const ROUNDS = 2_000;
const HOSTILE = 'hostile';
const HOSTILE_SECONDS = 20;

interface Arguments {
  readonly seed: number;
  readonly deadline: number;
  readonly names: readonly string[];
}

/** Null when they make no sense. */
function readArguments(): Arguments | null {
  const all = [...registry.map((wire) => wire.name), HOSTILE];
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string', default: '1' },
        seconds: { type: 'string', default: '60' },
        only: { type: 'string' },
      },
    });
    const names = all.filter((name) => values.only === undefined || values.only === name);
    const seed = Number(values.seed);
    const deadline = performance.now() + Number(values.seconds) * 1000;
    const isSound = Number.isSafeInteger(seed) && !Number.isNaN(deadline) && names.length > 0;
    return isSound ? { seed, deadline, names } : null;
  } catch {
    return null;
  }
}

/** Runs one fuzzer with one seed; returns what was tried. */
function runOne(name: string, seed: number): number {
  const wire = registry.find((entry) => entry.name === name);
  if (wire !== undefined) return fuzz(wire, new SimRandom(seed), ROUNDS).runs;
  return runHostile(seed, HOSTILE_SECONDS).rewritten;
}

function main(): number {
  const given = readArguments();
  if (given === null) {
    console.error('usage: node tests/fuzz/main.ts --seed=N --seconds=N [--only=NAME]');
    return 1;
  }
  let runs = 0;
  for (let seed = given.seed; performance.now() < given.deadline; seed++) {
    for (const name of given.names) {
      try {
        runs += runOne(name, seed);
      } catch (error) {
        console.error(error instanceof Error ? error.stack : String(error));
        console.error(
          `replay: node tests/fuzz/main.ts --seed=${seed} --seconds=1 '--only=${name}'`,
        );
        return error instanceof WireViolation ? 5 : 3;
      }
    }
  }
  console.log(`${runs} messages, no violation`);
  return 0;
}

process.exitCode = main();
