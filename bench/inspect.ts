/**
 * `node bench/inspect.ts [--quick] [--json]`: what `morgana inspect`, refreshing once a second,
 * costs the website of examples/static-site on target process. Two ways: the unikernel's CPU time
 * for looks alone, which as a share of a second is what a busy one loses; and requests a second
 * in pairs of windows with and without looks, one after the other, which a busy host disturbs. As
 * root: the website is on a tap device in a namespace of the bench's own.
 *
 * Hypothesis: at most 3 % (docs/decisions/0012). The looks are the tool's own, text included, but
 * in this process, which also waits for wrk. Blind: wrk, the tool and the unikernel share cores.
 */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { look } from '../tools/cli/inspect.ts';
import { type InspectSource, openSource } from '../tools/cli/inspect-source.ts';
import { snapshotLines } from '../tools/cli/inspect-text.ts';
import { keep, killKept, progress, run, stop, UsageError } from './process.ts';

const ROOT = join(import.meta.dirname, '..');
const TOOL = join(ROOT, 'tools/cli/main.ts');
const WORK = `/tmp/morgana-bench-inspect-${process.pid}`;
const ADDRESS = '10.98.7.2';
const START_MS_MAX = 60_000;
/** As the tool has it: every tenth look walks the heap. */
const HEAP_EVERY = 10;

interface Window {
  readonly perSecond: number;
  readonly cpuMicrosPerRequest: number;
}

interface Line {
  readonly connections: number;
  /** CPU time of one look: the average of each round. */
  readonly lookMicros: readonly number[];
  readonly pairs: { readonly without: Window; readonly with: Window }[];
}

async function main(words: readonly string[]): Promise<void> {
  const isQuick = words.includes('--quick');
  const wrong = words.find((word) => word !== '--quick' && word !== '--json');
  if (wrong !== undefined) throw new UsageError(`'${wrong}': expected --quick or --json`);
  if (process.getuid?.() !== 0) throw new UsageError('network namespaces need root');
  mkdirSync(WORK, { mode: 0o700 });
  process.env.MORGANA_RUNTIME_DIR = WORK;
  const { enter, pid } = await start();
  const source = await openSource('site', null);
  const lines: Line[] = [];
  for (const connections of [16, 200]) {
    const lookMicros = await lookCost(enter, pid, connections, source, isQuick ? 3 : 7);
    const line: Line = { connections, lookMicros, pairs: [] };
    await load(enter, connections, 2);
    for (let pair = 0; pair < (isQuick ? 3 : 12); pair++) {
      progress(`${connections} connections, pair ${pair + 1}`);
      // Each way round in turn, so that a drift counts for neither.
      const first = await window(enter, pid, connections, pair % 2 === 0 ? null : source);
      const second = await window(enter, pid, connections, pair % 2 === 0 ? source : null);
      const [without, looked] = pair % 2 === 0 ? [first, second] : [second, first];
      line.pairs.push({ without, with: looked });
    }
    lines.push(line);
  }
  source.close();
  if (words.includes('--json')) process.stdout.write(`${JSON.stringify(lines, null, 2)}\n`);
  else process.stdout.write(table(lines));
}

/** `morgana run`, which takes its unikernel along when it is asked to end. */
const started: { tool: ChildProcess | null } = { tool: null };

