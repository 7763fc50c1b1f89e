/** A read-only key-value device: a directory of files as it was at build time, say. */

export type KvEncoding = 'gzip' | 'br';

export interface KvEntry {
  /** The content; shared by all readers, must not be changed. */
  readonly bytes: Uint8Array;
  /** Last modification, whole seconds since 1970. */
  readonly modifiedSeconds: number;
  /** First 128 bits of the content's SHA-256, 32 lower-case hexadecimal digits. */
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
