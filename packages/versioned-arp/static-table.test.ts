/** A host's static entries as text, and of two versions the later. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hot, ok } from '#core';
import { staticsMax, staticTableBytesMax } from './limits.ts';
import {
  decodeStatics,
  encodeStatics,
  mergeStatics,
  type StaticTable,
  sameStatics,
} from './static-table.ts';

const address = fc.ipV4();
const entry = fc.record({
  mac: fc.constantFrom('52:54:00:00:00:01', '52:54:00:00:00:02'),
  origin: fc.constantFrom('configuration' as const, 'command' as const),
});
const table: fc.Arbitrary<StaticTable> = fc.record({
  since: fc.integer({ min: 0, max: 3 }),
  entries: fc.array(fc.tuple(address, entry), { maxLength: 4 }).map((pairs) => new Map(pairs)),
});
const text = (one: StaticTable | undefined): string =>
  one === undefined ? '-' : new TextDecoder().decode(encodeStatics(one));

test('a table › is its text, in one order', () => {
  fc.assert(
    fc.property(table, (one) => {
      const decoded = decodeStatics(encodeStatics(one));
      assert(decoded.ok);
      assert.equal(decoded.value.since, one.since);
      assert(sameStatics(decoded.value.entries, one.entries));
      const turned = { ...one, entries: new Map([...one.entries].reverse()) };
      assert.equal(text(turned), text(one));
    }),
  );
});

test('what is no table › malformed; as many entries as may be, and one more', () => {
  const good = 'since 2026-01-01T00:00:00Z\n10.0.0.5 52:54:00:00:00:05 command\n';
  const decode = (what: string) => decodeStatics(hot.utf8Encode(what));
  assert(decode(good).ok);
  const line = '10.0.0.5 52:54:00:00:00:05 command\n';
  for (const bad of [
    '',
    line,
    good.slice(0, -1),
    good.replace('2026-01-01', '2026-02-30'),
    good.replace('10.0.0.5', '10.0.0.05'),
    good.replace('10.0.0.5', '10.0.0.256'),
    good.replace('00:05 ', '00:0G '),
    good.replace('command', 'hearsay'),
    `${good}\n`,
    good + line,
    good + line.replace(':05 ', ':06 '),
    good + line.replace('10.0.0.5', '10.0.0.4'),
  ]) {
    assert.deepEqual(decode(bad), { ok: false, error: 'malformed' }, bad);
  }
  const many = (count: number): StaticTable => ({
    since: 0,
    entries: new Map(
      Array.from({ length: count }, (_, i) => [
        `198.151.100.${100 + i}`,
        { mac: '52:54:00:00:00:05', origin: 'configuration' },
      ]),
    ),
  });
  const full = encodeStatics(many(staticsMax));
  assert(full.length <= staticTableBytesMax && decodeStatics(full).ok);
  assert.equal(decodeStatics(encodeStatics(many(staticsMax + 1))).ok, false);
  assert.deepEqual(decodeStatics(new Uint8Array(staticTableBytesMax + 1)), {
    ok: false,
    error: 'too long',
  });
});

test('any versions, merged in any order › the latest, whatever was before', () => {
  fc.assert(
    fc.property(fc.array(table, { minLength: 1, maxLength: 5 }), fc.option(table), (all, base) => {
      const was = () => (base === null ? ({ ok: false, error: 'none' } as const) : ok(base));
      const merged = (list: readonly StaticTable[]) =>
        list.reduce<StaticTable | undefined>(
          (a, b) => (a === undefined ? b : mergeStatics(was, a, b).value),
          undefined,
        );
      assert.equal(text(merged([...all].reverse())), text(merged(all)));
      const latest = Math.max(...all.map(({ since }) => since));
      assert.equal(merged(all)?.since, latest);
    }),
  );
});

test('a version on one side only › new: stays; unchanged: the other side removed it', () => {
  const one = { since: 1, entries: new Map() };
  const none = () => ({ ok: false, error: 'none' }) as const;
  assert.equal(mergeStatics(none, one, undefined).value, one);
  assert.equal(mergeStatics(() => ok({ ...one }), undefined, one).value, undefined);
  assert.equal(mergeStatics(() => ok({ ...one, since: 0 }), undefined, one).value, one);
  assert.equal(mergeStatics(none, undefined, undefined).value, undefined);
});
