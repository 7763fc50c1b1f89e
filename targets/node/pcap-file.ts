/**
 * A capture that is written as frames pass: to a file, or to stdout for Wireshark or tcpdump to
 * read at once. What passes in a turn leaves with one write; when the reader is slower than the
 * network, frames are left out and counted, and nobody waits.
 */

import { Buffer } from 'node:buffer';
import { createWriteStream, openSync, type WriteStream } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Instant } from '#core';
import { emitPcapRecord, PCAP_RECORD_BYTES, pcapHead } from '#device';
import type { NodeLoop } from './loop.ts';

/** What may wait for the reader, one buffer that is being filled included. */
export const PCAP_QUEUE_BYTES_MAX = 8 * 1_048_576;
const BUFFER_BYTES = 262_144;
const STDOUT = 1;

export class PcapFile {
  /** Frames that the capture lacks. */
  leftOut = 0;
  private readonly stream: WriteStream;
  /** Microseconds since 1970 at the loop's zero. */
  private readonly zeroMicros: number;
  private buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  /** Bytes [given, filled) of the buffer wait for the end of the turn. */
  private given = 0;
  private filled = 0;
  private isOver = false;

  /**
   * `place`: a file, or '-' for stdout; throws Node's error when it can't be opened. `onEnd` is
   * called once when it can't be written any more, with the reason.
   */
  constructor(loop: NodeLoop, place: string, onEnd: (error: NodeJS.ErrnoException) => void) {
    // A stream on the file descriptor: process.stdout would wait for a pipe's reader.
    const isOut = place === '-';
    const fd = isOut ? STDOUT : openSync(place, 'w');
    this.stream = createWriteStream('', { fd, autoClose: !isOut });
    this.zeroMicros = Math.round(performance.timeOrigin * 1_000);
    this.stream.on('error', (error) => {
      if (!this.isOver) onEnd(error);
      this.isOver = true;
    });
    this.stream.write(pcapHead());
    loop.atTurnEnd(() => this.flush());
  }

  /** A SwitchTap. */
  readonly tap = (bytes: Uint8Array, start: number, end: number, now: Instant): void => {
    const need = PCAP_RECORD_BYTES + end - start;
    if (this.isOver) return;
    if (this.stream.writableLength + BUFFER_BYTES > PCAP_QUEUE_BYTES_MAX) {
      this.leftOut += 1;
      return;
    }
    if (this.filled + need > BUFFER_BYTES) this.renew();
    emitPcapRecord(this.buffer, this.filled, this.zeroMicros + now, end - start);
    this.buffer.set(bytes.subarray(start, end), this.filled + PCAP_RECORD_BYTES);
    this.filled += need;
  };

  /** Resolves when all is written. */
  async close(): Promise<void> {
    this.flush();
    if (this.isOver) return;
    this.isOver = true;
    await new Promise<void>((resolve) => {
      this.stream.once('error', () => resolve());
      this.stream.end(() => resolve());
    });
  }

  private flush(): void {
    if (this.filled === this.given || this.isOver) return;
    this.stream.write(this.buffer.subarray(this.given, this.filled));
    this.given = this.filled;
  }

  /** What was given to the stream is its own. */
  private renew(): void {
    this.flush();
    this.buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.given = 0;
    this.filled = 0;
  }
}
