/**
 * Megabits a second one way over loss, delay and the receiver's buffer: the shape of our TCP on a
 * 1 Gbit/s link, the same in every run. `node tests/sim/throughput.ts` prints the table; `--write`
 * also makes it the snapshot.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { instantOfMicros, millis, Timer } from '#core';
import type { Flow } from '#device';
import { parseIpv4Address, TCP_LIMITS, type TcpLimits } from '#net';
import { SimWorld } from '#targets/sim/index';
import { StackHost } from './stack-host.ts';

/** Shares of frames lost, in percent; milliseconds one way; the window's most, in KiB. */
const LOSS_PERCENT = [0, 0.5, 1, 2, 5, 10, 20] as const;
const DELAY_MILLIS = [1, 10, 50, 200] as const;
const BUFFER_KIB = [64, 1_024] as const;
/** A measurement lasts so many round trips, and this long at least; or until so much has come. */
const ROUND_TRIPS = 60;
const LEAST_MILLIS = 4_000;
const BYTES_MAX = 3_000_000;
const PIECE = new Uint8Array(65_536);
const SNAPSHOT = new URL('./throughput.snapshot.json', import.meta.url);

/** By "loss 1 %, buffer 64 KiB": what each delay gives. */
export type Throughput = Record<string, Record<string, number>>;

export interface Way {
  readonly seed: number;
  readonly lossPercent: number;
  readonly delayMillis: number;
  readonly bufferKib: number;
  /** Flows from one host to the other, at once. */
  readonly flows?: number;
}

/** Bytes that each flow moved in `micros`, or until one had moved `bytesMax`; and the time. */
export function moveFor(
  way: Way,
  micros: number,
  bytesMax = Number.POSITIVE_INFINITY,
): { moved: number[]; micros: number } {
  const world = new SimWorld(way.seed);
  world.checkEvery = 1_000;
  world.network.faults.delay = millis(way.delayMillis);
  world.network.faults.lossShare = way.lossPercent / 100;
  const bytes = way.bufferKib * 1_024;
  const limits: TcpLimits = { ...TCP_LIMITS, receiveWindowBytesMax: bytes };
  const device = { bitsPerSecond: 1e9, queueFramesMax: 256 };
  const a = new StackHost(world, 'a', device, { tcp: { limits } });
  const b = new StackHost(world, 'b', device, { tcp: { limits } });
  const address = parseIpv4Address('10.0.0.2')!;
  a.configure(parseIpv4Address('10.0.0.1')!, 24);
  b.configure(address, 24);
  const moved: number[] = [];
  b.tcp.listen(80, (flow) => {
    const index = moved.push(0) - 1;
    const data = (arrived: Uint8Array): void => {
      moved[index]! += arrived.length;
    };
    flow.attach({ data, drained() {}, end() {}, closed() {} });
  });
  const pump = (flow: Flow): void => {
    while (flow.queuedBytes <= flow.lowWaterBytes) flow.write(PIECE);
  };
  for (let i = 0; i < (way.flows ?? 1); i++) {
    a.tcp.connect(address, 80, (result) => {
      if (!result.ok) return;
      const flow = result.value;
      flow.attach({ data() {}, drained: () => pump(flow), end() {}, closed() {} });
      pump(flow);
    });
  }
  const start = world.timers.now;
  const end = instantOfMicros(start + micros);
  world.timers.arm(new Timer(() => {}), end);
  world.runUntil(() => world.timers.now >= end || Math.max(0, ...moved) >= bytesMax, end);
  return { moved, micros: world.timers.now - start };
}

/** The median of three seeds, to three digits, in Mbit/s. */
function rateOf(lossPercent: number, delayMillis: number, bufferKib: number): number {
  const most = Math.max(LEAST_MILLIS, 2 * delayMillis * ROUND_TRIPS) * 1_000;
  const rates = [1, 2, 3].map((seed) => {
    const way = { seed, lossPercent, delayMillis, bufferKib };
    const { moved, micros } = moveFor(way, most, BYTES_MAX);
    return ((moved[0] ?? 0) * 8) / micros;
  });
  return Number(rates.sort((x, y) => x - y)[1]!.toPrecision(3));
}

export function measureThroughput(): Throughput {
  const table: Throughput = {};
  for (const bufferKib of BUFFER_KIB) {
    for (const lossPercent of LOSS_PERCENT) {
      const row: Record<string, number> = {};
      for (const delayMillis of DELAY_MILLIS) {
        row[`${delayMillis} ms`] = rateOf(lossPercent, delayMillis, bufferKib);
      }
      table[`loss ${lossPercent} %, buffer ${bufferKib} KiB`] = row;
    }
  }
  return table;
}

export const readSnapshot = (): Throughput =>
  JSON.parse(readFileSync(SNAPSHOT, 'utf8')) as Throughput;

if (import.meta.main) {
  const table = measureThroughput();
  console.table(table);
  if (process.argv.includes('--write')) {
    writeFileSync(SNAPSHOT, `${JSON.stringify(table, null, 2)}\n`);
  }
}
