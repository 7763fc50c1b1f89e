/** Frames as a capture file for Wireshark and tcpdump (pcap, microseconds, LINKTYPE_ETHERNET). */

import { type Instant, writeU32le } from '#core';

const HEADER_BYTES = 24;
const RECORD_BYTES = 16;

/** Use as a switch's tap; keeps the first `framesMax` frames. */
export class PcapRecorder {
  private readonly records: Uint8Array[] = [];
  private readonly framesMax: number;

  constructor(framesMax: number) {
    this.framesMax = framesMax;
  }

  readonly tap = (frame: Uint8Array, at: Instant): void => {
    if (this.records.length >= this.framesMax) return;
    const record = new Uint8Array(RECORD_BYTES + frame.length);
    writeU32le(record, 0, Math.floor(at / 1_000_000));
    writeU32le(record, 4, at % 1_000_000);
    writeU32le(record, 8, frame.length);
    writeU32le(record, 12, frame.length);
    record.set(frame, RECORD_BYTES);
    this.records.push(record);
  };

  /** The whole file. */
  bytes(): Uint8Array {
    const total = this.records.reduce((sum, record) => sum + record.length, HEADER_BYTES);
    const file = new Uint8Array(total);
    const words = [0xa1b2c3d4, 0x00040002, 0, 0, 262_144, 1];
    words.forEach((word, i) => {
      writeU32le(file, 4 * i, word);
    });
    let offset = HEADER_BYTES;
    for (const record of this.records) {
      file.set(record, offset);
      offset += record.length;
    }
    return file;
  }
}
