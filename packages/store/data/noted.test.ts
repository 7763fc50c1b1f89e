import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hot } from '#core';
import { mergeValues, option, total } from '../content/combinators.ts';
import { equalPlain } from '../content/equal.ts';
import type { JsonObject } from '../content/json.ts';
import { json } from '../content/stock.ts';
import { NOTES_MAX } from '../limits.ts';
import { counter } from './counter.ts';
import { integer, optional, record, text } from './form.ts';
import { noted, notedContent } from './noted.ts';
import { notedJson } from './noted-json.ts';

const fields = { name: text, email: optional(text), visits: counter };
const plain = record(fields);
const person = notedContent('person', fields);
type Person = { name: string; email?: string; visits: number };
const of = (value: Person) => ({ value, notes: [] });
const merge = (base: Person | undefined, ours: Person | undefined, theirs: Person | undefined) => {
  const [old, left, right] = [base, ours, theirs].map((one) => one && of(one));
  const merged = mergeValues(person.merge, old, left, right);
  assert.ok(merged.ok, 'never a conflict');
  return merged.value;
};

test('a noted record › fields that do not merge › one value, and a note of the other', () => {
  const base = { name: 'a', email: 'x', visits: 1 };
  const merged = merge(base, { name: 'b', email: 'x', visits: 2 }, { name: 'c', visits: 5 });
  assert.deepEqual(merged, {
    value: { name: 'c', visits: 6 },
    notes: [{ field: 'name', other: 'b', why: 'both changed' }],
  });
  const gone = merge(base, { ...base, email: 'y' }, { name: 'a', visits: 1 });
  assert.deepEqual(gone, {
    value: { ...base, email: 'y' },
    notes: [{ field: 'email', other: null, why: 'removed and changed' }],
  });
  const whole = merge(base, undefined, { ...base, visits: 2 });
  assert.equal(whole?.value.visits, 2);
  assert.equal(whole.notes[0]?.field, null);
  assert.equal(merge(base, undefined, base), undefined);
});

test('any three records › merged › a note exactly when the plain merge conflicts; symmetric', () => {
  const letters = fc.constantFrom('a', 'b', 'c');
  const people = fc.option(
    fc
      .tuple(letters, fc.option(letters, { nil: undefined }), fc.nat(3))
      .map(
        ([name, email, visits]): Person =>
          email === undefined ? { name, visits } : { name, email, visits },
      ),
    { nil: undefined, freq: 8 },
  );
  let conflicts = 0;
  fc.assert(
    fc.property(people, people, people, (base, ours, theirs) => {
      const strict = mergeValues(option(plain.merge), base, ours, theirs);
      const merged = merge(base, ours, theirs);
      assert.equal((merged?.notes.length ?? 0) > 0, !strict.ok);
      if (strict.ok) assert.ok(equalPlain(merged?.value, strict.value));
      else conflicts++;
      assert.ok(equalPlain(merge(base, theirs, ours), merged));
      if (merged === undefined) return;
      const decoded = person.decode(person.encode(merged));
      assert.ok(decoded.ok && equalPlain(decoded.value, merged));
    }),
    { numRuns: 500 },
  );
  assert.ok(conflicts > 50);
});

test('notes › of both sides › are kept; one that a side took away is gone', () => {
  const { merge: mergeForms } = noted(fields);
  const value = { name: 'a', visits: 0 };
  const note = (field: string) => ({ field, other: 1, why: 'both changed' });
  const merged = mergeValues(
    mergeForms,
    { value, notes: [note('a'), note('b')] },
    { value, notes: [note('a'), note('c')] },
    { value, notes: [note('a'), note('b'), note('d')] },
  );
  assert.ok(merged.ok);
  assert.deepEqual(
    merged.value.notes.map(({ field }) => field),
    ['a', 'c', 'd'],
  );
  const many = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => note(`n${String(from + i).padStart(4, '0')}`));
  for (const count of [NOTES_MAX, NOTES_MAX + 1]) {
    const half = count >> 1;
    const sides = [many(0, half), many(half, count - half)].map((notes) => ({ value, notes }));
    const kept = mergeValues(mergeForms, { value, notes: [] }, sides[0]!, sides[1]!);
    assert.ok(kept.ok);
    assert.equal(kept.value.notes.length, NOTES_MAX);
    assert.equal(kept.value.notes[0]!.field, `n000${count - NOTES_MAX}`);
  }
});

