/**
 * One TCP connection as a script sees it: sequence numbers from each side's SYN, and what each side
 * has sent so far, so that every byte is checked without being written down.
 */

import { seqOf, toU32 } from '#core';

const PERIOD = 23;
const UNKNOWN = 0;
/** Sent twice with different content: either may be delivered. */
const AMBIGUOUS = 256;

/** Position 1 is the first byte after the SYN. The peer writes small letters, we capital ones. */
export const peerByte = (position: number): number => 0x61 + ((position - 1) % PERIOD);
export const ourByte = (position: number): number => 0x41 + ((position - 1) % PERIOD);

export class Conversation {
  peerIss: number;
  /** The sequence number of our SYN; null until we sent one: then numbers of ours are absolute. */
  ourIss: number | null = null;
  /** Our first timestamp. */
  timestampBase: number | null = null;
  /** What our application wrote, and how many bytes it was given. */
  readonly written: number[] = [];
  delivered = 0;
  /** By position: what the peer has sent. */
  private readonly sent: number[] = [];

  constructor(peerIss: number) {
    this.peerIss = peerIss;
  }

  ourSeq(relative: number): number {
    return toU32((this.ourIss ?? 0) + relative);
  }

  peerSeq(relative: number): number {
    return toU32(this.peerIss + relative);
  }

  relativeOurs(seq: number): number {
    return seqOf(seq - (this.ourIss ?? 0));
  }

  relativePeers(seq: number): number {
    return seqOf(seq - this.peerIss);
  }

  ourTimestamp(relative: number): number {
    return this.timestampBase === null ? relative : toU32(this.timestampBase + relative);
  }

  relativeTimestamp(value: number): number {
    this.timestampBase ??= value;
    return seqOf(value - this.timestampBase);
  }

  /** The application writes its next `count` bytes. */
  write(count: number): Uint8Array {
    const from = this.written.length + 1;
    const bytes = Uint8Array.from({ length: count }, (_, i) => ourByte(from + i));
    this.record(bytes);
    return bytes;
  }

  record(bytes: Uint8Array): void {
    for (const byte of bytes) this.written.push(byte);
  }

  /** The peer sends these bytes from `position` on. */
  peerSends(position: number, bytes: Uint8Array): void {
    for (const [i, byte] of bytes.entries()) {
      const had = this.sent[position + i] ?? UNKNOWN;
      this.sent[position + i] = had === UNKNOWN || had === byte ? byte : AMBIGUOUS;
    }
  }

  /** What is wrong with these bytes of ours on the wire; null: nothing. */
  checkOurs(position: number, bytes: Uint8Array): string | null {
    for (const [i, byte] of bytes.entries()) {
      const written = this.written[position + i - 1];
      if (written === undefined) return `byte ${position + i} was never written`;
      if (written !== byte) return `byte ${position + i} is not what was written`;
    }
    return null;
  }

  /** The application got these bytes: what is wrong with them. */
  deliver(bytes: Uint8Array): string | null {
    for (const byte of bytes) {
      this.delivered += 1;
      const sent = this.sent[this.delivered] ?? UNKNOWN;
      if (sent === UNKNOWN) return `byte ${this.delivered} was never sent`;
      if (sent !== AMBIGUOUS && sent !== byte) {
        return `byte ${this.delivered} is not what was sent`;
      }
    }
    return null;
  }
}
