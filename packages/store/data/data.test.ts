import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hot, SeededRandom, wallTimeOfMillis } from '#core';
import { mergeValues } from '../content/combinators.ts';
import type { AnyContentType } from '../content/content-type.ts';
import { equalPlain } from '../content/equal.ts';
import type { Json } from '../content/json.ts';
import { JSON_DEPTH_MAX } from '../limits.ts';
import { addItems, counter, countOf, multiset } from './counter.ts';
import * as form from './form.ts';
import { emptyLog, keepSince, log } from './log.ts';
import { insertAt, orderedList, removeAt } from './ordered-list.ts';
import { isPosition, positionBetween } from './position.ts';
import { type Register, register, write } from './register.ts';
import {
  emptyJson,
  jsonConflicts,
  jsonOf,
  type SharedJson,
  settleJson,
  sharedJson,
  withJson,
} from './shared-json.ts';
import { sharedText, textOf, withText } from './shared-text.ts';
import { table } from './table.ts';
import { newTag } from './tag.ts';
import { addElement, put, taggedMap, taggedSet, valueAt, versions } from './tagged-map.ts';

const time = wallTimeOfMillis;
const decode = (type: AnyContentType, text: string): unknown => {
  const value = type.decode(hot.utf8Encode(text));
  return value.ok ? value.value : value.error.message;
};

test('positions › random insertions › stay in order, are different, and stay short', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SeededRandom(seed);
    const positions: string[] = [];
    const style = seed % 4;
    for (let i = 0; i < 400; i++) {
      const at = [random.below(positions.length + 1), positions.length, 0, i >> 1][style]!;
      const tag = `t${i}`;
      const [before, after] = [positions[at - 1] ?? null, positions[at] ?? null];
      positions.splice(at, 0, positionBetween(before, after, tag));
    }
    assert.deepEqual([...positions].sort(), positions);
    assert.equal(new Set(positions).size, positions.length);
    assert.ok(positions.every(isPosition));
    const longest = Math.max(...positions.map((position) => position.length));
    // Those that take turns on both sides of one place have to halve it each time.
    assert.ok(longest < (style === 3 ? 110 : 40), `${longest} characters, style ${style}`);
  }
});

test('positions › many appended or prepended › lengths grow with the logarithm', () => {
  let [first, last] = [positionBetween(null, null, 't'), positionBetween(null, null, 't')];
  for (let i = 0; i < 20_000; i++) {
    first = positionBetween(null, first, 't');
    last = positionBetween(last, null, 't');
  }
  assert.ok(first.length <= 10 && last.length <= 10, `${first} ${last}`);
});

test('positions › of the same place, made at the same time › have room between them', () => {
  const [a, b] = ['a', 'b'].map((tag) => positionBetween(null, null, tag)) as [string, string];
  assert.ok(a < b);
  let before = a;
  for (let i = 0; i < 100; i++) {
    const next = positionBetween(before, b, `t${i}`);
    assert.ok(before < next && next < b && isPosition(next));
    before = next;
  }
  assert.ok(before.length < 14, before);
  const nested = positionBetween(a, positionBetween(a, b, 'x'), 'y');
  assert.ok(a < nested && nested < positionBetween(a, b, 'x'));
  for (const text of ['', '.', 'V', 'V.', '0.a', 'V0.a', 'V.a,', 'V.a,.b', 'V.A', 'é.a']) {
    assert.equal(isPosition(text), false, text);
  }
});

test('tags › sort by time, differ by chance', () => {
  const entropyOf = (seed: number) => {
    const random = new SeededRandom(seed);
    return { fill: (out: Uint8Array) => void out.set(out.map(() => random.below(256))) };
  };
  const entropy = entropyOf(1);
  const tags = Array.from({ length: 100 }, (_, i) => newTag(time(i * 7), entropy));
  assert.deepEqual([...tags].sort(), tags);
  assert.ok(tags.every((tag) => /^[0-9a-z]{25}$/.test(tag)));
  assert.notEqual(newTag(time(5), entropyOf(1)), newTag(time(5), entropyOf(2)));
  assert.ok(isPosition(positionBetween(null, null, newTag(time(-5), entropy))));
});

test('register › commutative, associative, idempotent, without a base', () => {
  const { merge } = register(form.text);
  const registers = fc.record({
    value: fc.constantFrom('a', 'b'),
    time: fc.nat(2).map(time),
  }) as fc.Arbitrary<Register<string>>;
  const both = (a: Register<string>, b: Register<string>) => {
    const merged = merge(() => assert.fail('the base was asked for'), a, b);
    return merged.ok ? merged.value : assert.fail();
  };
  fc.assert(
    fc.property(registers, registers, registers, (a, b, c) => {
      assert.ok(equalPlain(both(a, b), both(b, a)));
      assert.ok(equalPlain(both(both(a, b), c), both(a, both(b, c))));
      assert.ok(equalPlain(both(a, a), a));
    }),
  );
  const old = write(undefined, 'x', time(100));
  assert.equal(write(old, 'y', time(50)).time, 101);
  assert.equal(write(old, 'y', time(500)).time, 500);
});

