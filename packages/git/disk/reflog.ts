/** Reflogs: where a ref was, one line a change: "old new Name <email> seconds zone\treason". */

import { err, hot, ok, type Result, type WireFault } from '#core';
import { ID_BYTES, type ObjectHash, type ObjectId, readIdText } from '../object-id.ts';
import { decodeText, encodeText } from '../wire/text.ts';
import { REFLOG_LINE_BYTES_MAX, REFLOG_REASON_BYTES_MAX } from './limits.ts';

export interface ReflogEntry {
  /** Null: the ref was made. */
  readonly from: ObjectId | null;
  /** Null: the ref was removed. */
  readonly to: ObjectId | null;
  readonly name: string;
  readonly email: string;
  readonly seconds: number;
  /** "+0100" is 60. */
  readonly zoneMinutes: number;
  /** One line. */
  readonly reason: string;
}

const TAIL = /^([^<>\n\0]*?) ?<([^<>\n\0]*)> (\d{1,15}) ([+-])(\d{2})([0-5]\d)(?:\t([^\n]*))?$/;

/** One line, with or without its newline. */
export function parseReflogLine(b: Uint8Array, hash: ObjectHash): Result<ReflogEntry, WireFault> {
  if (b.length > REFLOG_LINE_BYTES_MAX) return err({ kind: 'field', offset: 0, value: b.length });
  const digits = 2 * ID_BYTES[hash];
  const end = b[b.length - 1] === 10 ? b.length - 1 : b.length;
  const tailAt = 2 * digits + 2;
  if (end < tailAt) return err({ kind: 'short', needBytes: tailAt + 1, haveBytes: b.length });
  const from = readIdText(b, 0, digits);
  const to = readIdText(b, digits + 1, digits);
  if (from === null || b[digits] !== 32) return err({ kind: 'field', offset: 0, value: b[0]! });
  if (to === null || b[tailAt - 1] !== 32) {
    return err({ kind: 'field', offset: digits, value: b[digits]! });
  }
  const found = TAIL.exec(decodeText(b, tailAt, end));
  if (found === null) return err({ kind: 'field', offset: tailAt, value: b[tailAt] ?? 0 });
  const [, name = '', email = '', seconds, sign, hours, minutes, reason = ''] = found;
  const zone = 60 * Number(hours) + Number(minutes);
  return ok({
    from: orNull(from),
    to: orNull(to),
    name: clean(name),
    email: clean(email),
    seconds: Number(seconds),
    zoneMinutes: sign === '-' && zone !== 0 ? -zone : zone,
    reason: oneLine(reason),
  });
}

const orNull = (id: ObjectId): ObjectId | null => (/[^0]/.test(id) ? id : null);

const NEWLINE = 10;

/** The entries of a log, oldest first; as Git, lines that are malformed are passed over. */
export function parseReflog(b: Uint8Array, hash: ObjectHash): ReflogEntry[] {
  const entries: ReflogEntry[] = [];
  for (let at = 0; at < b.length; ) {
    const newline = hot.indexOf(b, NEWLINE, at, b.length);
    const end = newline < 0 ? b.length : newline;
    const entry = parseReflogLine(b.subarray(at, end), hash);
    if (entry.ok) entries.push(entry.value);
    at = end + 1;
  }
  return entries;
}

/** A line with its newline. What would end a part of it early is made a space, as Git does. */
export function emitReflogLine(entry: ReflogEntry, hash: ObjectHash): Uint8Array {
  const zero = '0'.repeat(2 * ID_BYTES[hash]);
  const { from, to, seconds, zoneMinutes } = entry;
  const minutes = Math.abs(zoneMinutes);
  const pad = (count: number) => String(count).padStart(2, '0');
  const sign = zoneMinutes < 0 ? '-' : '+';
  const zone = `${sign}${pad(Math.floor(minutes / 60))}${pad(minutes % 60)}`;
  const name = clean(entry.name);
  const who = `${name}${name === '' ? '' : ' '}<${clean(entry.email)}>`;
  const reason = oneLine(entry.reason);
  const tail = reason === '' ? '' : `\t${reason}`;
  return encodeText(`${from ?? zero} ${to ?? zero} ${who} ${seconds} ${zone}${tail}\n`);
}

const clean = (text: string): string => text.replace(/[<>\n\0]/g, '').trim();

function oneLine(reason: string): string {
  const line = reason.replace(/\s+/g, ' ').trim();
  if (line.length * 3 <= REFLOG_REASON_BYTES_MAX) return line;
  const bytes = encodeText(line).subarray(0, REFLOG_REASON_BYTES_MAX);
  return decodeText(bytes, 0, bytes.length).trim();
}

export const formatReflogLine = ({ from, to, reason }: ReflogEntry): string =>
  `${from ?? 'none'} -> ${to ?? 'none'} ${reason}`;
