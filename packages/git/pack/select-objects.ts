/**
 * Which objects the other side needs: everything that its wants reach and its haves don't. Commits
 * first, the latest first; then tags, then trees and files by commit, each read once. Read first:
 * selection.ts, commit-links.ts.
 *
 * What the other side has of files and trees is told from the commits next to those that it lacks,
 * path by path where something differs: what moved elsewhere may be sent again, which is allowed.
 */

import { BinaryHeap, err, ok, type Result } from '#core';
import type { BackendError, ObjectBackend } from '../backend.ts';
import type { GitObject, ObjectKind } from '../object.ts';
import { ID_BYTES, type ObjectId } from '../object-id.ts';
import type { ObjectFilter } from '../wire/object-filter.ts';
import { parseTag } from '../wire/tag.ts';
import { commitLinks } from './commit-links.ts';
import { EDGES_MAX, TAG_CHAIN_MAX } from './limits.ts';
import { Selection } from './selection.ts';
import { TreeWalk } from './tree-walk.ts';

export interface PackRequest {
  /** Of any kind. All must be here, and what they reach. */
  readonly wants: readonly ObjectId[];
  /** The other side has these and what they reach; those that aren't here count for nothing. */
  readonly haves: readonly ObjectId[];
  /** Commits that are sent without their parents. */
  readonly ends?: ReadonlySet<ObjectId>;
  /** Commits whose parents the other side lacks. */
  readonly haveEnds?: ReadonlySet<ObjectId>;
  /** What isn't sent, unless it is wanted by its own id. */
  readonly filter?: ObjectFilter | null;
}

/** Commits that are walked past the last one that is wanted: times may be wrong (Git: SLOP). */
const SLOP_COUNT = 5;
/** Objects that are read between two steps. */
const STEP_OBJECTS = 64;

const NONE: ReadonlySet<ObjectId> = new Set();

/** Selects all at once. */
export async function selectObjects(
  backend: ObjectBackend,
  request: PackRequest,
): Promise<Result<Selection, BackendError>> {
  const steps = selectSteps(backend, request);
  for (;;) {
    const next = await steps.next();
    if (next.done === true) return next.value;
  }
}

/** Of the commits that were selected those whose parents aren't here: histories end there. */
export async function shallowOf(
  backend: ObjectBackend,
  selection: Selection,
): Promise<Result<readonly ObjectId[], BackendError>> {
  const listed = (await backend.listShallow?.()) ?? ok(NONE);
  if (!listed.ok) return listed;
  return ok([...listed.value].filter((id) => selection.isChosen(selection.table.addId(id))));
}

/** As `selectObjects`, stopping after every some hundred objects with the count so far. */
export function selectSteps(
  backend: ObjectBackend,
  request: PackRequest,
): AsyncGenerator<number, Result<Selection, BackendError>> {
  return new Selecting(backend, request).steps();
}

/** Thrown inside of a walk only: what the backend said. */
class Stopped extends Error {
  override readonly name = 'Stopped';
  readonly error: BackendError;

  constructor(error: BackendError) {
    super(error.kind);
    this.error = error;
  }
}

/** A commit that waits to be walked. */
interface QueuedCommit {
  /** Its number in the selection's table. */
  readonly index: number;
  readonly seconds: number;
  readonly parents: readonly number[];
}

/** The latest first; of those of one second, as they were met, so that every walk is the same. */
const isBefore = (a: QueuedCommit, b: QueuedCommit): boolean =>
  a.seconds > b.seconds || (a.seconds === b.seconds && a.index < b.index);

interface ChosenCommit {
  readonly index: number;
  readonly parents: readonly number[];
}

