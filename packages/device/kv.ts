/**
 * Key-value devices: contents by path. Read only, one is a directory of files as it was at build
 * time, a tar, or a commit of a store; all pass conformance/kv.ts.
 */

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
