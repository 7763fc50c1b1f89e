/**
 * The static entries of one host as they are kept: one file for all of them, which only that host
 * writes, so that of two versions the later is the one that counts, whatever is left of the
 * history, and what isn't in it was removed. Read first: limits.ts, record.ts.
 *
 *     since 2026-01-01T00:00:00Z
 *     10.0.0.5 52:54:00:00:00:05 configuration
 *     10.0.0.6 52:54:00:00:00:06 command
 */

import { err, hot, ok, type Result } from '#core';
import { staticsMax, staticTableBytesMax } from './limits.ts';
import { formatSeconds, lesserText, parseSeconds, type RecordFault } from './record.ts';

/** Whether the configuration has it, which may have it no longer at the next boot. */
export type StaticOrigin = 'configuration' | 'command';

export interface StaticEntry {
  /** "52:54:00:00:00:02", a station's or not: whoever uses it looks. */
  readonly mac: string;
  readonly origin: StaticOrigin;
}

export interface StaticTable {
  /** When it became so: seconds since 1970-01-01T00:00:00Z, whole. */
  readonly since: number;
  /** By address. */
  readonly entries: ReadonlyMap<string, StaticEntry>;
}

const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const LINE = new RegExp(
  String.raw`^(${BYTE}(?:\.${BYTE}){3}) ((?:[0-9a-f]{2}:){5}[0-9a-f]{2}) (configuration|command)$`,
);
const SINCE = /^since (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$/;

/** Entries in the order of their text. */
export function encodeStatics({ since, entries }: StaticTable): Uint8Array {
  const lines = [...entries].map(([address, { mac, origin }]) => `${address} ${mac} ${origin}\n`);
  return hot.utf8Encode(`since ${formatSeconds(since)}\n${lines.sort().join('')}`);
}

/** Any bytes; only those that `encodeStatics` writes are a table. */
export function decodeStatics(bytes: Uint8Array): Result<StaticTable, RecordFault> {
  if (bytes.length > staticTableBytesMax) return err('too long');
  const [head = '', ...lines] = hot.latin1(bytes, 0, bytes.length).split('\n');
  const since = parseSeconds(SINCE.exec(head)?.[1] ?? '');
  if (since === null || lines.pop() !== '' || lines.length > staticsMax) return err('malformed');
  const entries = new Map<string, StaticEntry>();
  let before = '';
  for (const line of lines) {
    const [, address = '', mac = '', origin = ''] = LINE.exec(line) ?? [];
    if (mac === '' || line <= before || entries.has(address)) return err('malformed');
    entries.set(address, { mac, origin: origin as StaticOrigin });
    before = line;
  }
  return ok({ since, entries });
}

export function sameStatics(a: StaticTable['entries'], b: StaticTable['entries']): boolean {
  if (a.size !== b.size) return false;
  for (const [address, { mac, origin }] of a) {
    const other = b.get(address);
    if (other === undefined || other.mac !== mac || other.origin !== origin) return false;
  }
  return true;
}

type Known = StaticTable | undefined;

/** Shaped as a content type's merge: the later one, of equals the one whose text is less. */
export function mergeStatics(
  base: () => Result<Known, unknown>,
  ours: Known,
  theirs: Known,
): { readonly ok: true; readonly value: Known } {
  if (ours !== undefined && theirs !== undefined) return ok(laterOf(ours, theirs));
  const kept = ours ?? theirs;
  const before = kept === undefined ? null : base();
  const isUnchanged =
    before?.ok === true && before.value !== undefined && sameTable(before.value, kept!);
  return ok(isUnchanged ? undefined : kept);
}

const sameTable = (a: StaticTable, b: StaticTable): boolean =>
  a.since === b.since && sameStatics(a.entries, b.entries);

function laterOf(a: StaticTable, b: StaticTable): StaticTable {
  if (a.since !== b.since) return a.since > b.since ? a : b;
  return lesserText(a, b, encodeStatics);
}
