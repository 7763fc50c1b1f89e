/**
 * Reads a pack as it comes, from anybody: entry after entry, hashing what it takes, holding no more
 * than one piece of input and one object. Deltas are given as they are: resolving them is for
 * unpack-objects.ts and index-pack.ts. Read first: entry-head.ts, pack-fault.ts.
 *
 * It takes not one byte behind the pack's end, unless told that there must be none: a pack may
 * stand in a stream with something behind it.
 */

import { assert, err, ok, type Result } from '#core';
import type { CryptoPrimitives, HashState, Zlib } from '#device';
import { type ObjectKind, objectHeader } from '../object.ts';
import { ID_BYTES, type ObjectHash, type ObjectId, readId } from '../object-id.ts';
import { InflateStream, withSmall } from '../zlib/index.ts';
import { ByteSource } from './byte-source.ts';
import { crc32 } from './crc32.ts';
import { ENTRY_HEAD_BYTES_MAX, type EntryHead, parseEntryHead } from './entry-head.ts';
import {
  ENTRY_EXCESS_BYTES,
  ENTRY_EXCESS_PART,
  PACK_BYTES_MAX,
  PACK_OBJECT_BYTES_MAX,
  PACK_OBJECTS_MAX,
} from './limits.ts';
import type { PackFault } from './pack-fault.ts';
import { PACK_HEAD_BYTES, parsePackHead } from './pack-head.ts';

/** What inflates to more goes through a stream, in pieces. */
const WHOLE_BYTES_MAX = 1_048_576;

/** What reads, inflates and hashes a pack. */
export interface PackTools {
  readonly crypto: CryptoPrimitives;
  readonly hash: ObjectHash;
  readonly zlib: Zlib;
}

/** What a pack may be, where limits.ts isn't right; more: refused. */
export interface PackBounds {
  /** Entries. */
  readonly objectsMax?: number;
  /** Of the pack. */
  readonly packBytesMax?: number;
  /** What an entry inflates to. */
  readonly objectBytesMax?: number;
}

export interface PackStreamOptions extends PackTools, PackBounds {
  /** Whether entries tell their crc32, which costs an interpreter much. */
  readonly sums?: boolean;
  /** Whether entries come with their deflated bytes too, copied. */
  readonly entries?: boolean;
  /** Gets every byte before the hash at the end, in order; they stay as they are for good. */
  readonly take?: (bytes: Uint8Array) => void;
}

export interface StreamedEntry extends EntryHead {
  /** Where it begins in the pack, and ends. */
  readonly offset: number;
  readonly endOffset: number;
  /** Of its bytes in the pack; 0 unless asked for. */
  readonly crc: number;
  /** Of an object; null of a delta. */
  readonly id: ObjectId | null;
  /** What was inflated. */
  readonly bytes: Uint8Array;
  /**
   * The stream that it was inflated from, where that was asked for; fresh. Null also where it is
   * longer than ENTRY_EXCESS_BYTES allow.
   */
  readonly deflated: Uint8Array | null;
}

type Failed = Result<never, PackFault>;
const fail = (fault: PackFault): Failed => err(fault);

export class PackStream {
  readonly objectBytesMax: number;
  private readonly options: PackStreamOptions;
  private readonly objectsMax: number;
  private readonly packBytesMax: number;
  private readonly source: ByteSource;
  private readonly idBytes: number;
  private readonly packHash: HashState;
  /** Entries that are still to come. */
  private left = 0;
  /** Bytes of the pack that were taken. */
  private offset = 0;
  private crc = 0;
  /** What is here and taken, but not hashed, begins there. */
  private freshAt = 0;
  /** Copies of the bytes that are taken; null: they aren't wanted, or too many. */
  private taken: Uint8Array[] | null = null;
  private takenLeft = 0;
  private isOpen = false;

