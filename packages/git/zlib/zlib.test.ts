/** One suite over every Zlib, with Node's as the oracle of what a stream is. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, deflateSync, inflateSync } from 'node:zlib';
import { SeededRandom } from '#core';
import type { Zlib, ZlibLevel } from '#device';
import { zlib as nodeZlib } from '#targets/node/zlib';
import { InflateStream, portableZlib } from './index.ts';
import { zlib as platformZlib } from './platform.ts';

const random = new SeededRandom(6);
const LEVELS: readonly ZlibLevel[] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

const bytesOf = (count: number, kinds: number): Uint8Array =>
  Uint8Array.from({ length: count }, () => random.below(kinds));

/** Words, as text has them: matches of all lengths and distances. */
function textOf(count: number): Uint8Array {
  const words = Array.from({ length: 300 }, () => String.fromCharCode(...bytesOf(7, 26)));
  let text = '';
  while (text.length < count) text += `${words[random.below(300)]} `;
  return new TextEncoder().encode(text.slice(0, count));
}

const CONTENTS: readonly (readonly [string, Uint8Array])[] = [
  ['nothing', new Uint8Array(0)],
  ['one byte', Uint8Array.of(7)],
  ['a tree of Git', textOf(300)],
  ['text', textOf(60_000)],
  ['one byte again and again', new Uint8Array(100_000).fill(7)],
  ['chance', bytesOf(66_000, 256)],
  ['two kinds of bytes', bytesOf(15_000, 2)],
  ['larger than what is trusted', textOf(280_000)],
];
const STRATEGIES = [
  constants.Z_DEFAULT_STRATEGY,
  constants.Z_FIXED,
  constants.Z_HUFFMAN_ONLY,
  constants.Z_RLE,
];

/** The portable one by pieces, as if it were whole. */
const streamZlib = (pieceBytes: number): Zlib => ({
  name: `stream of ${pieceBytes}`,
  deflate: portableZlib.deflate,
  inflate(input, at, sizeBytesMax) {
    const pieces: Uint8Array[] = [];
    const stream = new InflateStream(sizeBytesMax, (piece) => pieces.push(piece));
    let step = stream.push(new Uint8Array(0));
    for (let i = at; i < input.length && step === 'more'; i += pieceBytes) {
      step = stream.push(input.slice(i, i + pieceBytes));
    }
    if (step === 'more') return { ok: false, error: 'cut' };
    if (step !== 'done') return { ok: false, error: step };
    const bytes = new Uint8Array(Buffer.concat(pieces));
    return { ok: true, value: { bytes, usedBytes: stream.usedBytes } };
  },
});

const MANY_PIECES = 20_000;
/** Of these one stream will do: every kind of block is in the others'. */
const LARGE = 200_000;
const ALL: readonly Zlib[] = [portableZlib, nodeZlib, streamZlib(1), streamZlib(997)];

function streamsOf(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length > LARGE) return [deflateSync(bytes)];
  const byStrategy = STRATEGIES.map((strategy) => deflateSync(bytes, { strategy, memLevel: 1 }));
  return [...byStrategy, deflateSync(bytes, { level: 0 }), deflateSync(bytes, { windowBits: 9 })];
}

const STREAMS = CONTENTS.map(([name, bytes]) => ({ name, bytes, streams: streamsOf(bytes) }));

