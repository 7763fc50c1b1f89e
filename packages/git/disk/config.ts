/**
 * Git's configuration files, as `git config` reads them (git-config(1), "Syntax"). Not here: files
 * that a file includes, the user's and the system's files: a repository's own is all that decides
 * how it is stored.
 */

import { err, ok, type Result, type WireFault } from '#core';
import { decodeText, encodeText } from '../wire/text.ts';
import { CONFIG_BYTES_MAX } from './limits.ts';

export interface ConfigEntry {
  /** In lower case: "core"; empty before the first section. */
  readonly section: string;
  /** As written: the "origin" of `[remote "origin"]`; null when there is none. */
  readonly subsection: string | null;
  /** In lower case. */
  readonly name: string;
  /** Null for a name alone, which stands for true. */
  readonly value: string | null;
}

export type Config = readonly ConfigEntry[];

interface Header {
  readonly section: string;
  readonly subsection: string | null;
}

const SPACE = /[ \t\r\v\f]*/y;
const HEADER = /\[([A-Za-z0-9-][A-Za-z0-9.-]*)(?:[ \t]+"((?:[^"\\\n\0]|\\[^\n\0])*)")?[ \t]*\]/y;
const NAME = /[A-Za-z][A-Za-z0-9-]*/y;
const COMMENT = /[#;][^\n]*/y;

/** Where entries are that stand before any section. */
const NOWHERE: Header = { section: '', subsection: null };

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  n: '\n',
  t: '\t',
  b: '\b',
};

class Reader {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found !== null) this.at = pattern.lastIndex;
    return found;
  }

  get next(): string | undefined {
    return this.text[this.at];
  }
}

/** All entries, in the order of the file. The fault's offset counts characters. */
export function parseConfig(b: Uint8Array): Result<Config, WireFault> {
  if (b.length > CONFIG_BYTES_MAX) return err({ kind: 'field', offset: 0, value: b.length });
  const start = b[0] === 0xef && b[1] === 0xbb && b[2] === 0xbf ? 3 : 0;
  const reader = new Reader(decodeText(b, start, b.length));
  const entries: ConfigEntry[] = [];
  let header = NOWHERE;
  for (;;) {
    reader.take(SPACE);
    const next = reader.next;
    if (next === undefined) return ok(entries);
    if (next === '\n') {
      reader.at++;
    } else if (next === '#' || next === ';') {
      reader.take(COMMENT);
    } else if (next === '[') {
      const found = readHeader(reader);
      if (found === null) return malformed(reader);
      header = found;
    } else {
      const entry: ConfigEntry | null = readEntry(reader, header);
      if (entry === null) return malformed(reader);
      entries.push(entry);
    }
  }
}

const malformed = (reader: Reader) =>
  err<WireFault>({
    kind: 'field',
    offset: reader.at,
    value: reader.at < reader.text.length ? reader.text.charCodeAt(reader.at) : 0,
  });

function readHeader(reader: Reader): Header | null {
  const found = reader.take(HEADER);
  if (found === null) return null;
  const [, name = '', quoted] = found;
  if (quoted !== undefined) {
    const subsection = quoted.replace(/\\(.)/g, '$1');
    return { section: name.toLowerCase(), subsection };
  }
  // The old way, "[branch.main]": the subsection is in lower case.
  const dot = name.indexOf('.');
  const lower = name.toLowerCase();
  if (dot < 0) return { section: lower, subsection: null };
  return { section: lower.slice(0, dot), subsection: lower.slice(dot + 1) };
}

function readEntry(reader: Reader, header: Header): ConfigEntry | null {
  const name = reader.take(NAME)?.[0].toLowerCase();
  if (name === undefined) return null;
  reader.take(SPACE);
  if (reader.next === '=') {
    reader.at++;
    const value = readValue(reader);
    return value === null ? null : { ...header, name, value };
  }
  const ends = reader.next === undefined || reader.next === '\n';
  return ends ? { ...header, name, value: null } : null;
}

/** To the end of the line, without what is around it; null when it is malformed. */
function readValue(reader: Reader): string | null {
  let value = '';
  /** Up to where spaces are the value's own. */
  let kept = 0;
  let isQuoted = false;
  reader.take(SPACE);
  for (;;) {
    const char = reader.next;
    reader.at++;
    if (char === undefined || char === '\n') {
      if (isQuoted) reader.at--;
      return isQuoted ? null : value.slice(0, kept);
    }
    if (char === '"') {
      isQuoted = !isQuoted;
      kept = value.length;
    } else if (char === '\\') {
      const end = readEscape(reader, value);
      if (end === null) return null;
      value = end;
      kept = value.length;
    } else if (!isQuoted && (char === '#' || char === ';')) {
      reader.at--;
      reader.take(COMMENT);
    } else if (char === '\0') {
      return null;
    } else {
      value += char;
      if (isQuoted || !/[ \t\r\v\f]/.test(char)) kept = value.length;
    }
  }
}

function readEscape(reader: Reader, value: string): string | null {
  if (reader.text.startsWith('\r\n', reader.at)) reader.at++;
  const char = reader.next;
  reader.at++;
  if (char === '\n') return value;
  const stands = char === undefined ? undefined : ESCAPES[char];
  return stands === undefined ? null : value + stands;
}

/** A file with these entries. */
export function emitConfig(config: Config): Uint8Array {
  let text = '';
  let last = NOWHERE;
  for (const entry of config) {
    const { section, subsection, name, value } = entry;
    if (last.section !== section || last.subsection !== subsection) {
      const sub = subsection === null ? '' : ` "${subsection.replace(/["\\]/g, '\\$&')}"`;
      text += `[${section}${sub}]\n`;
      last = entry;
    }
    text += value === null ? `\t${name}\n` : `\t${name} = ${emitValue(value)}\n`;
  }
  return encodeText(text);
}

function emitValue(value: string): string {
  const escaped = value
    .replace(/["\\]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t')
    .replaceAll('\b', '\\b');
  return /^[ \r\v\f]|[ \r\v\f]$|[#;]/.test(value) ? `"${escaped}"` : escaped;
}

export function formatConfig(config: Config): string {
  return config
    .map(({ section, subsection, name, value }) => {
      const key = subsection === null ? section : `${section}.${subsection}`;
      return `${key}.${name}=${value ?? 'true'}`;
    })
    .join(' ');
}

/** The last value of "core.bare" or "remote.origin.url"; undefined when it isn't set. */
export function configValue(config: Config, key: string): string | null | undefined {
  const first = key.indexOf('.');
  const last = key.lastIndexOf('.');
  const section = key.slice(0, first).toLowerCase();
  const subsection = first === last ? null : key.slice(first + 1, last);
  const name = key.slice(last + 1).toLowerCase();
  for (let i = config.length - 1; i >= 0; i--) {
    const entry = config[i]!;
    const isIt = entry.section === section && entry.subsection === subsection;
    if (isIt && entry.name === name) return entry.value;
  }
  return undefined;
}

/** As Git reads truths; null for what is none. */
export function configBoolean(value: string | null): boolean | null {
  if (value === null || /^(true|yes|on)$/i.test(value)) return true;
  if (value === '' || /^(false|no|off)$/i.test(value)) return false;
  const number = /^[+-]?\d+$/.test(value) ? Number(value) : null;
  return number === null ? null : number !== 0;
}
