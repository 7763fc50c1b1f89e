/**
 * Fuzzes every wire module with messages of its own, and whole stacks on a hostile network, without
 * looking at what they reach. main.ts has the usage.
 */

import { SimRandom } from '#targets/sim/index';
import { runHostileGateway } from './hostile-gateway.ts';
import { runHostileRouter } from './hostile-router.ts';
import { type HostileTally, runHostile } from './hostile-stack.ts';
import { runHostileTls } from './hostile-tls.ts';
import { registry } from './registry.ts';
import { fuzz, WireViolation } from './wire-case.ts';

const ROUNDS = 2_000;
const HOSTILE_SECONDS = 20;

/** Beside the wire modules: what runs whole stacks, by name. */
const HOSTILE = new Map<
  string,
  (seed: number, virtualSeconds: number) => HostileTally | Promise<HostileTally>
>([
  ['hostile', runHostile],
  ['hostile gateway', runHostileGateway],
  ['hostile router', runHostileRouter],
  ['hostile tls', runHostileTls],
]);

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
  const all = [...registry.map((wire) => wire.name), ...HOSTILE.keys()];
  const names = all.filter((name) => only === undefined || only === name);
  return names.length > 0 ? { seed, deadline: performance.now() + seconds * 1_000, names } : null;
}

/** Runs one fuzzer with one seed; returns what was tried. */
async function runOne(name: string, seed: number): Promise<number> {
  const hostile = HOSTILE.get(name);
  if (hostile !== undefined) return (await hostile(seed, HOSTILE_SECONDS)).rewritten;
  const wire = registry.find((entry) => entry.name === name)!;
  return fuzz(wire, new SimRandom(seed), ROUNDS).runs;
}

/** Returns the exit code. */
export async function runMessages(given: Arguments): Promise<number> {
  let runs = 0;
  for (let seed = given.seed; performance.now() < given.deadline; seed++) {
    for (const name of given.names) {
      try {
        runs += await runOne(name, seed);
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
