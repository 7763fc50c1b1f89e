import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SeededRandom, wallTimeOfMillis } from '#core';
import { compareText } from '../content/equal.ts';
import type { Json, JsonObject } from '../content/json.ts';
import { json } from '../content/stock.ts';
import { addItems, counter, multiset } from './counter.ts';
import { content, type FormValue, record, text } from './form.ts';
import { emptyLog, keepSince, log } from './log.ts';
import type { Noted } from './noted.ts';
import { notedJson } from './noted-json.ts';
import { insertAt, orderedList, removeAt } from './ordered-list.ts';
import { register, write } from './register.ts';
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
import {
  addElement,
  put,
  removeElement,
  removeKey,
  taggedMap,
  taggedSet,
  versions,
} from './tagged-map.ts';
import { converges, type EditContext, type Subject } from './test-convergence.ts';
import { characters, lines, markedLines } from './text.ts';

const SEEDS = 6;
const letter = ({ random }: EditContext, count = 3): string => 'abcdefgh'[random.below(count)]!;

test('counter › N replicas › every increment counts once', async () => {
  await converges<number, number>(
    {
      type: content('counter', counter),
      initial: 0,
      edit(value, { random }) {
        const event = 1 + random.below(2) * -2;
        return { value: value + event, event };
      },
      expected: (events) => events.reduce((sum, event) => sum + event, 0),
      shown: (value) => value,
    },
    SEEDS,
  );
});

test('multiset › N replicas › every addition and removal counts once', async () => {
  await converges<ReadonlyMap<string, number>, [string, number]>(
    {
      type: content('multiset', multiset),
      initial: new Map(),
      edit(value, context) {
        const item = letter(context);
        const count = context.random.chance(0.5) ? 1 : -1;
        return { value: addItems(value, item, count), event: [item, count] };
      },
      expected(events) {
        const sums = new Map<string, number>();
        for (const [item, count] of events) sums.set(item, (sums.get(item) ?? 0) + count);
        return [...sums].filter(([, sum]) => sum !== 0).sort();
      },
      shown: (value) => [...value].sort(),
    },
    SEEDS,
  );
});

test('register › N replicas › the last writer wins', async () => {
  const form = register(text);
  await converges<FormValue<typeof form>, FormValue<typeof form>>(
    {
      type: content('register', form),
      initial: { value: '', time: wallTimeOfMillis(0) },
      edit(old, context) {
        const event = write(old, letter(context, 8), context.time);
        return { value: event, event };
      },
      expected(events) {
        const sorted = [...events].sort((a, b) => a.time - b.time || compareText(a.value, b.value));
        return sorted.at(-1) ?? { value: '', time: 0 };
      },
      shown: ({ value, time }) => ({ value, time }),
    },
    SEEDS,
  );
});

type MapEvent = { put?: [key: string, tag: string, value: string]; gone: readonly string[] };
const tagsAt = (map: ReadonlyMap<string, ReadonlyMap<string, unknown>>, key: string) => [
  ...(map.get(key)?.keys() ?? []),
];

/** What is left: everything that was put and that no event, whose author saw it, took away. */
function left(events: readonly MapEvent[]): [string, string][] {
  const gone = new Set(events.flatMap((event) => event.gone));
  const puts = events.flatMap((event) => (event.put === undefined ? [] : [event.put]));
  return puts
    .filter(([, tag]) => !gone.has(tag))
    .map(([key, , value]) => [key, value] as [string, string])
    .sort();
}

test('map › N replicas › what nobody who saw it replaced or removed is there', async () => {
  const form = taggedMap(text);
  await converges<FormValue<typeof form>, MapEvent>(
    {
      type: content('map', form),
      initial: new Map(),
      edit(value, context) {
        const key = letter(context);
        const gone = tagsAt(value, key);
        if (context.random.chance(0.35)) return { value: removeKey(value, key), event: { gone } };
        const item = letter(context, 8);
        return {
          value: put(value, key, item, context.tag),
          event: { put: [key, context.tag, item], gone },
        };
      },
      expected: left,
      shown: (value) =>
        [...value.keys()].flatMap((key) => versions(value, key).map((one) => [key, one])).sort(),
    },
    SEEDS,
  );
});

