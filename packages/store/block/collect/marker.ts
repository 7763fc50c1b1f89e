/**
 * What stays: everything that roots lead to, found by walking. Commits go by levels from the roots,
 * so that older ones can be cut off; each one's tree is walked before the next. Memory: a few bytes
 * an object. Read first: old-space.ts, links.ts.
 */

import { ok, type Result } from '#core';
import { type GitObject, OBJECT_KINDS, type ObjectId, type ObjectKind } from '#git';
import type { StoreFault } from '../fault.ts';
import { type Link, linksOf, NO_PATH, treeLinks } from './links.ts';
import { Numbers, type OldObject, type OldSpace } from './old-space.ts';

/** Trees held to compare the next version of their path with. */
const TREES_HELD = 256;
const TREES_HELD_BYTES = 4 * 1_024 * 1_024;
const STEP_OBJECTS = 64;

export interface MarkerTools {
  readonly old: OldSpace;
  readonly idBytes: number;
  readonly read: (object: OldObject) => Promise<Result<GitObject, StoreFault>>;
  /** Whether an object that isn't old was written meanwhile: it stays, and is walked by itself. */
  readonly isFresh: (id: ObjectId) => boolean;
  readonly isShallow: (id: ObjectId) => boolean;
  /** Commits of each branch that stay, the tip being the first one. */
  readonly depthMax: number;
  readonly pause: () => Promise<void>;
}

export class Marker {
  /** Numbers of what stays, as it was found. */
  readonly found = new Numbers();
  /** By number: 1 + its place in OBJECT_KINDS; 0: not known yet. */
  readonly kinds: Uint8Array;
  readonly paths: Uint32Array;
  /** What is named and is nowhere. */
  missing = 0;
  readonly old: OldSpace;
  readonly #tools: MarkerTools;
  readonly #bits: Uint8Array;
  readonly #trees = new Numbers();
  readonly #unknown = new Numbers();
  #level = new Numbers();
  #nextLevel = new Numbers();
  #depth = 1;
  /** Commits whose parents weren't followed. */
  readonly #edge = new Numbers();
  readonly #held = new Map<number, Uint8Array>();
  #heldBytes = 0;
  #steps = 0;

  constructor(tools: MarkerTools) {
    this.#tools = tools;
    this.old = tools.old;
    const { count } = tools.old;
    this.#bits = new Uint8Array(Math.ceil(count / 8));
    this.kinds = new Uint8Array(count);
    this.paths = new Uint32Array(count);
  }

