/** Lengths that come in pieces, at the bounds and one past them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeU32be } from '#core';
import { LENGTH_BYTES, STREAM_FRAME_BYTES_MAX, StreamFrames } from './stream-frames.ts';

const BYTES_MIN = 14;

/** What `push` said last, and how many frames came. */
function push(length: number, cut: number, more = 0): { said: number | null; frames: number } {
  const stream = new Uint8Array(LENGTH_BYTES + more);
  writeU32be(stream, 0, length);
  let count = 0;
  const frames = new StreamFrames(BYTES_MIN, () => {
    count += 1;
    return true;
  });
  const first = frames.push(stream.slice(0, cut));
  return { said: first ?? frames.push(stream.slice(cut)), frames: count };
}

for (let cut = 0; cut <= LENGTH_BYTES; cut++) {
  test(`a length cut at ${cut} › no frame’s › told before there is memory for it`, () => {
    for (const wrong of [0, BYTES_MIN - 1, STREAM_FRAME_BYTES_MAX + 1, 0x7fff_ffff, 0xffff_ffff]) {
      assert.deepEqual(push(wrong, cut), { said: wrong, frames: 0 });
    }
  });

  test(`a length cut at ${cut} › the least and the most › frames`, () => {
    for (const right of [BYTES_MIN, STREAM_FRAME_BYTES_MAX]) {
      assert.deepEqual(push(right, cut, right), { said: null, frames: 1 });
    }
  });
}
