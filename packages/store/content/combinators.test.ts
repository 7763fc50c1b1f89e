import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { err, ok } from '#core';
import * as c from './combinators.ts';
import { equalPlain } from './equal.ts';
import { type Base, conflict, formatConflict, type Merge, type Optional } from './merge.ts';

const run = <T>(merge: Merge<T>, base: Optional<T>, ours: T, theirs: T) => {
  const merged = c.mergeValues(merge, base, ours, theirs);
  return merged.ok ? merged.value : `${merged.error.kind} @${merged.error.where.join('/')}`;
};
const unused: Base<never> = () => assert.fail('the base was asked for');
const broken: Base<never> = () => err(conflict('no base', 'the ancestors conflict'));

test('byChange › one side changed › it is taken; both changed › conflict', () => {
  const merge = c.byChange<number>();
  assert.equal(run(merge, 1, 2, 1), 2);
  assert.equal(run(merge, 1, 1, 3), 3);
  assert.equal(run(merge, 1, 2, 2), 2);
  assert.equal(run(merge, undefined, 2, 2), 2);
  assert.equal(run(merge, 1, 2, 3), 'both changed @');
  assert.equal(run(merge, undefined, 2, 3), 'both added @');
});

test('byChange › absent values › an addition, a removal, a removal of what changed', () => {
  const merge = c.byChange<Optional<number>>();
  assert.equal(run(merge, undefined, 2, undefined), 2);
  assert.equal(run(merge, undefined, undefined, 2), 2);
  assert.equal(run(merge, 2, 2, undefined), undefined);
  assert.equal(run(merge, 1, 2, undefined), 'both changed @');
});

test('equal sides › a base that conflicts › is never asked for', () => {
  assert.deepEqual(c.byChange<number>()(unused, 4, 4), ok(4));
  assert.deepEqual(c.idempotent<number>()(unused, 4, 4), ok(4));
  assert.deepEqual(c.option(c.byChange<number>())(unused, undefined, undefined), ok(undefined));
});

test('a merge that needs the base › a base that conflicts › is that conflict', () => {
  const merges = [c.byChange<number>(), c.counter];
  for (const merge of merges) {
    const merged = merge(broken, 1, 2);
    assert.equal(merged.ok ? 'merged' : merged.error.kind, 'no base');
  }
  assert.equal(c.set<number>()(broken, new Set([1]), new Set()).ok, false);
  assert.equal(c.multiset<number>()(broken, new Map([[1, 1]]), new Map()).ok, false);
  assert.equal(c.option(c.counter)(broken, undefined, 1).ok, false);
});

test('option › removed here, changed there › conflict; unchanged there › removed', () => {
  const merge = c.option(c.counter);
  assert.equal(run(merge, 5, undefined, 5), undefined);
  assert.equal(run(merge, 5, 5, undefined), undefined);
  assert.equal(run(merge, 5, undefined, 6), 'removed and changed @');
  assert.equal(run(merge, 5, 6, undefined), 'removed and changed @');
  assert.equal(run(merge, undefined, undefined, 6), 6);
  assert.equal(run(merge, 5, 6, 7), 8);
});

test('tuple, pair, record › a part conflicts › the conflict says which', () => {
  const plain = c.byChange<number>();
  assert.deepEqual(run(c.pair(plain, c.counter), [1, 1], [2, 4], [1, 3]), [2, 6]);
  assert.equal(
    run<[number, number]>(c.tuple<[number, number]>(plain, plain), [1, 1], [1, 2], [1, 3]),
    'both changed @1',
  );
  interface Person {
    name: string;
    visits: number;
    email?: string | undefined;
  }
  const person = c.record<Person>({
    name: c.byChange<string>(),
    visits: c.counter,
    email: c.option(c.byChange<string>()),
  });
  const base = { name: 'a', visits: 1, email: 'x' };
  assert.deepEqual(
    run(person, base, { name: 'b', visits: 2, email: 'x' }, { name: 'a', visits: 5 }),
    { name: 'b', visits: 6 },
  );
  assert.equal(
    run(person, base, { ...base, email: 'y' }, { name: 'a', visits: 1 }),
    'removed and changed @email',
  );
  assert.equal(run(person, undefined, base, { ...base, name: 'z' }), 'both added @name');
});

