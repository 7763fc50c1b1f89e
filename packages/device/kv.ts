/**
 * Key-value devices: contents by path. Read only, one is a directory of files as it was at build
 * time, a tar, or a commit of a store; all pass conformance/kv.ts. Those that can be written pass
 * conformance/kv-read-write.ts.
 */

import type { Result } from '#core';

export type KvEncoding = 'gzip' | 'br';

export interface KvEntry {
  /** The content; shared by all readers, must not be changed. */
  readonly bytes: Uint8Array;
  /** Last modification, whole seconds since 1970. */
  readonly modifiedSeconds: number;
  /**
   * Names the content, as no other content is named by this device: 32 to 40 lower-case
   * hexadecimal digits. Of the content's SHA-256 the first 128 bits, or what a store calls it.
   */
  readonly digest: string;
  /** Compressed forms, made at build time, only where smaller. */
  readonly variants: readonly { readonly encoding: KvEncoding; readonly bytes: Uint8Array }[];
}

export interface KvReadOnly {
  /** The entry under `path`: '/'-separated, no leading slash, no '.' or '..' segments. */
  get(path: string): KvEntry | null;
  /** All paths, in byte order. */
  paths(): readonly string[];
}

export type KvError =
  /** Empty, with an empty, '.' or '..' segment, or one that the device can't have. */
  | { readonly kind: 'bad path'; readonly path: string }
  /** A path can't be content and have others below it ("a", "a/b"): `other` is there. */
  | { readonly kind: 'in the way'; readonly path: string; readonly other: string }
  /** More changes at once than KV_CHANGES_MAX. */
  | { readonly kind: 'too many changes'; readonly changesMax: number }
  /** Whatever it stands on failed; `what` is one sentence's end. Nothing was changed. */
  | { readonly kind: 'failed'; readonly what: string };

/** Of one batch. */
export const KV_CHANGES_MAX = 10_000;

export interface KvChange {
  readonly path: string;
  /** Null removes what is there, and does nothing where nothing is. */
  readonly bytes: Uint8Array | null;
}

/**
 * A key-value device that can be written. Bytes that are given or got are shared: nobody changes
 * them. What was changed survives a loss of power once the promise resolves, where the device has
 * something to keep it on. Calls may be under way together, and none rejects.
 */
export interface KvReadWrite {
  /** As it is now; null where nothing is. */
  get(path: string): Promise<Result<KvEntry | null, KvError>>;
  /** Paths of contents in the directory `directory` and below ('': all), in byte order. */
  list(directory: string): Promise<Result<readonly string[], KvError>>;
  set(path: string, bytes: Uint8Array): Promise<Result<void, KvError>>;
  /** Done also when nothing is there. */
  remove(path: string): Promise<Result<void, KvError>>;
  /** All of them or none, as one change; of several of one path the last counts. */
  batch(changes: readonly KvChange[]): Promise<Result<void, KvError>>;
  /** All of it as it is now, for good. */
  snapshot(): Promise<Result<KvReadOnly, KvError>>;
  /**
   * From when it resolves on, `changed` is told paths at `path` and below ('': all) whose content
   * is another, new or gone, in the order of the changes; several changes may be told as one. The
   * result's function ends it.
   */
  watch(
    path: string,
    changed: (paths: readonly string[]) => void,
  ): Promise<Result<() => void, KvError>>;
}
