/**
 * Reading the JSON documents of RFC 8555: the first fault is kept, and whoever reads asks for it
 * once, at the end. Members that aren't known are ignored; of repeated ones the last counts.
 */

import { err, hot, ok, type Result, type WallTime, wallTimeOfMillis } from '#core';
import { LIST_MAX } from '../limits.ts';
import { type AcmeUrl, parseUrl } from './url.ts';

export type DocumentFault =
  | { readonly kind: 'not JSON' }
  /** A member that is absent and must not be, or isn't what it must be. */
  | { readonly kind: 'member'; readonly path: string };

export type Json = { readonly [name: string]: unknown };

/** The object that `bytes` are, UTF-8 (RFC 8259 §8.1). */
export function parseObject(bytes: Uint8Array): Result<Json, DocumentFault> {
  const text = hot.utf8Decode(bytes, 0, bytes.length, true);
  if (text === null) return err({ kind: 'not JSON' });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Also when it is nested deeper than the engine's stack.
    return err({ kind: 'not JSON' });
  }
  return isObject(value) ? ok(value) : err({ kind: 'not JSON' });
}

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The members of one object. */
export class Members {
  fault: DocumentFault | null = null;
  private readonly json: Json;
  private readonly prefix: string;

  constructor(json: Json, prefix = '') {
    this.json = json;
    this.prefix = prefix;
  }

  text(name: string): string {
    const value = this.value(name);
    if (typeof value === 'string') return value;
    this.fail(name);
    return '';
  }

  optionalText(name: string): string | null {
    return this.value(name) === undefined ? null : this.text(name);
  }

  flag(name: string): boolean {
    const value = this.value(name);
    if (value !== undefined && typeof value !== 'boolean') this.fail(name);
    return value === true;
  }

  /** One of `choices`. */
  choice<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.value(name);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.fail(name);
    return found ?? choices[0]!;
  }

  url(name: string): AcmeUrl {
    const url = parseUrl(this.text(name));
    if (url.ok) return url.value;
    this.fail(name);
    return NO_URL;
  }

  optionalUrl(name: string): AcmeUrl | null {
    return this.value(name) === undefined ? null : this.url(name);
  }

  urls(name: string): AcmeUrl[] {
    return this.list(name).map((value) => {
      const url = parseUrl(typeof value === 'string' ? value : '');
      if (!url.ok) this.fail(name);
      return url.ok ? url.value : NO_URL;
    });
  }

  /** RFC 3339. */
  time(name: string): WallTime {
    const time = parseTime(this.text(name));
    if (time === null) this.fail(name);
    return time ?? wallTimeOfMillis(0);
  }

  optionalTime(name: string): WallTime | null {
    return this.value(name) === undefined ? null : this.time(name);
  }

  object(name: string): Members {
    const value = this.value(name);
    if (!isObject(value)) this.fail(name);
    return new Members(isObject(value) ? value : {}, `${this.prefix}${name}.`);
  }

  /** The objects of a list, as `read` makes them; a fault of one is the fault of all. */
  objects<T>(name: string, read: (members: Members) => T): T[] {
    return this.list(name).map((value, at) => {
      if (!isObject(value)) this.fail(name);
      const members = new Members(isObject(value) ? value : {}, `${this.prefix}${name}.${at}.`);
      const made = read(members);
      this.take(members);
      return made;
    });
  }

  /** The fault of a part is the fault of the whole. */
  take(part: Members): void {
    this.fault ??= part.fault;
  }

  has(name: string): boolean {
    return this.value(name) !== undefined;
  }

  result<T>(value: T): Result<T, DocumentFault> {
    return this.fault === null ? ok(value) : err(this.fault);
  }

  private list(name: string): readonly unknown[] {
    const value = this.value(name);
    if (Array.isArray(value) && value.length <= LIST_MAX) return value;
    this.fail(name);
    return [];
  }

  /** Absent and null are the same: servers differ. */
  value(name: string): unknown {
    return Object.hasOwn(this.json, name) ? (this.json[name] ?? undefined) : undefined;
  }

  private fail(name: string): void {
    this.fault ??= { kind: 'member', path: `${this.prefix}${name}` };
  }
}

const NO_URL: AcmeUrl = { text: '', host: '', port: 443, authority: '', target: '/' };

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** RFC 3339 §5.6; null for other texts. A leap second counts as the one before. */
export function parseTime(text: string): WallTime | null {
  const found = TIME.exec(text);
  if (found === null) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as Six;
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 60) return null;
  const midnight = Date.UTC(year, month - 1, day);
  // A day that the month doesn't have is one of the next. No offset leads out of these years.
  if (year < YEAR_MIN || year > YEAR_MAX || day < 1) return null;
  if (new Date(midnight).getUTCDate() !== day) return null;
  const inDay = (hour * 60 + minute) * 60 + Math.min(second, 59);
  const offset = (Number(found[9] ?? 0) * 60 + Number(found[10] ?? 0)) * 60;
  const fraction = Number((found[7] ?? '').slice(0, 3).padEnd(3, '0'));
  const east = found[8] === '-' ? -1 : 1;
  return wallTimeOfMillis(midnight + (inDay - east * offset) * 1_000 + fraction);
}

const YEAR_MIN = 1_971;
const YEAR_MAX = 9_998;

type Six = [number, number, number, number, number, number];

export const formatDocumentFault = (fault: DocumentFault): string =>
  fault.kind === 'not JSON' ? 'it is no JSON object' : `its "${fault.path}" is absent or wrong`;
