import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '#core';
import { StockGit } from '../../../tests/helpers/git.ts';
import { mergeValues } from '../content/combinators.ts';
import { DIFF_EDITS_MAX } from '../limits.ts';
import { diff } from './diff.ts';
import { characters, hasMarks, lines, markedLines } from './text.ts';

const git = new StockGit();
after(() => git.remove());

const run = (type: typeof lines, base: string | undefined, ours?: string, theirs?: string) => {
  const merged = mergeValues(type.merge, base, ours, theirs);
  return merged.ok ? merged.value : merged.error.kind;
};

/** The longest common subsequence by its definition. */
function naiveCommon(a: readonly string[], b: readonly string[]): number {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const longer = Math.max(table[i - 1]![j]!, table[i]![j - 1]!);
      table[i]![j] = a[i - 1] === b[j - 1] ? table[i - 1]![j - 1]! + 1 : longer;
    }
  }
  return table[a.length]![b.length]!;
}

test('diff › any two lists › makes one of the other, with the fewest edits', () => {
  const items = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 });
  fc.assert(
    fc.property(items, items, (a, b) => {
      const hunks = diff(a, b);
      const made: string[] = [];
      let [at, edits] = [0, 0];
      for (const { aStart, aEnd, bStart, bEnd } of hunks) {
        assert.ok(aStart > at || at === 0, 'something equal between hunks');
        made.push(...a.slice(at, aStart), ...b.slice(bStart, bEnd));
        edits += aEnd - aStart + bEnd - bStart;
        at = aEnd;
      }
      made.push(...a.slice(at));
      assert.deepEqual(made, b);
      assert.equal(edits, a.length + b.length - 2 * naiveCommon(a, b));
    }),
  );
});

test('diff › as many edits as allowed, and one more › the shortest script; all of it', () => {
  const lists = (changed: number) => {
    const a = Array.from({ length: changed + 1 }, (_, i) => [`${i}`, `=${i}`]).flat();
    return [a, a.filter((_, i) => i % 2 === 1 || i >= 2 * changed)] as const;
  };
  assert.equal(diff(...lists(DIFF_EDITS_MAX)).length, DIFF_EDITS_MAX);
  const [a, b] = lists(DIFF_EDITS_MAX + 1);
  assert.deepEqual(diff(a, b).length, 1);
});

test('lines › edits that do not touch › are both taken; those that touch conflict', () => {
  const base = '1\n2\n3\n4\n5\n';
  assert.equal(run(lines, base, '1\nx\n3\n4\n5\n', '1\n2\n3\n4\ny\n'), '1\nx\n3\n4\ny\n');
  assert.equal(run(lines, base, '0\n1\n2\n3\n4\n5\n', '1\n2\n3\n4\n'), '0\n1\n2\n3\n4\n');
  assert.equal(run(lines, base, '1\nx\n3\n4\n5\n', '1\n2\ny\n4\n5\n'), 'both changed');
  assert.equal(run(lines, base, '1\nx\n3\n4\n5\n', '1\nx\n3\n4\n6\n'), '1\nx\n3\n4\n6\n');
  assert.equal(run(lines, base, `a\n${base}`, `b\n${base}`), 'both changed');
  assert.equal(run(lines, '1\n2', '1\n2\n', '0\n1\n2'), '0\n1\n2\n');
  assert.equal(run(lines, undefined, 'a', 'b'), 'both added');
  assert.equal(run(lines, base, undefined, 'b'), 'removed and changed');
  assert.equal(run(lines, base, undefined, base), undefined);
});

test('characters › edits inside of one line › are both taken', () => {
  assert.equal(
    run(characters, 'the cat sat', 'the fat cat sat', 'the cat sat 🎉'),
    'the fat cat sat 🎉',
  );
  assert.equal(run(characters, 'abc', 'aXc', 'aYc'), 'both changed');
  assert.equal(run(characters, 'a🎉b', 'a🎊b', 'a🎉bc'), 'a🎊bc');
});

test('lines, characters › sides swapped › the same; equal sides, or one unchanged › that', () => {
  const texts = fc
    .array(fc.constantFrom('a\n', 'b\n', 'c'), { maxLength: 8 })
    .map((all) => all.join(''));
  fc.assert(
    fc.property(texts, texts, texts, (base, ours, theirs) => {
      for (const type of [lines, characters]) {
        assert.equal(run(type, base, ours, theirs), run(type, base, theirs, ours));
        assert.equal(run(type, base, ours, ours), ours);
        assert.equal(run(type, base, base, theirs), theirs);
      }
    }),
  );
});

