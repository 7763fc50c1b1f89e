/**
 * `node bench/gateway.ts [--quick] [--json]`: our gateway beside slirp4netns and pasta (passt's way
 * with namespaces), each between a network namespace and this machine's loopback, one after the
 * other in alternating rounds: one TCP connection at full speed each way (iperf3), and short
 * connections (wrk, each answer closes). Same client, same servers, MTU 1,500 for all. As root.
 */

import type { ChildProcess } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { keep, killKept, progress, run, UsageError } from './process.ts';

const ROOT = join(import.meta.dirname, '..');
const TAP_LINK = join(ROOT, 'build/base/tap-link');
const IPERF_PORT = 15_201;
const WEB_PORT = 15_280;
const START_MS_MAX = 10_000;
const CONNECTIONS = 16;

interface Rival {
  readonly name: string;
  /** What stands before a command that runs as the gateway's guest. */
  readonly enter: readonly string[];
  /** The host's loopback, as guests call it. */
  readonly host: string;
}

interface Line {
  readonly what: string;
  readonly unit: string;
  readonly samples: Record<string, number[]>;
}

async function main(words: readonly string[]): Promise<void> {
  const isQuick = words.includes('--quick');
  const wrong = words.find((word) => word !== '--quick' && word !== '--json');
  if (wrong !== undefined) throw new UsageError(`'${wrong}': expected --quick or --json`);
  if (process.getuid?.() !== 0) throw new UsageError('network namespaces need root');
  keep('iperf3', ['-s', '-p', `${IPERF_PORT}`, '-B', '127.0.0.1'], { stdio: 'ignore' });
  keep(process.execPath, ['-e', WEB_SERVER], { stdio: 'ignore' });
  const rivals = [
    { name: 'loopback', enter: [], host: '127.0.0.1' },
    await ours(),
    ...(await theirs()),
  ];
  const lines = await measure(rivals, isQuick ? 1 : 3, isQuick ? 2 : 4);
  if (words.includes('--json')) process.stdout.write(`${JSON.stringify(lines, null, 2)}\n`);
  else process.stdout.write(table(lines));
}

const WEB_SERVER = `
  const answer = Buffer.from('HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 3\\r\\n\\r\\nok\\n');
  require('node:net').createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  }).listen(${WEB_PORT}, '127.0.0.1', 1024);`;

/** A network namespace that lives as long as the bench; the words that run a command in it. */
async function namespace(): Promise<readonly [holder: ChildProcess, ...enter: string[]]> {
  const holder = keep('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
  const outside = readlinkSync('/proc/self/ns/net');
  await eventually(() => readlinkSync(`/proc/${holder.pid}/ns/net`) !== outside);
  return [holder, 'nsenter', `--net=/proc/${holder.pid}/ns/net`, '--'];
}

async function ours(): Promise<Rival> {
  const [, ...enter] = await namespace();
  const ip = (...words: string[]): Promise<string> =>
    run(enter[0]!, [...enter.slice(1), 'ip', ...words]);
  await ip('tuntap', 'add', 'dev', 'tap0', 'mode', 'tap');
  await ip('address', 'add', '10.77.0.20/24', 'dev', 'tap0');
  await ip('link', 'set', 'tap0', 'up');
  await ip('route', 'add', 'default', 'via', '10.77.0.1');
  const place = `/tmp/morgana-bench-${process.pid}.sock`;
  const [command = '', ...rest] = [...enter, TAP_LINK, `tap0=unix-listen:${place}`];
  keep(command, rest, { stdio: 'ignore' });
  await eventually(() => existsSync(place));
  keep(process.execPath, [join(ROOT, 'bench/gateway-process.ts'), place], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return { name: 'morgana', enter, host: '10.77.0.2' };
}

async function theirs(): Promise<Rival[]> {
  const rivals: Rival[] = [];
  if (existsSync('/usr/bin/slirp4netns')) {
    const [holder, ...enter] = await namespace();
    const words = ['--configure', '--mtu=1500', `${holder.pid}`, 'tap0'];
    keep('slirp4netns', words, { stdio: 'ignore' });
    rivals.push({ name: 'slirp4netns', enter, host: '10.0.2.2' });
  }
  const router = /default via ([\d.]+)/.exec(await run('ip', ['-4', 'route']))?.[1];
  // It takes the host's own router's address for the host's loopback.
  if (existsSync('/usr/bin/pasta') && router !== undefined) {
    const none = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'];
    const enter = ['pasta', '--runas', '0', '--config-net', '--mtu', '1500', ...none, '--'];
    rivals.push({ name: 'pasta', enter, host: router });
  }
  return rivals;
}

async function measure(rivals: readonly Rival[], rounds: number, seconds: number): Promise<Line[]> {
  const down: Line = { what: 'to the guest', unit: 'Mbit/s', samples: {} };
  const up: Line = { what: 'from the guest', unit: 'Mbit/s', samples: {} };
  const short: Line = { what: 'short connections', unit: '/s', samples: {} };
  for (const rival of rivals) await ready(rival);
  for (let round = 0; round < rounds; round++) {
    for (const rival of rivals) {
      progress(`${rival.name}, round ${round + 1} of ${rounds}`);
      add(down, rival, await megabits(rival, seconds, ['-R']));
      add(up, rival, await megabits(rival, seconds, []));
      add(short, rival, await connections(rival, seconds));
    }
  }
  return [down, up, short];
}

const add = ({ samples }: Line, { name }: Rival, value: number): void => {
  samples[name] ??= [];
  samples[name].push(value);
};

const inside = ({ enter }: Rival, ...words: string[]): Promise<string> => {
  const [command = '', ...rest] = [...enter, ...words];
  return run(command, rest, { timeoutMs: 30_000 });
};

async function ready(rival: Rival): Promise<void> {
  await eventually(() =>
    megabits(rival, 1, []).then(
      () => true,
      () => false,
    ),
  );
}

async function megabits(rival: Rival, seconds: number, more: readonly string[]): Promise<number> {
  const to = ['-c', rival.host, '-p', `${IPERF_PORT}`, '--connect-timeout', '1000'];
  const text = await inside(rival, 'iperf3', ...to, '-t', `${seconds}`, '-J', ...more);
  const report = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return report.end.sum_received.bits_per_second / 1e6;
}

async function connections(rival: Rival, seconds: number): Promise<number> {
  const url = `http://${rival.host}:${WEB_PORT}/`;
  const load = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`];
  const text = await inside(rival, 'wrk', ...load, url);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
}

async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + START_MS_MAX;
  while (!(await isSo())) {
    if (performance.now() > until) throw new UsageError('a gateway did not start');
    await delay(50);
  }
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Medians, and what they are of ours. */
function table(lines: readonly Line[]): string {
  let text = '';
  for (const { what, unit, samples } of lines) {
    const our = median(samples.morgana!);
    text += `${what}, ${unit}\n`;
    for (const [name, values] of Object.entries(samples)) {
      const spread = `${Math.min(...values).toFixed(0)}..${Math.max(...values).toFixed(0)}`;
      const ratio = (our / median(values)).toFixed(2);
      text += `  ${name.padEnd(12)} ${median(values).toFixed(0).padStart(7)}  (${spread})`;
      text += name === 'morgana' ? '\n' : `  ours is ${ratio} of it\n`;
    }
  }
  return text;
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(error instanceof UsageError ? 1 : 2);
  },
);
process.on('exit', killKept);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(2));
