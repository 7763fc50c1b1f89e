/** For tests: ports that keep what they are sent, and frames. */

import { instantOfMicros, SeededRandom, TimerQueue, writeU32be } from '#core';
import { PREFIX_BYTES } from './limits.ts';
import { Switch, type SwitchOptions, type SwitchPort } from './switch.ts';

/** Address number `n` of a station. */
export const macOf = (n: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, n >> 8, n & 0xff);
export const BROADCAST = new Uint8Array(6).fill(0xff);

/** A frame of `bytes` in all, with `mark` as its first byte of payload. */
export function frameOf(to: Uint8Array, from: Uint8Array, mark = 0, bytes = 60): Uint8Array {
  const frame = new Uint8Array(bytes);
  frame.set(to.subarray(0, bytes), 0);
  if (bytes >= 14) frame.set([...from, 0x88, 0xb5], 6);
  if (bytes > 14) frame[14] = mark;
  return frame;
}

/** The same with its prefix before it, as the switch takes it. */
export function prefixed(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PREFIX_BYTES + frame.length);
  writeU32be(bytes, 0, frame.length);
  bytes.set(frame, PREFIX_BYTES);
  return bytes;
}

export interface TestPort {
  readonly port: SwitchPort;
  /** Marks of what it was sent. */
  readonly got: number[];
  readonly frames: Uint8Array[];
  /** How many more frames it has room for. */
  room: number;
  send(frame: Uint8Array): void;
}

export function testSwitch(options: Partial<SwitchOptions> = {}, seed = 1) {
  const timers = new TimerQueue(instantOfMicros(1_000_000));
  const network = new Switch(timers, new SeededRandom(seed), options);
  const plug = (name: string): TestPort => {
    const test: TestPort = {
      got: [],
      frames: [],
      room: Number.POSITIVE_INFINITY,
      send(frame) {
        test.port.receive(prefixed(frame), PREFIX_BYTES, PREFIX_BYTES + frame.length);
      },
      port: network.plug(name, {
        transmit(bytes, start, end) {
          if (test.room === 0) return false;
          test.room -= 1;
          test.got.push(bytes[start + 14]!);
          test.frames.push(bytes.slice(start - PREFIX_BYTES, end));
          return true;
        },
      })!,
    };
    return test;
  };
  const pass = (micros: number): void => {
    timers.run(instantOfMicros(timers.now + micros));
  };
  return { timers, network, plug, pass };
}
