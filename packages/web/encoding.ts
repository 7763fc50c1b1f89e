/**
 * TextEncoder and TextDecoder, WHATWG Encoding. Decoders: utf-8, utf-16le, and windows-1252 with
 * its labels (latin1, ascii). The legacy multi-byte encodings are left out: their tables are larger
 * than the image.
 */

import { hot } from '#core';

export class TextEncoder {
  get encoding(): string {
    return 'utf-8';
  }

  encode(text = ''): Uint8Array {
    return hot.utf8Encode(String(text));
  }

  /** Writes as many whole characters as fit; `read` counts UTF-16 units. */
  encodeInto(text: string, to: Uint8Array): { read: number; written: number } {
    const bytes = hot.utf8Encode(text);
    if (bytes.length <= to.length) {
      to.set(bytes);
      return { read: text.length, written: bytes.length };
    }
    let read = 0;
    let written = 0;
    for (const character of text) {
      const one = hot.utf8Encode(character);
      if (written + one.length > to.length) break;
      to.set(one, written);
      written += one.length;
      read += character.length;
    }
    return { read, written };
  }

  get [Symbol.toStringTag](): string {
    return 'TextEncoder';
  }
}

type Encoding = 'utf-8' | 'utf-16le' | 'windows-1252';

const LABELS: Readonly<Record<Encoding, string>> = {
  'utf-8': 'unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8',
  'utf-16le': 'csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le',
  'windows-1252':
    'ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 ' +
    'iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252',
};

function encodingOf(label: string): Encoding {
  const wanted = String(label)
    .replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, '')
    .toLowerCase();
  for (const name of Object.keys(LABELS) as Encoding[]) {
    if (LABELS[name].split(' ').includes(wanted)) return name;
  }
  throw new RangeError(`TextDecoder: the encoding "${label}" is not supported`);
}

/** Where windows-1252 differs from char codes: 0x80..0x9f. */
const WINDOWS_1252 =
  '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f' +
  '\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178';

/** Bytes at the end of `bytes` that may be the beginning of a longer UTF-8 sequence: 0..3. */
function utf8TailBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte >= 0xc0) {
      const need = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return need > back ? back : 0;
    }
    if (byte < 0x80) return 0;
  }
  return 0;
}

/** Bytes that must wait: half a unit, or a high surrogate without its low one. 0..3. */
function utf16TailBytes(bytes: Uint8Array): number {
  const odd = bytes.length % 2;
  const high = bytes[bytes.length - odd - 1];
  return high !== undefined && high >= 0xd8 && high <= 0xdb ? odd + 2 : odd;
}

function utf16Decode(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i + 1 < bytes.length; i += 2) {
    text += String.fromCharCode(bytes[i]! | (bytes[i + 1]! << 8));
  }
  return bytes.length % 2 === 1 ? `${text}\ufffd` : text;
}

export interface TextDecoderOptions {
  fatal?: boolean;
  ignoreBOM?: boolean;
}

export class TextDecoder {
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  /** Bytes of an unfinished character, from a call with `stream`. */
  #waiting: Uint8Array = new Uint8Array(0);
  #atStart = true;

  constructor(label = 'utf-8', options?: TextDecoderOptions | null) {
    this.encoding = encodingOf(label);
    this.fatal = Boolean(options?.fatal);
    this.ignoreBOM = Boolean(options?.ignoreBOM);
  }

  /** Throws a TypeError on malformed bytes when `fatal`; else they become U+FFFD. */
  decode(input?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean } | null): string {
    const stream = Boolean(options?.stream);
    const bytes = this.#join(bytesOf(input));
    const tail = stream ? this.#tailBytes(bytes) : 0;
    this.#waiting = bytes.slice(bytes.length - tail);
    const text = this.#decodeWhole(bytes.subarray(0, bytes.length - tail));
    const start = this.#atStart && !this.ignoreBOM && text.charCodeAt(0) === 0xfeff ? 1 : 0;
    this.#atStart = stream ? this.#atStart && text === '' : true;
    return start === 0 ? text : text.slice(start);
  }

  #join(bytes: Uint8Array): Uint8Array {
    if (this.#waiting.length === 0) return bytes;
    const joined = new Uint8Array(this.#waiting.length + bytes.length);
    joined.set(this.#waiting);
    joined.set(bytes, this.#waiting.length);
    return joined;
  }

  #tailBytes(bytes: Uint8Array): number {
    if (this.encoding === 'utf-8') return utf8TailBytes(bytes);
    return this.encoding === 'utf-16le' ? utf16TailBytes(bytes) : 0;
  }

  #decodeWhole(bytes: Uint8Array): string {
    if (this.encoding === 'windows-1252') {
      return hot
        .latin1(bytes, 0, bytes.length)
        .replace(/[\x80-\x9f]/g, (one) => WINDOWS_1252[one.charCodeAt(0) - 0x80]!);
    }
    if (this.encoding === 'utf-8') {
      const text = hot.utf8Decode(bytes, 0, bytes.length, this.fatal);
      return text ?? this.#fail();
    }
    const text = utf16Decode(bytes);
    const odd = bytes.length % 2 === 1;
    if (this.fatal && (odd || !text.isWellFormed())) return this.#fail();
    return text.toWellFormed();
  }

  #fail(): never {
    this.#waiting = new Uint8Array(0);
    this.#atStart = true;
    throw new TypeError(`the bytes are not ${this.encoding}`);
  }

  get [Symbol.toStringTag](): string {
    return 'TextDecoder';
  }
}

/** A view of the bytes of a buffer or of any view; nothing is copied. */
export function bytesOf(input: ArrayBuffer | ArrayBufferView | undefined): Uint8Array {
  if (input === undefined) return new Uint8Array(0);
  if (input instanceof Uint8Array) return input;
  if (ArrayBuffer.isView(input)) {
    return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  }
  if (input instanceof ArrayBuffer) return new Uint8Array(input);
  throw new TypeError('an ArrayBuffer or a view of one is needed');
}