class Selecting {
  private readonly backend: ObjectBackend;
  private readonly request: PackRequest;
  private readonly selection: Selection;
  private readonly idBytes: number;
  private readonly ends: ReadonlySet<ObjectId>;
  private readonly haveEnds: ReadonlySet<ObjectId>;
  /** Where our own history ends. */
  private shallow = NONE;
  private readonly queue = new BinaryHeap(isBefore);
  /** Commits by number in the selection's table: their trees, once they were read. */
  private readonly trees = new Map<number, ObjectId>();
  /** Numbers of parents, of those that were taken from the queue as wanted. */
  private readonly walked = new Map<number, readonly number[]>();
  private readonly uninteresting = new Set<number>();
  /** Wanted ones in the queue. */
  private interestingQueued = 0;
  private readonly chosenCommits: ChosenCommit[] = [];
  private readonly tags: number[] = [];
  private readonly tagged: { readonly id: ObjectId; readonly kind: ObjectKind }[] = [];
  private reads = 0;

  constructor(backend: ObjectBackend, request: PackRequest) {
    this.backend = backend;
    this.request = request;
    this.selection = new Selection(backend.hash);
    this.idBytes = ID_BYTES[backend.hash];
    this.ends = request.ends ?? NONE;
    this.haveEnds = request.haveEnds ?? NONE;
  }

  async *steps(): AsyncGenerator<number, Result<Selection, BackendError>> {
    try {
      this.shallow = await this.listShallow();
      for (const id of this.request.haves) await this.addHave(id);
      for (const id of this.request.wants) await this.addWant(id);
      for await (const count of this.walkCommits()) yield count;
      const edges = this.chooseCommits();
      yield* this.walkTrees(edges);
      return ok(this.selection);
    } catch (error) {
      if (error instanceof Stopped) return err(error.error);
      throw error;
    }
  }

  private async listShallow(): Promise<ReadonlySet<ObjectId>> {
    const listed = (await this.backend.listShallow?.()) ?? ok(NONE);
    if (!listed.ok) throw new Stopped(listed.error);
    return listed.value;
  }

  private async read(id: ObjectId): Promise<GitObject | null> {
    this.reads += 1;
    const object = await this.backend.readObject(id);
    if (!object.ok) throw new Stopped(object.error);
    return object.value;
  }

  private async need(id: ObjectId): Promise<GitObject> {
    const object = await this.read(id);
    if (object === null) throw damaged(id, 'an object is missing');
    return object;
  }

  private async addHave(id: ObjectId): Promise<void> {
    let at = id;
    for (let tags = 0; tags <= TAG_CHAIN_MAX; tags++) {
      const index = this.selection.table.addId(at);
      if (this.uninteresting.has(index)) return;
      const object = await this.read(at);
      if (object === null) return;
      this.uninteresting.add(index);
      if (object.kind === 'commit') {
        this.enqueue(index, at, object.bytes);
        return;
      }
      this.selection.setTheirs(index);
      if (object.kind !== 'tag') return;
      at = this.tagTarget(at, object.bytes).id;
    }
  }

  private async addWant(id: ObjectId): Promise<void> {
    let at = id;
    for (let tags = 0; tags <= TAG_CHAIN_MAX; tags++) {
      const index = this.selection.table.addId(at);
      if (this.trees.has(index) || this.tags.includes(index)) return;
      const object = await this.need(at);
      if (object.kind === 'commit') {
        this.enqueue(index, at, object.bytes);
        return;
      }
      if (object.kind !== 'tag') {
        this.tagged.push({ id: at, kind: object.kind });
        return;
      }
      this.tags.push(index);
      at = this.tagTarget(at, object.bytes).id;
    }
    throw damaged(id, 'a tag of too many tags');
  }

  private tagTarget(id: ObjectId, bytes: Uint8Array): { readonly id: ObjectId } {
    const tag = parseTag(bytes, this.idBytes);
    if (!tag.ok) throw damaged(id, 'a malformed tag');
    return { id: tag.value.object };
  }

  private enqueue(index: number, id: ObjectId, bytes: Uint8Array): void {
    const links = commitLinks(bytes, this.idBytes);
    if (links === null) throw damaged(id, 'a malformed commit');
    this.trees.set(index, links.tree);
    const ends = this.uninteresting.has(index) ? this.haveEnds : this.ends;
    const isEnd = ends.has(id) || this.shallow.has(id);
    const parents = isEnd ? [] : links.parents.map((parent) => this.selection.table.addId(parent));
    if (!this.uninteresting.has(index)) this.interestingQueued += 1;
    this.queue.push({ index, seconds: links.seconds, parents });
  }