test('forms › composed › encode and decode to themselves, and merge part by part', () => {
  const contact = form.content(
    'contact',
    form.record({
      name: form.text,
      email: form.optional(form.text),
      isAdmin: form.flag,
      size: form.number,
      visits: counter,
      tags: taggedSet,
      notes: form.list(form.anything),
      phones: form.map(form.text),
    }),
  );
  assert.equal(contact.addsUp, true);
  const value = {
    name: 'Ada',
    isAdmin: true,
    size: 1.5,
    visits: 3,
    tags: addElement(new Map(), 'x', 't'),
    notes: [null, { a: [1] }],
    phones: new Map([['home', '1']]),
  };
  const bytes = contact.encode(value);
  const decoded = contact.decode(bytes);
  assert.ok(decoded.ok && equalPlain(decoded.value, value));
  assert.deepEqual(contact.encode(decoded.value), bytes);
  const ours = { ...value, email: 'ada@x', visits: 5 };
  const theirs = { ...value, name: 'Ada L', visits: 4, phones: new Map<string, string>() };
  const merged = mergeValues(contact.merge, value, ours, theirs);
  assert.ok(merged.ok && merged.value !== undefined);
  assert.deepEqual(
    [merged.value.name, merged.value.email, merged.value.visits, merged.value.phones.size],
    ['Ada L', 'ada@x', 6, 0],
  );
  const phones = { ...value, phones: new Map([['home', '2']]) };
  const clash = mergeValues(contact.merge, value, phones, theirs);
  assert.deepEqual(clash.ok ? [] : clash.error.where, ['phones', 'home']);
});

test('forms › JSON of another shape › a fault that says where', () => {
  const type = form.content(
    'rows',
    form.record({ rows: form.map(form.record({ n: form.integer })), l: form.list(form.flag) }),
  );
  assert.equal(decode(type, '{"rows":{"7":{"n":"x"}},"l":[]}'), 'rows.7.n: not an integer');
  assert.equal(decode(type, '{"rows":{"7":{"n":1.5}},"l":[]}'), 'rows.7.n: not an integer');
  assert.equal(decode(type, '{"rows":{},"l":[true,0]}'), 'l.1: not true or false');
  assert.equal(decode(type, '{"rows":{},"l":{}}'), 'l: not an array');
  assert.equal(decode(type, '{"rows":[],"l":[]}'), 'rows: not an object');
  assert.equal(decode(type, '{"rows":{},"l":[],"x":1}'), 'x: not a field');
  assert.equal(decode(type, '{"l":[]}'), 'rows: not an object');
  assert.equal(decode(type, '7'), 'not an object');
  assert.equal(decode(type, '{'), 'not JSON');
  const other = (one: form.AnyForm, text: string) => decode(form.content('x', one), text);
  assert.match(String(other(register(form.text), '{"time":-0.5,"value":""}')), /not a time/);
  assert.match(String(other(register(form.text), '{"time":1}')), /not text/);
  assert.match(String(other(log(form.text), '{"entries":[[1]],"since":0}')), /not an entry/);
  assert.match(String(other(log(form.text), '{"entries":[[1,2]],"since":0}')), /not text/);
  assert.match(String(other(log(form.text), '{"entries":[],"since":-1}')), /not a time/);
  assert.match(String(other(log(form.text), '[]')), /not a log/);
  assert.match(String(other(orderedList(form.text), '{"0":"x"}')), /not a position/);
  assert.match(String(other(multiset, '{"a":0.5}')), /not an integer/);
  assert.match(String(other(taggedMap(form.text), '{"a":{"t":1}}')), /a\.t: not text/);
});

test('data types › any JSON › a value or a fault, never a throw', () => {
  const row = form.record({ a: form.optional(form.text), b: register(form.anything) });
  const forms: form.AnyForm[] = [
    table(row),
    log(form.text),
    orderedList(form.text),
    taggedSet,
    multiset,
    sharedJson,
  ];
  const types = forms.map((one) => form.content<unknown>('x', one));
  fc.assert(
    fc.property(fc.json(), (text) => {
      for (const type of types) type.decode(hot.utf8Encode(text));
    }),
  );
});

