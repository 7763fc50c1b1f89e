import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hot } from '#core';
import { mergeValues, option, total } from '../content/combinators.ts';
import { equalPlain } from '../content/equal.ts';
import { NOTES_MAX } from '../limits.ts';
import { counter } from './counter.ts';
import { integer, optional, record, text } from './form.ts';
import { noted, notedContent } from './noted.ts';

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

test('total › a conflict › is what resolve makes of it', () => {
  const sum = total(integer.merge, (base, ours, theirs) => (base ?? 0) * 100 + ours * 10 + theirs);
  assert.deepEqual(mergeValues(sum, 1, 2, 3), { ok: true, value: 123 });
  assert.deepEqual(mergeValues(sum, undefined, 2, 3), { ok: true, value: 23 });
  assert.deepEqual(mergeValues(sum, 1, 1, 3), { ok: true, value: 3 });
});
