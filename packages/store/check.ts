/**
 * Whether a repository is whole: every object that a branch, a tag or another ref leads to is
 * there, has the kind that it is named as, the bytes that its name is the hash of, and a form that
 * can be read. As `git fsck --connectivity-only`, with hashes. Reads every object once.
 */

import { assertNever, ok, type Result } from '#core';
import type { CryptoPrimitives } from '#device';
import {
  type BackendError,
  formatBackendError,
  hashObject,
  ID_BYTES,
  kindOfMode,
  MODE_SUBMODULE,
  type ObjectBackend,
  type ObjectId,
  type ObjectKind,
} from '#git';
import { parseCommit, parseTag, TreeTable } from '#git/wire';
import { CHECK_FAULTS_MAX } from './limits.ts';

export type CheckFault =
  | { readonly kind: 'missing'; readonly id: ObjectId; readonly namedBy: string }
  | { readonly kind: 'wrong bytes'; readonly id: ObjectId }
  | { readonly kind: 'wrong kind'; readonly id: ObjectId; readonly namedBy: string }
  | { readonly kind: 'malformed'; readonly id: ObjectId }
  | { readonly kind: 'backend'; readonly id: ObjectId | null; readonly error: BackendError };

export interface CheckReport {
  /** Objects that were looked at, the missing ones too. */
  readonly objects: number;
  /** The first CHECK_FAULTS_MAX. */
  readonly faults: readonly CheckFault[];
  /** All of them. */
  readonly faultCount: number;
}

/** What is to be looked at. Null: of any kind. */
interface Due {
  readonly id: ObjectId;
  readonly kind: ObjectKind | null;
  readonly namedBy: string;
}

export async function checkRepository(
  backend: ObjectBackend,
  crypto: CryptoPrimitives,
): Promise<CheckReport> {
  const check = new Check(backend, crypto);
  await check.run();
  return check.report();
}

class Check {
  readonly #backend: ObjectBackend;
  readonly #crypto: CryptoPrimitives;
  readonly #faults: CheckFault[] = [];
  readonly #seen = new Set<ObjectId>();
  readonly #queue: Due[] = [];
  #faultCount = 0;

  constructor(backend: ObjectBackend, crypto: CryptoPrimitives) {
    this.#backend = backend;
    this.#crypto = crypto;
  }

  report(): CheckReport {
    return { objects: this.#seen.size, faults: this.#faults, faultCount: this.#faultCount };
  }

  async run(): Promise<void> {
    const refs = await this.#backend.listRefs('');
    if (!refs.ok) return this.#found({ kind: 'backend', id: null, error: refs.error });
    for (const { name, id } of refs.value) this.#look({ id, kind: null, namedBy: name });
    for (let due = this.#queue.pop(); due !== undefined; due = this.#queue.pop()) {
      await this.#check(due);
    }
  }

  #look(due: Due): void {
    if (this.#seen.has(due.id)) return;
    this.#seen.add(due.id);
    this.#queue.push(due);
  }

  async #check({ id, kind, namedBy }: Due): Promise<void> {
    const read = await this.#backend.readObject(id);
    if (!read.ok) return this.#found({ kind: 'backend', id, error: read.error });
    const object = read.value;
    if (object === null) return this.#found({ kind: 'missing', id, namedBy });
    const name = hashObject(this.#crypto, this.#backend.hash, object.kind, object.bytes);
    if (name !== id) return this.#found({ kind: 'wrong bytes', id });
    if (kind !== null && kind !== object.kind) this.#found({ kind: 'wrong kind', id, namedBy });
    const named = this.#named(id, object.kind, object.bytes);
    if (!named.ok) return this.#found({ kind: 'malformed', id });
    for (const due of named.value) this.#look(due);
  }

  #named(id: ObjectId, kind: ObjectKind, bytes: Uint8Array): Result<Due[], unknown> {
    const idBytes = ID_BYTES[this.#backend.hash];
    switch (kind) {
      case 'blob':
        return ok([]);
      case 'commit': {
        const commit = parseCommit(bytes, idBytes);
        if (!commit.ok) return commit;
        const { tree, parents } = commit.value;
        const due = parents.map((parent): Due => ({ id: parent, kind: 'commit', namedBy: id }));
        return ok([...due, { id: tree, kind: 'tree', namedBy: id }]);
      }
      case 'tree': {
        const table = TreeTable.parse(bytes, idBytes);
        if (!table.ok) return table;
        const entries = table.value.entries().filter(({ mode }) => mode !== MODE_SUBMODULE);
        return ok(
          entries.map((entry) => ({ id: entry.id, kind: kindOfMode(entry.mode), namedBy: id })),
        );
      }
      case 'tag': {
        const tag = parseTag(bytes, idBytes);
        if (!tag.ok) return tag;
        return ok([{ id: tag.value.object, kind: tag.value.kind, namedBy: id }]);
      }
    }
  }

  #found(fault: CheckFault): void {
    this.#faultCount++;
    if (this.#faults.length < CHECK_FAULTS_MAX) this.#faults.push(fault);
  }
}

/** One line. */
export function formatCheckFault(fault: CheckFault): string {
  switch (fault.kind) {
    case 'missing':
      return `missing: ${fault.id}, which ${fault.namedBy} names`;
    case 'wrong bytes':
      return `damaged: ${fault.id} isn't the hash of its bytes`;
    case 'wrong kind':
      return `wrong kind: ${fault.id}, which ${fault.namedBy} names`;
    case 'malformed':
      return `malformed: ${fault.id}`;
    case 'backend':
      return `unreadable: ${fault.id ?? 'the refs'}: ${formatBackendError(fault.error)}`;
    default:
      return assertNever(fault);
  }
}