test('map › additions kept, removals stay, common keys merge; the key of a conflict is named', () => {
  const merge = c.map(c.option(c.counter));
  const of = (entries: Record<string, number>) => new Map(Object.entries(entries));
  const merged = run(merge, of({ a: 1, b: 2, d: 4 }), of({ a: 2, c: 3, d: 4 }), of({ a: 4, b: 2 }));
  assert.deepEqual(merged, of({ a: 5, c: 3 }));
  assert.equal(run(merge, of({ b: 2 }), of({}), of({ b: 3 })), 'removed and changed @b');
  assert.equal(run(merge, undefined, of({ a: 1 }), of({ a: 2 }))?.toString(), '[object Map]');
  const list = c.listAsMap(c.option(c.counter));
  const sides = [
    [['z', 2]],
    [
      ['b', 1],
      ['z', 1],
    ],
  ] as const;
  assert.deepEqual(run(list, [['z', 1]], ...sides), [
    ['b', 1],
    ['z', 2],
  ]);
});

test('seq › the first that succeeds, else the last conflict', () => {
  const no = (message: string): Merge<number> => c.refuse('rule', message);
  assert.equal(run(c.seq(no('first'), c.counter), 0, 1, 2), 3);
  const both = c.mergeValues(c.seq(no('first'), no('last')), 0, 1, 2);
  assert.equal(both.ok ? '' : both.error.message, 'last');
});

test('like, likeResult › a value that has no counterpart › is the conflict', () => {
  const text = c.like<string, number>(c.counter, Number, String);
  assert.equal(run(text, '1', '3', '4'), '6');
  const there = (value: string) =>
    /^\d+$/.test(value) ? ok(Number(value)) : err(conflict('undecodable', `${value}?`));
  const checked = c.likeResult<string, number>(c.counter, there, (value) => ok(String(value)));
  assert.equal(run(checked, '1', '3', '4'), '6');
  assert.equal(run(checked, undefined, '3', '4'), '7');
  assert.equal(run(checked, '1', 'x', '4'), 'undecodable @');
  assert.equal(run(checked, '1', '4', 'x'), 'undecodable @');
  assert.equal(run(checked, 'x', '4', '5'), 'undecodable @');
});

test('withConflict, alternatives, latest › say it in other words, choose, take the greater', () => {
  const worded = c.withConflict(c.byChange<number>(), (old) => ({ ...old, message: 'sold twice' }));
  const merged = c.mergeValues(worded, 1, 2, 3);
  assert.equal(merged.ok ? '' : formatConflict(merged.error), 'sold twice');
  const either = c.alternatives<number | string>((ours, theirs) =>
    typeof ours === 'number' && typeof theirs === 'number'
      ? (c.counter as Merge<number | string>)
      : null,
  );
  assert.equal(run(either, 1, 2, 3), 4);
  assert.equal(run(either, 1, 2, 'x'), 'both changed @');
  const greater = c.latest<number>((a, b) => a - b);
  assert.equal(run(greater, 9, 2, 3), 3);
});

test('counter, multiset › past what a number holds › conflict, not a wrong sum', () => {
  const most = Number.MAX_SAFE_INTEGER;
  assert.equal(run(c.counter, 0, most, 0), most);
  assert.equal(run(c.counter, 0, most, 1), 'out of range @');
  const merge = c.multiset<string>();
  assert.equal(
    run(merge, new Map(), new Map([['x', most]]), new Map([['x', 1]])),
    'out of range @',
  );
  assert.deepEqual(
    run(merge, new Map([['x', 2]]), new Map([['x', 1]]), new Map([['x', 1]])),
    new Map(),
  );
  assert.deepEqual(run(merge, new Map([['x', 1]]), new Map(), new Map()), new Map([['x', -1]]));
});

test('sets, multisets, maps, by change › sides swapped › same outcome', () => {
  const small = fc.integer({ min: 0, max: 3 });
  const sets = fc.array(small, { maxLength: 4 }).map((items) => new Set(items));
  const bags = fc
    .array(fc.tuple(small, fc.integer({ min: 1, max: 3 })), { maxLength: 4 })
    .map((items) => new Map(items));
  const maps = fc
    .dictionary(fc.constantFrom('a', 'b', 'c'), small)
    .map((o) => new Map(Object.entries(o)));
  const symmetric = <T>(merge: Merge<T>, values: fc.Arbitrary<T>) =>
    fc.assert(
      fc.property(fc.option(values, { nil: undefined }), values, values, (base, ours, theirs) => {
        const one = c.mergeValues(merge, base, ours, theirs);
        const other = c.mergeValues(merge, base, theirs, ours);
        assert.equal(one.ok, other.ok);
        if (one.ok && other.ok) assert.ok(equalPlain(one.value, other.value));
      }),
    );
  symmetric(c.set<number>(), sets);
  symmetric(c.multiset<number>(), bags);
  symmetric(c.map(c.option(c.byChange<number>())), maps);
  symmetric(c.byChange<number>(), small);
});