async function start(): Promise<{ enter: readonly string[]; pid: number }> {
  const holder = keep('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
  const outside = readlinkSync('/proc/self/ns/net');
  const enter = ['nsenter', `--net=/proc/${holder.pid}/ns/net`, '--'];
  await eventually('a namespace', () => readlinkSync(`/proc/${holder.pid}/ns/net`) !== outside);
  const ip = (...words: string[]): Promise<string> =>
    run(enter[0]!, [...enter.slice(1), 'ip', ...words]);
  await ip('tuntap', 'add', 'dev', 'tap0', 'mode', 'tap', 'vnet_hdr');
  await ip('address', 'add', '10.98.7.1/24', 'dev', 'tap0');
  await ip('link', 'set', 'tap0', 'up');
  const image = join(WORK, 'site.elf');
  const build = ['build', join(ROOT, 'examples/static-site'), '--target=process'];
  await run(process.execPath, [TOOL, ...build, `--output=${image}`]);
  const words = [
    TOOL,
    'run',
    image,
    '--name=site',
    '--link=tap:tap0',
    '--memory=32',
    '--',
    `--ipv4=${ADDRESS}/24`,
  ];
  const [command = '', ...rest] = [...enter, process.execPath, ...words];
  const tool = keep(command, rest, { stdio: 'ignore' });
  started.tool = tool;
  await eventually('the website', () => answers(enter));
  const children = readFileSync(`/proc/${tool.pid}/task/${tool.pid}/children`, 'utf8');
  return { enter, pid: Number(children.trim().split(' ').at(-1)) };
}

const answers = (enter: readonly string[]): Promise<boolean> =>
  run(enter[0]!, [...enter.slice(1), 'curl', '-sf', '-o', '/dev/null', `http://${ADDRESS}/`]).then(
    () => true,
    () => false,
  );

/** One window of load; with `source`, looked into once a second meanwhile. */
async function window(
  enter: readonly string[],
  pid: number,
  connections: number,
  source: InspectSource | null,
): Promise<Window> {
  const seconds = 4;
  let isOver = false;
  const looking = source === null ? null : refresh(source, () => isOver);
  const before = cpuMicros(pid);
  const perSecond = await load(enter, connections, seconds);
  const used = cpuMicros(pid) - before;
  isOver = true;
  await looking;
  return { perSecond, cpuMicrosPerRequest: used / (perSecond * seconds) };
}

/** With so many idle connections: rounds of looks, every tenth of which walks the heap. */
async function lookCost(
  enter: readonly string[],
  pid: number,
  connections: number,
  source: InspectSource,
  rounds: number,
): Promise<number[]> {
  const script = `
    const net = require('node:net');
    for (let i = 0; i < ${connections}; i++) net.connect(80, '${ADDRESS}').on('error', () => {});`;
  const [command = '', ...rest] = [...enter, process.execPath, '-e', script];
  const client = keep(command, rest, { stdio: 'ignore' });
  const count = async (): Promise<number> => {
    const { stacks } = await look(source, 1, false);
    return stacks.stack!.connections.count;
  };
  await eventually('connections', async () => (await count()) >= connections);
  const found: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = cpuMicros(pid);
    // Many, since the clock of /proc ticks every 10 ms only.
    for (let i = 0; i < 50; i++) await look(source, 200, i % HEAP_EVERY === 0);
    found.push((cpuMicros(pid) - before) / 50);
  }
  await stop(client);
  return found;
}

let looks = 0;

/** As `morgana inspect` on a terminal. */
async function refresh(source: InspectSource, isOver: () => boolean): Promise<void> {
  let before = null;
  while (!isOver()) {
    const now = await look(source, 200, looks % HEAP_EVERY === 0);
    looks += 1;
    snapshotLines(now, before, { connectionsMax: 20, columns: 200 });
    before = now;
    for (let i = 0; i < 20 && !isOver(); i++) await delay(50);
  }
}

/** Requests a second; throws when any failed. */
async function load(
  enter: readonly string[],
  connections: number,
  seconds: number,
): Promise<number> {
  const words = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, `http://${ADDRESS}/`];
  const [command = '', ...rest] = [...enter, ...words];
  const text = await run(command, rest, { timeoutMs: (seconds + 20) * 1_000 });
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
  const failed = /Non-2xx[^\n]*|Socket errors: connect [1-9][^\n]*/.exec(text)?.[0];
  if (failed !== undefined || !(rate > 0)) throw new Error(`requests failed: ${text}`);
  return rate;
}

/** User and system time of a process, in clock ticks of 10 ms (proc(5), stat). */
function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function eventually(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + START_MS_MAX;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`it took too long: ${what}`);
    await delay(20);
  }
}

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const at = (values: readonly number[], share: number): number =>
  sorted(values)[Math.min(values.length - 1, Math.floor(values.length * share))]!;

function table(lines: readonly Line[]): string {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  return lines
    .map(({ connections, lookMicros, pairs }) => {
      const rates = pairs.map((pair) => 1 - pair.with.perSecond / pair.without.perSecond);
      const cpu = pairs.map((pair) => {
        return pair.with.cpuMicrosPerRequest / pair.without.cpuMicrosPerRequest - 1;
      });
      const plain = at(
        pairs.map(({ without }) => without.perSecond),
        0.5,
      );
      const show = (values: readonly number[]): string =>
        `${percent(at(values, 0.5))} (quartiles ${percent(at(values, 0.25))} to ${percent(at(values, 0.75))})`;
      return (
        `${connections} connections: a look takes ${(at(lookMicros, 0.5) / 1_000).toFixed(2)} ms of ` +
        `CPU time (${(sorted(lookMicros)[0]! / 1_000).toFixed(2)} to ` +
        `${(sorted(lookMicros).at(-1)! / 1_000).toFixed(2)}), ` +
        `${percent(at(lookMicros, 0.5) / 1e6)} of a core at one a second; ` +
        `${Math.round(plain)} requests/s, ${pairs.length} pairs: ` +
        `throughput lost ${show(rates)}, CPU time a request more by ${show(cpu)}\n`
      );
    })
    .join('');
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = error instanceof UsageError ? 1 : 2;
} finally {
  const { tool } = started;
  if (tool !== null && tool.exitCode === null) {
    tool.kill('SIGTERM');
    await once(tool, 'exit');
  }
  killKept();
  rmSync(WORK, { recursive: true, force: true });
}
