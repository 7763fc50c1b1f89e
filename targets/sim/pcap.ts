/** Frames of a simulated network, kept as a capture file. */

import type { Instant } from '#core';
import { emitPcapRecord, PCAP_RECORD_BYTES, pcapHead } from '#device';

/** Use as a switch's tap; keeps the first `framesMax` frames. */
export class PcapRecorder {
  private readonly records: Uint8Array[] = [];
  private readonly framesMax: number;

  constructor(framesMax: number) {
    this.framesMax = framesMax;
  }

  readonly tap = (frame: Uint8Array, at: Instant): void => {
    if (this.records.length >= this.framesMax) return;
    const record = new Uint8Array(PCAP_RECORD_BYTES + frame.length);
    emitPcapRecord(record, 0, at, frame.length);
    record.set(frame, PCAP_RECORD_BYTES);
    this.records.push(record);
  };

  /** The whole file. */
  bytes(): Uint8Array {
    const parts = [pcapHead(), ...this.records];
    const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of parts) {
      file.set(part, offset);
      offset += part.length;
    }
    return file;
  }
}
