/**
 * A `ProcessBase` on a laptop, for tests: links are objects, disks are arrays, time is virtual. The
 * other ends of links are the test's. Required reading: base.ts.
 */

import { assert } from '#core';
import { SimulatedConsoleAndTime } from '../base/simulated-base.ts';
import {
  DISK_BYTES_MAX,
  type DiskInfo,
  LINK,
  LINK_BYTES_MAX,
  type LinkInfo,
  type ProcessBase,
  WAIT,
} from './base.ts';

const PARTS_MAX = 16;

export interface SimulatedLink {
  readonly info: LinkInfo;
  /** What one read gives, or a LINK code. */
  receive(bytesMax: number): Uint8Array | number;
  /** Takes what one write brings; how much of it, or a LINK code. */
  send(bytes: Uint8Array): number;
  /** Whether a wait for bytes, and for room, would end at once. */
  readonly isReadable: boolean;
  readonly isWritable: boolean;
}

export class SimulatedProcess extends SimulatedConsoleAndTime implements ProcessBase {
  readonly cmdline = '';
  bootArguments: string[] = [];
  readonly memory = { totalBytes: 1 << 24, usedBytes: () => 0, heapBytes: () => 0 };
  /** Calls of the host's kernel, for tests that bound them. */
  calls = 0;
  readonly disks: DiskInfo[] = [];
  readonly contents: Uint8Array[] = [];
  /** What every operation on a disk fails with; 0: it doesn't. */
  diskFailure = 0;
  private readonly ends: SimulatedLink[] = [];
  private readonly waits: number[] = [];

  get links(): LinkInfo[] {
    return this.ends.map(({ info }) => info);
  }

  addLink(link: SimulatedLink): void {
    this.ends.push(link);
    this.waits.push(WAIT.bytes);
  }

  addDisk(name: string, bytes: number, isReadOnly: boolean): void {
    this.disks.push({ name, bytes, isReadOnly });
    this.contents.push(new Uint8Array(bytes));
  }

  /** Whether the idle wait would end for room on a link. */
  isWaitingForRoom(link: number): boolean {
    return this.waits[link] === WAIT.bytesOrRoom;
  }

  /**
   * Turns until the loop sleeps and no link would wake it; returns the deadline. Throws after
   * `turnsMax` turns: a loop that never sleeps is a bug.
   */
  run(turnsMax = 100_000): number {
    assert(this.turn !== null, 'onTurn was not called');
    let woken = 0;
    for (let turns = 0; turns < turnsMax; turns++) {
      const deadline = this.turn(woken);
      woken = 0;
      if (deadline === -1) continue;
      for (const [index, end] of this.ends.entries()) {
        const wakes = end.isReadable || (this.isWaitingForRoom(index) && end.isWritable);
        if (wakes && this.waits[index] !== WAIT.nothing) woken |= 1 << index;
      }
      if (woken === 0) return deadline;
    }
    throw new Error('the event loop never slept');
  }

  linkReceive(link: number, into: Uint8Array, at: number, bytes: number): number {
    this.calls++;
    assert(at >= 0 && bytes >= 1 && bytes <= LINK_BYTES_MAX && at + bytes <= into.length);
    const got = this.ends[link]!.receive(bytes);
    if (typeof got === 'number') return got;
    assert(got.length >= 1 && got.length <= bytes);
    into.set(got, at);
    return got.length;
  }

  linkSend(
    link: number,
    from: Uint8Array,
    at: number,
    bytes: number,
    parts: readonly Uint8Array[] | null,
  ): number {
    this.calls++;
    assert(at >= 0 && bytes >= 0 && at + bytes <= from.length);
    assert(parts === null || parts.length <= PARTS_MAX);
    return this.ends[link]!.send(Buffer.concat([from.subarray(at, at + bytes), ...(parts ?? [])]));
  }

  linkWaitsFor(link: number, what: number): void {
    this.waits[link] = what;
  }

