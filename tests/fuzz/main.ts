/**
 * `node tests/fuzz/main.ts --seed=N --seconds=N [--only=NAME]`: fuzzes every wire module, whole
 * stacks ('hostile'), a gateway ('hostile gateway'), a router ('hostile router') and both ends of
 * TLS ('hostile tls'), for that long.
 * With `--guided`: the targets of guided/ by coverage, beginning with the corpus, which `--write`
 * replaces by what was found; `--replay=HEX` runs one input. Exit codes: 0 passed, 1 usage, 3 a
 * stack threw, 5 a wire module broke a promise.
 */

import { parseArgs } from 'node:util';

const USAGE =
  'usage: node tests/fuzz/main.ts [--seed=N] [--seconds=N] [--only=NAME] ' +
  '[--guided [--write] [--replay=HEX]]';

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string', default: '1' },
        seconds: { type: 'string', default: '60' },
        only: { type: 'string' },
        guided: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        replay: { type: 'string' },
      },
    });
    const seed = Number(values.seed);
    const seconds = Number(values.seconds);
    const isSound = Number.isSafeInteger(seed) && !Number.isNaN(seconds);
    return isSound ? { ...values, seed, seconds } : null;
  } catch {
    return null;
  }
}

/** What is fuzzed is loaded here only: coverage must begin before. */
async function main(): Promise<number | null> {
  const given = readArguments();
  if (given === null) return null;
  const { seed, seconds, only, guided, write, replay } = given;
  if (guided) {
    const { runGuided, targetNames } = await import('./guided/main.ts');
    if (only !== undefined && !targetNames.includes(only)) return null;
    return runGuided({ seed, seconds, only, isWritten: write, replay });
  }
  const { argumentsOf, runMessages } = await import('./messages.ts');
  const messages = argumentsOf(seed, seconds, only);
  return messages === null ? null : runMessages(messages);
}

const code = await main();
if (code === null) console.error(USAGE);
process.exitCode = code ?? 1;
