/**
 * Small files that name something: HEAD and loose refs (an id, or "ref: " and a name), `.git` of a
 * work tree elsewhere ("gitdir: " and a path), `commondir`, `info/alternates`; all of them in
 * gitrepository-layout(5).
 */

import { err, hot, ok, type Result, type WireFault } from '#core';
import type { RefValue } from '../backend.ts';
import { ID_BYTES, type ObjectHash, readIdText } from '../object-id.ts';
import { isRefName } from '../ref-name.ts';
import { decodeText, encodeText } from '../wire/text.ts';
import { ALTERNATES_BYTES_MAX, REF_FILE_BYTES_MAX } from './limits.ts';

const SYMBOLIC = 'ref:';
const GITDIR = 'gitdir: ';
/** Characters behind which Git doesn't look, when they follow an id. */
const SPACES = new Uint8Array(256);
for (const code of [9, 10, 11, 12, 13, 32]) SPACES[code] = 1;

const long = (b: Uint8Array) => err<WireFault>({ kind: 'field', offset: 0, value: b.length });
const wrong = (b: Uint8Array, offset: number) =>
  err<WireFault>({ kind: 'field', offset, value: b[offset] ?? 0 });

/** As read_ref of Git: what follows an id must be a space, and isn't looked at. */
export function parseRefFile(b: Uint8Array, hash: ObjectHash): Result<RefValue, WireFault> {
  if (b.length > REF_FILE_BYTES_MAX) return long(b);
  const digits = 2 * ID_BYTES[hash];
  const id = readIdText(b, 0, digits);
  if (id !== null) {
    const isEnd = b.length === digits || SPACES[b[digits]!] === 1;
    return isEnd ? ok({ id }) : wrong(b, digits);
  }
  const text = decodeText(b, 0, b.length);
  if (!text.startsWith(SYMBOLIC)) {
    return b.length < digits
      ? err({ kind: 'short', needBytes: digits, haveBytes: b.length })
      : wrong(b, 0);
  }
  const symbolic = text.slice(SYMBOLIC.length).trim();
  return isRefName(symbolic) ? ok({ symbolic }) : wrong(b, SYMBOLIC.length);
}

export const emitRefFile = (value: RefValue): Uint8Array =>
  encodeText(value.id === undefined ? `ref: ${value.symbolic}\n` : `${value.id}\n`);

export const formatRefFile = (value: RefValue): string =>
  value.id === undefined ? `ref: ${value.symbolic}` : value.id;

/** The path in a `.git` file. */
export function parseGitdirFile(b: Uint8Array): Result<string, WireFault> {
  if (b.length > REF_FILE_BYTES_MAX) return long(b);
  const text = decodeText(b, 0, b.length);
  if (!text.startsWith(GITDIR)) return wrong(b, 0);
  return pathOf(b, text.slice(GITDIR.length));
}

export const emitGitdirFile = (path: string): Uint8Array => encodeText(`${GITDIR}${path}\n`);

/** The path in a `commondir` file. */
export function parseCommonDir(b: Uint8Array): Result<string, WireFault> {
  if (b.length > REF_FILE_BYTES_MAX) return long(b);
  return pathOf(b, decodeText(b, 0, b.length));
}

export const emitCommonDir = (path: string): Uint8Array => encodeText(`${path}\n`);

/** Without the newlines at its end. */
function pathOf(b: Uint8Array, text: string): Result<string, WireFault> {
  const path = text.replace(/[\r\n]+$/, '');
  return path === '' || /[\0\n]/.test(path) ? wrong(b, 0) : ok(path);
}

/** The paths of `info/alternates`; empty lines and comments are left out. */
export function parseAlternates(b: Uint8Array): Result<readonly string[], WireFault> {
  if (b.length > ALTERNATES_BYTES_MAX) return long(b);
  const nul = hot.indexOf(b, 0, 0, b.length);
  if (nul >= 0) return wrong(b, nul);
  const paths: string[] = [];
  for (const line of decodeText(b, 0, b.length).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const path = line.startsWith('"') ? unquote(line) : line;
    // As Git: what isn't quoted well is taken as it stands.
    paths.push(path ?? line);
  }
  return ok(paths);
}

export const emitAlternates = (paths: readonly string[]): Uint8Array =>
  encodeText(paths.map((path) => `${quote(path)}\n`).join(''));

export const formatAlternates = (paths: readonly string[]): string => paths.join(' ');

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

const QUOTED = /^"((?:[^"\\]|\\(?:[abfnrtv\\"]|[0-3][0-7]{2}))*)"$/;

/** C's notation, as Git quotes paths (quote.c). Null when it isn't that. */
function unquote(line: string): string | null {
  const inside = QUOTED.exec(line)?.[1];
  if (inside === undefined) return null;
  const codes: number[] = [];
  for (const [part] of inside.matchAll(/\\[0-3][0-7]{2}|\\.|[^\\]+/g)) {
    if (!part.startsWith('\\')) codes.push(...encodeText(part));
    else if (part.length === 4) codes.push(Number.parseInt(part.slice(1), 8));
    else codes.push(ESCAPES[part[1]!]!.charCodeAt(0));
  }
  const bytes = Uint8Array.from(codes);
  return decodeText(bytes, 0, bytes.length);
}

function quote(path: string): string {
  if (path !== '' && !/^["#]|[\n\0]/.test(path)) return path;
  const escaped = path.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\0', '\\000');
  return `"${escaped}"`;
}
