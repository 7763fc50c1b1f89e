/**
 * Logs: entries in order of time, appended by anybody. Two entries of one time stand in the order
 * of their JSON; two equal ones are two. `keepSince` forgets the old ones, for everybody.
 * Merging never conflicts (below 2^53 equal entries), is commutative and associative, and counts
 * equal changes each (ContentType.addsUp); it converges for every history. The whole log is one
 * content: linked-log.ts has one that grows without being rewritten.
 */

import { err, ok, type WallTime, wallTimeOfMillis } from '#core';
import { multiset } from '../content/combinators.ts';
import { compareText } from '../content/equal.ts';
import { isObject, type Json, jsonKey } from '../content/json.ts';
import { type Base, type Merge, partBase } from '../content/merge.ts';
import type { Form } from './form.ts';

export interface LogEntry<T> {
  readonly time: WallTime;
  readonly value: T;
}

export interface EntryLog<T> {
  /** Newest first. */
  readonly entries: readonly LogEntry<T>[];
  /** Entries before it aren't kept. */
  readonly since: WallTime;
}

export const emptyLog: EntryLog<never> = { entries: [], since: wallTimeOfMillis(0) };

interface LogForm<T> extends Form<EntryLog<T>> {
  /** The log with an entry at its place; the same log if it is too old. O(entries). */
  append(log: EntryLog<T>, time: WallTime, value: T): EntryLog<T>;
}

/** The form of a log that is one content. */
export function log<T>(item: Form<T>): LogForm<T> {
  const key = ({ time, value }: LogEntry<T>) =>
    `${String(time).padStart(16, '0')} ${jsonKey(item.toJson(value) ?? null)}`;
  return {
    merge: mergeLogs(key),
    addsUp: true,
    toJson: ({ entries, since }) => ({
      entries: entries.map(({ time, value }) => [time, item.toJson(value) ?? null]),
      since,
    }),
    fromJson: (json) => readLog(item, json),
    append(whole, time, value) {
      const entry = { time, value };
      if (time < whole.since) return whole;
      const at = whole.entries.findIndex((other) => compareText(key(other), key(entry)) <= 0);
      const entries = [...whole.entries];
      entries.splice(at < 0 ? entries.length : at, 0, entry);
      return { ...whole, entries };
    },
  };
}

/** The log without entries before `since`, now and after every merge. */
export function keepSince<T>(whole: EntryLog<T>, since: WallTime): EntryLog<T> {
  if (since <= whole.since) return whole;
  return { since, entries: whole.entries.filter(({ time }) => time >= since) };
}

function mergeLogs<T>(key: (entry: LogEntry<T>) => string): Merge<EntryLog<T>> {
  const counts = multiset<string>();
  return (base, ours, theirs) => {
    // All three without what either side forgot: the sums are of the same times then.
    const since = wallTimeOfMillis(Math.max(ours.since, theirs.since));
    const byKey = new Map<string, LogEntry<T>>();
    const counted = (whole: EntryLog<T>): ReadonlyMap<string, number> => {
      const items = new Map<string, number>();
      for (const entry of keepSince(whole, since).entries) {
        const name = key(entry);
        byKey.set(name, entry);
        items.set(name, (items.get(name) ?? 0) + 1);
      }
      return items;
    };
    const old: Base<ReadonlyMap<string, number>> = partBase(base, counted);
    const merged = counts(old, counted(ours), counted(theirs));
    if (!merged.ok) return merged;
    const names = [...merged.value.keys()].sort((a, b) => compareText(b, a));
    const entries = names.flatMap((name) =>
      Array<LogEntry<T>>(Math.max(0, merged.value.get(name)!)).fill(byKey.get(name)!),
    );
    return ok({ entries, since });
  };
}

function readLog<T>(item: Form<T>, json: Json | undefined) {
  if (!isObject(json) || !Array.isArray(json.entries)) return err('not a log');
  if (!isTime(json.since)) return err('since: not a time');
  const entries: LogEntry<T>[] = [];
  for (const one of json.entries as readonly Json[]) {
    if (!Array.isArray(one) || one.length !== 2 || !isTime(one[0])) return err('not an entry');
    const value = item.fromJson(one[1] as Json);
    if (!value.ok) return err(`entries: ${value.error}`);
    entries.push({ time: wallTimeOfMillis(one[0]), value: value.value });
  }
  return ok({ entries, since: wallTimeOfMillis(json.since) });
}

const isTime = (json: Json | undefined): json is number =>
  typeof json === 'number' && Number.isSafeInteger(json) && json >= 0;
