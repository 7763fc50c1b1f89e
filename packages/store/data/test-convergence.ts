/**
 * Replicas with random edits and random merges over real commits, and the naive model that they
 * must agree with: the set of all edits that a replica has seen. For tests.
 */

import assert from 'node:assert/strict';
import { SeededRandom, type WallTime, wallTimeOfMillis } from '#core';
import type { Entropy } from '#device';
import { ID_BYTES, MODE_FILE, type ObjectId } from '#git';
import { TreeTable } from '#git/wire';
import type { ContentType } from '../content/content-type.ts';
import { equalBytes } from '../content/equal.ts';
import { formatConflict } from '../content/merge.ts';
import { CommitGraph } from '../history/commit-graph.ts';
import { relationOf } from '../history/common-ancestors.ts';
import { newDraft } from '../history/test-histories.ts';
import { mergeCommits } from '../merge/commit-merge.ts';
import { entropyOf } from '../test-world.ts';
import { newTag } from './tag.ts';

export interface EditContext {
  /** Who edits: 0, 1 or 2. */
  readonly replica: number;
  readonly random: SeededRandom;
  readonly time: WallTime;
  readonly tag: string;
}

/** What is tested: E is what an edit did, enough for the model to replay it. */
export interface Subject<T, E> {
  readonly type: ContentType<T>;
  readonly initial: T;
  edit(value: T, context: EditContext): { value: T; event: E };
  /** What the value must show when these edits, each after those it saw, are what happened. */
  expected(events: readonly E[]): unknown;
  shown(value: T): unknown;
  /** Asserts what else is true of it then. */
  holds?(value: T, events: readonly E[]): void;
  /** Whose order of merges may show: then only whose side is whose doesn't matter. */
  readonly isOrdered?: boolean;
}

interface Head {
  readonly id: ObjectId;
  readonly events: ReadonlySet<number>;
}

export class Replicas<T, E> {
  readonly subject: Subject<T, E>;
  readonly heads: Head[];
  readonly #random: SeededRandom;
  readonly #objects = newDraft();
  readonly #graph = new CommitGraph(this.#objects);
  readonly #events: E[] = [];
  readonly #entropy: Entropy;
  #time = 1_000;
  merges = 0;