  constructor(pieces: AsyncIterable<Uint8Array>, options: PackStreamOptions) {
    this.options = { ...options, zlib: withSmall(options.zlib) };
    this.objectsMax = options.objectsMax ?? PACK_OBJECTS_MAX;
    this.packBytesMax = options.packBytesMax ?? PACK_BYTES_MAX;
    this.objectBytesMax = options.objectBytesMax ?? PACK_OBJECT_BYTES_MAX;
    this.source = new ByteSource(pieces);
    this.idBytes = ID_BYTES[options.hash];
    this.packHash = options.crypto.createHash(options.hash);
  }

  /** The head: the count of entries. Called once, first. Throws what the pieces throw. */
  async open(): Promise<Result<number, PackFault>> {
    assert(!this.isOpen);
    this.isOpen = true;
    const { source } = this;
    if (!(await this.need(PACK_HEAD_BYTES))) return this.cut();
    const count = parsePackHead(source.bytes.subarray(source.at));
    if (!count.ok) return fail({ kind: 'not a pack' });
    if (count.value > this.objectsMax) return fail({ kind: 'too much', what: 'objects' });
    this.left = count.value;
    this.takeBytes(PACK_HEAD_BYTES);
    return count;
  }

  /** The next entry; null behind the last one: then `finish`. Nothing follows a fault. */
  async next(): Promise<Result<StreamedEntry | null, PackFault>> {
    if (this.left === 0) return ok(null);
    this.left -= 1;
    const { offset } = this;
    this.crc = 0;
    const head = await this.readHead();
    if (!head.ok) return head;
    if (head.value.sizeBytes > this.objectBytesMax) {
      return fail({ kind: 'too much', what: 'bytes of an object' });
    }
    if (head.value.base?.distance !== undefined && head.value.base.distance >= offset) {
      return fail({ kind: 'bad entry', offset, what: 'a base before the pack' });
    }
    this.takeBytes(head.value.headBytes);
    if (this.options.entries === true) {
      this.taken = [];
      this.takenLeft = entryBytesMax(head.value.sizeBytes);
    }
    const body = await this.readBody(head.value, offset);
    if (!body.ok) return body;
    const streamBytes = this.offset - offset - head.value.headBytes;
    const deflated = this.taken === null ? null : joinPieces(this.taken, streamBytes);
    this.taken = null;
    if (this.offset > this.packBytesMax) {
      return fail({ kind: 'too much', what: 'bytes of the pack' });
    }
    const { crc, offset: endOffset } = this;
    return ok({ ...head.value, offset, endOffset, crc, deflated, ...body.value });
  }

  /** Behind the last entry: compares the hash, which it gives. `isAlone`: nothing may follow. */
  async finish(isAlone = false): Promise<Result<Uint8Array, PackFault>> {
    assert(this.left === 0);
    const { source, idBytes } = this;
    if (!(await this.need(idBytes))) return this.cut();
    this.hashTaken();
    const checksum = source.bytes.slice(source.at, source.at + idBytes);
    const digest = this.packHash.digest();
    if (digest.some((byte, i) => byte !== checksum[i])) return fail({ kind: 'checksum' });
    source.at += idBytes;
    this.freshAt = source.at;
    this.offset += idBytes;
    if (isAlone && (await this.need(1))) return fail({ kind: 'trailing' });
    return ok(checksum);
  }

  /** Stops reading. */
  close(): Promise<void> {
    return this.source.close();
  }

  private cut(): Failed {
    return fail({ kind: 'cut', offset: this.offset + this.source.haveBytes });
  }

  private async readHead(): Promise<Result<EntryHead, PackFault>> {
    const { source } = this;
    for (;;) {
      const head = parseEntryHead(source.bytes, source.at, this.idBytes);
      if (head.ok) return head;
      if (head.error.kind !== 'short' || source.haveBytes >= ENTRY_HEAD_BYTES_MAX) {
        return fail({ kind: 'bad entry', offset: this.offset, what: 'a malformed head' });
      }
      if (!(await this.more())) return this.cut();
    }
  }

