/** What a file call met, as an error of a backend. */

import { err, type WireFault } from '#core';
import { type FileError, formatFileError } from '#device';
import type { BackendError } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';

export function fileFault(error: FileError): BackendError {
  if (error.kind === 'full') return { kind: 'full' };
  if (error.kind === 'read only') return { kind: 'read only' };
  return { kind: 'device', what: formatFileError(error) };
}

export const fileFailed = (error: FileError) => err(fileFault(error));

export const damaged = (what: string, id: ObjectId | null = null) =>
  err<BackendError>({ kind: 'damaged', id, what });

/** A file whose bytes aren't what they should be. */
export function malformed(path: string, fault: WireFault) {
  const at = fault.kind === 'short' ? fault.haveBytes : fault.offset;
  return damaged(`${path} is malformed at byte ${at}`);
}

/** Somebody has the lock of `path`. */
export const lockedBy = (path: string): BackendError => ({
  kind: 'busy',
  what: `${path}.lock exists: another process has the lock, or died with it (then remove that file)`,
});
