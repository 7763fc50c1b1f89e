/**
 * Headers, Fetch §5.2. Names are kept in lower case; values of one name are joined when they are
 * added.
 */

export type HeadersInit = Iterable<readonly [string, string]> | Record<string, string>;
/** 'immutable': every change throws. 'response': Fetch §5.2, for a Response's own headers. */
export type HeadersGuard = 'none' | 'immutable' | 'response';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What a value may not hold after trimming: NUL, CR, LF and what isn't a byte. */
const BAD_VALUE = /[\0\r\n\u0100-\uffff]/;
const OUTER_SPACE = /^[\t\n\r ]+|[\t\n\r ]+$/g;
const SET_COOKIE = 'set-cookie';

/** Checked names and their lower case; programs use few, so the bound is never felt. */
const names = new Map<string, string>();
const NAMES_MAX = 256;

function nameOf(given: string): string {
  const known = names.get(given);
  if (known !== undefined) return known;
  const name = String(given);
  if (!TOKEN.test(name)) throw new TypeError(`"${name}" is not a header name`);
  const lower = name.toLowerCase();
  if (names.size < NAMES_MAX) names.set(name, lower);
  return lower;
}

function checkedValue(given: unknown, name: string): string {
  let value = String(given);
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(value.length - 1);
  if (first <= 0x20 || last <= 0x20) value = value.replace(OUTER_SPACE, '');
  if (BAD_VALUE.test(value)) throw new TypeError(`header ${name}: a character is not allowed`);
  return value;
}

export class Headers {
  /**
   * Combined values by lower-case name; Set-Cookie's stay apart. Internal to packages/web and http.
   */
  readonly _map: Map<string, string> = new Map();
  _cookies: string[] | null = null;
  _guard: HeadersGuard = 'none';

  constructor(init?: HeadersInit | Headers) {
    if (init !== undefined) this._fill(init);
  }

  append(name: string, value: string): void {
    const lower = nameOf(name);
    const text = checkedValue(value, lower);
    this._checkGuard();
    if (lower === SET_COOKIE) {
      this._cookies ??= [];
      this._cookies.push(text);
      return;
    }
    const old = this._map.get(lower);
    this._map.set(lower, old === undefined ? text : `${old}, ${text}`);
  }

  set(name: string, value: string): void {
    const lower = nameOf(name);
    const text = checkedValue(value, lower);
    this._checkGuard();
    if (lower === SET_COOKIE) this._cookies = [text];
    else this._map.set(lower, text);
  }

  delete(name: string): void {
    const lower = nameOf(name);
    this._checkGuard();
    if (lower === SET_COOKIE) this._cookies = null;
    else this._map.delete(lower);
  }

  get(name: string): string | null {
    const lower = nameOf(name);
    if (lower === SET_COOKIE) return this._cookies === null ? null : this._cookies.join(', ');
    return this._map.get(lower) ?? null;
  }

  has(name: string): boolean {
    const lower = nameOf(name);
    return lower === SET_COOKIE ? this._cookies !== null : this._map.has(lower);
  }

  getSetCookie(): string[] {
    return this._cookies === null ? [] : [...this._cookies];
  }

  forEach(
    callback: (value: string, name: string, headers: Headers) => void,
    thisArg?: unknown,
  ): void {
    if (typeof callback !== 'function') throw new TypeError('forEach needs a function');
    for (const [name, value] of this) callback.call(thisArg, value, name, this);
  }

  *entries(): IterableIterator<[string, string]> {
    yield* this._sorted();
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this._sorted()) yield name;
  }

  *values(): IterableIterator<string> {
    for (const [, value] of this._sorted()) yield value;
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }

  get [Symbol.toStringTag](): string {
    return 'Headers';
  }

  /** Fetch "sort and combine": by name, each Set-Cookie on its own. */
  _sorted(): [string, string][] {
    const list = [...this._map];
    for (const cookie of this._cookies ?? []) list.push([SET_COOKIE, cookie]);
    return list.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  }

  _fill(init: HeadersInit | Headers): void {
    if (init === null || typeof init !== 'object') {
      throw new TypeError('Headers: init must be a Headers, a list of pairs, or a record');
    }
    if (init instanceof Headers) {
      this._copyFrom(init);
      return;
    }
    const pairs = (init as { [Symbol.iterator]?: unknown })[Symbol.iterator];
    if (pairs === undefined) {
      for (const name of Object.keys(init)) {
        this.append(name, (init as Record<string, string>)[name]!);
      }
      return;
    }
    for (const pair of init as Iterable<Iterable<string>>) {
      const [name, value, ...rest] = pair;
      if (value === undefined || rest.length > 0) {
        throw new TypeError('Headers: each pair needs a name and a value');
      }
      this.append(name!, value);
    }
  }

  /** As _fill, for values that were checked already. */
  private _copyFrom(other: Headers): void {
    for (const [name, value] of other._map) {
      const old = this._map.get(name);
      this._map.set(name, old === undefined ? value : `${old}, ${value}`);
    }
    if (other._cookies !== null) this._cookies = [...(this._cookies ?? []), ...other._cookies];
  }

  private _checkGuard(): void {
    if (this._guard === 'immutable') throw new TypeError('these headers are immutable');
  }
}
