import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hot } from '#core';
import { JSON_DEPTH_MAX } from '../limits.ts';
import { mergeValues } from './combinators.ts';
import type { ContentType } from './content-type.ts';
import type { Json } from './json.ts';
import { bytes, integer, json, text } from './stock.ts';

const utf8 = (value: string) => hot.utf8Encode(value);
const shown = (encoded: Uint8Array) => hot.utf8Decode(encoded, 0, encoded.length, true);

test('stock types › any value › decodes to itself and encodes to the same bytes', () => {
  const exact = <T>(type: ContentType<T>, values: fc.Arbitrary<T>) =>
    fc.assert(
      fc.property(values, (value) => {
        const encoded = type.encode(value);
        const decoded = type.decode(encoded);
        assert.ok(decoded.ok);
        assert.deepEqual(decoded.value, value);
        assert.deepEqual(type.encode(decoded.value), encoded);
      }),
      { numRuns: 40 },
    );
  exact(bytes, fc.uint8Array());
  exact(text, fc.string({ unit: fc.constantFrom('a', '\u00e9', '\u20ac', '\u{1f600}', '\0') }));
  exact(integer, fc.maxSafeInteger());
  exact(json, fc.jsonValue().filter((v) => !hasNegativeZero(v)) as never);
});

const hasNegativeZero = (value: unknown): boolean =>
  Object.is(value, -0) ||
  (typeof value === 'object' && value !== null && Object.values(value).some(hasNegativeZero));

test('stock types › bytes that are no value › a fault, never a throw', () => {
  const faulty = (type: ContentType<never>, value: Uint8Array) => {
    const decoded = type.decode(value);
    assert.equal(decoded.ok ? 'decoded' : decoded.error.kind, 'malformed', shown(value) ?? '?');
  };
  faulty(text as never, Uint8Array.of(0xff));
  for (const value of ['', '1', '+1\n', '01\n', '-0\n', '1e3\n', ' 1\n', '9007199254740992\n']) {
    faulty(integer as never, utf8(value));
  }
  faulty(integer as never, utf8(`${'1'.repeat(40)}\n`));
  for (const value of ['', '{', 'NaN', '{"a":1,}', "{'a':1}", '[1] 2']) {
    faulty(json as never, utf8(value));
  }
  faulty(json as never, Uint8Array.of(0x22, 0xc0, 0x22));
  fc.assert(
    fc.property(fc.uint8Array(), (any) => {
      for (const type of [text, integer, json]) type.decode(any);
    }),
  );
});

test('json › nested at the bound and one deeper › decodes; is malformed', () => {
  const nested = (depth: number) => utf8('['.repeat(depth) + ']'.repeat(depth));
  assert.equal(json.decode(nested(JSON_DEPTH_MAX)).ok, true);
  assert.equal(json.decode(nested(JSON_DEPTH_MAX + 1)).ok, false);
  assert.equal(json.decode(nested(1_000_000)).ok, false);
  assert.equal(json.decode(utf8(`"${'['.repeat(1_000)}\\"["`)).ok, true);
});

test('json › names in another order › the same bytes', () => {
  assert.deepEqual(
    json.encode({ b: 1, a: { d: [], c: null } }),
    json.encode({ a: { c: null, d: [] }, b: 1 }),
  );
  assert.equal(shown(json.encode({ b: [1], a: 'x' })), '{\n  "a": "x",\n  "b": [\n    1\n  ]\n}\n');
});

test('json › both sides changed › by names, all the way down', () => {
  const run = (base: Json | undefined, ours: Json, theirs: Json) => {
    const merged = mergeValues(json.merge, base, ours, theirs);
    return merged.ok ? merged.value : `${merged.error.kind} @${merged.error.where.join('/')}`;
  };
  assert.deepEqual(run({ a: { b: 1, c: 2 } }, { a: { b: 9, c: 2 } }, { a: { b: 1 }, d: [1] }), {
    a: { b: 9 },
    d: [1],
  });
  assert.equal(run({ a: { b: 1 } }, { a: { b: 2 } }, { a: { b: 3 } }), 'both changed @a/b');
  assert.equal(run({ a: { b: 1 } }, { a: {} }, { a: { b: 3 } }), 'removed and changed @a/b');
  assert.equal(run({ a: 1 }, { a: { b: 1 } }, { a: [] }), 'both changed @a');
  assert.deepEqual(run([], { a: 1 }, { b: null }), { a: 1, b: null });
  assert.deepEqual(run(undefined, { a: 1 }, { b: 2 }), { a: 1, b: 2 });
  assert.equal(run(undefined, 1, 2), 'both added @');
  assert.equal(run([1], [1, 2], [1, 3]), 'both changed @');
  const proto = JSON.parse('{"__proto__": 1}') as Json;
  assert.deepEqual(Object.keys(run({}, proto, { x: 1 }) as object).sort(), ['__proto__', 'x']);
});