  diskRead(disk: number, at: number, into: Uint8Array): number {
    const content = this.contents[disk]!;
    assert(into.length <= DISK_BYTES_MAX && at + into.length <= content.length);
    if (this.diskFailure !== 0) return this.diskFailure;
    into.set(content.subarray(at, at + into.length));
    return 0;
  }

  diskWrite(disk: number, at: number, bytes: Uint8Array): number {
    const content = this.contents[disk]!;
    assert(!this.disks[disk]!.isReadOnly && bytes.length <= DISK_BYTES_MAX);
    assert(at + bytes.length <= content.length);
    if (this.diskFailure !== 0) return this.diskFailure;
    content.set(bytes, at);
    return 0;
  }

  diskFlush(): number {
    return this.diskFailure;
  }
}

const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last);

/** One end of a cable between tap devices: whole frames with their headers, `queue` of them. */
export class SimulatedTap implements SimulatedLink {
  readonly info: LinkInfo;
  /** Frames on their way to us, each behind its header. */
  readonly arriving: Uint8Array[] = [];
  /** What we sent, when nobody is at the other end. */
  readonly sent: Uint8Array[] = [];
  other: SimulatedTap | null = null;
  queueFramesMax = Number.POSITIVE_INFINITY;
  /** What the next calls give in place of what they would. */
  receiveCode = 0;
  sendCode = 0;

  constructor(last: number, mtuBytes = 1500) {
    this.info = { name: `tap:t${last}`, isTap: true, isControl: false, mtuBytes, mac: mac(last) };
  }

  get isReadable(): boolean {
    return this.arriving.length > 0;
  }

  get isWritable(): boolean {
    return this.sendCode === 0 && this.target.length < this.queueFramesMax;
  }

  private get target(): Uint8Array[] {
    return this.other?.arriving ?? this.sent;
  }

  receive(bytesMax: number): Uint8Array | number {
    if (this.receiveCode !== 0) return this.receiveCode;
    const frame = this.arriving.shift();
    return frame === undefined ? LINK.later : frame.subarray(0, bytesMax);
  }

  send(bytes: Uint8Array): number {
    if (this.sendCode !== 0) return this.sendCode;
    if (!this.isWritable) return LINK.later;
    this.target.push(bytes);
    return bytes.length;
  }
}

/** One end of a stream: bytes, cut and held up as `cut` says. */
export class SimulatedStream implements SimulatedLink {
  readonly info: LinkInfo;
  /** Bytes on their way to us. */
  arriving: Uint8Array = new Uint8Array(0);
  sent: Uint8Array = new Uint8Array(0);
  other: SimulatedStream | null = null;
  /** Bytes that the wire holds. */
  bytesMax = 212_992;
  /** How many of so many bytes one call moves, 1 at least. */
  cut: (bytes: number) => number = (bytes) => bytes;
  isClosed = false;

  constructor(last: number, isControl = false) {
    const name = `unix:s${last}`;
    this.info = { name, isTap: false, isControl, mtuBytes: 1500, mac: mac(last) };
  }

  get isReadable(): boolean {
    return this.arriving.length > 0 || this.isClosed;
  }

  get isWritable(): boolean {
    return (this.other?.arriving ?? this.sent).length < this.bytesMax;
  }

  receive(bytesMax: number): Uint8Array | number {
    const waiting = Math.min(this.arriving.length, bytesMax);
    if (waiting === 0) return this.isClosed ? LINK.gone : LINK.later;
    const bytes = this.cut(waiting);
    const got = this.arriving.subarray(0, bytes);
    this.arriving = this.arriving.subarray(bytes);
    return got;
  }

  send(bytes: Uint8Array): number {
    if (this.isClosed) return LINK.gone;
    const before = this.other?.arriving ?? this.sent;
    const room = Math.min(bytes.length, this.bytesMax - before.length);
    if (room <= 0) return LINK.later;
    const count = this.cut(room);
    const after = Buffer.concat([before, bytes.subarray(0, count)]);
    if (this.other === null) this.sent = after;
    else this.other.arriving = after;
    return count;
  }
}

/** Joins two ends. */
export function joinEnds<T extends { other: T | null }>(a: T, b: T): void {
  a.other = b;
  b.other = a;
}
