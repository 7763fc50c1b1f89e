/** URLSearchParams, URL §6, and the application/x-www-form-urlencoded format, URL §5. */

import { hot } from '#core';

export type URLSearchParamsInit =
  | string
  | Iterable<readonly [string, string]>
  | Record<string, string>
  | URLSearchParams;

const ENCODED = /[^*\-._0-9A-Za-z]/g;
const HAS_ENCODED = /[^*\-._0-9A-Za-z]/;

/** Percent-decodes; '%' without two hexadecimal digits stays; malformed UTF-8 becomes U+FFFD. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) return text;
  const source = hot.utf8Encode(text);
  const out = new Uint8Array(source.length);
  let count = 0;
  for (let i = 0; i < source.length; i++) {
    let byte = source[i]!;
    if (byte === 0x25) {
      const value = hexPair(source, i + 1);
      if (value >= 0) {
        byte = value;
        i += 2;
      }
    }
    out[count++] = byte;
  }
  return hot.utf8Decode(out, 0, count, false)!;
}

/** The value of two hexadecimal digits at `at`, or -1. */
function hexPair(bytes: Uint8Array, at: number): number {
  if (at + 1 >= bytes.length) return -1;
  const high = hexDigit(bytes[at]!);
  const low = hexDigit(bytes[at + 1]!);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

export const percentByte = (byte: number): string =>
  `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;

function encodePart(text: string): string {
  if (!HAS_ENCODED.test(text)) return text;
  const bytes = hot.utf8Encode(text);
  return hot
    .latin1(bytes, 0, bytes.length)
    .replace(ENCODED, (one) => (one === ' ' ? '+' : percentByte(one.charCodeAt(0))));
}

function parse(text: string): [string, string][] {
  const list: [string, string][] = [];
  for (const part of text.split('&')) {
    if (part === '') continue;
    const spaced = part.includes('+') ? part.replaceAll('+', ' ') : part;
    const at = spaced.indexOf('=');
    const name = at < 0 ? spaced : spaced.slice(0, at);
    list.push([percentDecode(name), at < 0 ? '' : percentDecode(spaced.slice(at + 1))]);
  }
  return list;
}

function listOf(init: URLSearchParamsInit): [string, string][] {
  if (typeof init !== 'object' || init === null) {
    const text = String(init).toWellFormed();
    return parse(text.startsWith('?') ? text.slice(1) : text);
  }
  if (typeof (init as { [Symbol.iterator]?: unknown })[Symbol.iterator] !== 'function') {
    return Object.entries(init).map(([name, value]) => [usv(name), usv(value)]);
  }
  return Array.from(init as Iterable<Iterable<string>>, (pair) => {
    const parts = [...pair];
    if (parts.length !== 2) throw new TypeError('URLSearchParams: each pair needs two parts');
    return [usv(parts[0]), usv(parts[1])];
  });
}

const usv = (value: unknown): string => String(value).toWellFormed();

export class URLSearchParams {
  #list: [string, string][];
  /** Tells the URL that this belongs to. */
  #changed: ((query: string) => void) | null;

  constructor(init: URLSearchParamsInit = '', changed: ((query: string) => void) | null = null) {
    this.#list = listOf(init);
    this.#changed = typeof changed === 'function' ? changed : null;
  }

  /** For URL: the query was set there. */
  _replace(query: string): void {
    this.#list = parse(query);
  }

  get size(): number {
    return this.#list.length;
  }

  append(name: string, value: string): void {
    this.#list.push([usv(name), usv(value)]);
    this.#tell();
  }

  delete(name: string, value?: string): void {
    const wanted = usv(name);
    const only = value === undefined ? null : usv(value);
    this.#list = this.#list.filter(([n, v]) => n !== wanted || (only !== null && v !== only));
    this.#tell();
  }

  get(name: string): string | null {
    const wanted = usv(name);
    return this.#list.find(([n]) => n === wanted)?.[1] ?? null;
  }

  getAll(name: string): string[] {
    const wanted = usv(name);
    return this.#list.filter(([n]) => n === wanted).map(([, v]) => v);
  }

  has(name: string, value?: string): boolean {
    const wanted = usv(name);
    const only = value === undefined ? null : usv(value);
    return this.#list.some(([n, v]) => n === wanted && (only === null || v === only));
  }

  set(name: string, value: string): void {
    const wanted = usv(name);
    const found = this.#list.find(([n]) => n === wanted);
    if (found === undefined) {
      this.append(name, value);
      return;
    }
    found[1] = usv(value);
    this.#list = this.#list.filter((pair) => pair[0] !== wanted || pair === found);
    this.#tell();
  }

  /** By name in UTF-16 code units; equal names keep their order. */
  sort(): void {
    this.#list.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#tell();
  }

  forEach(
    callback: (value: string, name: string, params: URLSearchParams) => void,
    thisArg?: unknown,
  ): void {
    if (typeof callback !== 'function') throw new TypeError('forEach needs a function');
    for (const [name, value] of this) callback.call(thisArg, value, name, this);
  }

  *entries(): IterableIterator<[string, string]> {
    for (let i = 0; i < this.#list.length; i++) yield [...this.#list[i]!];
  }

  *keys(): IterableIterator<string> {
    for (let i = 0; i < this.#list.length; i++) yield this.#list[i]![0];
  }

  *values(): IterableIterator<string> {
    for (let i = 0; i < this.#list.length; i++) yield this.#list[i]![1];
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }

  toString(): string {
    return this.#list.map(([n, v]) => `${encodePart(n)}=${encodePart(v)}`).join('&');
  }

  get [Symbol.toStringTag](): string {
    return 'URLSearchParams';
  }

  #tell(): void {
    this.#changed?.(this.toString());
  }
}
