/**
 * What `node tests/fuzz/main.ts --guided` runs: fuzzes the targets by coverage, each for its share
 * of the time, beginning with the corpus that is kept; `--write` keeps the new one instead.
 */

import { SimRandom } from '#targets/sim/index';
import { formatInput, parseInput, readCorpus, writeCorpus } from './corpus.ts';
import { BlockCoverage } from './coverage.ts';
import { Finding, GuidedEngine, type Input } from './engine.ts';
import type { GuidedTarget } from './target.ts';

export interface GuidedArguments {
  readonly seed: number;
  readonly seconds: number;
  readonly only: string | undefined;
  readonly isWritten: boolean;
  /** An input in hexadecimal, records separated by `/`: it alone is run. */
  readonly replay: string | undefined;
}

/** Longer inputs aren't kept: a corpus is a part of the source. */
const INPUT_BYTES_MAX = 500;

// Begins before the stack is loaded, below.
const coverage = new BlockCoverage((url) => url.includes('/packages/'));
const { stackTargets, targets } = await import('./targets.ts');
// What runs when a module is loaded doesn't run again.
coverage.mark();

export const targetNames: readonly string[] = targets.map(({ name }) => name);

/** Returns the exit code. */
export function runGuided(given: GuidedArguments): number {
  const chosen = targets.filter(({ name }) => given.only === undefined || given.only === name);
  if (given.replay !== undefined) return replay(chosen[0]!, given.replay);
  for (const target of chosen) {
    const deadline = performance.now() + (given.seconds * 1_000) / chosen.length;
    const code = runTarget(target, given, deadline);
    if (code !== 0) return code;
  }
  return 0;
}

function runTarget(target: GuidedTarget, given: GuidedArguments, deadline: number): number {
  const random = new SimRandom(given.seed);
  const measured = {
    take: () => new Set([...coverage.take()].filter((block) => target.isMeasured(block))),
  };
  const engine = new GuidedEngine(target, measured, random);
  try {
    for (const input of [
      ...readCorpus(target.name).map((kept) => kept.input),
      ...target.seeds(random),
    ]) {
      engine.add(input);
    }
    while (performance.now() < deadline) engine.step();
  } catch (error) {
    if (!(error instanceof Finding)) throw error;
    const { input, cause } = engine.shrink(error);
    console.error(cause instanceof Error ? cause.stack : String(cause));
    const hex = formatInput(input).trim().replaceAll('\n', '/');
    console.error(
      `replay: node tests/fuzz/main.ts --guided '--only=${target.name}' --replay=${hex}`,
    );
    return 3;
  }
  const corpus = smallest(target, engine.corpus);
  const isKept = stackTargets.includes(target);
  if (given.isWritten && isKept) writeCorpus(target.name, corpus);
  const { runs, blocks, words } = engine.tally;
  console.log(
    `${target.name}: ${runs} runs, ${corpus.length} inputs reach ${blocks} blocks, ${words} words`,
  );
  if (isKept) report(target, corpus);
  return 0;
}

const bytesOf = (input: Input): number => input.reduce((sum, { length }) => sum + length, 0);

/** Fewer inputs that reach as much: short ones first, and each must add something. */
function smallest(target: GuidedTarget, corpus: readonly Input[]): Input[] {
  const known = new Set<string>();
  return corpus
    .filter((input) => bytesOf(input) <= INPUT_BYTES_MAX)
    .sort((a, b) => bytesOf(a) - bytesOf(b))
    .filter((input) => {
      coverage.take();
      const words = target.run(input);
      const blocks = [...coverage.take()].filter((block) => target.isMeasured(block));
      const before = known.size;
      for (const each of [...words, ...blocks]) known.add(each);
      return known.size > before;
    });
}

function report(target: GuidedTarget, corpus: readonly Input[]): void {
  coverage.restart();
  for (const input of corpus) target.run(input);
  coverage.mark();
  let [all, covered] = [0, 0];
  for (const file of coverage.report().sort((a, b) => (a.path < b.path ? -1 : 1))) {
    if (!target.isMeasured(`file://${file.path}`)) continue;
    all += file.lines;
    covered += file.covered;
    const name = file.path.replace(/.*\/packages\//, 'packages/');
    const share = ((100 * file.covered) / Math.max(1, file.lines)).toFixed(0);
    console.log(`  ${share.padStart(3)} % of ${String(file.lines).padStart(4)} lines  ${name}`);
  }
  console.log(`  ${((100 * covered) / Math.max(1, all)).toFixed(1)} % of ${all} lines together`);
}

function replay(target: GuidedTarget, hex: string): number {
  try {
    for (const word of target.run(parseInput(hex.replaceAll('/', '\n')))) console.log(word);
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.stack : String(error));
    return 3;
  }
}
