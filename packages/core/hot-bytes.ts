/**
 * The loops over bytes that are native in an image and TypeScript elsewhere: the internet checksum,
 * copies, searches, and fixed-layout integers. They know no protocol. Everywhere: offsets and
 * counts are non-negative integers, ranges lie inside the arrays, nothing is kept after the call; a
 * range outside an array throws a RangeError (a broken promise of ours).
 *
 * `hot` is the TypeScript implementation; an image's build replaces this module's `hot` by the base's
 * (targets/base/hot-bytes.ts), so both must agree: hot-bytes.test.ts has the shared vectors.
 */

export interface HotBytes {
  /** Copies `count` bytes; the ranges may overlap. */
  copy(to: Uint8Array, toAt: number, from: Uint8Array, fromAt: number, count: number): void;
  /** Sets `count` bytes from `at` to `value` (0..255). */
  fill(to: Uint8Array, at: number, count: number, value: number): void;
  /**
   * Ones' complement sum of big-endian 16-bit words (RFC 1071), added to `sum` (0..0xffff) and
   * folded to
   * 16 bits, not inverted. An odd last byte counts as a word's high byte, so only the last part may
   * be odd.
   */
  checksum(bytes: Uint8Array, at: number, count: number, sum: number): number;
  /** `copy` and `checksum` of the copied bytes in one pass; the ranges must not overlap. */
  copyChecksum(
    to: Uint8Array,
    toAt: number,
    from: Uint8Array,
    fromAt: number,
    count: number,
    sum: number,
  ): number;
  /** True when both ranges hold the same bytes. Not constant-time. */
  equal(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, count: number): boolean;
  /** Index of the first `byte` in [at, end), or -1. */
  indexOf(bytes: Uint8Array, byte: number, at: number, end: number): number;
  /**
   * Index of the first byte in [at, end) whose `table` entry (256 bytes) is 0; `end` when all are
   * members.
   */
  span(bytes: Uint8Array, at: number, end: number, table: Uint8Array): number;
  /** The bytes of [at, end) as a string, one char code (0..255) a byte. */
  latin1(bytes: Uint8Array, at: number, end: number): string;
  /** As `latin1`, with A-Z made a-z. */
  latin1Lower(bytes: Uint8Array, at: number, end: number): string;
  /** Writes the low byte of each char code at `at`; returns the count written (text.length). */
  writeLatin1(to: Uint8Array, at: number, text: string): number;
  /** UTF-8 of `text`, lone surrogates as U+FFFD, in a fresh array. */
  utf8Encode(text: string): Uint8Array;
  /**
   * Text of UTF-8 bytes; malformed sequences become U+FFFD (WHATWG Encoding) or, when `fatal`,
   * null.
   */
  utf8Decode(bytes: Uint8Array, at: number, end: number, fatal: boolean): string | null;
  /**
   * Reads big-endian integers from `at`, one per character of `layout` — `b` 8, `h` 16, `w` 32 bits
   * (as int32),
   * `x` one byte skipped — into out[0..]. Returns the offset after the last one.
   */
  unpack(layout: string, bytes: Uint8Array, at: number, out: Int32Array): number;
  /** The inverse of `unpack`, from values[0..]; `x` writes a zero byte. */
  pack(layout: string, to: Uint8Array, at: number, values: Int32Array): number;
}

/**
 * The engine's own globals, under a name that a bundler doesn't replace: packages/web builds its
 * TextEncoder on this module.
 */
const host: typeof globalThis = globalThis;

let strict: TextDecoder | null = null;
let lenient: TextDecoder | null = null;

/** Made when first needed, and kept: making one costs more than decoding a short text. */
function decoder(fatal: boolean): TextDecoder {
  if (fatal) {
    strict ??= new host.TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return strict;
  }
  lenient ??= new host.TextDecoder('utf-8', { ignoreBOM: true });
  return lenient;
}

function checkRange(bytes: Uint8Array, at: number, count: number): void {
  if (!(at >= 0 && count >= 0 && at + count <= bytes.length)) {
    throw new RangeError(`range ${at}+${count} outside of ${bytes.length} bytes`);
  }
}

