/**
 * The corpora of the guided fuzzer hold what they found once; and the fuzzer finds what must be
 * found. `node tests/fuzz/main.ts --guided` makes new ones.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimRandom } from '#targets/sim/index';
import { formatInput, parseInput, readCorpus } from './guided/corpus.ts';
import { type CoverageSource, Finding, GuidedEngine, type Input } from './guided/engine.ts';
import type { GuidedTarget } from './guided/target.ts';
import { stackTargets } from './guided/targets.ts';

for (const target of stackTargets) {
  test(`${target.name} › its corpus › whatever must hold does`, () => {
    const corpus = readCorpus(target.name);
    assert.ok(corpus.length > 30, `${corpus.length} inputs`);
    for (const { name, input } of corpus) {
      assert.doesNotThrow(() => target.run(input), name);
    }
  });

  test(`${target.name} › an input run twice › the same words`, () => {
    const { input } = readCorpus(target.name).at(-1)!;
    assert.deepEqual(target.run(input), target.run(input));
  });
}

/** Fails for three records that begin with 'b', 'u', 'g'; each one right is a word of its own. */
function lock(isGuiding: boolean): GuidedTarget {
  return {
    name: 'lock',
    isMeasured: () => true,
    seeds: () => [[Uint8Array.of(0)]],
    draw: (random) => Uint8Array.of(random.below(256), random.below(256)),
    mutate(record, random) {
      record[0] = random.below(256);
      return record;
    },
    run(input) {
      let open = 0;
      for (const record of input) if (record[0] === 'bug'.charCodeAt(open)) open += 1;
      if (open >= 3) throw new RangeError('planted');
      return isGuiding ? [`open ${open}`] : [];
    },
  };
}

const noCoverage: CoverageSource = { take: () => new Set() };

function findLock(isGuiding: boolean): Finding | null {
  const engine = new GuidedEngine(lock(isGuiding), noCoverage, new SimRandom(1));
  try {
    engine.add([Uint8Array.of(0)]);
    for (let i = 0; i < 1_500; i++) engine.step();
    return null;
  } catch (error) {
    if (error instanceof Finding) return engine.shrink(error);
    throw error;
  }
}

test('canary › three records in order › found by guidance, cut to three; not without it', () => {
  const found = findLock(true);
  assert.ok(found !== null);
  assert.deepEqual(
    found.input.map(([first]) => first),
    [...'bug'].map((letter) => letter.charCodeAt(0)),
  );
  assert.equal(findLock(false), null);
});

test('corpus files › written and read › the same input', () => {
  const input: Input = [Uint8Array.of(1, 2), Uint8Array.of(255)];
  assert.deepEqual(parseInput(formatInput(input)), input);
  assert.deepEqual(parseInput('# a comment\n0102 # here too\n\nff\n'), input);
});
