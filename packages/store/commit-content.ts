/**
 * A commit's files as a read-only key-value device, all in memory: what a website is served from.
 * Contents are named by their blobs' ids, so nothing is hashed again, and a file that stays the
 * same keeps its name. "x.gz" and "x.br" beside "x" are its compressed forms. Left out: links,
 * submodules, names that aren't UTF-8. Required reading: packages/device/kv.ts.
 */

import { err, ok, type Result } from '#core';
import { comparePaths, isKvPath, type KvEncoding, type KvEntry, type KvReadOnly } from '#device';
import { MODE_LINK, type ObjectId } from '#git';
import type { Repository } from './repository.ts';
import type { Shape } from './schema.ts';
import { formatStoreError, type StoreError } from './store-error.ts';

/** As many as a pack in an image has. */
export const CONTENT_FILES_MAX = 65_536;
/**
 * Entries of all trees, directories, links and submodules too: a few kilobytes of trees that hold
 * each other ten times over unfold into billions.
 */
export const CONTENT_ENTRIES_MAX = 131_072;
/** Of KvEntry.digest; SHA-256's ids are longer, and 160 bits of them name as well. */
export const DIGEST_CHARACTERS_MAX = 40;
/** Later times fit no HTTP date. */
const YEAR_9999_END_SECONDS = 253_402_300_799;
const SUFFIXES: readonly (readonly [KvEncoding, string])[] = [
  ['gzip', '.gz'],
  ['br', '.br'],
];

export type ContentError =
  | StoreError
  | { readonly kind: 'too many files'; readonly filesMax: number }
  | { readonly kind: 'too many entries'; readonly entriesMax: number }
  | { readonly kind: 'too large'; readonly bytesMax: number };

/** One sentence's end, without a dot. */
export function formatContentError(error: ContentError): string {
  if (error.kind === 'too many files') return `it has more than ${error.filesMax} files`;
  if (error.kind === 'too many entries') {
    return `its directories have more than ${error.entriesMax} entries`;
  }
  if (error.kind === 'too large') return `its files take more than ${error.bytesMax} bytes`;
  return formatStoreError(error);
}

export interface ContentOptions {
  /** Of all files together. */
  readonly bytesMax: number;
  readonly filesMax?: number;
  /** CONTENT_ENTRIES_MAX unless given. */
  readonly entriesMax?: number;
  /** Another commit's: its entries are taken where nothing changed. */
  readonly previous?: CommitContent | null;
}

/** An entry, and the ids that it was made of: itself, and its compressed forms. */
interface Held {
  readonly made: string;
  readonly entry: KvEntry;
}

/** The files of one commit, held in memory: they stay as they are, whatever the branch does. */
export class CommitContent implements KvReadOnly {
  readonly commit: ObjectId;
  readonly #held: ReadonlyMap<string, Held>;
  readonly #sorted: readonly string[];

  private constructor(commit: ObjectId, held: ReadonlyMap<string, Held>) {
    this.commit = commit;
    this.#held = held;
    this.#sorted = [...held.keys()].sort(comparePaths);
  }

  /** Reads every tree, and every blob that `previous` doesn't have. */
  static async load<S extends Shape>(
    repository: Repository<S>,
    id: ObjectId,
    options: ContentOptions,
  ): Promise<Result<CommitContent, ContentError>> {
    const commit = await repository.commit(id);
    if (!commit.ok) return commit;
    const ids = await blobsOf(repository, commit.value.tree, options);
    if (!ids.ok) return ids;
    const reader = new BlobReader(repository, options.bytesMax);
    const { previous = null } = options;
    const before = previous === null ? null : previous.#held;
    const held = new Map<string, Held>();
    for (const [path, blob] of ids.value) {
      const coded = SUFFIXES.map(([, suffix]) => ids.value.get(path + suffix));
      const made = `${blob} ${coded.join(' ')}`;
      const old = before?.get(path);
      if (old?.made === made) {
        reader.add(old.entry);
        held.set(path, old);
      } else {
        const seconds = Math.min(commit.value.committer.seconds, YEAR_9999_END_SECONDS);
        const entry = await reader.entry(blob, coded, seconds);
        if (!entry.ok) return entry;
        held.set(path, { made, entry: entry.value });
      }
      if (reader.isOver) return err({ kind: 'too large', bytesMax: options.bytesMax });
    }
    return ok(new CommitContent(id, held));
  }

  get(path: string): KvEntry | null {
    return this.#held.get(path)?.entry ?? null;
  }

  paths(): readonly string[] {
    return this.#sorted;
  }
}

async function blobsOf<S extends Shape>(
  repository: Repository<S>,
  tree: ObjectId,
  { filesMax = CONTENT_FILES_MAX, entriesMax = CONTENT_ENTRIES_MAX }: ContentOptions,
): Promise<Result<Map<string, ObjectId>, ContentError>> {
  const ids = new Map<string, ObjectId>();
  let entries = 0;
  for await (const item of repository.treeOf(tree).walk()) {
    if (!item.ok) return item;
    if (entries++ === entriesMax) return err({ kind: 'too many entries', entriesMax });
    const { kind, mode, id } = item.value;
    const path = item.value.path.join('/');
    if (kind !== 'contents' || mode === MODE_LINK || !isKvPath(path)) continue;
    if (ids.size === filesMax) return err({ kind: 'too many files', filesMax });
    ids.set(path, id);
  }
  return ok(ids);
}

/** Blobs by id, each once; counts the bytes of what is held. */
class BlobReader<S extends Shape> {
  readonly #repository: Repository<S>;
  readonly #bytesMax: number;
  readonly #blobs = new Map<ObjectId, Uint8Array>();
  #bytes = 0;

  constructor(repository: Repository<S>, bytesMax: number) {
    this.#repository = repository;
    this.#bytesMax = bytesMax;
  }

  get isOver(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  add(entry: KvEntry): void {
    this.#bytes += entry.bytes.length;
  }

  async entry(
    id: ObjectId,
    coded: readonly (ObjectId | undefined)[],
    modifiedSeconds: number,
  ): Promise<Result<KvEntry, ContentError>> {
    const bytes = await this.#read(id);
    if (!bytes.ok) return bytes;
    const variants: { encoding: KvEncoding; bytes: Uint8Array }[] = [];
    for (const [index, [encoding]] of SUFFIXES.entries()) {
      const one = coded[index];
      if (one === undefined) continue;
      const form = await this.#read(one);
      if (!form.ok) return form;
      if (form.value.length < bytes.value.length) variants.push({ encoding, bytes: form.value });
    }
    const digest = id.slice(0, DIGEST_CHARACTERS_MAX);
    const entry = { bytes: bytes.value, modifiedSeconds, digest, variants };
    this.add(entry);
    return ok(entry);
  }

  async #read(id: ObjectId): Promise<Result<Uint8Array, ContentError>> {
    const known = this.#blobs.get(id);
    if (known !== undefined) return ok(known);
    const read = await this.#repository.backend.readObject(id);
    if (!read.ok) return err({ kind: 'backend', error: read.error });
    if (read.value === null) return err({ kind: 'dangling', id });
    const { kind } = read.value;
    if (kind !== 'blob') return err({ kind: 'wrong kind', id, want: 'blob', have: kind });
    this.#blobs.set(id, read.value.bytes);
    return ok(read.value.bytes);
  }
}