test('multiset, tagged map, log, ordered list › what they show', () => {
  const bag = addItems(addItems(new Map(), 'a', 2), 'b', -1);
  assert.deepEqual([countOf(bag, 'a'), countOf(bag, 'b'), countOf(bag, 'c')], [2, 0, 0]);
  assert.equal(addItems(bag, 'a', -2).has('a'), false);
  const both = new Map([
    [
      'k',
      new Map([
        ['t2', 'later'],
        ['t1', 'first'],
      ]),
    ],
  ]);
  assert.equal(valueAt(both, 'k'), 'later');
  assert.deepEqual(versions(both, 'k'), ['later', 'first']);
  assert.equal(valueAt(both, 'x'), undefined);
  assert.deepEqual(versions(put(both, 'k', 'new', 't3'), 'k'), ['new']);
  const lines = log(form.text);
  let whole = lines.append(lines.append(emptyLog, time(5), 'b'), time(9), 'c');
  whole = lines.append(lines.append(whole, time(5), 'a'), time(1), 'z');
  assert.deepEqual(
    whole.entries.map(({ value }) => value),
    ['c', 'b', 'a', 'z'],
  );
  const recent = keepSince(whole, time(5));
  assert.equal(recent.entries.length, 3);
  assert.equal(lines.append(recent, time(4), 'old'), recent);
  assert.equal(keepSince(recent, time(3)), recent);
  const list = insertAt(insertAt(insertAt(new Map(), 0, 'a', 't'), 1, 'c', 't'), 1, 'b', 't');
  assert.deepEqual([...list.values()], ['a', 'b', 'c']);
  assert.deepEqual([...removeAt(list, 1).values()], ['a', 'c']);
  assert.throws(() => insertAt(list, 4, 'x', 't'));
  assert.throws(() => removeAt(list, 3));
});

test('shared text › two insert at one place › both runs, whole, in either order of merging', () => {
  const base = withText(new Map(), 'ab', 'characters', 't0');
  const ours = withText(base, 'aXYZb', 'characters', 't1');
  const theirs = withText(base, 'auvwb', 'characters', 't2');
  for (const sides of [
    [ours, theirs],
    [theirs, ours],
  ] as const) {
    const merged = mergeValues(sharedText.merge, base, ...sides);
    assert.ok(merged.ok);
    assert.equal(textOf(merged.value), 'aXYZuvwb');
    const between = withText(merged.value, 'aXYZ-uvwb', 'characters', 't3');
    assert.equal(textOf(between), 'aXYZ-uvwb');
    assert.ok([...between.keys()].every(isPosition));
  }
  assert.equal(withText(base, 'ab', 'lines', 't4').size, 1, 'the same text, in other items');
  assert.equal(textOf(withText(base, '', 'lines', 't5')), '');
});

const jsonType = form.content('json', sharedJson);
const bothJson = (base: SharedJson, ours: SharedJson, theirs: SharedJson): SharedJson => {
  const merged = mergeValues(jsonType.merge, base, ours, theirs);
  return merged.ok ? merged.value! : assert.fail();
};

test('shared JSON › changed here and there › everything of both; one place: the later, and a list', () => {
  const cases: [base: Json, ours: Json, theirs: Json, merged: Json, conflicts: unknown][] = [
    [{ a: 1, b: 2 }, { a: 3, b: 2 }, { a: 1, b: 4, c: 5 }, { a: 3, b: 4, c: 5 }, []],
    [{ a: 1 }, { a: 2 }, { a: 3 }, { a: 3 }, [{ where: ['a'], others: [2] }]],
    [{ a: 1 }, { a: 2 }, { a: 2 }, { a: 2 }, []],
    [{ a: 1 }, {}, { a: 2 }, { a: 2 }, []],
    [[1, 2], [1, 7, 2], [1, 8, 9, 2], [1, 7, 8, 9, 2], []],
    [[1, 2], [2], [1], [], []],
    [{ a: { b: 1 } }, {}, { a: { b: 1, c: 2 } }, { a: { c: 2 } }, []],
    [[{ n: 1, m: 1 }], [{ n: 2, m: 1 }], [{ n: 1, m: 3 }], [{ n: 2, m: 3 }], []],
    [{ a: {} }, { a: { b: 1 } }, { a: 5 }, { a: 5 }, [{ where: ['a'], others: [{ b: 1 }] }]],
    [{ a: 5 }, { a: { b: 1 } }, { a: [] }, { a: [] }, [{ where: ['a'], others: [{ b: 1 }] }]],
    [null, {}, [], [], [{ where: [], others: [{}] }]],
  ];
  for (const [was, left, right, merged, conflicts] of cases) {
    const base = withJson(emptyJson, was, 'a');
    const [ours, theirs] = [withJson(base, left, 'b'), withJson(base, right, 'c')];
    const both = bothJson(base, ours, theirs);
    assert.deepEqual(jsonOf(both), merged);
    assert.deepEqual(jsonConflicts(both), conflicts);
    assert.deepEqual(bothJson(base, theirs, ours), both, 'symmetric');
    const settled = settleJson(both);
    assert.deepEqual([jsonOf(settled), jsonConflicts(settled)], [merged, []]);
  }
});

