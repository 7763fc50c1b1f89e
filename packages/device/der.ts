/**
 * As much DER (X.690) as keys and signatures need: definite minimal lengths below 64 KiB, tags of
 * one byte. Not here: certificates (packages/x509).
 */

import { assert } from '#core';

const TAG_INTEGER = 0x02;

export const TAG_BIT_STRING = 0x03;
export const TAG_OCTET_STRING = 0x04;
export const TAG_OID = 0x06;
export const TAG_SEQUENCE = 0x30;
/** Constructed, context-specific. */
export const TAG_CONTEXT_0 = 0xa0;
export const TAG_CONTEXT_1 = 0xa1;

/** Reads elements from [at, end) of borrowed bytes, in order. */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at === this.#end;
  }

  /** The next element's tag; -1 at the end. */
  get tag(): number {
    return this.done ? -1 : this.#bytes[this.#at]!;
  }

  /** The content of the next element, which must have this tag; null when it hasn't, or is bad. */
  contents(tag: number): Uint8Array | null {
    const bytes = this.#bytes;
    const at = this.#at;
    if (this.#end - at < 2 || bytes[at] !== tag) return null;
    let count = bytes[at + 1]!;
    let from = at + 2;
    if (count === 0x81) {
      count = from < this.#end ? bytes[from++]! : 0;
      if (count < 0x80) return null;
    } else if (count === 0x82) {
      count = from + 1 < this.#end ? bytes[from]! * 256 + bytes[from + 1]! : 0;
      if (count < 0x100) return null;
      from += 2;
    } else if (count >= 0x80) {
      return null;
    }
    if (count > this.#end - from) return null;
    this.#at = from + count;
    return bytes.subarray(from, from + count);
  }

  enter(tag: number): DerReader | null {
    const contents = this.contents(tag);
    return contents === null ? null : new DerReader(contents);
  }

  /** The next element whole, which must have this tag. */
  element(tag: number): Uint8Array | null {
    const from = this.#at;
    return this.contents(tag) === null ? null : this.#bytes.subarray(from, this.#at);
  }

  /** An INTEGER above zero, without leading zeros. */
  positive(): Uint8Array | null {
    const digits = this.contents(TAG_INTEGER);
    if (digits === null || digits.length === 0 || digits[0]! >= 0x80) return null;
    if (digits[0] !== 0) return digits;
    return digits.length > 1 && digits[1]! >= 0x80 ? digits.subarray(1) : null;
  }

  /** Whether the next element is the INTEGER `value` (0..127). */
  isSmall(value: number): boolean {
    const digits = this.contents(TAG_INTEGER);
    return digits !== null && digits.length === 1 && digits[0] === value;
  }

  /** A BIT STRING of whole bytes. */
  bits(): Uint8Array | null {
    const contents = this.contents(TAG_BIT_STRING);
    return contents === null || contents[0] !== 0 ? null : contents.subarray(1);
  }
}

/** An element around `parts`, in fresh bytes. */
export function derElement(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const count = parts.reduce((sum, { length }) => sum + length, 0);
  const head = [tag, ...derLength(count)];
  const out = new Uint8Array(head.length + count);
  out.set(head);
  let at = head.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function derLength(count: number): number[] {
  assert(count < 0x10000, 'no key is as long');
  if (count < 0x80) return [count];
  return count < 0x100 ? [0x81, count] : [0x82, count >> 8, count & 0xff];
}

/** An INTEGER of big-endian digits, not negative, which may have leading zeros. */
export function derInteger(digits: Uint8Array): Uint8Array {
  let from = 0;
  while (from < digits.length - 1 && digits[from] === 0) from++;
  const sign = digits[from]! >= 0x80 ? Uint8Array.of(0) : new Uint8Array(0);
  return derElement(TAG_INTEGER, sign, digits.subarray(from));
}

export const derBits = (bytes: Uint8Array): Uint8Array =>
  derElement(TAG_BIT_STRING, Uint8Array.of(0), bytes);