function copy(to: Uint8Array, toAt: number, from: Uint8Array, fromAt: number, count: number): void {
  checkRange(to, toAt, count);
  checkRange(from, fromAt, count);
  to.set(from.subarray(fromAt, fromAt + count), toAt);
}

function checksum(bytes: Uint8Array, at: number, count: number, sum: number): number {
  checkRange(bytes, at, count);
  let total = sum;
  const end = at + count;
  let i = at;
  for (; i + 1 < end; i += 2) total += (bytes[i]! << 8) | bytes[i + 1]!;
  if (i < end) total += bytes[i]! << 8;
  while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000);
  return total;
}

function latin1(bytes: Uint8Array, at: number, end: number): string {
  checkRange(bytes, at, end - at);
  let text = '';
  for (let i = at; i < end; i += 8192) {
    // Not spread: V8 walks a typed array with its iterator then, four times as slow.
    const part: ArrayLike<number> = bytes.subarray(i, Math.min(end, i + 8192));
    text += String.fromCharCode.apply(null, part as number[]);
  }
  return text;
}

/** Bytes and sign-extension by layout character. */
function unpack(layout: string, bytes: Uint8Array, at: number, out: Int32Array): number {
  checkRange(bytes, at, 0);
  let offset = at;
  let index = 0;
  for (const kind of layout) {
    const count = layoutBytes(kind);
    checkRange(bytes, offset, count);
    if (kind !== 'x') {
      let value = 0;
      for (let i = 0; i < count; i++) value = (value << 8) | bytes[offset + i]!;
      if (index >= out.length) throw new RangeError('unpack: out is too short');
      out[index++] = value;
    }
    offset += count;
  }
  return offset;
}

function pack(layout: string, to: Uint8Array, at: number, values: Int32Array): number {
  checkRange(to, at, 0);
  let offset = at;
  let index = 0;
  for (const kind of layout) {
    const count = layoutBytes(kind);
    checkRange(to, offset, count);
    if (kind !== 'x' && index >= values.length) throw new RangeError('pack: values are too few');
    const value = kind === 'x' ? 0 : values[index++]!;
    for (let i = 0; i < count; i++) to[offset + i] = value >> (8 * (count - 1 - i));
    offset += count;
  }
  return offset;
}

function layoutBytes(kind: string): number {
  switch (kind) {
    case 'b':
    case 'x':
      return 1;
    case 'h':
      return 2;
    case 'w':
      return 4;
    default:
      throw new RangeError(`layout character ${kind}`);
  }
}

export const hot: HotBytes = {
  copy,
  checksum,
  latin1,
  unpack,
  pack,
  fill(to, at, count, value) {
    checkRange(to, at, count);
    to.fill(value, at, at + count);
  },
  copyChecksum(to, toAt, from, fromAt, count, sum) {
    copy(to, toAt, from, fromAt, count);
    return checksum(to, toAt, count, sum);
  },
  equal(a, aAt, b, bAt, count) {
    checkRange(a, aAt, count);
    checkRange(b, bAt, count);
    for (let i = 0; i < count; i++) if (a[aAt + i] !== b[bAt + i]) return false;
    return true;
  },
  indexOf(bytes, byte, at, end) {
    checkRange(bytes, at, end - at);
    const found = bytes.indexOf(byte, at);
    return found >= end ? -1 : found;
  },
  span(bytes, at, end, table) {
    checkRange(bytes, at, end - at);
    for (let i = at; i < end; i++) if (table[bytes[i]!] === 0) return i;
    return end;
  },
  latin1Lower: (bytes, at, end) =>
    latin1(bytes, at, end).replace(/[A-Z]+/g, (upper) => upper.toLowerCase()),
  writeLatin1(to, at, text) {
    checkRange(to, at, text.length);
    for (let i = 0; i < text.length; i++) to[at + i] = text.charCodeAt(i);
    return text.length;
  },
  utf8Encode: (text) => new host.TextEncoder().encode(text),
  utf8Decode(bytes, at, end, fatal) {
    checkRange(bytes, at, end - at);
    try {
      return decoder(fatal).decode(bytes.subarray(at, end));
    } catch {
      return null;
    }
  },
};