  private async readBody(
    head: EntryHead,
    offset: number,
  ): Promise<Result<Pick<StreamedEntry, 'id' | 'bytes'>, PackFault>> {
    const { source } = this;
    const { sizeBytes, kind } = head;
    if (sizeBytes <= WHOLE_BYTES_MAX) {
      const inflated = this.options.zlib.inflate(source.bytes, source.at, sizeBytes);
      if (inflated.ok) {
        const { bytes, usedBytes } = inflated.value;
        this.takeBytes(usedBytes);
        if (bytes.length !== sizeBytes) return this.badBody(offset);
        return ok({ id: kind === null ? null : this.nameOf(kind, bytes), bytes });
      }
      if (inflated.error !== 'cut') return this.badBody(offset);
    }
    return this.streamBody(kind, sizeBytes, offset);
  }

  private badBody(offset: number): Failed {
    return fail({ kind: 'bad entry', offset, what: 'a damaged stream, or one of another size' });
  }

  private nameOf(kind: ObjectKind, bytes: Uint8Array): ObjectId {
    const state = this.options.crypto.createHash(this.options.hash);
    state.update(objectHeader(kind, bytes.length));
    state.update(bytes);
    return readId(state.digest(), 0, this.idBytes);
  }

  /** Where input ends in the middle, or what is inflated is large. */
  private async streamBody(
    kind: ObjectKind | null,
    sizeBytes: number,
    offset: number,
  ): Promise<Result<Pick<StreamedEntry, 'id' | 'bytes'>, PackFault>> {
    const { source, options } = this;
    const state = kind === null ? null : options.crypto.createHash(options.hash);
    if (kind !== null) state?.update(objectHeader(kind, sizeBytes));
    const pieces: Uint8Array[] = [];
    let size = 0;
    const stream = new InflateStream(sizeBytes, (piece) => {
      size += piece.length;
      state?.update(piece);
      pieces.push(piece);
    });
    for (;;) {
      // The end of the pack may be behind it: no more is asked for than the stream needs.
      const input = source.bytes.subarray(source.at);
      const before = stream.pushedBytes;
      const step = stream.push(input);
      if (step === 'more') {
        this.takeBytes(input.length);
        if (this.offset > this.packBytesMax) {
          return fail({ kind: 'too much', what: 'bytes of the pack' });
        }
        if (!(await this.more())) return this.cut();
        continue;
      }
      if (step !== 'done' || size !== sizeBytes) return this.badBody(offset);
      this.takeBytes(stream.usedBytes - before);
      const id = state === null ? null : readId(state.digest(), 0, this.idBytes);
      return ok({ id, bytes: joinPieces(pieces, sizeBytes) });
    }
  }

  /** Moves on. */
  private takeBytes(count: number): void {
    const { source } = this;
    if (this.options.sums === true) {
      this.crc = crc32(this.crc, source.bytes, source.at, source.at + count);
    }
    this.takenLeft -= count;
    if (this.takenLeft < 0) this.taken = null;
    this.taken?.push(source.bytes.slice(source.at, source.at + count));
    source.at += count;
    this.offset += count;
  }

  private async need(count: number): Promise<boolean> {
    if (this.source.haveBytes >= count) return true;
    this.hashTaken();
    const has = await this.source.need(count);
    this.freshAt = this.source.at;
    return has;
  }

  private async more(): Promise<boolean> {
    this.hashTaken();
    const has = await this.source.more();
    this.freshAt = this.source.at;
    return has;
  }

  /** Before what is here is replaced: one call for many entries. */
  private hashTaken(): void {
    const { source } = this;
    if (this.freshAt < source.at) {
      const bytes = source.bytes.subarray(this.freshAt, source.at);
      this.packHash.update(bytes);
      this.options.take?.(bytes);
    }
    this.freshAt = source.at;
  }
}

/** Of the stream of so many bytes: no packer's is longer, but one may be padded without end. */
const entryBytesMax = (sizeBytes: number): number =>
  sizeBytes + Math.floor(sizeBytes / ENTRY_EXCESS_PART) + ENTRY_EXCESS_BYTES;

function joinPieces(pieces: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
