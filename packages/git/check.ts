/**
 * Whether a repository is whole, as `git fsck --full --strict` asks it: each object has the bytes
 * that its name says and is one that Git lets in, what it names is there and of the right kind,
 * each ref leads to an object. Reads every object once, in any order; memory: 25 bytes an object,
 * whatever the objects' sizes. Not here: files of a backend that are spoilt without an object being
 * so (disk/check-files.ts), what nobody names.
 */

import { err, ok, type Result } from '#core';
import type { CryptoPrimitives } from '#device';
import type { BackendError, ObjectBackend } from './backend.ts';
import { IdTable } from './id-table.ts';
import { CHECK_PROBLEMS_MAX } from './limits.ts';
import { hashObject, type NamedObject, OBJECT_KINDS, type ObjectKind } from './object.ts';
import { ID_BYTES, type ObjectId } from './object-id.ts';
import { checkObject } from './pack/check-object.ts';
import { commitLinks } from './pack/commit-links.ts';
import { kindOfRawMode, type RawEntry, readRawEntry } from './pack/raw-tree.ts';
import { parseTag } from './wire/tag.ts';

export type CheckProblem =
  /** It can't be read. */
  | { readonly kind: 'damaged'; readonly id: ObjectId | null; readonly what: string }
  /** Its bytes are another object's. */
  | { readonly kind: 'wrong bytes'; readonly id: ObjectId; readonly actual: ObjectId }
  /** `what` as `git fsck` calls it: 'badTree'. */
  | { readonly kind: 'bad object'; readonly id: ObjectId; readonly what: string }
  /** An object names it, and it isn't here. */
  | { readonly kind: 'missing'; readonly id: ObjectId; readonly as: ObjectKind }
  /** Objects name it as something that it isn't. */
  | { readonly kind: 'wrong kind'; readonly id: ObjectId; readonly as: ObjectKind }
  /** A ref names what isn't here, or a branch what is no commit. */
  | { readonly kind: 'bad ref'; readonly name: string; readonly id: ObjectId }
  /** A ref can't be read; the others can. */
  | { readonly kind: 'broken ref'; readonly name: string; readonly what: string };

export interface CheckReport {
  readonly objects: number;
  /** Of all objects as they are, not as they are stored. */
  readonly objectBytes: number;
  readonly refs: number;
  /** The first CHECK_PROBLEMS_MAX of them. */
  readonly problems: readonly CheckProblem[];
  readonly problemCount: number;
}

export interface CheckOptions {
  readonly crypto: CryptoPrimitives;
  /** Called after each object. */
  readonly progress?: (objects: number) => void;
}

/** Bits of an id's flags: the kind that it has, and that it is named as; each 1 + its number. */
const NAMED_SHIFT = 4;
const KIND_MASK = 7;

/** An error: it can't even be asked what is here. The backend must be able to list its objects. */
export function checkRepository(
  backend: ObjectBackend,
  options: CheckOptions,
): Promise<Result<CheckReport, BackendError>> {
  return new Check(backend, options).run();
}

class Check {
  private readonly backend: ObjectBackend;
  private readonly options: CheckOptions;
  private readonly table: IdTable;
  private readonly idBytes: number;
  private readonly entry: RawEntry = { mode: 0, nameAt: 0, nameEnd: 0, idAt: 0 };
  /** Commits whose parents may be missing. */
  private shallow: ReadonlySet<ObjectId> = new Set();
  private readonly problems: CheckProblem[] = [];
  private problemCount = 0;
  private objects = 0;
  private objectBytes = 0;

  constructor(backend: ObjectBackend, options: CheckOptions) {
    this.backend = backend;
    this.options = options;
    this.idBytes = ID_BYTES[backend.hash];
    this.table = new IdTable(this.idBytes);
  }

  async run(): Promise<Result<CheckReport, BackendError>> {
    const shallow = await this.backend.listShallow?.();
    if (shallow?.ok === false) return shallow;
    if (shallow !== undefined) this.shallow = shallow.value;
    for await (const listed of this.backend.objectIds?.() ?? []) {
      if (!listed.ok) {
        if (listed.error.kind !== 'damaged') return listed;
        this.add(listed.error);
        continue;
      }
      const fault = await this.checkOne(listed.value);
      if (fault !== null) return err(fault);
    }
    this.checkNamed();
    const refs = await this.checkRefs();
    if (!refs.ok) return refs;
    const { objects, objectBytes, problems, problemCount } = this;
    return ok({ objects, objectBytes, refs: refs.value, problems, problemCount });
  }

  private add(problem: CheckProblem): void {
    this.problemCount++;
    if (this.problems.length < CHECK_PROBLEMS_MAX) this.problems.push(problem);
  }

