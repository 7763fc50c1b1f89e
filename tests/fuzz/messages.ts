/**
 * Fuzzes every wire module with messages of its own, and whole stacks on a hostile network, without
 * looking at what they reach. main.ts has the usage.
 */

import { SimRandom } from '#targets/sim/index';
import { runHostile } from './hostile-stack.ts';
import { registry } from './registry.ts';
import { fuzz, WireViolation } from './wire-case.ts';

const ROUNDS = 2_000;
const HOSTILE = 'hostile';
const HOSTILE_SECONDS = 20;

export interface Arguments {
  readonly seed: number;
  readonly deadline: number;
  readonly names: readonly string[];
}

/** Null when there is no such fuzzer. */
export function argumentsOf(
  seed: number,
  seconds: number,
  only: string | undefined,
): Arguments | null {
  const all = [...registry.map((wire) => wire.name), HOSTILE];
  const names = all.filter((name) => only === undefined || only === name);
  return names.length > 0 ? { seed, deadline: performance.now() + seconds * 1_000, names } : null;
}

/** Runs one fuzzer with one seed; returns what was tried. */
function runOne(name: string, seed: number): number {
  const wire = registry.find((entry) => entry.name === name);
  if (wire !== undefined) return fuzz(wire, new SimRandom(seed), ROUNDS).runs;
  return runHostile(seed, HOSTILE_SECONDS).rewritten;
}

/** Returns the exit code. */
export function runMessages(given: Arguments): number {
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