test('set › N replicas › an addition stays that no removal has seen', async () => {
  await converges<FormValue<typeof taggedSet>, MapEvent>(
    {
      type: content('set', taggedSet),
      initial: new Map(),
      edit(value, context) {
        const key = letter(context);
        const gone = tagsAt(value, key);
        if (context.random.chance(0.4))
          return { value: removeElement(value, key), event: { gone } };
        return {
          value: addElement(value, key, context.tag),
          event: { put: [key, context.tag, ''], gone },
        };
      },
      expected: (events) => [...new Set(left(events).map(([key]) => key))],
      shown: (value) => [...value.keys()].sort(),
    },
    SEEDS,
  );
});

test('log › N replicas › every entry once, in order of time, none that was forgotten', async () => {
  const form = log(text);
  type Event = { entry?: [number, string]; since?: number };
  await converges<FormValue<typeof form>, Event>(
    {
      type: content('log', form),
      initial: emptyLog,
      edit(value, context) {
        const { time, random } = context;
        if (random.chance(0.1)) {
          const since = wallTimeOfMillis(time - 4);
          return { value: keepSince(value, since), event: { since } };
        }
        const line = letter(context, 2);
        return { value: form.append(value, time, line), event: { entry: [time, line] } };
      },
      expected(events) {
        const since = Math.max(0, ...events.map((event) => event.since ?? 0));
        const entries = events.flatMap(({ entry }) => (entry === undefined ? [] : [entry]));
        return entries.filter(([time]) => time >= since).sort(newest);
      },
      shown: ({ entries }) => entries.map(({ time, value }) => [time, value]),
    },
    SEEDS,
  );
});

const newest = (a: readonly [number, string], b: readonly [number, string]): number =>
  b[0] - a[0] || compareText(b[1], a[1]);

test('ordered list › N replicas › what is left of all insertions, in one order', async () => {
  const form = orderedList(text);
  type Event = { tag?: string; gone?: string };
  const tagOf = (position: string) => position.slice(position.lastIndexOf('.') + 1);
  await converges<FormValue<typeof form>, Event>(
    {
      type: content('list', form),
      initial: new Map(),
      edit(value, { random, tag }) {
        if (value.size > 0 && random.chance(0.35)) {
          const at = random.below(value.size);
          return { value: removeAt(value, at), event: { gone: tagOf([...value.keys()][at]!) } };
        }
        const at = random.below(value.size + 1);
        return { value: insertAt(value, at, tag, tag), event: { tag } };
      },
      expected(events) {
        const gone = new Set(events.map((event) => event.gone));
        return events
          .flatMap(({ tag }) => (tag === undefined || gone.has(tag) ? [] : [tag]))
          .sort();
      },
      shown(value) {
        assert.deepEqual([...value.keys()], [...value.keys()].sort(compareText));
        return [...value.values()].sort();
      },
    },
    SEEDS,
  );
});

test('table › N replicas › rows merge field by field, removed ones stay away', async () => {
  const row = record({ name: register(text), visits: counter });
  const form = table(row);
  type Event = { row?: string; gone?: string; visit?: string };
  await converges<FormValue<typeof form>, Event>(
    {
      type: content('table', form),
      initial: new Map(),
      edit(value, { random, tag, time }) {
        const id = [...value.keys()].sort()[random.below(Math.max(1, value.size))];
        if (id === undefined || random.chance(0.3)) {
          const fresh = { name: { value: tag, time }, visits: 0 };
          return { value: new Map(value).set(tag, fresh), event: { row: tag } };
        }
        const changed = new Map(value);
        if (random.chance(0.2)) {
          changed.delete(id);
          return { value: changed, event: { gone: id } };
        }
        const old = value.get(id)!;
        changed.set(id, { ...old, visits: old.visits + 1 });
        return { value: changed, event: { visit: id } };
      },
      expected(events) {
        const rows = events.flatMap((event) => (event.row === undefined ? [] : [event.row]));
        return rows
          .filter((id) => !events.some(({ gone }) => gone === id))
          .map((id) => [id, events.filter(({ visit }) => visit === id).length])
          .sort();
      },
      shown: (value) => [...value].map(([id, { visits }]) => [id, visits]).sort(),
    } satisfies Subject<FormValue<typeof form>, Event>,
    SEEDS,
  );
});

/**
 * What every writer saw is in the order that they saw; and what stands inside of a run was put
 * there by who had seen the run.
 */
