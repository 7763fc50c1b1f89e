/**
 * Random calls of `hot` with arguments in and out of range: the same seed gives the same calls, so
 * that what the base's functions do in an image can be compared with what packages/core's do on
 * Node. Runs on both; hot_fuzz.test.ts compares.
 */
import type { HotBytes } from '#core';

const ARRAY_BYTES = 300;
const LAYOUTS = ['', 'b', 'bhw', 'whbxx', 'wwwwwwww', 'hhhhx', 'q', 'b€'];
const STRANGE = [-1, -2147483648, 2147483647, 4294967295, 4294967296, 2 ** 53, Infinity, NaN, -0];

class Draws {
  private state: number;

  constructor(seed: number) {
    this.state = seed;
  }

  /** In [0, limit). xorshift32. */
  below(limit: number): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return (x >>> 0) % limit;
  }

  /** An offset or a count: mostly near the array's, sometimes strange. */
  index(): number {
    const kind = this.below(20);
    if (kind === 0) return STRANGE[this.below(STRANGE.length)]!;
    return kind < 12 ? this.below(40) : this.below(ARRAY_BYTES + 20);
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.below(6) === 0 ? this.below(9) : ARRAY_BYTES);
    const kind = this.below(3);
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.byte(kind);
    // A view that doesn't begin where its buffer does.
    return bytes.subarray(Math.min(bytes.length, this.below(4)));
  }

  private byte(kind: number): number {
    if (kind === 0) return this.below(256);
    if (kind === 1) return 0x20 + this.below(0x5f);
    // What UTF-8 is made of, so that well-formed sequences come up too.
    return [0x41, 0x80, 0xbf, 0xc3, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xf0, 0x9f, 0x98][
      this.below(12)
    ]!;
  }

  text(): string {
    const units: number[] = [];
    const limit = [0x80, 0x100, 0x10000][this.below(3)]!;
    for (let n = this.below(60); n > 0; n--) {
      units.push(
        this.below(4) === 0 && limit > 0x100 ? 0xd800 + this.below(0x800) : this.below(limit),
      );
    }
    return String.fromCharCode(...units);
  }
}

type Call = (hot: HotBytes, d: Draws) => unknown;

/** Each returns what must be equal on both sides. */
const CALLS: Record<string, Call> = {
  copy(hot, d) {
    const to = d.bytes();
    const from = d.below(2) === 0 ? to : d.bytes();
    hot.copy(to, d.index(), from, d.index(), d.index());
    return to;
  },
  fill(hot, d) {
    const to = d.bytes();
    hot.fill(to, d.index(), d.index(), d.below(256));
    return to;
  },
  checksum: (hot, d) => hot.checksum(d.bytes(), d.index(), d.index(), d.below(0x10000)),
  copyChecksum(hot, d) {
    const to = d.bytes();
    const sum = hot.copyChecksum(to, d.index(), d.bytes(), d.index(), d.index(), d.below(0x10000));
    return [sum, ...to];
  },
  equal(hot, d) {
    const a = d.bytes();
    const b = d.below(2) === 0 ? a.slice() : d.bytes();
    const at = d.index();
    return hot.equal(a, at, b, d.below(2) === 0 ? at : d.index(), d.index());
  },
  indexOf: (hot, d) => hot.indexOf(d.bytes(), d.below(256), d.index(), d.index()),
  span(hot, d) {
    const table = new Uint8Array(256).map((_, i) => (i % 7 === 0 ? 0 : 1));
    return hot.span(d.bytes(), d.index(), d.index(), table);
  },
  latin1: (hot, d) => hot.latin1(d.bytes(), d.index(), d.index()),
  latin1Lower: (hot, d) => hot.latin1Lower(d.bytes(), d.index(), d.index()),
  writeLatin1(hot, d) {
    const to = d.bytes();
    const count = hot.writeLatin1(to, d.index(), d.text());
    return [count, ...to];
  },
  utf8Encode: (hot, d) => hot.utf8Encode(d.text()),
  utf8Decode: (hot, d) => hot.utf8Decode(d.bytes(), d.index(), d.index(), d.below(2) === 0),
  unpack(hot, d) {
    const out = new Int32Array(d.below(12));
    const layout = LAYOUTS[d.below(LAYOUTS.length)]!;
    return [hot.unpack(layout, d.bytes(), d.index(), out), ...out];
  },
  pack(hot, d) {
    const values = Int32Array.from({ length: d.below(12) }, () => d.below(2 ** 32) | 0);
    const to = d.bytes();
    return [hot.pack(LAYOUTS[d.below(LAYOUTS.length)]!, to, d.index(), values), ...to];
  },
};

const hash = (sum: number, text: string): number => {
  let h = sum;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h;
};

/** A line for each function: calls that returned, and a hash of all results in order. */
export function fuzz(hot: HotBytes, seed: number, rounds: number): string {
  let lines = '';
  for (const [name, call] of Object.entries(CALLS)) {
    const draws = new Draws(hash(seed, name));
    let returned = 0;
    let sum = 0;
    for (let i = 0; i < rounds; i++) {
      let text = 'refused';
      try {
        text = String(call(hot, draws));
        returned++;
      } catch (error) {
        if (!(error instanceof RangeError)) text = String(error);
      }
      sum = hash(sum, text);
    }
    lines += `${name} ${returned} ${sum}\n`;
  }
  return lines;
}

/**
 * Calls outside of every contract that the base must refuse; the names of those it doesn't. The
 * engine has no way to detach or resize a buffer.
 */
export function misuse(hot: HotBytes): string {
  const good = new Uint8Array(64);
  const wrong: Record<string, unknown> = {
    int8: new Int8Array(64),
    clamped: new Uint8ClampedArray(64),
    words: new Uint16Array(64),
    view: new DataView(new ArrayBuffer(64)),
    buffer: new ArrayBuffer(64),
    proxy: new Proxy(good, {}),
    heir: Object.create(good),
    array: [1, 2, 3],
    shape: { length: 64, buffer: good.buffer, byteOffset: 0 },
    text: 'text',
    nothing: undefined,
    null: null,
    number: 64,
    symbol: Symbol.iterator,
  };
  let accepted = '';
  for (const [what, value] of Object.entries(wrong)) {
    const array = value as Uint8Array;
    const words = value as Int32Array;
    const calls = [
      () => hot.copy(array, 0, good, 0, 1),
      () => hot.copy(good, 0, array, 0, 1),
      () => hot.fill(array, 0, 1, 0),
      () => hot.checksum(array, 0, 1, 0),
      () => hot.copyChecksum(array, 0, good, 0, 1, 0),
      () => hot.copyChecksum(good, 0, array, 0, 1, 0),
      () => hot.equal(good, 0, array, 0, 1),
      () => hot.indexOf(array, 0, 0, 1),
      () => hot.span(good, 0, 1, array),
      () => hot.latin1(array, 0, 1),
      () => hot.writeLatin1(array, 0, 'a'),
      () => hot.utf8Decode(array, 0, 1, false),
      () => hot.unpack('b', array, 0, new Int32Array(1)),
      () => hot.pack('b', good, 0, words),
      () => (what === 'text' ? hot.latin1(array, 0, 1) : hot.utf8Encode(value as string)),
      () => hot.latin1(good, value as number, 1.5),
      () => hot.latin1(good, 0, 0.5),
      () => hot.checksum(good, 0, 1, 0x10000),
      () => hot.fill(good, 0, 1, 256),
    ];
    calls.forEach((call, i) => {
      try {
        call();
        accepted += `${what} ${i}\n`;
      } catch {}
    });
  }
  return accepted;
}
