/**
 * Logs whose entries are linked by hashes: an entry names those before it, so an entry's id stands
 * for all that led to it, and appending writes one small content whatever the log's length. In a
 * store a linked log is a tree: "heads", the ids of the last entries, and "entries" by their ids.
 * Two who append at the same time leave two heads after their merge; the next entry links both.
 * Merging never conflicts, and is commutative, associative and idempotent: entries are only added,
 * under the hash of what they are. Reading goes backwards in pages, each entry after all that link
 * to it. Not here: forgetting old entries (log.ts has logs that do).
 *
 *     const news = linkedLog(text);
 *     defineSchema({ news: news.shape });
 *     store.withTree(['news'], async (tree) => news.append(tree, crypto, time, 'it rains'));
 */

import { assert, BinaryHeap, err, ok, type Result, type WallTime, wallTimeOfMillis } from '#core';
import type { CryptoPrimitives } from '#device';
import { hashObject, type ObjectId, parseObjectId } from '#git';
import { idempotent, like, set as mergeSet } from '../content/combinators.ts';
import type { ContentType } from '../content/content-type.ts';
import { compareText } from '../content/equal.ts';
import { isObject, type Json } from '../content/json.ts';
import { LOG_HEADS_MAX } from '../limits.ts';
import type { TreeError } from '../store-error.ts';
import type { Tree } from '../tree/tree.ts';
import { content, type Form, type FormFault } from './form.ts';

export interface LinkedEntry<T> {
  readonly time: WallTime;
  readonly value: T;
  /** The ids of the entries that were the last ones; none for a first one. */
  readonly previous: readonly ObjectId[];
  /** One more than the greatest of those. */
  readonly depth: number;
}

/** The part of a schema that a log takes. */
export type LinkedLogShape<T> = {
  readonly heads: ContentType<readonly ObjectId[]>;
  readonly entries: { readonly '*': { readonly '*': ContentType<LinkedEntry<T>> } };
};

export type LinkedLogFault =
  | TreeError
  /** An entry isn't what its id says, isn't there, or its links don't lead backwards. */
  | { readonly kind: 'broken link'; readonly id: ObjectId }
  /** Not a cursor of a page of this log. */
  | { readonly kind: 'bad cursor' };

export interface LogPage<T> {
  readonly entries: readonly { readonly id: ObjectId; readonly entry: LinkedEntry<T> }[];
  /** Where the next page begins; null: there are no more. */
  readonly next: string | null;
}

interface Reached<T> {
  readonly id: ObjectId;
  readonly entry: LinkedEntry<T>;
}

export class LinkedLog<T> {
  readonly shape: LinkedLogShape<T>;
  readonly #type: ContentType<LinkedEntry<T>>;