  has(number: number): boolean {
    return (this.#bits[number >> 3]! & (1 << (number & 7))) !== 0;
  }

  /** `id` stays, and what it leads to: `walk` finds that. */
  async root(id: ObjectId): Promise<Result<void, StoreFault>> {
    return this.#mark({ id, kind: null, path: NO_PATH });
  }

  /** An object written meanwhile: what it names stays. */
  async fresh(object: GitObject): Promise<Result<void, StoreFault>> {
    for (const link of linksOf(object, this.#tools.idBytes) ?? []) {
      const marked = await this.#mark(link);
      if (!marked.ok) return marked;
    }
    return ok(undefined);
  }

  async #mark({ id, kind, path }: Link): Promise<Result<void, StoreFault>> {
    const found = await this.#tools.old.find(id);
    if (!found.ok) return found;
    if (found.value === null) {
      if (!this.#tools.isFresh(id)) this.missing += 1;
      return ok(undefined);
    }
    const { number } = found.value;
    if (this.has(number)) return ok(undefined);
    this.#bits[number >> 3] = this.#bits[number >> 3]! | (1 << (number & 7));
    this.found.push(number);
    this.paths[number] = path;
    this.#queue(number, kind);
    return ok(undefined);
  }

  #queue(number: number, kind: ObjectKind | null): void {
    this.kinds[number] = kind === null ? 0 : 1 + OBJECT_KINDS.indexOf(kind);
    if (kind === null || kind === 'tag') this.#unknown.push(number);
    else if (kind === 'tree') this.#trees.push(number);
    else if (kind === 'commit') this.#nextLevel.push(number);
  }

  /** Follows everything that was marked. */
  async walk(): Promise<Result<void, StoreFault>> {
    for (;;) {
      const done = await this.#step();
      if (!done.ok) return done;
      if (!done.value) break;
      this.#steps += 1;
      if (this.#steps % STEP_OBJECTS === 0) await this.#tools.pause();
    }
    // What comes later begins anew: it is a root.
    this.#depth = 1;
    return ok(undefined);
  }

  async #step(): Promise<Result<boolean, StoreFault>> {
    if (this.#trees.count > 0) return this.#visit(this.#trees.pop());
    if (this.#unknown.count > 0) return this.#visit(this.#unknown.pop());
    if (this.#level.count > 0) return this.#visit(this.#level.pop());
    if (this.#nextLevel.count === 0) return ok(false);
    const empty = this.#level;
    this.#level = reversed(this.#nextLevel);
    this.#nextLevel = empty;
    this.#depth += 1;
    return ok(true);
  }

  async #visit(number: number): Promise<Result<boolean, StoreFault>> {
    const { old, idBytes, read } = this.#tools;
    const at = await old.at(number);
    if (!at.ok) return at;
    const object = await read(at.value);
    if (!object.ok) return object;
    const { kind } = object.value;
    if (this.kinds[number] === 0) {
      this.kinds[number] = 1 + OBJECT_KINDS.indexOf(kind);
      if (kind === 'commit') {
        this.#nextLevel.push(number);
        return ok(true);
      }
    }
    const links =
      kind === 'tree'
        ? this.#treeLinks(object.value.bytes, this.paths[number]!)
        : linksOf(object.value, idBytes);
    if (links === null) this.missing += 1;
    return this.#follow(number, at.value.id, kind, links ?? []);
  }

  async #follow(
    number: number,
    id: ObjectId,
    kind: ObjectKind,
    links: readonly Link[],
  ): Promise<Result<boolean, StoreFault>> {
    // A level's commits are one deeper than those before, and the first level has depth 2 by now.
    const isEdge = kind === 'commit' && this.#depth - 1 >= this.#tools.depthMax;
    const hasNoParents = kind === 'commit' && this.#tools.isShallow(id);
    if (isEdge || hasNoParents) this.#edge.push(number);
    for (const link of links) {
      if ((isEdge || hasNoParents) && link.kind === 'commit') continue;
      const marked = await this.#mark(link);
      if (!marked.ok) return marked;
    }
    return ok(true);
  }

  #treeLinks(bytes: Uint8Array, path: number): Link[] | null {
    const before = this.#held.get(path) ?? null;
    if (before === null && this.#held.size >= TREES_HELD) this.#dropHeld();
    this.#heldBytes += bytes.length - (before?.length ?? 0);
    this.#held.set(path, bytes);
    if (this.#heldBytes > TREES_HELD_BYTES) this.#dropHeld();
    return treeLinks(bytes, before, this.#tools.idBytes, path);
  }

  #dropHeld(): void {
    this.#held.clear();
    this.#heldBytes = 0;
  }

  /** Commits that stay and have a parent that doesn't, or were shallow before. */
  async shallow(): Promise<Result<ObjectId[], StoreFault>> {
    const { old, idBytes, read, isFresh, isShallow } = this.#tools;
    const ids: ObjectId[] = [];
    for (const number of this.#edge.values) {
      const at = await old.at(number);
      if (!at.ok) return at;
      if (isShallow(at.value.id)) {
        ids.push(at.value.id);
        continue;
      }
      const object = await read(at.value);
      if (!object.ok) return object;
      for (const { id, kind } of linksOf(object.value, idBytes) ?? []) {
        if (kind !== 'commit') continue;
        const parent = await old.find(id);
        if (!parent.ok) return parent;
        const stays = parent.value === null ? isFresh(id) : this.has(parent.value.number);
        if (stays) continue;
        ids.push(at.value.id);
        break;
      }
    }
    return ok(ids);
  }
}

/** So that popping gives them in the order of pushing. */
function reversed(numbers: Numbers): Numbers {
  numbers.values.reverse();
  return numbers;
}
