/**
 * examples/router (target process over two tap devices) beside the kernel's masquerading (a
 * namespace with two veth pairs), in one run: TCP each way by iperf3, datagrams of 64 bytes,
 * connections that come and go. Both ends and the router share this machine's cores. Needs root.
 *
 *   node bench/router.ts [--seconds=3] [--rounds=3]
 */

import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { buildImage, LINKED_FLAGS } from '../tests/helpers/machine.ts';
import { cannotInterop, eventually } from '../tests/interop/linux/network.ts';
import {
  kernelRouter,
  Peer,
  SERVERS,
  type Topology,
  unikernelRouter,
} from '../tests/interop/router/topology.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const [SERVER] = SERVERS;
const DATAGRAM_BYTES = 64;
const LANES = 32;
const CHURN_PORT = 7_001;

interface Sum {
  readonly bits_per_second: number;
  readonly packets: number;
  readonly lost_packets: number;
  readonly seconds: number;
}
interface Report {
  readonly end: { readonly sum_received: Sum; readonly sum: Sum };
}

async function iperf({ inside, outside }: Topology, ...words: string[]): Promise<Report> {
  const server = outside.start('iperf3', '-s', '-1');
  await eventually('a server', async () =>
    (await outside.run('ss', '-ltn')).includes(':5201 ') ? true : null,
  );
  const text = await inside.run('iperf3', '-J', '-c', SERVER, '-t', values.seconds, ...words);
  server.kill('SIGKILL');
  return JSON.parse(text) as Report;
}

const megabits = async (topology: Topology, ...words: string[]): Promise<number> =>
  (await iperf(topology, ...words)).end.sum_received.bits_per_second / 1e6;

/** Datagrams that arrive in a second when they are sent as fast as iperf3 does. */
async function datagrams(topology: Topology): Promise<number> {
  const words = ['-u', '-b', '0', '-l', String(DATAGRAM_BYTES)];
  const { sum } = (await iperf(topology, ...words)).end;
  return (sum.packets - sum.lost_packets) / sum.seconds;
}

async function connections({ inside, outside }: Topology): Promise<number> {
  const [client, server] = [new Peer(inside), new Peer(outside)];
  try {
    const to = [SERVER, CHURN_PORT] as const;
    await server.ask({ op: 'serve', ends: [to] });
    const millis = seconds * 1_000;
    return (await client.ask<number>({ op: 'churn', to, lanes: LANES, millis })) / seconds;
  } finally {
    await client.close();
    await server.close();
  }
}

const MEASURES: Readonly<Record<string, (topology: Topology) => Promise<number>>> = {
  'TCP out, Mbit/s': (topology) => megabits(topology),
  'TCP in, Mbit/s': (topology) => megabits(topology, '-R'),
  [`datagrams of ${DATAGRAM_BYTES} bytes a second`]: datagrams,
  'connections a second': connections,
};

const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[list.length >> 1]!;

async function main(): Promise<void> {
  if (cannotInterop !== false) throw new Error(cannotInterop);
  const image = await buildImage('examples/router', ...LINKED_FLAGS.process);
  const open = {
    ours: () => unikernelRouter({ image, target: 'process' }),
    "the kernel's": kernelRouter,
  };
  for (const [name, measure] of Object.entries(MEASURES)) {
    const found = new Map<string, number[]>();
    for (let round = 0; round < rounds; round++) {
      for (const [who, make] of Object.entries(open)) {
        const topology = await make();
        try {
          // The way is known before the measure begins.
          await topology.inside.run('ping', '-c', '1', '-w', '5', SERVER);
          found.set(who, [...(found.get(who) ?? []), await measure(topology)]);
        } finally {
          await topology.close();
        }
      }
    }
    const [ours, kernels] = [...found.values()].map(median) as [number, number];
    const spread = [...found].map(([who, list]) => `${who} ${list.map(Math.round).join(', ')}`);
    const ratio = (ours / kernels).toFixed(2);
    process.stdout.write(`${name}: ${spread.join('; ')}; ratio of medians ${ratio}\n`);
  }
  rmSync(image);
}

await main();
