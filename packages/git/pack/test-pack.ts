/** Packs by hand, for tests: whatever entries are asked for, right or wrong. */

import type { ObjectKind } from '../object.ts';
import { ID_BYTES, type ObjectHash } from '../object-id.ts';
import { portableZlib } from '../zlib/index.ts';
import { type DeltaBase, ENTRY_HEAD_BYTES_MAX, emitEntryHead } from './entry-head.ts';
import { packHead } from './pack-head.ts';
import { tools } from './test-git.ts';

const SMALL_BYTES = 16;

export interface TestEntry {
  readonly kind?: ObjectKind;
  readonly base?: DeltaBase;
  readonly bytes: Uint8Array;
  /** What the head says, where that isn't so. */
  readonly sizeBytes?: number;
  /** What stands for the stream, where that is none of zlib's. */
  readonly deflated?: Uint8Array;
}

/** A pack with a right head and hash; and where each entry begins. */
export function packOf(
  entries: readonly TestEntry[],
  hash: ObjectHash = 'SHA-1',
): { pack: Uint8Array; offsets: number[] } {
  const parts: Uint8Array[] = [packHead(entries.length)];
  const offsets: number[] = [];
  let at = parts[0]!.length;
  for (const { kind = 'blob', base, bytes, sizeBytes, deflated } of entries) {
    offsets.push(at);
    const head = new Uint8Array(ENTRY_HEAD_BYTES_MAX);
    const count = emitEntryHead(head, 0, kind, sizeBytes ?? bytes.length, base ?? null);
    parts.push(head.slice(0, count), deflated ?? deflate(bytes));
    at += count + parts.at(-1)!.length;
  }
  return { pack: sealed(Buffer.concat(parts), hash), offsets };
}

/** Small ones are stored, which takes no time. */
const deflate = (bytes: Uint8Array): Uint8Array =>
  bytes.length < SMALL_BYTES ? portableZlib.deflate(bytes, 0) : tools.zlib.deflate(bytes, 1);

/** The bytes with their hash behind them. */
export function sealed(bytes: Uint8Array, hash: ObjectHash = 'SHA-1'): Uint8Array {
  return new Uint8Array([...bytes, ...tools.crypto.digest(hash, bytes)]);
}

/** A pack whose bytes were changed, with the hash that they have now. */
export const resealed = (pack: Uint8Array, hash: ObjectHash = 'SHA-1'): Uint8Array =>
  sealed(pack.subarray(0, pack.length - ID_BYTES[hash]), hash);

/** A delta of a base of `baseBytes`: instructions as they are given. */
export function deltaOf(baseBytes: number, resultBytes: number, ...codes: number[]): Uint8Array {
  return Uint8Array.of(...varint(baseBytes), ...varint(resultBytes), ...codes);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [128 + (value % 128), ...varint(Math.floor(value / 128))];
}
