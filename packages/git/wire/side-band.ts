/**
 * Three streams in one: data, progress for people, and what went wrong at last. Read first:
 * gitprotocol-pack(5), "Packfile Data"; gitprotocol-capabilities(5), "side-band-64k".
 */

import { hot } from '#core';
import { emitPktHead, PKT_HEAD_BYTES, PKT_PAYLOAD_BYTES_MAX } from './pkt-line.ts';
import { encodeText } from './text.ts';

export const BAND_DATA = 1;
export const BAND_PROGRESS = 2;
export const BAND_ERROR = 3;
export type Band = typeof BAND_DATA | typeof BAND_PROGRESS | typeof BAND_ERROR;

/** Of one pkt-line with side-band-64k; clients that only know side-band take fewer than 1,000. */
export const BAND_BYTES_MAX = PKT_PAYLOAD_BYTES_MAX - 1;
export const OLD_BAND_BYTES_MAX = 1_000 - PKT_HEAD_BYTES - 1;

const HEAD_BYTES = PKT_HEAD_BYTES + 1;

/** One pkt-line of `band`, with [from, end) of `bytes`, copied. */
export function bandPkt(band: Band, bytes: Uint8Array, from = 0, end = bytes.length): Uint8Array {
  const pkt = new Uint8Array(HEAD_BYTES + end - from);
  emitPktHead(pkt, 0, end - from + 1);
  pkt[PKT_HEAD_BYTES] = band;
  hot.copy(pkt, HEAD_BYTES, bytes, from, end - from);
  return pkt;
}

export const bandText = (band: Band, text: string): Uint8Array => bandPkt(band, encodeText(text));

/** Data in any pieces, as full pkt-lines of the data band. */
export class BandPacker {
  private readonly payloadBytesMax: number;
  private pkt: Uint8Array;
  private filled = HEAD_BYTES;

  constructor(payloadBytesMax: number) {
    this.payloadBytesMax = payloadBytesMax;
    this.pkt = this.fresh();
  }

  /** Takes a copy of `bytes`; the pkt-lines that became full. */
  *push(bytes: Uint8Array): Generator<Uint8Array, void, void> {
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, this.pkt.length - this.filled);
      hot.copy(this.pkt, this.filled, bytes, at, count);
      this.filled += count;
      at += count;
      if (this.filled < this.pkt.length) return;
      yield this.take();
    }
  }

  /** The last pkt-line; null when nothing is left. */
  end(): Uint8Array | null {
    return this.filled === HEAD_BYTES ? null : this.take();
  }

  private take(): Uint8Array {
    const pkt = this.pkt.subarray(0, this.filled);
    emitPktHead(pkt, 0, this.filled - PKT_HEAD_BYTES);
    pkt[PKT_HEAD_BYTES] = BAND_DATA;
    this.pkt = this.fresh();
    this.filled = HEAD_BYTES;
    return pkt;
  }

  private fresh(): Uint8Array {
    return new Uint8Array(HEAD_BYTES + this.payloadBytesMax);
  }
}