function keepsRuns(
  items: readonly string[],
  events: readonly { readonly runs: readonly string[]; readonly seen: readonly string[] }[],
): void {
  const at = new Map(items.map((item, index) => [item, index]));
  const left = (whole: readonly string[]) => whole.flatMap((item) => at.get(item) ?? []);
  for (const { seen, runs } of events) {
    const order = left(seen);
    assert.ok(
      order.every((index, i) => i === 0 || index > order[i - 1]!),
      'in order',
    );
    const run = left(runs);
    for (const item of run.length === 0 ? [] : items.slice(run[0], run.at(-1)! + 1)) {
      const author = events.find((event) => event.runs.includes(item))!;
      assert.ok(
        runs.some((one) => author.seen.includes(one)),
        'not by who has not seen it',
      );
    }
  }
}

test('shared text › N replicas › what is left of all insertions, in order, runs in one piece', async () => {
  type Event = { runs: readonly string[]; gone: readonly string[]; seen: readonly string[] };
  let made = 0;
  for (const by of ['characters', 'lines'] as const) {
    const unit = (word: string) => (by === 'lines' ? `${word}\n` : word);
    await converges<FormValue<typeof sharedText>, Event>(
      {
        type: content('text', sharedText),
        initial: new Map(),
        edit(value, { random, tag }) {
          const items = [...value.values()];
          const from = random.below(items.length + 1);
          const gone = random.chance(0.3) ? items.slice(from, from + 1 + random.below(3)) : [];
          // Characters that come once only, so that the difference is the edit.
          const fresh = Array.from({ length: random.below(4) }, () =>
            unit(String.fromCodePoint(0x10_000 + made++)),
          );
          items.splice(from, gone.length, ...fresh);
          const changed = withText(value, items.join(''), by, tag);
          assert.equal(textOf(changed), items.join(''));
          return { value: changed, event: { runs: fresh, gone, seen: items } };
        },
        expected(events) {
          const gone = new Set(events.flatMap((event) => event.gone));
          return events.flatMap(({ runs }) => runs.filter((item) => !gone.has(item))).sort();
        },
        shown: (value) => [...value.values()].sort(),
        holds: (value, events) => keepsRuns([...value.values()], events),
      },
      6,
    );
  }
});

/** The JSON with a change somewhere; numbers that come once only. */
function mutated(json: Json, random: SeededRandom): Json {
  const fresh = () => [random.u32(), random.u32(), {}, [], { a: random.u32() }][random.below(5)]!;
  if (Array.isArray(json)) {
    const items: Json[] = [...json];
    const at = random.below(items.length + 1);
    const what = random.below(3);
    if (what === 0) items.splice(at, 0, fresh());
    else if (what === 1) items.splice(at, 1);
    else if (at < items.length) items[at] = mutated(items[at]!, random);
    return items;
  }
  if (typeof json !== 'object' || json === null || random.chance(0.1)) return fresh();
  const names: Record<string, Json> = { ...(json as JsonObject) };
  const name = 'abc'[random.below(3)]!;
  if (!Object.hasOwn(names, name)) names[name] = fresh();
  else if (random.chance(0.3)) delete names[name];
  else names[name] = mutated(names[name]!, random);
  return names;
}

test('JSON › N replicas, at the same places › what nobody took away, shown or listed', async () => {
  type Entry = readonly [place: string, value: Json];
  type Event = { put: readonly Entry[]; gone: readonly string[] };
  const entriesOf = (shared: SharedJson): Map<string, Json> =>
    new Map(
      [...shared].flatMap(([key, tagged]) =>
        [...tagged].map(([tag, value]) => [`${key} ${tag}`, value] as const),
      ),
    );
  let conflicts = 0;
  await converges<SharedJson, Event>(
    {
      type: content('json', sharedJson),
      initial: withJson(emptyJson, { a: 1, b: { a: 2 }, c: [3, 4] }, '0'),
      edit(value, { random, tag }) {
        const wanted = mutated(jsonOf(value), random);
        const settled = random.chance(0.1) ? settleJson(value) : value;
        const changed = withJson(settled, wanted, tag);
        assert.deepEqual(jsonOf(changed), wanted);
        const [before, after] = [entriesOf(value), entriesOf(changed)];
        const gone = [...before.keys()].filter((place) => !after.has(place));
        return {
          value: changed,
          event: { put: [...after].filter(([at]) => !before.has(at)), gone },
        };
      },
      expected(events) {
        const first = entriesOf(withJson(emptyJson, { a: 1, b: { a: 2 }, c: [3, 4] }, '0'));
        const gone = new Set(events.flatMap((event) => event.gone));
        const put = [...first, ...events.flatMap((event) => event.put)];
        return put.filter(([place]) => !gone.has(place)).sort(([a], [b]) => compareText(a, b));
      },
      shown(value) {
        const others = jsonConflicts(value);
        conflicts += others.length;
        const seen = JSON.stringify([jsonOf(value), others]);
        const entries = [...entriesOf(value)];
        for (const [, one] of entries)
          assert.ok(typeof one !== 'number' || seen.includes(`${one}`));
        assert.deepEqual(jsonOf(settleJson(value)), jsonOf(value));
        assert.deepEqual(jsonConflicts(settleJson(value)), []);
        return entries.sort(([a], [b]) => compareText(a, b));
      },
    },
    SEEDS,
  );
  assert.ok(conflicts > 10, `${conflicts} conflicts`);
});

