/**
 * A tar as a read-only key-value device, opened where it is: contents are views of it. It has what
 * a directory has (targets/base/build-content.ts): no names that begin with a dot, but for
 * `.well-known`. Required reading: kv.ts, tar.ts.
 */

import { err, ok, type Result, type WireFault } from '#core';
import type { KvEntry, KvReadOnly } from './kv.ts';
import { comparePaths, isShownPath, kvPathOf } from './kv-path.ts';
import { parseTar, type TarFile } from './tar.ts';

/** More belong on a disk: each takes an entry of a map. */
export const KV_TAR_FILES_MAX = 65_536;

export type KvTarFault =
  | { readonly kind: 'tar'; readonly fault: WireFault }
  /** A path that leads out of the archive, or to nothing. */
  | { readonly kind: 'path'; readonly path: string };

/** The fault as the second half of a sentence that begins with the archive's name. */
export function formatKvTarFault(fault: KvTarFault): string {
  if (fault.kind === 'path') return `has a file '${fault.path}', which is outside of it`;
  const { fault: why } = fault;
  return why.kind === 'short'
    ? `is cut short: ${why.haveBytes} of ${why.needBytes} bytes`
    : 'is no tar, or a damaged one';
}

/**
 * The files of an archive by the paths that a device has; of two with one path the last counts, as
 * for tar itself.
 */
export function kvFilesOfTar(tar: Uint8Array): Result<ReadonlyMap<string, TarFile>, KvTarFault> {
  const parsed = parseTar(tar, KV_TAR_FILES_MAX);
  if (!parsed.ok) return err({ kind: 'tar', fault: parsed.error });
  const files = new Map<string, TarFile>();
  for (const file of parsed.value) {
    const path = kvPathOf(file.path);
    if (path === null) return err({ kind: 'path', path: file.path });
    if (isShownPath(path)) files.set(path, file);
  }
  return ok(files);
}

/**
 * `digestOf` names a content (KvEntry.digest); it is asked once for each entry that somebody gets.
 * The archive's bytes are shared with the entries and must not change. O(bytes of headers).
 */
export function openKvTar(
  tar: Uint8Array,
  digestOf: (bytes: Uint8Array) => string,
): Result<KvReadOnly, KvTarFault> {
  const files = kvFilesOfTar(tar);
  return files.ok ? ok(new KvTar(files.value, digestOf)) : files;
}

class KvTar implements KvReadOnly {
  private readonly files: ReadonlyMap<string, TarFile>;
  private readonly digestOf: (bytes: Uint8Array) => string;
  private readonly entries = new Map<string, KvEntry>();
  private readonly sorted: readonly string[];

  constructor(files: ReadonlyMap<string, TarFile>, digestOf: (bytes: Uint8Array) => string) {
    this.files = files;
    this.digestOf = digestOf;
    this.sorted = [...files.keys()].sort(comparePaths);
  }

  get(path: string): KvEntry | null {
    const known = this.entries.get(path);
    if (known !== undefined) return known;
    const file = this.files.get(path);
    if (file === undefined) return null;
    const { bytes, modifiedSeconds } = file;
    const entry = { bytes, modifiedSeconds, digest: this.digestOf(bytes), variants: [] };
    this.entries.set(path, entry);
    return entry;
  }

  paths(): readonly string[] {
    return this.sorted;
  }
}
