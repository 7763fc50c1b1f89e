/** The lines at the head of commits and tags: "name SP value LF", and a blank line behind them. */

import { hot } from '#core';
import type { ObjectFault } from '../object.ts';
import { type ObjectId, readIdText } from '../object-id.ts';
import { decodeText } from './text.ts';

const LF = 0x0a;
const SPACE = 0x20;

/** Reads one line after the other; the first fault is kept, and what follows it is empty. */
export class HeaderLines {
  fault: ObjectFault | null = null;
  readonly #b: Uint8Array;
  #at = 0;

  constructor(b: Uint8Array) {
    this.#b = b;
  }

  get at(): number {
    return this.#at;
  }

  /** Whether the next line has this name. */
  has(name: string): boolean {
    const b = this.#b;
    if (this.fault !== null || this.#at + name.length >= b.length) return false;
    for (let i = 0; i < name.length; i++) {
      if (b[this.#at + i] !== name.charCodeAt(i)) return false;
    }
    return b[this.#at + name.length] === SPACE;
  }

  /** The value of the next line, which has this name. */
  text(name: string): string {
    const end = this.#lineEnd(name);
    if (end < 0) return '';
    const text = decodeText(this.#b, this.#at + name.length + 1, end);
    if (text.includes('\0')) this.#fail(this.#at);
    this.#at = end + 1;
    return text;
  }

  /** As `text`, of an id of `idBytes`. */
  id(name: string, idBytes: number): ObjectId {
    const end = this.#lineEnd(name);
    if (end < 0) return '' as ObjectId;
    const valueAt = this.#at + name.length + 1;
    const id = end - valueAt === 2 * idBytes ? readIdText(this.#b, valueAt, 2 * idBytes) : null;
    if (id === null) this.#fail(valueAt);
    this.#at = end + 1;
    return id ?? ('' as ObjectId);
  }

  /** Every line up to the blank one, as it stands, line ends included. */
  rest(): string {
    const start = this.#at;
    while (this.fault === null && this.#at < this.#b.length && this.#b[this.#at] !== LF) {
      const end = hot.indexOf(this.#b, LF, this.#at, this.#b.length);
      if (end < 0) this.#short();
      else this.#at = end + 1;
    }
    return this.fault === null ? decodeText(this.#b, start, this.#at) : '';
  }

  /** What stands behind the blank line. Git reads objects that end before it; so do we. */
  message(): string {
    if (this.fault !== null || this.#at >= this.#b.length) return '';
    return decodeText(this.#b, this.#at + 1, this.#b.length);
  }

  #lineEnd(name: string): number {
    if (this.fault !== null) return -1;
    const end = hot.indexOf(this.#b, LF, this.#at, this.#b.length);
    if (end < 0) this.#short();
    else if (!this.has(name)) this.#fail(this.#at);
    return this.fault === null ? end : -1;
  }

  #fail(offset: number): void {
    this.fault ??= { kind: 'field', offset, value: this.#b[offset] ?? 0 };
  }

  #short(): void {
    const haveBytes = this.#b.length;
    this.fault ??= { kind: 'short', needBytes: haveBytes + 1, haveBytes };
  }
}
