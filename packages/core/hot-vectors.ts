/**
 * The contract of HotBytes as examples: run against the TypeScript implementation by a unit test,
 * and against the base's native one inside a booted image. It throws on a difference; it needs no
 * test library.
 */

import { assert } from './assert.ts';
import type { HotBytes } from './hot-bytes.ts';

export interface HotVector {
  readonly name: string;
  readonly run: () => void;
}

function same(have: unknown, want: unknown): void {
  const shown = (value: unknown) =>
    value instanceof Uint8Array || value instanceof Int32Array
      ? `[${value.join()}]`
      : JSON.stringify(value);
  assert(shown(have) === shown(want), `have ${shown(have)}, want ${shown(want)}`);
}

function refuses(what: string, call: () => unknown): void {
  try {
    call();
  } catch (error) {
    assert(error instanceof RangeError, `${what} threw ${String(error)}`);
    return;
  }
  assert(false, `${what} was not refused`);
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function sumVectors(hot: HotBytes): HotVector[] {
  return [
    {
      name: 'checksum of RFC 1071 §3 example',
      run: () => {
        const example = bytes(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
        same(hot.checksum(example, 0, 8, 0), 0xddf2);
        same(hot.checksum(example, 0, 4, hot.checksum(example, 4, 4, 0)), 0xddf2);
      },
    },
    {
      name: 'checksum at every alignment, length and start value',
      run: () => {
        const long = new Uint8Array(300).map((_, i) => (i * 151 + 7) % 256);
        for (let at = 0; at < 17; at++) {
          for (const count of [0, 1, 2, 3, 7, 15, 16, 31, 33, 64, 255, 280]) {
            let total = 0xfffe;
            for (let i = 0; i < count; i++) total += long[at + i]! * (i % 2 === 0 ? 256 : 1);
            while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000);
            same(hot.checksum(long, at, count, 0xfffe), total);
            const to = new Uint8Array(300);
            same(hot.copyChecksum(to, 5, long, at, count, 0xfffe), total);
            same(to.subarray(5, 5 + count), long.subarray(at, at + count));
          }
        }
      },
    },
    {
      name: 'checksum of nothing keeps 0 and 0xffff',
      run: () => {
        same(hot.checksum(bytes(), 0, 0, 0), 0);
        same(hot.checksum(bytes(0xff, 0xff), 0, 2, 0xffff), 0xffff);
      },
    },
    {
      name: 'ranges outside the array are refused',
      run: () => {
        const four = new Uint8Array(4);
        refuses('checksum', () => hot.checksum(four, 1, 4, 0));
        refuses('copy to', () => hot.copy(four, 3, four, 0, 2));
        refuses('copy from', () => hot.copy(four, 0, four, 3, 2));
        refuses('negative', () => hot.copy(four, -1, four, 0, 1));
        refuses('fill', () => hot.fill(four, 0, 5, 1));
        refuses('equal', () => hot.equal(four, 0, four, 1, 4));
        refuses('latin1', () => hot.latin1(four, 2, 5));
        refuses('span', () => hot.span(four, 0, 5, new Uint8Array(256)));
        refuses('unpack', () => hot.unpack('w', four, 1, new Int32Array(1)));
        refuses('unpack out', () => hot.unpack('bb', four, 0, new Int32Array(1)));
        refuses('pack values', () => hot.pack('bb', four, 0, new Int32Array(1)));
        refuses('layout', () => hot.unpack('q', four, 0, new Int32Array(1)));
      },
    },
  ];
}

function copyVectors(hot: HotBytes): HotVector[] {
  return [
    {
      name: 'copy between overlapping ranges, both ways',
      run: () => {
        const up = bytes(1, 2, 3, 4, 5, 6);
        hot.copy(up, 2, up, 0, 4);
        same(up, bytes(1, 2, 1, 2, 3, 4));
        const down = bytes(1, 2, 3, 4, 5, 6);
        hot.copy(down, 0, down, 2, 4);
        same(down, bytes(3, 4, 5, 6, 5, 6));
      },
    },
    {
      name: 'copy works on a view with an offset into its buffer',
      run: () => {
        const whole = new Uint8Array(8);
        hot.copy(whole.subarray(4), 1, bytes(9, 8), 0, 2);
        same(whole, bytes(0, 0, 0, 0, 0, 9, 8, 0));
      },
    },
    {
      name: 'fill and equal',
      run: () => {
        const a = new Uint8Array(5);
        hot.fill(a, 1, 3, 0xa5);
        same(a, bytes(0, 0xa5, 0xa5, 0xa5, 0));
        same(hot.equal(a, 1, a, 2, 2), true);
        same(hot.equal(a, 0, a, 1, 2), false);
        same(hot.equal(a, 5, a, 0, 0), true);
      },
    },
    {
      name: 'unpack and pack are big-endian, words signed',
      run: () => {
        const out = new Int32Array(4);
        same(hot.unpack('bhxw', bytes(0x80, 0x12, 0x34, 0xee, 0xff, 0, 0, 1), 0, out), 8);
        same(out, Int32Array.of(0x80, 0x1234, -0xffffff, 0));
        const to = new Uint8Array(8).fill(0xa5);
        same(hot.pack('bhxw', to, 0, out), 8);
        same(to, bytes(0x80, 0x12, 0x34, 0, 0xff, 0, 0, 1));
      },
    },
  ];
}

function searchVectors(hot: HotBytes): HotVector[] {
  const digits = new Uint8Array(256);
  digits.fill(1, 48, 58);
  return [
    {
      name: 'indexOf finds the first in range, else -1',
      run: () => {
        const b = bytes(1, 2, 3, 2, 1);
        same(hot.indexOf(b, 2, 0, 5), 1);
        same(hot.indexOf(b, 2, 2, 5), 3);
        same(hot.indexOf(b, 2, 2, 3), -1);
        same(hot.indexOf(b, 1, 1, 4), -1);
        same(hot.indexOf(b, 1, 5, 5), -1);
      },
    },
    {
      name: 'span stops at the first byte outside the table',
      run: () => {
        const b = bytes(48, 57, 58, 49);
        same(hot.span(b, 0, 4, digits), 2);
        same(hot.span(b, 3, 4, digits), 4);
        same(hot.span(b, 2, 2, digits), 2);
      },
    },
    {
      name: 'latin1, lower case, and back',
      run: () => {
        const b = bytes(0x41, 0x5a, 0xe9, 0xc9, 0x00, 0x40, 0x5b);
        same(hot.latin1(b, 0, 7), 'AZ\u00e9\u00c9\u0000@[');
        same(hot.latin1Lower(b, 0, 7), 'az\u00e9\u00c9\u0000@[');
        same(hot.latin1(b, 3, 3), '');
        const to = new Uint8Array(4);
        same(hot.writeLatin1(to, 1, 'a\u00ff\u0141'), 3);
        same(to, bytes(0, 0x61, 0xff, 0x41));
      },
    },
  ];
}

function textVectors(hot: HotBytes): HotVector[] {
  const decode = (...b: number[]) => hot.utf8Decode(bytes(...b), 0, b.length, false);
  const strict = (...b: number[]) => hot.utf8Decode(bytes(...b), 0, b.length, true);
  return [
    {
      name: 'UTF-8 of one to four bytes, both ways',
      run: () => {
        const text = 'a\u00e9\u20ac\u{1f600}\u0000\ufeff';
        const encoded = hot.utf8Encode(text);
        same(encoded.length, 1 + 2 + 3 + 4 + 1 + 3);
        same(hot.utf8Decode(encoded, 0, encoded.length, true), text);
        same(hot.utf8Encode('\ud800x\udc00'), bytes(0xef, 0xbf, 0xbd, 0x78, 0xef, 0xbf, 0xbd));
      },
    },
    {
      name: 'malformed UTF-8 › maximal subparts become U+FFFD, or null when fatal',
      run: () => {
        same(decode(0x61, 0xff, 0x62), 'a\ufffdb');
        same(decode(0xc0, 0x80), '\ufffd\ufffd');
        same(decode(0xe0, 0x80, 0x80), '\ufffd\ufffd\ufffd');
        same(decode(0xed, 0xa0, 0x80), '\ufffd\ufffd\ufffd');
        same(decode(0xf0, 0x9f, 0x98, 0x41), '\ufffdA');
        same(decode(0xf4, 0x90, 0x80, 0x80), '\ufffd\ufffd\ufffd\ufffd');
        same(decode(0xe2, 0x82), '\ufffd');
        same(strict(0x61, 0xff), null);
        same(strict(0xe2, 0x82), null);
        same(strict(), '');
      },
    },
  ];
}

/** Every example; run each one and let what it throws fail the test. */
export function hotVectors(hot: HotBytes): HotVector[] {
  return [sumVectors, copyVectors, searchVectors, textVectors].flatMap((make) => make(hot));
}
