/** Records converge, whoever merges with whom; against a model that knows of times alone. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hot, ok } from '#core';
import { mergeRecords } from './merge-records.ts';
import { decodeRecord, encodeRecord, type NeighborRecord, REASONS } from './record.ts';

const record: fc.Arbitrary<NeighborRecord> = fc.record({
  mac: fc.constantFrom('52:54:00:00:00:01', '52:54:00:00:00:02', '02:00:00:00:00:66', null),
  expires: fc.integer({ min: 0, max: 5 }),
  reason: fc.constantFrom(...REASONS),
  host: fc.constantFrom('a', 'b'),
});
const known = fc.option(record, { nil: undefined });
const text = (r: NeighborRecord | undefined): string =>
  r === undefined ? '-' : hot.latin1(encodeRecord(r), 0, encodeRecord(r).length);
const merged = (
  base: NeighborRecord | undefined,
  a: NeighborRecord | undefined,
  b: NeighborRecord | undefined,
): NeighborRecord | undefined => mergeRecords(() => ok(base), a, b).value;

test('any two sides › merge to the same either way, and to what one of them is, or nothing', () => {
  fc.assert(
    fc.property(known, known, known, (base, a, b) => {
      const one = text(merged(base, a, b));
      assert.equal(text(merged(base, b, a)), one);
      assert(['-', text(a), text(b)].includes(one));
      assert.equal(text(merged(base, a, a)), text(a));
    }),
  );
});

test('one side changed › its word counts, also that it is gone', () => {
  fc.assert(
    fc.property(known, known, (base, changed) => {
      if (base === undefined || changed === undefined) {
        assert.equal(text(merged(base, base, changed)), text(changed));
        return;
      }
      const [before, now] = [base.expires, changed.expires];
      if (now > before) assert.equal(text(merged(base, base, changed)), text(changed));
      if (now < before) assert.equal(text(merged(base, base, changed)), text(base));
    }),
  );
});

test('no base, or one that cannot be had › both kept, the later of two', () => {
  const early = { mac: '52:54:00:00:00:01', expires: 1, reason: 'answer', host: 'a' } as const;
  const late = { ...early, expires: 2 };
  const gone = { ...late, mac: null };
  const none = () => ({ ok: false, error: 'no base' }) as const;
  assert.deepEqual(mergeRecords(none, early, late).value, late);
  assert.deepEqual(mergeRecords(none, late, gone).value, gone, 'learned and removed at once');
  assert.deepEqual(mergeRecords(none, gone, early).value, gone);
  const anew = { ...late, expires: 3 };
  assert.deepEqual(mergeRecords(none, gone, anew).value, anew);
  assert.deepEqual(mergeRecords(none, undefined, late).value, late);
  assert.equal(mergeRecords(none, undefined, undefined).value, undefined);
});

test('dropped on one side › stays dropped, unless the other learned it anew', () => {
  const base = { mac: '52:54:00:00:00:01', expires: 1, reason: 'answer', host: 'a' } as const;
  assert.equal(merged(base, undefined, base), undefined);
  assert.deepEqual(merged(base, undefined, { ...base, expires: 2 }), { ...base, expires: 2 });
});

test('a record › is its text, and no other text is it', () => {
  fc.assert(
    fc.property(record, (one) => {
      assert.deepEqual(decodeRecord(encodeRecord(one)), ok({ ...one }));
    }),
  );
  const good = 'mac 52:54:00:00:00:01\nexpires 2026-01-01T00:01:00Z\nreason answer\nhost a\n';
  assert(decodeRecord(hot.utf8Encode(good)).ok);
  const bad: readonly [string, string, string][] = [
    ['52:54:00:00:00:01', 'None', 'malformed'],
    ['2026-01-01T00:01:00Z', 'never', 'malformed'],
    ['52:54:00:00:00:01', '52:54:00:00:00:0A', 'malformed'],
    ['2026-01-01', '2026-02-30', 'malformed'],
    ['T00:01', 'T24:01', 'malformed'],
    ['answer', 'hearsay', 'malformed'],
    ['host a', 'host ', 'malformed'],
    ['host a', `host ${'a'.repeat(65)}`, 'malformed'],
    ['host a\n', 'host a', 'malformed'],
    ['host a', `host ${'a'.repeat(600)}`, 'too long'],
    ['mac', 'Mac', 'malformed'],
    ['host a\n', 'host a\nhost b\n', 'malformed'],
  ];
  for (const [from, to, fault] of bad) {
    const decoded = decodeRecord(hot.utf8Encode(good.replace(from, to)));
    assert.deepEqual(decoded, { ok: false, error: fault }, to);
  }
  assert(decodeRecord(hot.utf8Encode(good.replace('host a', `host ${'a'.repeat(64)}`))).ok);
});

test('any records, merged in any order and grouping › the one that a sort puts last', () => {
  const shuffled = fc
    .array(record, { minLength: 1, maxLength: 7 })
    .chain((records) =>
      fc.tuple(
        fc.constant(records),
        fc.shuffledSubarray(records, { minLength: records.length }),
        fc.array(fc.nat(), { minLength: records.length, maxLength: records.length }),
      ),
    );
  fc.assert(
    fc.property(shuffled, ([records, order, picks]) => {
      const end = ({ expires, mac }: NeighborRecord): number =>
        2 * expires + (mac === null ? 1 : 0);
      const naive = [...records].sort((a, b) => end(b) - end(a) || (text(a) < text(b) ? -1 : 1));
      const left: (NeighborRecord | undefined)[] = [...order];
      for (const pick of picks) {
        if (left.length === 1) break;
        const [one] = left.splice(pick % left.length, 1);
        const at = pick % left.length;
        left[at] = merged(undefined, left[at], one);
      }
      assert.equal(text(left[0]), text(naive[0]));
    }),
  );
});
