/**
 * `node tests/fuzz/main.ts --seed=N --seconds=N [--only=NAME]`: fuzzes every wire module for that
 * long.
 */

import { parseArgs } from 'node:util';
import { SimRandom } from '#targets/sim/index';
import { registry } from './registry.ts';
import { fuzz, WireViolation } from './wire-case.ts';

const ROUNDS = 2_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '60' },
    only: { type: 'string' },
  },
});
const chosen = registry.filter((wire) => values.only === undefined || wire.name === values.only);
const firstSeed = Number(values.seed);
const deadline = performance.now() + Number(values.seconds) * 1000;
if (chosen.length === 0 || !Number.isSafeInteger(firstSeed) || Number.isNaN(deadline)) {
  console.error('usage: node tests/fuzz/main.ts --seed=N --seconds=N [--only=NAME]');
  process.exit(1);
}
let runs = 0;
for (let seed = firstSeed; performance.now() < deadline; seed++) {
  for (const wire of chosen) {
    try {
      runs += fuzz(wire, new SimRandom(seed), ROUNDS).runs;
    } catch (error) {
      if (!(error instanceof WireViolation)) throw error;
      console.error(error.message);
      console.error(
        `replay: node tests/fuzz/main.ts --seed=${seed} --seconds=1 '--only=${wire.name}'`,
      );
      process.exit(5);
    }
  }
}
console.log(`${runs} messages, no violation`);