  constructor(item: Form<T>) {
    this.#type = content('linked-entry', entryForm(item));
    this.shape = { heads, entries: { '*': { '*': this.#type } } };
  }

  /** The log with an entry behind all others. Nothing is written yet. */
  async append(
    log: Tree<LinkedLogShape<T>>,
    crypto: CryptoPrimitives,
    time: WallTime,
    value: T,
  ): Promise<Result<Tree<LinkedLogShape<T>>, LinkedLogFault>> {
    const last = await this.#heads(log);
    if (!last.ok) return last;
    const previous = last.value.map(({ id }) => id).sort(compareText);
    const depth = 1 + Math.max(0, ...last.value.map(({ entry }) => entry.depth));
    const entry: LinkedEntry<T> = { time, value, previous, depth };
    const id = idOf(crypto, this.#type.encode(entry));
    const added = await log.set(['entries', id.slice(0, 2), id.slice(2)], entry as never);
    return added.ok ? added.value.set(['heads'], [id]) : added;
  }

  /**
   * A page of at most `count` entries from `cursor` on (null: the newest). Each is checked against
   * its id. Entries that are merged in meanwhile don't disturb: a cursor stands for what is behind
   * the page that gave it.
   */
  async read(
    log: Tree<LinkedLogShape<T>>,
    crypto: CryptoPrimitives,
    cursor: string | null,
    count: number,
  ): Promise<Result<LogPage<T>, LinkedLogFault>> {
    assert(count > 0, 'a page has entries');
    const from = cursor === null ? await this.#heads(log) : await this.#at(log, cursor);
    if (!from.ok) return from;
    const frontier = new Map<ObjectId, Reached<T>>();
    const queue = new BinaryHeap<Reached<T>>(isBefore);
    const enter = (reached: Reached<T>): void => {
      if (!frontier.has(reached.id)) queue.push(reached);
      frontier.set(reached.id, reached);
    };
    for (const reached of from.value) enter(reached);
    const entries: Reached<T>[] = [];
    while (entries.length < count) {
      const next = queue.pop();
      if (next === undefined) break;
      frontier.delete(next.id);
      if (idOf(crypto, this.#type.encode(next.entry)) !== next.id) return broken(next.id);
      for (const id of next.entry.previous) {
        const before = await this.#entry(log, id);
        if (!before.ok) return before;
        // All that link to an entry are deeper: it is reached before it is given, and given once.
        if (before.value.entry.depth >= next.entry.depth) return broken(next.id);
        enter(before.value);
      }
      entries.push(next);
    }
    const left = [...frontier.keys()].sort(compareText);
    return ok({ entries, next: left.length === 0 ? null : left.join('.') });
  }

  async #heads(log: Tree<LinkedLogShape<T>>): Promise<Result<Reached<T>[], LinkedLogFault>> {
    const ids = await log.find(['heads']);
    return ids.ok ? this.#entries(log, (ids.value ?? []) as readonly ObjectId[]) : ids;
  }

  async #at(
    log: Tree<LinkedLogShape<T>>,
    cursor: string,
  ): Promise<Result<Reached<T>[], LinkedLogFault>> {
    const ids = cursor.split('.').map(parseObjectId);
    if (ids.length > LOG_HEADS_MAX || ids.includes(null)) return err({ kind: 'bad cursor' });
    return this.#entries(log, ids as ObjectId[]);
  }

  async #entries(
    log: Tree<LinkedLogShape<T>>,
    ids: readonly ObjectId[],
  ): Promise<Result<Reached<T>[], LinkedLogFault>> {
    const entries: Reached<T>[] = [];
    for (const id of ids) {
      const entry = await this.#entry(log, id);
      if (!entry.ok) return entry;
      entries.push(entry.value);
    }
    return ok(entries);
  }

  async #entry(
    log: Tree<LinkedLogShape<T>>,
    id: ObjectId,
  ): Promise<Result<Reached<T>, LinkedLogFault>> {
    const entry = await log.find(['entries', id.slice(0, 2), id.slice(2)]);
    if (!entry.ok) return entry;
    if (entry.value === undefined) return broken(id);
    return ok({ id, entry: entry.value as LinkedEntry<T> });
  }
}

/** A log that is a tree; its `shape` goes into a schema. */
export const linkedLog = <T>(item: Form<T>): LinkedLog<T> => new LinkedLog(item);

const broken = (id: ObjectId): Result<never, LinkedLogFault> => err({ kind: 'broken link', id });

/** Of the entry's bytes as a blob of SHA-256, whatever the repository's hash is. */
const idOf = (crypto: CryptoPrimitives, bytes: Uint8Array): ObjectId =>
  hashObject(crypto, 'SHA-256', 'blob', bytes);

function isBefore<T>(a: Reached<T>, b: Reached<T>): boolean {
  if (a.entry.depth !== b.entry.depth) return a.entry.depth > b.entry.depth;
  if (a.entry.time !== b.entry.time) return a.entry.time > b.entry.time;
  return a.id > b.id;
}

const ids: Form<readonly ObjectId[]> = {
  merge: like<readonly ObjectId[], ReadonlySet<ObjectId>>(
    mergeSet<ObjectId>(),
    (list) => new Set(list),
    (whole) => [...whole].sort(compareText),
  ),
  toJson: (list) => list,
  fromJson(json) {
    if (!Array.isArray(json) || json.length > LOG_HEADS_MAX) return err('not a list of ids');
    const list = json.map((id: Json) => (typeof id === 'string' ? parseObjectId(id) : null));
    return list.includes(null) ? err('not an id') : ok(list as ObjectId[]);
  },
};

const heads = content('linked-heads', ids);

function entryForm<T>(item: Form<T>): Form<LinkedEntry<T>> {
  return {
    // One id, one entry: two that differ are no entries.
    merge: idempotent(),
    toJson: ({ time, value, previous, depth }) => ({
      depth,
      previous,
      time,
      value: item.toJson(value) ?? null,
    }),
    fromJson: (json) => readEntry(item, json),
  };
}

function readEntry<T>(item: Form<T>, json: Json | undefined): Result<LinkedEntry<T>, FormFault> {
  if (!isObject(json)) return err('not an object');
  const { time, depth } = json;
  if (typeof time !== 'number' || !Number.isSafeInteger(time)) return err('not a time');
  if (typeof depth !== 'number' || !Number.isSafeInteger(depth) || depth < 1) {
    return err('not a depth');
  }
  const previous = ids.fromJson(json.previous);
  if (!previous.ok) return previous;
  const value = item.fromJson(json.value);
  if (!value.ok) return value;
  return ok({ time: wallTimeOfMillis(time), value: value.value, previous: previous.value, depth });
}
