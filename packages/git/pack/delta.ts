/**
 * Deltas: what makes an object of another one, by copying from it and by bytes of its own (Git:
 * gitformat-pack, "Deltified representation"). Any bytes give a fault or an object of at most the
 * allowed size, never a throw. Read first: entry-head.ts. Not here: making them (make-delta.ts).
 */

import { err, hot, ok, type Result, type WireFault } from '#core';

/** Sizes stay exact integers. */
const VARINT_BYTES_MAX = 7;
/** A copy that is shorter isn't worth a native call. */
const NATIVE_COPY_BYTES_MIN = 24;
/** What a copy of size 0 means. */
export const COPY_BYTES_ZERO = 0x10000;

export interface DeltaHead {
  readonly baseBytes: number;
  readonly resultBytes: number;
  /** Where the instructions begin. */
  readonly at: number;
}

/** The two sizes that a delta begins with: enough of it to read them is enough. */
export function parseDeltaHead(delta: Uint8Array): Result<DeltaHead, WireFault> {
  const base = readVarint(delta, 0);
  if (!base.ok) return base;
  const result = readVarint(delta, base.value.end);
  if (!result.ok) return result;
  const { value: resultBytes, end: at } = result.value;
  return ok({ baseBytes: base.value.value, resultBytes, at });
}

/** Little-endian groups of 7 bits. */
function readVarint(b: Uint8Array, at: number): Result<{ value: number; end: number }, WireFault> {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < VARINT_BYTES_MAX; i++) {
    if (at + i >= b.length) return short(b, at + i + 1);
    const byte = b[at + i]!;
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte < 0x80) return ok({ value, end: at + i + 1 });
  }
  return bad(b, at);
}

const short = (b: Uint8Array, needBytes: number) =>
  err<WireFault>({ kind: 'short', needBytes, haveBytes: b.length });
const bad = (b: Uint8Array, offset: number) =>
  err<WireFault>({ kind: 'field', offset, value: b[offset] ?? 0 });

/**
 * The object that `delta` makes of `base`, of at most `sizeBytesMax`: fresh, and nothing is
 * allocated for one that says it is longer. O(result + delta).
 */
export function applyDelta(
  base: Uint8Array,
  delta: Uint8Array,
  sizeBytesMax: number,
): Result<Uint8Array, WireFault> {
  const head = parseDeltaHead(delta);
  if (!head.ok) return head;
  const { baseBytes, resultBytes, at } = head.value;
  if (baseBytes !== base.length) return err({ kind: 'field', offset: 0, value: baseBytes });
  if (resultBytes > sizeBytesMax) return err({ kind: 'field', offset: 1, value: resultBytes });
  // One byte of instruction copies at most 16 MiB: a result is believed no further than that.
  if (resultBytes > (delta.length - at) * 0x1000000) return bad(delta, at);
  const out = new Uint8Array(resultBytes);
  const fault = runDelta(base, delta, at, out);
  return fault === null ? ok(out) : err(fault);
}

function runDelta(
  base: Uint8Array,
  delta: Uint8Array,
  from: number,
  out: Uint8Array,
): WireFault | null {
  const end = delta.length;
  let at = from;
  let outAt = 0;
  while (at < end) {
    const start = at;
    const code = delta[at++]!;
    let source = delta;
    let sourceAt = at;
    let count = code;
    if (code >= 0x80) {
      // Bytes past the end read as zero, and are found below.
      let offset = 0;
      count = 0;
      if ((code & 1) !== 0) offset = delta[at++]!;
      if ((code & 2) !== 0) offset += delta[at++]! * 0x100;
      if ((code & 4) !== 0) offset += delta[at++]! * 0x10000;
      if ((code & 8) !== 0) offset += delta[at++]! * 0x1000000;
      if ((code & 16) !== 0) count = delta[at++]!;
      if ((code & 32) !== 0) count += delta[at++]! * 0x100;
      if ((code & 64) !== 0) count += delta[at++]! * 0x10000;
      if (at > end) return { kind: 'short', needBytes: at, haveBytes: end };
      if (count === 0) count = COPY_BYTES_ZERO;
      if (offset + count > base.length) return { kind: 'field', offset: start, value: code };
      source = base;
      sourceAt = offset;
    } else {
      // Zero is reserved.
      if (code === 0) return { kind: 'field', offset: start, value: 0 };
      at += code;
      if (at > end) return { kind: 'short', needBytes: at, haveBytes: end };
    }
    if (outAt + count > out.length) return { kind: 'field', offset: start, value: code };
    if (count < NATIVE_COPY_BYTES_MIN) {
      for (let i = 0; i < count; i++) out[outAt + i] = source[sourceAt + i]!;
    } else {
      hot.copy(out, outAt, source, sourceAt, count);
    }
    outAt += count;
  }
  return outAt === out.length ? null : { kind: 'short', needBytes: out.length, haveBytes: outAt };
}
