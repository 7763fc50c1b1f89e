/**
 * What share of a slow link one connection uses, over the link's delay and the queue of the router
 * before it, which drops what doesn't fit. `node tests/sim/bottleneck.ts` prints the table;
 * `--write` also makes it the snapshot.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { instantOfMicros, millis } from '#core';
import type { Flow } from '#device';
import { parseIpv4Address } from '#net';
import { noFaults, SimWorld } from '#targets/sim/index';
import { SimRouter } from './router.ts';
import { StackHost } from './stack-host.ts';

const BITS_PER_SECOND = [2e6, 20e6] as const;
const DELAY_MILLIS = [1, 20, 100] as const;
const QUEUE_FRAMES = [4, 16, 64, 256] as const;
const SECONDS = 10;
const PIECE = new Uint8Array(65_536);
const SNAPSHOT = new URL('./bottleneck.snapshot.json', import.meta.url);

/** By "2 Mbit/s, 20 ms": percent of the link for each queue. */
export type Shares = Record<string, Record<string, number>>;

export interface Bottleneck {
  readonly bitsPerSecond: number;
  readonly delayMillis: number;
  readonly queueFramesMax: number;
}

/** Percent of the link's rate that arrived at the application, and what the router dropped. */
export function shareOf(link: Bottleneck): { readonly percent: number; readonly drops: number } {
  const world = new SimWorld(1);
  world.checkEvery = 500;
  const near = world.addSwitch();
  const far = world.addSwitch();
  const address = (text: string) => parseIpv4Address(text)!;
  const router = new SimRouter(world, 'router');
  router.addInterface(near, address('10.0.0.254'), 24, {});
  const { bitsPerSecond, queueFramesMax } = link;
  router.addInterface(far, address('10.1.0.254'), 24, { bitsPerSecond, queueFramesMax });
  far.faults = { ...noFaults(), delay: millis(link.delayMillis) };
  const sender = new StackHost(world, 'sender', { bitsPerSecond: 1e9 }, {}, near);
  const receiver = new StackHost(world, 'receiver', { bitsPerSecond: 1e9 }, {}, far);
  sender.configure(address('10.0.0.1'), 24, address('10.0.0.254'));
  receiver.configure(address('10.1.0.1'), 24, address('10.1.0.254'));
  let received = 0;
  receiver.tcp.listen(80, (flow) => {
    const data = (bytes: Uint8Array): void => {
      received += bytes.length;
    };
    flow.attach({ data, drained() {}, end() {}, closed() {} });
  });
  const pump = (flow: Flow): void => {
    while (flow.queuedBytes <= flow.lowWaterBytes) flow.write(PIECE);
  };
  sender.tcp.connect(address('10.1.0.1'), 80, (result) => {
    if (!result.ok) return;
    const flow = result.value;
    flow.attach({ data() {}, drained: () => pump(flow), end() {}, closed() {} });
    pump(flow);
  });
  world.run(instantOfMicros(SECONDS * 1e6));
  const percent = Math.round((100 * received * 8) / (bitsPerSecond * SECONDS));
  return { percent, drops: router.counters.overflows };
}

export function measureShares(): Shares {
  const table: Shares = {};
  for (const bitsPerSecond of BITS_PER_SECOND) {
    for (const delayMillis of DELAY_MILLIS) {
      const row: Record<string, number> = {};
      for (const queueFramesMax of QUEUE_FRAMES) {
        const { percent } = shareOf({ bitsPerSecond, delayMillis, queueFramesMax });
        row[`queue ${queueFramesMax}`] = percent;
      }
      table[`${bitsPerSecond / 1e6} Mbit/s, ${delayMillis} ms`] = row;
    }
  }
  return table;
}

export const readShares = (): Shares => JSON.parse(readFileSync(SNAPSHOT, 'utf8')) as Shares;

if (import.meta.main) {
  const table = measureShares();
  console.table(table);
  if (process.argv.includes('--write')) {
    writeFileSync(SNAPSHOT, `${JSON.stringify(table, null, 2)}\n`);
  }
}
