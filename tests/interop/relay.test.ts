/** The impairing relay (tests/helpers/relay.ts) does what its options say, and keeps up. */

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { micros, millis } from '#core';
import { openLink, parseLink } from '#targets/node/link';
import { Relay, type RelayOptions } from '../helpers/relay.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'morgana-relay-'));
after(() => rmSync(directory, { recursive: true }));
const PATIENCE_MILLIS = 10_000;
const FRAME_BYTES = 1_514;
const ZEROS = Buffer.alloc(FRAME_BYTES - 18);
let pairs = 0;

async function socketPair(): Promise<[Socket, Socket]> {
  const place = path.join(directory, `${pairs++}`);
  const listening = openLink(parseLink(`unix-listen:${place}`)!, '');
  while (!existsSync(place)) await setImmediate();
  const connected = await openLink(parseLink(`unix:${place}`)!, '');
  return [await listening, connected];
}

/** IPv4 frames from one end, each with its number; what comes out at the other, and when. */
class Rig {
  readonly numbers: number[] = [];
  readonly damaged: number[] = [];
  readonly millis: number[] = [];
  readonly relay: Relay;
  private readonly ends: readonly Socket[];
  private left: Uint8Array = new Uint8Array(0);

  private constructor(relay: Relay, ends: readonly Socket[]) {
    this.relay = relay;
    this.ends = ends;
    ends[1]!.on('data', (chunk: Buffer) => this.take(chunk));
  }

  /** Closed when the test has ended, well or not. */
  static async open(context: TestContext, options: RelayOptions): Promise<Rig> {
    const [near, a] = await socketPair();
    const [far, b] = await socketPair();
    const rig = new Rig(new Relay(near, far, options), [a, b]);
    context.after(() => rig.close());
    return rig;
  }

  send(from: number, count: number): void {
    for (let i = from; i < from + count; i++) {
      const bytes = Buffer.alloc(4 + FRAME_BYTES);
      bytes.writeUInt32BE(FRAME_BYTES);
      bytes.writeUInt16BE(0x0800, 16);
      bytes.writeUInt32BE(i, 18);
      this.ends[0]!.write(bytes);
    }
  }

  async until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MILLIS;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`${this.numbers.length} frames came`);
      await setImmediate();
    }
  }

  private close(): void {
    this.relay.close();
    for (const end of this.ends) end.destroy();
  }

  private take(chunk: Buffer): void {
    const bytes = Buffer.concat([this.left, chunk]);
    let at = 0;
    for (; bytes.length - at >= 4 + FRAME_BYTES; at += 4 + FRAME_BYTES) {
      this.numbers.push(bytes.readUInt32BE(at + 18));
      this.millis.push(performance.now());
      if (!bytes.subarray(at + 22, at + 4 + FRAME_BYTES).equals(ZEROS)) {
        this.damaged.push(this.numbers.length - 1);
      }
    }
    this.left = bytes.subarray(at);
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('relay', { timeout: 180_000 }, () => {
  test('no faults › all arrive, in order', async (context) => {
    const rig = await Rig.open(context, { seed: 1 });
    rig.send(0, 900);
    await rig.until(() => rig.numbers.length === 900);
    assert.deepEqual(rig.numbers, upTo(900));
  });

  test('a delay › each frame takes it, and not much more; it does not add up', async (context) => {
    const rig = await Rig.open(context, { seed: 1, faults: { delay: millis(20) } });
    const waits: number[] = [];
    for (let i = 0; i < 40; i++) {
      const sent = performance.now();
      rig.send(i, 1);
      await rig.until(() => rig.numbers.length > i);
      waits.push(rig.millis[i]! - sent);
    }
    // Some of them meet an idle moment, however busy the machine is.
    const least = Math.min(...waits);
    assert.ok(least >= 20 && least < 30, `${least} ms`);
  });

  test('a seed › the same frames are lost, repeated and damaged', async (context) => {
    const faults = { lossShare: 0.1, duplicateShare: 0.05, corruptShare: 0.05 };
    const runs: { numbers: number[]; damaged: number[] }[] = [];
    for (const seed of [7, 7, 8]) {
      const rig = await Rig.open(context, { seed, faults });
      rig.send(0, 800);
      const { counters } = rig.relay.network;
      const all = () => 800 - counters.lost + counters.duplicated;
      await rig.until(() => counters.carried === 800 && rig.numbers.length === all());
      assert.ok(counters.lost > 40 && counters.lost < 130, `${counters.lost} lost`);
      assert.ok(counters.duplicated > 15 && counters.corrupted > 15);
      runs.push({ numbers: rig.numbers, damaged: rig.damaged });
    }
    assert.deepEqual(runs[0], runs[1]);
    assert.notDeepEqual(runs[0], runs[2]);
  });

  test('reordering › others overtake', async (context) => {
    const faults = { reorderShare: 0.2, reorderDelay: millis(10), delay: micros(100) };
    const rig = await Rig.open(context, { seed: 3, faults });
    for (let i = 0; i < 200; i++) {
      rig.send(i, 1);
      await setImmediate();
    }
    await rig.until(() => rig.numbers.length === 200);
    assert.notDeepEqual(rig.numbers, upTo(200));
    assert.deepEqual(
      rig.numbers.toSorted((a, b) => a - b),
      upTo(200),
    );
  });

  test('a rate and a queue › frames wait for their turn, what is too much is dropped', async (context) => {
    // 40 frames of 1,514 bytes at 4.844 Mbit/s: one each 2.5 ms.
    const rig = await Rig.open(context, { seed: 1, bitsPerSecond: 4_844_800, queueFramesMax: 40 });
    const started = performance.now();
    rig.send(0, 60);
    await rig.until(() => rig.numbers.length + rig.relay.queueDrops === 60);
    const took = rig.millis.at(-1)! - started;
    assert.ok(rig.numbers.length >= 40 && rig.relay.queueDrops > 10, `${rig.relay.queueDrops}`);
    assert.ok(took >= 99, `${took} ms`);
  });

  test('as fast as it can › every frame, and how many bits per second', async (context) => {
    const rig = await Rig.open(context, {
      seed: 1,
      queueFramesMax: 100_000,
      faults: { delay: millis(5) },
    });
    const count = 10_000;
    const started = performance.now();
    for (let sent = 0; sent < count; sent += 100) {
      rig.send(sent, 100);
      await rig.until(() => sent - rig.numbers.length < 1_000);
    }
    await rig.until(() => rig.numbers.length === count);
    const seconds = (performance.now() - started) / 1_000;
    const megabits = (count * FRAME_BYTES * 8) / 1e6 / seconds;
    context.diagnostic(`${Math.round(megabits)} Mbit/s`);
  });
});
