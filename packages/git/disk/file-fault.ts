/** What a file call met, as an error of a backend. */

import { err, type WireFault } from '#core';
import {
  type Clock,
  type FileError,
  type FileStat,
  type FileSystem,
  formatFileError,
} from '#device';
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

/** How long ago a file was made or changed; a time that is to come is now. */
export function ageOf({ modifiedNanos }: FileStat, clock: Clock): { millis: number; text: string } {
  const age = Math.max(0, clock.wall() - Number(modifiedNanos / 1_000_000n));
  const [unitMillis, unit] = UNITS.find(([each]) => age >= 2 * each) ?? SECOND;
  return { millis: age, text: `${Math.floor(age / unitMillis)} ${unit} ago` };
}

const SECOND = [1_000, 'seconds'] as const;
const UNITS = [[86_400_000, 'days'], [3_600_000, 'hours'], [60_000, 'minutes'], SECOND] as const;

/** Somebody has the lock of `path`; how long, is told by the clock of the files. */
export function lockedBy(files: FileSystem, path: string, clock: Clock | null): BackendError {
  const lock = `${path}.lock`;
  const found = files.stat(lock);
  const isKnown = clock !== null && found.ok && found.value !== null;
  const age = isKnown ? `, made ${ageOf(found.value, clock).text}` : '';
  const mend = 'another process has the lock, or died with it (then remove that file)';
  return { kind: 'busy', what: `${lock} exists${age}: ${mend}` };
}