test('noted records › JSON of another shape › a fault', () => {
  const faults = [
    '{"name":"a","visits":1,"conflicts":7}',
    '{"name":"a","visits":1,"conflicts":[7]}',
  ];
  faults.push('{"name":"a","visits":1,"conflicts":[{"why":1}]}', '[]', '{"visits":1}');
  faults.push('{"name":"a","visits":1,"conflicts":[{"why":"x","field":1}]}');
  for (const fault of faults) assert.equal(person.decode(hot.utf8Encode(fault)).ok, false, fault);
});

const mergeJson = (base?: JsonObject, ours?: JsonObject, theirs?: JsonObject) => {
  const [old, left, right] = [base, ours, theirs].map((one) => one && { value: one, notes: [] });
  const merged = mergeValues(notedJson.merge, old, left, right);
  assert.ok(merged.ok, 'never a conflict');
  return merged.value;
};

test('noted JSON › names that do not merge › one value, and a note that says where', () => {
  const base = { a: { b: 1, c: [1] }, 'x/~': 1 };
  const merged = mergeJson(
    base,
    { a: { b: 2, c: [1, 2], d: 1 }, 'x/~': 2 },
    { a: { b: 3, c: [1] }, 'x/~': {} },
  );
  assert.deepEqual(merged, {
    value: { a: { b: 3, c: [1, 2], d: 1 }, 'x/~': {} },
    notes: [
      { field: '/a/b', other: 2, why: 'both changed' },
      { field: '/x~1~0', other: 2, why: 'both changed' },
    ],
  });
  assert.deepEqual(mergeJson(base, undefined, { a: 1 }), {
    value: { a: 1 },
    notes: [{ field: null, other: null, why: 'removed and changed' }],
  });
  const bytes = notedJson.encode(merged!);
  const read = notedJson.decode(bytes);
  assert.ok(read.ok && equalPlain(read.value, merged));
  for (const text of ['[]', '{"conflicts":1}', '{"conflicts":[1]}', '{']) {
    assert.equal(notedJson.decode(hot.utf8Encode(text)).ok, false);
  }
});

test('noted JSON › any three › symmetric; a note exactly when JSON conflicts', () => {
  const { one } = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 2 }, fc.constantFrom(1, 2, 'x', [1]), tie('one')),
    one: fc.dictionary(fc.constantFrom('a', 'b'), tie('any'), { maxKeys: 2 }),
  })) as { one: fc.Arbitrary<JsonObject> };
  fc.assert(
    fc.property(one, one, one, (base, ours, theirs) => {
      const strict = mergeValues(json.merge, base, ours, theirs);
      const merged = mergeJson(base, ours, theirs)!;
      assert.ok(equalPlain(mergeJson(base, theirs, ours), merged));
      assert.equal(merged.notes.length > 0, !strict.ok);
      if (strict.ok) assert.ok(equalPlain(merged.value, strict.value));
    }),
    { numRuns: 500 },
  );
});

test('total › a conflict › is what resolve makes of it', () => {
  const sum = total(integer.merge, (base, ours, theirs) => (base ?? 0) * 100 + ours * 10 + theirs);
  assert.deepEqual(mergeValues(sum, 1, 2, 3), { ok: true, value: 123 });
  assert.deepEqual(mergeValues(sum, undefined, 2, 3), { ok: true, value: 23 });
  assert.deepEqual(mergeValues(sum, 1, 1, 3), { ok: true, value: 3 });
});