  private async checkOne(id: ObjectId): Promise<BackendError | null> {
    const read = await this.backend.readObject(id);
    if (!read.ok) {
      if (read.error.kind !== 'damaged' && read.error.kind !== 'too big') return read.error;
      const what = read.error.kind === 'damaged' ? read.error.what : 'it is too big to be read';
      this.add({ kind: 'damaged', id, what });
      this.have(id, null);
      return null;
    }
    // Removed meanwhile, by a `git gc`: it isn't here.
    if (read.value === null) return null;
    const { kind, bytes } = read.value;
    this.objects++;
    this.objectBytes += bytes.length;
    this.have(id, kind);
    const actual = hashObject(this.options.crypto, this.backend.hash, kind, bytes);
    const bad = actual === id ? checkObject(kind, bytes, this.idBytes) : null;
    if (actual !== id) this.add({ kind: 'wrong bytes', id, actual });
    else if (bad !== null) this.add({ kind: 'bad object', id, what: bad });
    else this.addLinks({ id, kind, bytes });
    this.options.progress?.(this.objects);
    return null;
  }

  /** Null: it is here, and what it is can't be told. */
  private have(id: ObjectId, kind: ObjectKind | null): void {
    const number = kind === null ? KIND_MASK : 1 + OBJECT_KINDS.indexOf(kind);
    const index = this.table.addId(id);
    const flags = this.table.flagsAt(index);
    this.table.setFlags(index, (flags & ~KIND_MASK) + number);
  }

  private name(index: number, kind: ObjectKind): void {
    const flags = this.table.flagsAt(index);
    const number = 1 + OBJECT_KINDS.indexOf(kind);
    const before = flags >> NAMED_SHIFT;
    if (before === 0) this.table.setFlags(index, flags + (number << NAMED_SHIFT));
    else if (before !== number) {
      this.add({ kind: 'wrong kind', id: this.table.idAt(index), as: kind });
    }
  }

  private addLinks({ id, kind, bytes }: NamedObject): void {
    if (kind === 'tree') this.addTreeLinks(bytes);
    if (kind === 'commit') {
      const { tree, parents } = commitLinks(bytes, this.idBytes)!;
      this.name(this.table.addId(tree), 'tree');
      if (this.shallow.has(id)) return;
      for (const parent of parents) this.name(this.table.addId(parent), 'commit');
    }
    const tag = kind === 'tag' ? parseTag(bytes, this.idBytes) : null;
    if (tag?.ok) this.name(this.table.addId(tag.value.object), tag.value.kind);
  }

  private addTreeLinks(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at = this.entry.idAt + this.idBytes) {
      if (!readRawEntry(bytes, at, this.idBytes, this.entry)) return;
      const kind = kindOfRawMode(this.entry.mode);
      // A submodule's commit is in another repository.
      if (kind === null || kind === 'commit') continue;
      this.name(this.table.add(bytes, this.entry.idAt), kind);
    }
  }

  private checkNamed(): void {
    for (let index = 0; index < this.table.count; index++) {
      const flags = this.table.flagsAt(index);
      const named = flags >> NAMED_SHIFT;
      const has = flags & KIND_MASK;
      if (named === 0 || named === has || has === KIND_MASK) continue;
      const id = this.table.idAt(index);
      const as = OBJECT_KINDS[named - 1]!;
      this.add(has === 0 ? { kind: 'missing', id, as } : { kind: 'wrong kind', id, as });
    }
  }

  private async checkRefs(): Promise<Result<number, BackendError>> {
    const refs = await this.backend.listRefs('');
    if (!refs.ok) return refs;
    const commit = 1 + OBJECT_KINDS.indexOf('commit');
    for (const { name, id } of refs.value) {
      const index = this.table.findId(id);
      const has = index < 0 ? 0 : this.table.flagsAt(index) & KIND_MASK;
      const isBranch = name.startsWith('refs/heads/');
      if (has === 0 || (isBranch && has !== commit)) this.add({ kind: 'bad ref', name, id });
    }
    const broken = (await this.backend.listBrokenRefs?.('')) ?? ok([]);
    if (!broken.ok) return broken;
    for (const { name, what } of broken.value) this.add({ kind: 'broken ref', name, what });
    return ok(refs.value.length + broken.value.length);
  }
}

/** One sentence, without a dot. */
export function formatCheckProblem(problem: CheckProblem): string {
  switch (problem.kind) {
    case 'damaged':
      return problem.id === null ? problem.what : `${problem.id}: ${problem.what}`;
    case 'wrong bytes':
      return `${problem.id} has the bytes of ${problem.actual}`;
    case 'bad object':
      return `${problem.id} is malformed: ${problem.what}`;
    case 'missing':
      return `the ${problem.as} ${problem.id} is named, and missing`;
    case 'wrong kind':
      return `${problem.id} is named as a ${problem.as}, which it isn't`;
    case 'bad ref':
      return `${problem.name} is at ${problem.id}, which is missing or no commit`;
    case 'broken ref':
      return `${problem.name} is a broken ref: ${problem.what}`;
  }
}
