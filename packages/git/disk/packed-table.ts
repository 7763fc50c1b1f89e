/** The packed refs in memory, read again when the file has changed. */

import { ok, type Result } from '#core';
import type { Clock, FileStat, FileSystem } from '#device';
import type { BackendError } from '../backend.ts';
import type { ObjectHash } from '../object-id.ts';
import { compareText } from '../wire/text.ts';
import { fileFailed, malformed } from './file-fault.ts';
import { FILE_TIME_MILLIS, PACKED_REFS_BYTES_MAX, RESCANS_MAX } from './limits.ts';
import { type PackedRef, type PackedRefs, parsePackedRefs } from './packed-refs.ts';

export const PACKED_REFS = 'packed-refs';

export class PackedTable {
  readonly isPeeled: boolean;
  /** In the order of their bytes. */
  readonly refs: readonly PackedRef[];
  readonly #byName: Map<string, PackedRef>;

  constructor({ isPeeled, refs }: PackedRefs) {
    this.isPeeled = isPeeled;
    this.refs = refs;
    this.#byName = new Map(refs.map((ref) => [ref.name, ref]));
  }

  get(name: string): PackedRef | null {
    return this.#byName.get(name) ?? null;
  }

  /** Those whose names begin with `prefix`, in order. O(log n + found). */
  startingWith(prefix: string): readonly PackedRef[] {
    let low = 0;
    let high = this.refs.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (compareText(this.refs[middle]!.name, prefix) < 0) low = middle + 1;
      else high = middle;
    }
    let end = low;
    while (end < this.refs.length && this.refs[end]!.name.startsWith(prefix)) end++;
    return this.refs.slice(low, end);
  }
}

const EMPTY = new PackedTable({ isPeeled: true, refs: [] });

/** Whether it is the same file, as far as that can be told. */
export const isSame = (a: FileStat | null, b: FileStat | null): boolean =>
  a === b ||
  (a !== null &&
    b !== null &&
    a.inode === b.inode &&
    a.modifiedNanos === b.modifiedNanos &&
    a.sizeBytes === b.sizeBytes);

export class PackedRefsFile {
  readonly #files: FileSystem;
  readonly #hash: ObjectHash;
  readonly #clock: Clock | null;
  #table = EMPTY;
  /** Of the file that the table is of; undefined when it must be read again. */
  #stat: FileStat | null | undefined = null;

  /** By `clock` files have their times; without one they are believed at once. */
  constructor(files: FileSystem, hash: ObjectHash, clock: Clock | null) {
    this.#files = files;
    this.#clock = clock;
    this.#hash = hash;
  }

  /** As it is now. */
  read(): Result<PackedTable, BackendError> {
    for (let tries = 1; ; tries++) {
      const before = this.#files.stat(PACKED_REFS);
      if (!before.ok) return fileFailed(before.error);
      if (this.#stat !== undefined && isSame(before.value, this.#stat)) return ok(this.#table);
      if (before.value === null) return ok(this.#keep(EMPTY, null));
      const bytes = this.#files.readFile(PACKED_REFS, PACKED_REFS_BYTES_MAX);
      if (!bytes.ok) {
        if (bytes.error.kind === 'absent' && tries < RESCANS_MAX) continue;
        return fileFailed(bytes.error);
      }
      const parsed = parsePackedRefs(bytes.value, this.#hash);
      if (!parsed.ok) return malformed(PACKED_REFS, parsed.error);
      const now = this.#files.stat(PACKED_REFS);
      if (!now.ok) return fileFailed(now.error);
      const table = new PackedTable(parsed.value);
      if (isSame(before.value, now.value)) return ok(this.#keep(table, this.#settled(now.value)));
      // Replaced meanwhile: what was read may be either.
      if (tries === RESCANS_MAX) return ok(this.#keep(table, undefined));
    }
  }

  /** A file that is young may be replaced by one that looks the same. */
  #settled(stat: FileStat | null): FileStat | null | undefined {
    if (stat === null || this.#clock === null) return stat;
    const madeAt = Number(stat.modifiedNanos / 1_000_000n);
    return madeAt + FILE_TIME_MILLIS > this.#clock.wall() ? undefined : stat;
  }

  #keep(table: PackedTable, stat: FileStat | null | undefined): PackedTable {
    this.#table = table;
    this.#stat = stat;
    return table;
  }
}
