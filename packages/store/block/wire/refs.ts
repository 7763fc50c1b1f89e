/**
 * The payload of a record of refs: names and where they are now. A snapshot has all refs, HEAD and
 * the commits whose parents were cut off; an update has those that changed.
 */

import {
  err,
  ok,
  type Result,
  readU16be,
  readU32be,
  type WireFault,
  writeU16be,
  writeU32be,
} from '#core';
import { isRefName, type ObjectId, REF_NAME_BYTES_MAX, readId, writeId } from '#git';
import { decodeText, encodeText, joinBytes } from '#git/wire';
import { REASON_BYTES_MAX } from '../limits.ts';

const REMOVED = 0;
const AT_OBJECT = 1;

export interface RefChange {
  readonly name: string;
  /** Null: removed. */
  readonly id: ObjectId | null;
}

export interface RefChanges {
  readonly reason: string;
  /** What HEAD names from now on; null: what it did. */
  readonly head: string | null;
  readonly changes: readonly RefChange[];
  /** All commits whose parents are treated as absent; null: those that were. */
  readonly shallow: readonly ObjectId[] | null;
}

class Reader {
  readonly #b: Uint8Array;
  readonly #idBytes: number;
  at = 0;
  fault: WireFault | null = null;

  constructor(b: Uint8Array, idBytes: number) {
    this.#b = b;
    this.#idBytes = idBytes;
  }

  refuse(value: number): void {
    this.fault ??= { kind: 'field', offset: this.at, value };
  }

  #take(count: number): number | null {
    const at = this.at;
    if (this.fault !== null) return null;
    if (at + count > this.#b.length) {
      this.fault = { kind: 'short', needBytes: at + count, haveBytes: this.#b.length };
      return null;
    }
    this.at += count;
    return at;
  }

  u8(): number {
    const at = this.#take(1);
    return at === null ? 0 : this.#b[at]!;
  }

  u32(): number {
    const at = this.#take(4);
    return at === null ? 0 : readU32be(this.#b, at);
  }

  id(): ObjectId {
    const at = this.#take(this.#idBytes);
    return readId(this.#b, at ?? 0, at === null ? 0 : this.#idBytes);
  }

  text(bytesMax: number): string {
    const lengthAt = this.#take(2);
    const length = lengthAt === null ? 0 : readU16be(this.#b, lengthAt);
    if (length > bytesMax) this.refuse(length);
    const at = this.#take(length);
    return at === null ? '' : decodeText(this.#b, at, at + length);
  }
}

export function parseRefChanges(b: Uint8Array, idBytes: number): Result<RefChanges, WireFault> {
  const reader = new Reader(b, idBytes);
  const reason = reader.text(REASON_BYTES_MAX);
  const head = reader.text(REF_NAME_BYTES_MAX);
  if (head !== '' && !isRefName(head)) reader.refuse(0);
  const changes: RefChange[] = [];
  const count = reader.u32();
  for (let i = 0; i < count && reader.fault === null; i++) {
    const kind = reader.u8();
    if (kind > AT_OBJECT) reader.refuse(kind);
    const name = reader.text(REF_NAME_BYTES_MAX);
    if (!isRefName(name)) reader.refuse(kind);
    changes.push({ name, id: kind === AT_OBJECT ? reader.id() : null });
  }
  let shallow: ObjectId[] | null = null;
  const hasShallow = reader.u8();
  if (hasShallow > 1) reader.refuse(hasShallow);
  if (hasShallow === 1) {
    shallow = [];
    const shallowCount = reader.u32();
    for (let i = 0; i < shallowCount && reader.fault === null; i++) shallow.push(reader.id());
  }
  if (reader.at !== b.length) reader.refuse(b.length - reader.at);
  if (reader.fault !== null) return err(reader.fault);
  return ok({ reason, head: head === '' ? null : head, changes, shallow });
}

/** A fresh array; the reason is cut to REASON_BYTES_MAX. */
export function emitRefChanges(changes: RefChanges): Uint8Array {
  const parts: Uint8Array[] = [];
  text(parts, cut(changes.reason));
  text(parts, encodeText(changes.head ?? ''));
  parts.push(u32(changes.changes.length));
  for (const { name, id } of changes.changes) {
    parts.push(Uint8Array.of(id === null ? REMOVED : AT_OBJECT));
    text(parts, encodeText(name));
    if (id !== null) parts.push(idOf(id));
  }
  parts.push(Uint8Array.of(changes.shallow === null ? 0 : 1));
  if (changes.shallow !== null) {
    parts.push(u32(changes.shallow.length));
    for (const id of changes.shallow) parts.push(idOf(id));
  }
  return joinBytes(parts);
}

/** What one of them takes there. */
export function refChangeBytes({ name, id }: RefChange): number {
  return 1 + 2 + encodeText(name).length + (id === null ? 0 : id.length / 2);
}

/** Whole characters, so that it reads as it was written. */
function cut(reason: string): Uint8Array {
  const bytes = encodeText(reason);
  if (bytes.length <= REASON_BYTES_MAX) return bytes;
  let end = REASON_BYTES_MAX;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

function text(parts: Uint8Array[], bytes: Uint8Array): void {
  const length = new Uint8Array(2);
  writeU16be(length, 0, bytes.length);
  parts.push(length, bytes);
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32be(bytes, 0, value);
  return bytes;
}

function idOf(id: ObjectId): Uint8Array {
  const bytes = new Uint8Array(id.length / 2);
  writeId(bytes, 0, id);
  return bytes;
}
