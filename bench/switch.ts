/**
 * `node bench/switch.ts [--quick] [--json]`: two unikernels (target process) on our switch, beside
 * the same two on a Linux bridge (tap devices), without any switch between them (one socket), and
 * two network namespaces on a Linux bridge (veth pairs, iperf3), one after the other in alternating
 * rounds: one TCP connection at full speed, and UDP datagrams of 18 bytes, the smallest frames. And
 * what our switch forwards between two bare ports that do nothing else. As root.
 */

import { existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { keep, killKept, progress, require, run, stop, UsageError } from './process.ts';

const ROOT = join(import.meta.dirname, '..');
const CLI = join(ROOT, 'tools/cli/main.ts');
const START_MS_MAX = 20_000;
const SMALL_BYTES = 18;
const FRAME_OF_SMALL = 60;
const FRAME_OF_LARGE = 1_514;
const work = mkdtempSync(join(tmpdir(), 'morgana-bench-'));
const image = join(work, 'pair.elf');

type Sample = { readonly bits: number; readonly packets: number };

interface Line {
  readonly what: string;
  readonly samples: Record<string, Sample[]>;
}

/** A way between two unikernels: their links, and what else must run meanwhile. */
interface Way {
  readonly name: string;
  readonly enter: readonly string[];
  /** Of the receiver, which is started first, and of the sender. */
  links(round: string): readonly [string, string];
}

const switchSocket = join(work, 'switch');
const cable: Way = {
  name: 'one socket',
  enter: [],
  links: (round) => [`unix-listen:${work}/cable-${round}`, `unix:${work}/cable-${round}`],
};
const ours: Way = {
  name: 'our switch',
  enter: [],
  links: () => [`unix:${switchSocket}`, `unix:${switchSocket}`],
};

async function main(words: readonly string[]): Promise<void> {
  const isQuick = words.includes('--quick');
  const wrong = words.find((word) => word !== '--quick' && word !== '--json');
  if (wrong !== undefined) throw new UsageError(`'${wrong}': expected --quick or --json`);
  if (process.getuid?.() !== 0) throw new UsageError('network namespaces need root');
  await require(['iperf3', 'ip', 'unshare']);
  mkdirSync(work, { recursive: true });
  const build = [CLI, 'build', join(ROOT, 'bench/images/pair'), '--target=process'];
  await run(process.execPath, [...build, `--output=${image}`], { cwd: ROOT });
  keep(process.execPath, [CLI, 'switch', `--socket=${switchSocket}`, '--gateway=off'], {
    stdio: 'ignore',
  });
  await eventually(() => existsSync(switchSocket));
  const bridge = await bridgeWay();
  const veths = await vethWay();
  const tcp: Line = { what: 'one TCP connection', samples: {} };
  const udp: Line = { what: `UDP, ${SMALL_BYTES} bytes`, samples: {} };
  const large: Line = { what: `bare ports, ${FRAME_OF_LARGE} bytes`, samples: {} };
  const small: Line = { what: `bare ports, ${FRAME_OF_SMALL} bytes`, samples: {} };
  const rounds = isQuick ? 1 : 3;
  const millis = isQuick ? 2_000 : 4_000;
  for (let round = 0; round < rounds; round++) {
    for (const way of [ours, bridge, cable]) {
      progress(`${way.name}, round ${round + 1} of ${rounds}`);
      add(tcp, way.name, await unikernels(way, `${round}t`, 0, millis));
      add(udp, way.name, await unikernels(way, `${round}u`, SMALL_BYTES, millis));
    }
    progress(`Linux bridge, round ${round + 1} of ${rounds}`);
    add(tcp, 'veth, no offloads', await veths(false, [], millis));
    add(tcp, 'veth, offloads', await veths(true, [], millis));
    const datagrams = ['-u', '-b', '0', '-l', `${SMALL_BYTES}`];
    add(udp, 'veth, no offloads', await veths(false, datagrams, millis));
    add(large, 'our switch', await barePorts(FRAME_OF_LARGE, millis));
    add(small, 'our switch', await barePorts(FRAME_OF_SMALL, millis));
  }
  const lines = [tcp, udp, large, small];
  if (words.includes('--json')) process.stdout.write(`${JSON.stringify(lines, null, 2)}\n`);
  else process.stdout.write(table(lines));
}

/** A namespace that lives as long as the bench: its holder, and the words that enter it. */
async function namespace(): Promise<{ pid: number; enter: readonly string[] }> {
  const holder = keep('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
  const outside = readlinkSync('/proc/self/ns/net');
  await eventually(() => readlinkSync(`/proc/${holder.pid}/ns/net`) !== outside);
  const enter = ['nsenter', `--net=/proc/${holder.pid}/ns/net`, '--'];
  return { pid: holder.pid ?? 0, enter };
}

const inside = (enter: readonly string[], ...words: string[]): Promise<string> => {
  const [command = '', ...rest] = [...enter, ...words];
  return run(command, rest, { timeoutMs: 30_000 });
};

async function bridgeIn(enter: readonly string[]): Promise<void> {
  await inside(enter, 'ip', 'link', 'add', 'br0', 'type', 'bridge');
  await inside(enter, 'ip', 'link', 'set', 'br0', 'up');
}

/** Two tap devices on a Linux bridge. */
async function bridgeWay(): Promise<Way> {
  const { enter } = await namespace();
  await bridgeIn(enter);
  for (const tap of ['tap0', 'tap1']) {
    await inside(enter, 'ip', 'tuntap', 'add', 'dev', tap, 'mode', 'tap');
    await inside(enter, 'ip', 'link', 'set', tap, 'master', 'br0', 'up');
  }
  return { name: 'Linux bridge, taps', enter, links: () => ['tap:tap0', 'tap:tap1'] };
}

type Veths = (offloads: boolean, words: readonly string[], millis: number) => Promise<Sample>;

/** Two namespaces, a veth pair each, on a Linux bridge; iperf3 at both ends. */
async function vethWay(): Promise<Veths> {
  const middle = await namespace();
  await bridgeIn(middle.enter);
  const ends = [await namespace(), await namespace()] as const;
  for (const [index, end] of ends.entries()) {
    const pair = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', `${end.pid}`];
    await inside(middle.enter, 'ip', 'link', 'add', `v${index}`, ...pair);
    await inside(middle.enter, 'ip', 'link', 'set', `v${index}`, 'master', 'br0', 'up');
    await inside(end.enter, 'ip', 'address', 'add', `10.99.0.${index + 1}/24`, 'dev', 'eth0');
    await inside(end.enter, 'ip', 'link', 'set', 'eth0', 'up');
  }
  const [command = '', ...rest] = [...ends[1].enter, 'iperf3', '-s'];
  keep(command, rest, { stdio: 'ignore' });
  return async (offloads, words, millis) => {
    for (const { enter } of ends) {
      const state = offloads ? 'on' : 'off';
      const features = ['tso', 'gso', 'gro', 'tx'].flatMap((name) => [name, state]);
      await inside(enter, 'ethtool', '-K', 'eth0', ...features);
    }
    const client = ['iperf3', '-c', '10.99.0.2', '-t', `${millis / 1_000}`, '-J', ...words];
    const text = await eventually(() => inside(ends[0].enter, ...client).catch(() => null));
    const report = JSON.parse(text);
    const { sum, sum_received: received = sum } = report.end;
    const seconds = received.seconds as number;
    const lost = (sum?.lost_packets ?? 0) as number;
    const packets = words.length > 0 ? (sum.packets - lost) / seconds : Number.NaN;
    const bits = words.length > 0 ? packets * SMALL_BYTES * 8 : received.bits_per_second;
    return { bits, packets };
  };
}

/** From one unikernel to another: bits of payload a second, and packets as a wire would have. */
async function unikernels(
  way: Way,
  round: string,
  datagram: number,
  millis: number,
): Promise<Sample> {
  const [listening, connecting] = way.links(round);
  const receiver = start(way, listening, '10.99.1.1/24', []);
  if (listening.startsWith('unix-listen:')) {
    await eventually(() => existsSync(listening.replace('unix-listen:', '')));
  } else {
    await eventually(() => receiver.text().includes('got 0 bytes'));
  }
  const words = ['--peer=10.99.1.1', `--datagram=${datagram}`];
  const sender = start(way, connecting, '10.99.1.2/24', words);
  try {
    return await counted(receiver.text, millis, datagram);
  } finally {
    await stop(sender.child);
    await stop(receiver.child);
  }
}

function start(way: Way, link: string, ipv4: string, words: readonly string[]) {
  const own = [image, '--mem=64', `--link=${link}`, '--', `--ipv4=${ipv4}`, '--ipv6=off'];
  const [command = '', ...rest] = [...way.enter, ...own, ...words];
  const child = keep(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  return { child, text: textOf(child.stdout!) };
}

function textOf(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (more: string) => {
    text += more;
  });
  return () => text;
}

/** What the receiver says it got in `millis`, after a second to get going. */
async function counted(text: () => string, millis: number, datagram: number): Promise<Sample> {
  await eventually(() => /got [1-9]/.test(text()));
  await delay(1_000);
  const before = text().length;
  await delay(millis);
  const said = [
    ...text()
      .slice(before)
      .matchAll(/got (\d+) bytes in (\d+) in (\d+) us/g),
  ];
  const sum = (index: number): number =>
    said.reduce((total, found) => total + Number(found[index]), 0);
  const seconds = sum(3) / 1e6;
  const bits = (sum(1) * 8) / seconds;
  // Of TCP nobody counts packets; all but a few are full.
  return { bits, packets: datagram > 0 ? sum(2) / seconds : bits / 8 / 1_448 };
}

async function barePorts(bytes: number, millis: number): Promise<Sample> {
  const script = join(ROOT, 'bench/switch-ports.ts');
  const child = (role: string) =>
    keep(process.execPath, [script, role, switchSocket, `${bytes}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  const counter = child('count');
  const text = textOf(counter.stdout!);
  await eventually(() => text().includes('got'));
  const sender = child('send');
  try {
    const { packets } = await counted(text, millis, bytes);
    return { packets, bits: packets * bytes * 8 };
  } finally {
    await stop(sender);
    await stop(counter);
  }
}

/** The first answer that is one: polled, for at most START_MS_MAX. */
async function eventually<T>(look: () => T | Promise<T>): Promise<NonNullable<T>> {
  const until = performance.now() + START_MS_MAX;
  for (;;) {
    const found = await look();
    if (found) return found as NonNullable<T>;
    if (performance.now() > until) throw new Error(`it took too long: ${look}`);
    await delay(20);
  }
}

function add(line: Line, name: string, sample: Sample): void {
  line.samples[name] ??= [];
  line.samples[name].push(sample);
}

const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[list.length >> 1]!;

function table(lines: readonly Line[]): string {
  const rows = lines.flatMap(({ what, samples }) => {
    const own = median(samples['our switch']!.map(({ bits }) => bits));
    return Object.entries(samples).map(([name, list]) => {
      const bits = median(list.map((sample) => sample.bits));
      const packets = median(list.map((sample) => sample.packets));
      return [
        what.padEnd(24),
        name.padEnd(20),
        `${(bits / 1e9).toFixed(3).padStart(7)} Gbit/s`,
        (Number.isNaN(packets) ? '' : `${Math.round(packets)} packets/s`).padStart(18),
        name === 'our switch' ? '' : `ours/its ${(own / bits).toFixed(2)}`,
      ].join('  ');
    });
  });
  return `${rows.join('\n')}\n`;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
process.on('exit', () => {
  killKept();
  rmSync(work, { recursive: true, force: true });
});
await main(process.argv.slice(2));
process.exit(0);