test('shared JSON › any JSON › what was written is read, also from its bytes', () => {
  const names = fc.constantFrom('', 'a', '/', '[', '~', '~1', '~2', '__proto__', 'é[/~');
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.constantFrom(null, true, 0, -1.5, '', 'x'),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.array(fc.tuple(names, tie('json')), { maxLength: 3 }).map(Object.fromEntries),
    ),
  })) as { json: fc.Arbitrary<Json> };
  fc.assert(
    fc.property(json, json, (first, second) => {
      const one = withJson(emptyJson, first, 'a');
      const other = withJson(one, second, 'b');
      assert.deepEqual([jsonOf(one), jsonOf(other)], [first, second]);
      assert.deepEqual(withJson(other, second, 'c'), other, 'nothing changed');
      const bytes = jsonType.encode(other);
      const decoded = jsonType.decode(bytes);
      assert.ok(decoded.ok);
      assert.deepEqual(jsonOf(decoded.value), second);
      assert.deepEqual(jsonType.encode(decoded.value), bytes);
    }),
  );
});

test('shared JSON › keys that are no places, however long › malformed, never thrown', () => {
  const decode = (key: string) => sharedJson.fromJson({ [key]: { t: 1 } });
  for (const good of ['', '/', '/a', '[V.t', '/~0~1~2', '/'.repeat(JSON_DEPTH_MAX)]) {
    assert.ok(decode(good).ok, good);
  }
  for (const bad of ['a', '/~', '/~3', '[', '[x', '/'.repeat(JSON_DEPTH_MAX + 1)]) {
    assert.ok(!decode(bad).ok, bad);
  }
  assert.ok(!decode('/'.repeat(8_388_608)).ok);
});

test('shared JSON › of any places, as another program may write it › shown, changed, settled', () => {
  const keys = fc.constantFrom(
    '',
    '/a',
    '/a/b',
    '/a[V.t',
    '[V.t',
    '[V.t/a',
    '/b[V.t[W.t',
    '/a[X.t/b',
  );
  const values = fc.constantFrom<Json>({}, [], null, 1, 'x');
  const tagged = fc.array(fc.tuple(fc.constantFrom('t1', 't2'), values), { minLength: 1 });
  const shared = fc
    .array(fc.tuple(keys, tagged))
    .map((all) => new Map(all.map(([key, one]) => [key, new Map(one)])));
  const wanted = fc.constantFrom<Json>({}, [], 1, null, { a: {} }, { a: [{ b: 1 }], b: 2 }, [[1]]);
  fc.assert(
    fc.property(shared, wanted, (any, json) => {
      const read = jsonType.decode(jsonType.encode(any));
      assert.ok(read.ok);
      const shown = jsonOf(read.value);
      assert.deepEqual(jsonOf(withJson(read.value, json, 't3')), json);
      assert.deepEqual(jsonOf(withJson(read.value, shown, 't3')), shown);
      const settled = settleJson(read.value);
      assert.deepEqual([jsonOf(settled), jsonConflicts(settled)], [shown, []]);
    }),
    { numRuns: 300 },
  );
});

test('shared JSON › as deep as allowed, and one more › read again; a fault', () => {
  let deep: Json = 1;
  for (let i = 0; i < JSON_DEPTH_MAX; i++) deep = [deep];
  const shared = withJson(emptyJson, deep, 'a');
  const bytes = jsonType.encode(shared);
  assert.ok(jsonType.decode(bytes).ok);
  assert.throws(() => withJson(emptyJson, [deep], 'a'));
  const steps = '/a'.repeat(JSON_DEPTH_MAX);
  assert.ok(jsonType.decode(hot.utf8Encode(`{"${steps}":{"t":1}}`)).ok);
  assert.equal(decode(jsonType, `{"${steps}/a":{"t":1}}`), `${steps}/a: not a path`);
  for (const key of ['a', '[', '[x', '[V.a/[', '/~', '/~3', 'x/a']) {
    assert.equal(decode(jsonType, `{"${key}":{"t":1}}`), `${key}: not a path`);
  }
  assert.equal(decode(jsonType, '{"":{"t":[1]}}'), ': not a single value');
  assert.equal(decode(jsonType, '{"":{"t":{"a":1}}}'), ': not a single value');
  assert.equal(decode(jsonType, '{"":1}'), ': not an object');
  assert.equal(decode(jsonType, '{"/a":{}}'), '/a: not a value');
});
