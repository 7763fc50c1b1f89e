/**
 * What the base gives in a Linux process (base/plat/process/), beside what it gives everywhere
 * (targets/base/base.ts): the links and disks that were opened before the sandbox closed.
 */

import type { Base } from '../base/base.ts';

/** What `linkReceive` and `linkSend` return in place of a count of bytes. */
export const LINK = {
  /** Nothing waits, or there is no room: try again when the link wakes the idle wait. */
  later: -1,
  /** The other side is gone, for good. */
  gone: -2,
  /** The host refused this frame; the link goes on. */
  lost: -3,
} as const;

export const WAIT = { nothing: 0, bytes: 1, bytesOrRoom: 2 } as const;

export interface LinkInfo {
  /** As on the command line: "tap:tap0". */
  readonly name: string;
  /** A tap device: one call is one frame behind a virtio_net_hdr. Else a stream of bytes. */
  readonly isTap: boolean;
  /** The control channel: a stream of bytes that is no network. One link at most has it. */
  readonly isControl: boolean;
  readonly mtuBytes: number;
  /** Our address, six bytes. */
  readonly mac: Uint8Array;
}

export interface DiskInfo {
  readonly name: string;
  /** A multiple of 512, at least 512. */
  readonly bytes: number;
  readonly isReadOnly: boolean;
}

/** Bytes of one call at most: LINK_BYTES_MAX and DISK_BYTES_MAX of process.h. */
export const LINK_BYTES_MAX = 262_144;
export const DISK_BYTES_MAX = 1_048_576;

export interface ProcessBase extends Base {
  readonly bootArguments: readonly string[];
  /** At most 8, and the control channel among them; link i sets bit i of `woken`. */
  readonly links: readonly LinkInfo[];
  readonly disks: readonly DiskInfo[];
  /**
   * Reads at most `bytes` (1 to LINK_BYTES_MAX) into `into` at `at`; how many came, or a LINK code.
   */
  linkReceive(link: number, into: Uint8Array, at: number, bytes: number): number;
  /**
   * Writes bytes [at, at + bytes) and then `parts` (at most 16; null: none); how many went, or a
   * LINK code. Nothing is borrowed beyond the call.
   */
  linkSend(
    link: number,
    from: Uint8Array,
    at: number,
    bytes: number,
    parts: readonly Uint8Array[] | null,
  ): number;
  /** What of the link ends the idle wait, from now on: one of WAIT; bytes at first. */
  linkWaitsFor(link: number, what: number): void;
  /** Whole blocks at byte `at`, at most DISK_BYTES_MAX. 0, or the host's error number. */
  diskRead(disk: number, at: number, into: Uint8Array): number;
  diskWrite(disk: number, at: number, bytes: Uint8Array): number;
  diskFlush(disk: number): number;
}