  /** By time, latest first, until only commits are left that the other side has. */
  private async *walkCommits(): AsyncGenerator<number, void> {
    let slop = SLOP_COUNT;
    for (let commit = this.queue.pop(); commit !== undefined; commit = this.queue.pop()) {
      const isTheirs = this.uninteresting.has(commit.index);
      if (!isTheirs) this.interestingQueued -= 1;
      this.walked.set(commit.index, commit.parents);
      if (isTheirs) this.spread(commit);
      else this.chosenCommits.push(commit);
      for (const parent of commit.parents) await this.meet(parent, isTheirs);
      if (this.interestingQueued > 0) slop = SLOP_COUNT;
      else if (slop-- === 0) return;
      if (this.reads % STEP_OBJECTS === 0) yield this.chosenCommits.length;
    }
  }

  private async meet(parent: number, isTheirs: boolean): Promise<void> {
    if (this.trees.has(parent)) return;
    const id = this.selection.table.idAt(parent);
    const object = await this.read(id);
    if (object?.kind === 'commit') {
      this.enqueue(parent, id, object.bytes);
      return;
    }
    // What the other side has may be beyond what is here.
    if (!isTheirs) throw damaged(id, object === null ? 'a commit is missing' : 'not a commit');
  }

  /** The parents of what the other side has are its own too, also those that were walked before. */
  private spread({ parents }: QueuedCommit): void {
    const stack = [...parents];
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      if (this.uninteresting.has(index)) continue;
      this.uninteresting.add(index);
      const walked = this.walked.get(index);
      if (walked !== undefined) stack.push(...walked);
      else if (this.trees.has(index)) this.interestingQueued -= 1;
    }
  }

  /** Gives the trees of the commits next to what is chosen, which the other side has. */
  private chooseCommits(): ObjectId[] {
    const { selection } = this;
    const edges = new Set<ObjectId>();
    for (const index of this.uninteresting) selection.setTheirs(index);
    for (const { index, parents } of this.chosenCommits) {
      if (this.uninteresting.has(index)) continue;
      selection.choose(index, 'commit', 0);
      for (const parent of parents) {
        const tree = this.uninteresting.has(parent) ? this.trees.get(parent) : undefined;
        if (tree !== undefined && edges.size < EDGES_MAX) edges.add(tree);
      }
    }
    for (const index of this.tags) if (selection.isNew(index)) selection.choose(index, 'tag', 0);
    return [...edges, ...this.haveTrees(edges)];
  }

  /** Where histories don't meet, or only old commits are wanted, tips are as good as edges. */
  private haveTrees(edges: ReadonlySet<ObjectId>): ObjectId[] {
    const trees: ObjectId[] = [];
    for (const id of this.request.haves) {
      const tree = this.trees.get(this.selection.table.findId(id));
      if (tree === undefined || edges.has(tree)) continue;
      if (edges.size + trees.length >= EDGES_MAX) break;
      trees.push(tree);
    }
    return trees;
  }

  private async *walkTrees(edges: readonly ObjectId[]): AsyncGenerator<number, void> {
    const { filter = null } = this.request;
    const walk = new TreeWalk(this.selection, (id) => this.need(id), edges, filter);
    for (const { index } of this.chosenCommits) {
      if (filter?.kind === 'trees' || this.uninteresting.has(index)) continue;
      for await (const _ of walk.add(this.trees.get(index)!, 'tree')) yield this.selection.count;
    }
    for (const { id, kind } of this.tagged) {
      for await (const _ of walk.add(id, kind)) yield this.selection.count;
    }
  }
}

const damaged = (id: ObjectId, what: string) => new Stopped({ kind: 'damaged', id, what });
