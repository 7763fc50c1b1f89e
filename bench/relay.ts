/**
 * TCP through an impaired link: our stack (target process, examples/iperf) beside Linux's own, both
 * through the same relay with the same settings and seeds (tests/helpers/relay.ts). The peer is
 * Linux and iperf3 in every case. Prints bits per second, the share of Linux's, and which of TCP's
 * options Linux had on.
 *
 *     node bench/relay.ts [--seconds=15] [--seeds=3] [--loss=0,1,2,5] [--rtt=50]
 *         [--congestion=cubic]
 *
 * Blind spots: losses are independent; of a run's networks all are measured side by side, so that a
 * busy machine is as busy for all; Linux's sender in row "Linux" has a tap device with software
 * segmentation, ours a UNIX socket.
 */

import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { millis } from '#core';
import { buildImage, LINKED_FLAGS } from '../tests/helpers/machine.ts';
import { Namespace } from '../tests/helpers/namespace.ts';
import { Relay, type RelayOptions } from '../tests/helpers/relay.ts';
import {
  cannotInterop,
  LINUX,
  LinuxNetwork,
  linkTap,
  UNIKERNEL,
} from '../tests/interop/linux/network.ts';

const BITS_PER_SECOND = 100e6;
const QUEUE_FRAMES = 400;
/** What Linux's TCP uses and ours has an answer to, or not; as sysctl has them. */
const SYSCTLS = [
  ...['tcp_sack', 'tcp_timestamps', 'tcp_window_scaling', 'tcp_ecn'],
  ...['tcp_recovery', 'tcp_early_retrans', 'tcp_frto', 'tcp_moderate_rcvbuf', 'tcp_dsack'],
  ...['tcp_rmem', 'tcp_wmem', 'tcp_no_metrics_save', 'tcp_slow_start_after_idle'],
];

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '15' },
    seeds: { type: 'string', default: '3' },
    loss: { type: 'string', default: '0,1,2,5' },
    rtt: { type: 'string', default: '50' },
    congestion: { type: 'string', default: 'cubic' },
  },
});
const seconds = Number(values.seconds);
const losses = values.loss.split(',').map(Number);

type Case = 'Linux' | 'ours sends' | 'ours receives';
const CASES: readonly Case[] = ['Linux', 'ours sends', 'ours receives'];

const relayOptions = (seed: number, loss: number): RelayOptions => ({
  seed,
  bitsPerSecond: BITS_PER_SECOND,
  queueFramesMax: QUEUE_FRAMES,
  faults: { delay: millis(Number(values.rtt) / 2), lossShare: loss / 100 },
});

/** Nothing is remembered from run to run. */
async function tune(net: Namespace): Promise<void> {
  await net.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save');
}

/** Bits per second that arrived; iperf3's client runs in `net`. */
async function measure(net: Namespace, server: string, reverse: boolean): Promise<number> {
  // A namespace's default may not be one that only root may choose; a socket's may.
  const sender = reverse ? ['-R'] : ['-C', values.congestion];
  const words = ['-J', '-c', server, '-t', String(seconds), ...sender];
  const report = JSON.parse(await net.run('iperf3', ...words));
  return report.end.sum_received.bits_per_second;
}

async function measureLinux(options: RelayOptions): Promise<number> {
  const [near, far] = [await Namespace.open(), await Namespace.open()];
  const ends = { [LINUX]: near, [UNIKERNEL]: far };
  for (const [address, net] of Object.entries(ends)) {
    await net.run('ip', 'tuntap', 'add', 'dev', 'tap0', 'mode', 'tap');
    await net.run('ip', 'address', 'add', `${address}/24`, 'dev', 'tap0');
    await net.run('ip', 'link', 'set', 'tap0', 'up');
    await tune(net);
  }
  const relay = new Relay(linkTap(near, 'tap0'), linkTap(far, 'tap0'), options);
  try {
    far.start('iperf3', '-s');
    await near.run('ping', '-c', '1', '-w', '10', UNIKERNEL);
    return await measure(near, UNIKERNEL, false);
  } finally {
    relay.close();
    await near.close();
    await far.close();
  }
}

async function measureOurs(image: string, relay: RelayOptions, sends: boolean): Promise<number> {
  const network = await LinuxNetwork.open({ target: 'process', image, relay, prepare: tune });
  try {
    await network.net.run('ping', '-c', '1', '-w', '10', UNIKERNEL);
    return await measure(network.net, UNIKERNEL, sends);
  } finally {
    await network.close();
  }
}

const megabits = (bits: number): string => (bits / 1e6).toFixed(2).padStart(7);

/** The middle one. */
const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[list.length >> 1]!;
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b) / list.length;

async function main(): Promise<void> {
  if (cannotInterop !== false) throw new Error(cannotInterop);
  const net = await Namespace.open();
  await tune(net);
  const paths = SYSCTLS.map((name) => `/proc/sys/net/ipv4/${name}`);
  const options = (await net.run('grep', '-H', '', ...paths)).replaceAll('/proc/sys/net/ipv4/', '');
  await net.close();
  const image = await buildImage('examples/iperf', ...LINKED_FLAGS.process);
  process.stdout.write(
    `${values.rtt} ms, ${BITS_PER_SECOND / 1e6} Mbit/s, queue ${QUEUE_FRAMES}, ${seconds} s, ` +
      `${values.seeds} seeds; mean (median) in Mbit/s, share of Linux's mean\n`,
  );
  for (const loss of losses) {
    const found = new Map<Case, number[]>(CASES.map((name) => [name, []]));
    for (let seed = 1; seed <= Number(values.seeds); seed++) {
      const relay = relayOptions(seed, loss);
      const results = await Promise.all([
        measureLinux(relay),
        measureOurs(image, relay, true),
        measureOurs(image, relay, false),
      ]);
      for (const [i, name] of CASES.entries()) found.get(name)!.push(results[i]!);
    }
    const rival = mean(found.get('Linux')!);
    const cells = CASES.map((name) => {
      const list = found.get(name)!;
      const share = (mean(list) / rival).toFixed(2);
      return `${name} ${megabits(mean(list))} (${megabits(median(list)).trim()}) ${share}`;
    });
    process.stdout.write(`loss ${loss} %: ${cells.join('; ')}\n`);
  }
  process.stdout.write(`Linux's TCP:\n${options}`);
  rmSync(image);
}

await main();
