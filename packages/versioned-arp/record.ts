/**
 * One entry as it is kept: a file per address, a line per field, so that a line of `git log -p`
 * says what changed. Read first: limits.ts. Not here: how two of them merge (merge-records.ts),
 * static entries (static-table.ts).
 *
 *     mac 52:54:00:00:00:02
 *     expires 2026-01-01T00:01:00Z
 *     reason answer
 *     host site
 *
 * "mac none" says that an entry was removed before its end: whoever still has it learns of that,
 * whatever is left of the history.
 */

import { err, hot, ok, type Result } from '#core';
import { hostNameMax, recordBytesMax } from './limits.ts';

export const REASONS = [
  'answer',
  'request',
  'announcement',
  'unasked reply',
  'overheard',
  'command',
  'conflict',
  'silent',
] as const;

/** The kind of frame that taught it, that a person did, or that nobody answers. */
export type Reason = (typeof REASONS)[number];

export interface NeighborRecord {
  /** "52:54:00:00:00:02", a station's or not: whoever uses it looks; null: it was removed. */
  readonly mac: string | null;
  /** Seconds since 1970-01-01T00:00:00Z, whole. */
  readonly expires: number;
  readonly reason: Reason;
  /** Who learned it: graphic ASCII, 1 to 64 letters. */
  readonly host: string;
}

/** 9999-12-31T23:59:59Z: later ones have another form. */
const EXPIRES_MAX = 253_402_300_799;
const FORM = new RegExp(
  String.raw`^mac (none|(?:[0-9a-f]{2}:){5}[0-9a-f]{2})\n` +
    String.raw`expires (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\n` +
    `reason (${REASONS.join('|')})\n` +
    String.raw`host ([!-~]{1,${hostNameMax}})\n$`,
);

/** What is no record; for people. */
export type RecordFault = 'too long' | 'malformed';

export function encodeRecord({ mac, expires, reason, host }: NeighborRecord): Uint8Array {
  const until = formatSeconds(expires);
  return hot.utf8Encode(`mac ${mac ?? 'none'}\nexpires ${until}\nreason ${reason}\nhost ${host}\n`);
}

/** Any bytes; only those that `encodeRecord` writes are a record. */
export function decodeRecord(bytes: Uint8Array): Result<NeighborRecord, RecordFault> {
  if (bytes.length > recordBytesMax) return err('too long');
  const found = FORM.exec(hot.latin1(bytes, 0, bytes.length));
  if (found === null) return err('malformed');
  const [, mac = '', until = '', reason = '', host = ''] = found;
  const expires = parseSeconds(until);
  if (expires === null) return err('malformed');
  return ok({ mac: mac === 'none' ? null : mac, expires, reason: reason as Reason, host });
}

/** Null: a thirtieth of February has a form, but is no day. */
export function parseSeconds(text: string): number | null {
  const seconds = Date.parse(text) / 1_000;
  return Number.isNaN(seconds) || formatSeconds(seconds) !== text ? null : seconds;
}

/** "2026-01-01T00:01:00Z", of whole seconds. */
export function formatSeconds(seconds: number): string {
  const bounded = Math.min(Math.max(Math.floor(seconds), 0), EXPIRES_MAX);
  return `${new Date(bounded * 1_000).toISOString().slice(0, 19)}Z`;
}

/** Six bytes of "52:54:00:00:00:02". */
export const macBytes = (text: string): Uint8Array =>
  Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16));

/** What a name becomes where records, branches and paths have it. */
export function hostOf(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, hostNameMax);
  return plain === '' ? 'unnamed' : plain;
}

export const sameRecord = (a: NeighborRecord, b: NeighborRecord): boolean =>
  a.mac === b.mac && a.expires === b.expires && a.reason === b.reason && a.host === b.host;

/** Of two that nothing else tells apart the one whose text is less, whoever's it is. */
export function lesserText<T>(a: T, b: T, encode: (value: T) => Uint8Array): T {
  const textOf = (value: T): string => {
    const bytes = encode(value);
    return hot.latin1(bytes, 0, bytes.length);
  };
  return textOf(a) <= textOf(b) ? a : b;
}
