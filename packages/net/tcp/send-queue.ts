// tidy: int32
/**
 * What is written and not acknowledged, as the application's own arrays: release from the front,
 * find a place.
 */

import { assert, type SeqNumber } from '#core';
import type { Connection } from './connection.ts';
import { abort } from './ending.ts';
import { CHUNK_BYTES, CHUNKS_STEP_BYTES } from './limits.ts';

const NO_BYTES = new Uint8Array(0);
const COMPACT_CHUNKS = 32;
/** Of a connection with nothing queued; never written to. */
export const NO_CHUNKS: Uint8Array[] = [];

/** Forgets the first `count` bytes, which are acknowledged. O(chunks released), amortised. */
export function release(c: Connection, count: number): void {
  c.queuedBytes -= count;
  const chunks = c.chunks;
  if (c.queuedBytes === 0) {
    // The timer gives the array back when the connection is idle.
    chunks.length = 0;
    c.head = 0;
    c.headAt = 0;
    c.cursor = 0;
    c.cursorAt = 0;
    return;
  }
  let left = count + c.headAt;
  let head = c.head;
  for (;;) {
    const bytes = chunks[head]!.length;
    if (left < bytes) break;
    left -= bytes;
    chunks[head] = NO_BYTES; // Lets the array go now.
    head += 1;
  }
  c.headAt = left;
  if (head >= COMPACT_CHUNKS && head * 2 >= chunks.length) {
    chunks.splice(0, head);
    c.cursor -= head;
    head = 0;
  }
  c.head = head;
}

/**
 * Puts the cursor at `seq`, sndUna..sndUna + queuedBytes + 1 (after a FIN). O(chunks before it).
 */
export function locate(c: Connection, seq: SeqNumber): void {
  let left = ((seq - c.sndUna) | 0) + c.headAt;
  assert(left >= c.headAt);
  let i = c.head;
  while (i < c.chunks.length && left >= c.chunks[i]!.length) {
    left -= c.chunks[i]!.length;
    i += 1;
  }
  c.cursor = i;
  c.cursorAt = i < c.chunks.length ? left : 0;
}

/**
 * Charges the array of chunks of a queue above its low-water mark; what is in them is the
 * application's. No room: the connection is reset, for its peer reads more slowly than others can
 * bear.
 */
export function chargeChunks(c: Connection): void {
  const more = c.chunks.length * CHUNK_BYTES - c.chargedBytes;
  if (more <= 0) return;
  const bytes = Math.max(more, CHUNKS_STEP_BYTES);
  const { tcpMemory } = c.stack;
  tcpMemory.growing = c;
  const isTaken = tcpMemory.sendQueues.take(bytes);
  tcpMemory.growing = null;
  if (isTaken) {
    c.chargedBytes += bytes;
    return;
  }
  c.stack.counts.sendMemory += 1;
  abort(c, 'reset');
}

export function giveChunksBack(c: Connection): void {
  if (c.chargedBytes === 0) return;
  c.stack.tcpMemory.sendQueues.give(c.chargedBytes);
  c.chargedBytes = 0;
}