test('random texts of different lines › merged › as git merge-file does', async () => {
  const random = new SeededRandom(5);
  const edit = (base: readonly string[], who: string): string[] => {
    const items = [...base];
    for (let i = 1 + random.below(3); i > 0; i--) {
      const at = random.below(items.length + 1);
      items.splice(
        at,
        random.below(3),
        ...Array.from({ length: random.below(3) }, (_, n) => `${who}${i}${n}\n`),
      );
    }
    return items;
  };
  const cases = Array.from({ length: 60 }, (_, index) => {
    const base = Array.from({ length: 8 }, (_, line) => `${line}\n`);
    const texts = [edit(base, 'o'), base, edit(base, 't')].map((items) => items.join(''));
    for (const [side, text] of texts.entries()) writeFileSync(git.path(`${index}.${side}`), text);
    return texts as [string, string, string];
  });
  const script = `!for i in $(seq 0 ${cases.length - 1}); do
    git merge-file -p $i.0 $i.1 $i.2 2>/dev/null; echo "== $?"; done`;
  await git.run(['init', '-q', '--bare', '.']);
  const output = await git.run(['-c', `alias.each=${script}`, 'each']);
  let conflicts = 0;
  for (const [ours, base, theirs] of cases) {
    const merged = mergeValues(lines.merge, base, ours, theirs);
    if (!merged.ok) conflicts++;
  }
  const answers = [...`${output}\n`.matchAll(/([\s\S]*?)== (\d+)\n/g)];
  assert.equal(answers.length, cases.length);
  for (const [index, [, text, status]] of answers.entries()) {
    const [ours, base, theirs] = cases[index]!;
    const merged = run(lines, base, ours, theirs);
    assert.equal(merged, status === '0' ? text : 'both changed', `case ${index}`);
  }
  assert.ok(conflicts > 10 && conflicts < 50, `${conflicts} conflicts`);
});

test('markedLines › never a conflict; marks only where lines conflict; nothing new is lost', () => {
  const texts = fc.option(
    fc.array(fc.constantFrom('a\n', 'b\n', 'c'), { maxLength: 6 }).map((all) => all.join('')),
    { nil: undefined },
  );
  let marked = 0;
  fc.assert(
    fc.property(texts, texts, texts, (base, ours, theirs) => {
      const plain = mergeValues(lines.merge, base, ours, theirs);
      const merged = mergeValues(markedLines.merge, base, ours, theirs);
      assert.ok(merged.ok);
      const result = merged.value ?? '';
      if (plain.ok) assert.equal(merged.value, plain.value);
      if (hasMarks(result)) marked++;
      for (const line of `${ours ?? ''}\n${theirs ?? ''}`.split('\n')) {
        if (!base?.includes(line)) assert.ok(result.includes(line), `${line} in ${result}`);
      }
      const other = mergeValues(markedLines.merge, base, theirs, ours);
      assert.deepEqual(other, merged, 'symmetric');
    }),
    { numRuns: 500 },
  );
  assert.ok(marked > 50);
});

test('markedLines › a conflict › keeps both versions and what was before', () => {
  assert.equal(
    run(markedLines, '1\n2\n3\n', '1\nx\n3\n', '1\ny\n3\n'),
    '1\n<<<<<<< one side\nx\n||||||| before\n2\n=======\ny\n>>>>>>> other side\n3\n',
  );
  assert.equal(
    run(markedLines, '1', undefined, '2'),
    '<<<<<<< one side\n||||||| before\n1\n=======\n2\n>>>>>>> other side\n',
  );
  assert.equal(
    run(markedLines, undefined, 'a\nb\nz', 'a\nc\nz'),
    'a\n<<<<<<< one side\nb\n||||||| before\n=======\nc\n>>>>>>> other side\nz',
  );
});

test('markedLines › both inserted at one place › both insertions, what they share once', () => {
  assert.equal(run(markedLines, '1\n2\n', '1\nb\n2\n', '1\na\nc\n2\n'), '1\na\nc\nb\n2\n');
  assert.equal(run(markedLines, '', 'x\na\n', 'x\nb\n'), 'x\na\nb\n');
  assert.equal(run(markedLines, '1\n', '1\na', '1\nb'), '1\na\nb\n');
  assert.equal(run(markedLines, '1\n', '1\na\n', '1\na\nb\n'), '1\na\nb\n');
});