test('marked lines › N replicas, at the same places › nothing that nobody removed is lost', async () => {
  type Event = { added: readonly string[]; gone: readonly string[] };
  await converges<string, Event>(
    {
      type: markedLines,
      initial: 'first\nlast\n',
      isOrdered: true,
      edit(value, { random, tag }) {
        const all = value.split(/(?<=\n)/);
        const at = random.below(2) * random.below(all.length + 1);
        const added = Array.from({ length: random.below(3) }, (_, i) => `${tag}${i}\n`);
        const gone = all.splice(at, random.below(3) * random.below(2), ...added);
        return { value: all.join(''), event: { added, gone } };
      },
      expected: () => null,
      shown: () => null,
      holds(value, events) {
        const gone = new Set(events.flatMap((event) => event.gone));
        const there = new Set(value.split(/(?<=\n)/));
        for (const line of ['first\n', 'last\n', ...events.flatMap((event) => event.added)]) {
          assert.ok(gone.has(line) || there.has(line), `${line} in ${value}`);
        }
      },
    },
    SEEDS,
  );
});

test('noted JSON › N replicas, at the same places › values that nobody replaced, or notes of them', async () => {
  type Value = Noted<JsonObject>;
  type Event = { put: number | null; gone: readonly number[] };
  const numbersIn = (json: Json): number[] =>
    (JSON.stringify(json).match(/\d{5,}/g) ?? []).map(Number);
  await converges<Value, Event>(
    {
      type: notedJson,
      initial: { value: { a: 0, b: {} }, notes: [] },
      isOrdered: true,
      edit({ value, notes }, { random }) {
        const put = random.chance(0.8) ? 10_000 + random.u32() : null;
        const name = 'ab'[random.below(2)]!;
        const { [name]: old = null, ...rest } = value;
        const inner = name === 'b' ? { [`${random.below(2)}`]: put } : put;
        const changed = put === null ? rest : { ...rest, [name]: inner };
        return { value: { value: changed, notes }, event: { put, gone: numbersIn(old) } };
      },
      expected: () => null,
      shown: () => null,
      holds(value, events) {
        const gone = new Set(events.flatMap((event) => event.gone));
        const there = new Set(numbersIn(JSON.parse(JSON.stringify(value)) as Json));
        for (const { put } of events) assert.ok(put === null || gone.has(put) || there.has(put));
      },
    },
    SEEDS,
  );
});

test('plain text, JSON › N replicas, each at its own place › everybody has the last of all', async () => {
  type Event = { who: number; what: string };
  const places = [0, 1, 2, 3, 4, 5];
  const last = (events: readonly Event[]): string[] =>
    places.map((who) => events.filter((event) => event.who === who).at(-1)?.what ?? '');
  for (const type of [lines, characters]) {
    await converges<string, Event>(
      {
        type,
        initial: places.map((place) => `${place}:\n`).join('---\n'),
        edit(value, { replica, tag }) {
          const own = value.split('---\n');
          own[replica] = `${replica}:${tag}\n`;
          return { value: own.join('---\n'), event: { who: replica, what: tag } };
        },
        expected: last,
        shown: (value) => value.split('---\n').map((line) => line.trim().slice(2)),
      },
      5,
    );
  }
  await converges<Json, Event>(
    {
      type: json,
      initial: { deep: {} },
      edit(value, { replica, tag }) {
        const { deep } = value as { deep: JsonObject };
        return {
          value: { deep: { ...deep, [replica]: { tag } } },
          event: { who: replica, what: tag },
        };
      },
      expected: last,
      shown(value) {
        const { deep } = value as { deep: Record<string, { tag: string }> };
        return places.map((who) => deep[who]?.tag ?? '');
      },
    },
    5,
  );
});