for (const zlib of ALL) {
  test(`${zlib.name} › streams of all kinds of blocks › their bytes, and where they end`, () => {
    for (const { name, bytes, streams } of STREAMS) {
      const isForAll = bytes.length <= MANY_PIECES;
      if (!isForAll && !zlib.name.endsWith('997') && zlib !== portableZlib) continue;
      for (const stream of streams) {
        for (const trailing of isForAll ? [0, 20] : [20]) {
          const parts = [Uint8Array.of(9), stream, bytesOf(trailing, 256)];
          const input = new Uint8Array(Buffer.concat(parts));
          const inflated = zlib.inflate(input, 1, bytes.length);
          assert.ok(inflated.ok, `${name}: ${JSON.stringify(inflated)}`);
          assert.ok(Buffer.from(inflated.value.bytes).equals(bytes), name);
          assert.equal(inflated.value.usedBytes, stream.length, name);
        }
      }
    }
  });

  test(`${zlib.name} › a stream one byte longer than allowed › too long`, () => {
    for (const { name, bytes, streams } of STREAMS) {
      if (bytes.length === 0 || bytes.length > MANY_PIECES) continue;
      for (const stream of streams) {
        const result = zlib.inflate(stream, 0, bytes.length - 1);
        assert.deepEqual(result, { ok: false, error: 'too long' }, name);
      }
    }
  });

  test(`${zlib.name} › cut at every byte › cut`, () => {
    for (const stream of streamsOf(textOf(200))) {
      for (let i = 0; i < stream.length; i++) {
        const result = zlib.inflate(stream.subarray(0, i), 0, 200);
        assert.deepEqual(result, { ok: false, error: 'cut' }, `after ${i} bytes`);
      }
    }
  });

  test(`${zlib.name} › a bomb › stops at the bound`, () => {
    const bomb = deflateSync(new Uint8Array(8_000_000));
    assert.ok(bomb.length < 10_000);
    assert.deepEqual(zlib.inflate(bomb, 0, 1_000), { ok: false, error: 'too long' });
  });

  // What follows has Node's as its judge.
  if (zlib === nodeZlib) continue;

  test(`${zlib.name} › each byte changed › what zlib says`, () => {
    for (const stream of streamsOf(textOf(120))) {
      for (let i = 0; i < stream.length; i++) {
        const bad = stream.slice();
        bad[i] = bad[i]! ^ (1 << (i & 7));
        assert.deepEqual(zlib.inflate(bad, 0, 120), nodeZlib.inflate(bad, 0, 120), `byte ${i}`);
      }
    }
  });

  test(`${zlib.name} › streams of chance › what zlib says`, () => {
    for (let i = 0; i < 150; i++) {
      const body = bytesOf(1 + random.below(60), 256);
      // Without a head that is right nothing else would be looked at.
      const bad = new Uint8Array([0x78, 0x9c, ...body]);
      if (random.below(2) === 0) bad[2] = (bad[2]! & 0xf8) | 5;
      const expected = nodeZlib.inflate(bad, 0, 5_000);
      const result = zlib.inflate(bad, 0, 5_000);
      // Which of two faults is found first may differ.
      if (!result.ok && result.error === 'cut') assert.equal(expected.ok, false);
      else assert.deepEqual(result, expected, Buffer.from(bad).toString('hex'));
    }
  });
}

for (const zlib of [portableZlib, nodeZlib]) {
  test(`${zlib.name} › deflate at every level › a stream that zlib reads, the same again`, () => {
    for (const [name, bytes] of CONTENTS) {
      for (const level of bytes.length > MANY_PIECES ? ([1, 6] as const) : LEVELS) {
        const stream = zlib.deflate(bytes, level);
        assert.ok(inflateSync(stream).equals(bytes), `${name} at ${level}`);
        if (bytes.length < 1_000) assert.deepEqual(zlib.deflate(bytes, level), stream);
      }
    }
    assert.ok(zlib.deflate(textOf(10_000)).length < 6_000);
  });

  test(`${zlib.name} › results › plain arrays that hold nothing else`, () => {
    const stream = zlib.deflate(textOf(100));
    const inflated = zlib.inflate(stream, 0, 60_000);
    assert.ok(inflated.ok);
    for (const bytes of [stream, inflated.value.bytes]) {
      assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
      assert.ok(bytes.buffer.byteLength <= 400);
    }
  });
}

test('no target linked › the platform’s zlib › the portable one', () => {
  assert.equal(platformZlib, portableZlib);
});

test('a stream › pieces › at most 64 KiB each, and no more memory', () => {
  const sizes: number[] = [];
  const stream = new InflateStream(3_000_000, (piece) => sizes.push(piece.length));
  assert.equal(stream.push(deflateSync(new Uint8Array(3_000_000))), 'done');
  assert.equal(
    sizes.reduce((sum, size) => sum + size),
    3_000_000,
  );
  assert.ok(Math.max(...sizes) <= 98_304);
});

test('a stream › a fault › again at every push', () => {
  const stream = new InflateStream(10, () => {});
  assert.equal(stream.push(Uint8Array.of(0, 0)), 'damaged');
  assert.equal(stream.push(deflateSync('x')), 'damaged');
});