  constructor(subject: Subject<T, E>, count: number, seed: number) {
    this.subject = subject;
    this.#random = new SeededRandom(seed);
    this.#entropy = entropyOf(this.#random);
    const root = { id: this.#commit(subject.initial, []), events: new Set<number>() };
    this.heads = Array.from({ length: count }, () => root);
  }

  /** One of them edits, or takes over what another one has. */
  async step(): Promise<void> {
    const at = this.#random.below(this.heads.length);
    if (this.#random.chance(0.6)) await this.#edit(at);
    else this.heads[at] = await this.merge(this.heads[at]!, this.#any());
  }

  async merge(ours: Head, theirs: Head): Promise<Head> {
    const relation = await relationOf(this.#graph, ours.id, theirs.id);
    assert.ok(relation.ok);
    if (relation.value === 'ahead') return theirs;
    if (relation.value === 'same' || relation.value === 'behind') return ours;
    const options = { contentTypeAt: () => this.subject.type };
    const merged = await mergeCommits(this.#graph, this.#objects, ours.id, theirs.id, options);
    if (!merged.ok) {
      assert.ok(merged.error.kind === 'conflict', merged.error.kind);
      assert.fail(formatConflict(merged.error.conflicts[0]!.reason));
    }
    this.merges++;
    const id = this.#commitTree(merged.value.tree, [ours.id, theirs.id]);
    return { id, events: new Set([...ours.events, ...theirs.events]) };
  }

  async value({ id }: Head): Promise<T> {
    const commit = await this.#objects.commit(id);
    assert.ok(commit.ok);
    const table = await this.#objects.tree(commit.value.tree);
    assert.ok(table.ok);
    const blob = await this.#objects.blob(table.value.get('value')!.id);
    assert.ok(blob.ok);
    const value = this.subject.type.decode(blob.value);
    assert.ok(value.ok, value.ok ? '' : value.error.message);
    return value.value;
  }

  /** That every head shows what the model says of the edits it has seen. */
  async check(head: Head): Promise<void> {
    const events = [...head.events].sort((a, b) => a - b).map((index) => this.#events[index]!);
    const value = await this.value(head);
    assert.deepEqual(this.subject.shown(value), this.subject.expected(events));
    this.subject.holds?.(value, events);
  }

  async #edit(at: number): Promise<void> {
    const head = this.heads[at]!;
    this.#time += this.#random.below(3);
    const time = wallTimeOfMillis(this.#time);
    const tag = newTag(time, this.#entropy);
    const context = { replica: at, random: this.#random, time, tag };
    const { value, event } = this.subject.edit(await this.value(head), context);
    const index = this.#events.push(event) - 1;
    this.heads[at] = {
      id: this.#commit(value, [head.id]),
      events: new Set([...head.events, index]),
    };
  }

  #any(): Head {
    return this.heads[this.#random.below(this.heads.length)]!;
  }

  #commit(value: T, parents: readonly ObjectId[]): ObjectId {
    const id = this.#objects.addBlob(this.subject.type.encode(value));
    const empty = TreeTable.empty(ID_BYTES['SHA-1']);
    const table = empty.with([{ name: 'value', entry: { mode: MODE_FILE, id } }]);
    return this.#commitTree(this.#objects.addTree(table), parents);
  }

  /** The message makes each commit another one. */
  #commitTree(tree: ObjectId, parents: readonly ObjectId[]): ObjectId {
    const who = { name: 'A', email: 'a@x', seconds: this.#random.below(1_000), zoneMinutes: 0 };
    const message = `${this.#random.u32()} ${this.#random.u32()}`;
    const head = { tree, parents, author: who, committer: who };
    return this.#objects.addCommit({ ...head, extraHeaders: '', message });
  }
}

/**
 * How much: CONVERGENCE=seeds,replicas,steps,first makes a campaign of what is a smoke test
 * otherwise (tests/README.md).
 */
const [MANY, REPLICAS = 3, STEPS = 0, FIRST = 1] = (process.env.CONVERGENCE ?? '')
  .split(',')
  .filter((part) => part !== '')
  .map(Number);

/** Random histories; then every order of the last merges must show the same, and the model's. */
export async function converges<T, E>(subject: Subject<T, E>, seeds: number): Promise<void> {
  for (let seed = FIRST; seed < FIRST + (MANY ?? seeds); seed++) {
    try {
      await convergesOnce(subject, seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
  }
}

async function convergesOnce<T, E>(subject: Subject<T, E>, seed: number): Promise<void> {
  const replicas = new Replicas(subject, REPLICAS, seed);
  for (let i = 0; i < (STEPS || 12 + (seed % 12)); i++) {
    await replicas.step();
    await replicas.check(replicas.heads[i % REPLICAS]!);
  }
  if (subject.isOrdered) return convergesInOrder(replicas);
  const last: T[] = [];
  for (const order of ordersOf(replicas.heads.map((_, index) => index)).slice(0, 24)) {
    let head = replicas.heads[order[0]!]!;
    for (const next of order.slice(1)) head = await replicas.merge(head, replicas.heads[next]!);
    await replicas.check(head);
    last.push(await replicas.value(head));
  }
  const blobs = last.map((value) => subject.type.encode(value));
  for (const blob of blobs) assert.ok(equalBytes(blob, blobs[0]!), 'the same in every order');
}

/** Two merge each other's at once; then one merges all, and the others take that over. */
async function convergesInOrder<T, E>(replicas: Replicas<T, E>): Promise<void> {
  const { heads, subject } = replicas;
  const text = async (head: Head) => subject.type.encode(await replicas.value(head));
  for (let i = 1; i < heads.length; i++) {
    const [one, other] = [heads[i - 1]!, heads[i]!];
    heads[i - 1] = await replicas.merge(one, other);
    heads[i] = await replicas.merge(other, one);
    assert.deepEqual(await text(heads[i]!), await text(heads[i - 1]!), 'symmetric');
  }
  let whole = heads[0]!;
  for (const head of heads.slice(1)) whole = await replicas.merge(whole, head);
  await replicas.check(whole);
  for (const head of heads) assert.equal((await replicas.merge(head, whole)).id, whole.id);
}

/** All orders of `items`. */
function ordersOf(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first) =>
    ordersOf(items.filter((item) => item !== first)).map((rest) => [first, ...rest]),
  );
}
