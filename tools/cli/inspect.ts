/** `morgana inspect`: looks into a running unikernel. */

import { createWriteStream, writeFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import type { OpenRequest, UnikernelSnapshot } from '#inspect';
import { EXIT_OK, Failure, usageFailure } from './failure.ts';
import type { CommandLine } from './flags.ts';
import { parseLevels, parseProfile, parseSnapshot } from './inspect-check.ts';
import { type InspectSource, openSource } from './inspect-source.ts';
import { snapshotLines } from './inspect-text.ts';
import { printable, printableJson } from './printable.ts';
import { byFunction, cpuprofileJson, hottest, speedscopeJson } from './profile-files.ts';
import { baseSymbols } from './symbols.ts';
import type { VERBS } from './verbs.ts';

type Line = CommandLine<typeof VERBS.inspect.flags>;

/** Connections of one snapshot (packages/inspect/limits.ts): more are asked for in pages. */
const PAGE = 200;
/** Walking the heap takes milliseconds of the unikernel's: not at every look. */
const HEAP_EVERY = 10;
/** How long the second look of --once waits. */
const ONCE_MILLIS = 500;
/** For what takes no time; a busy machine under emulation may be slow. */
const ANSWER_MILLIS_MAX = 10_000;
/** Beyond the seconds that a profile takes: it is made into names afterwards. */
const PROFILE_PATIENCE_MILLIS = 60_000;
const HOTTEST_SHOWN = 10;
/** An end that was asked for is waited for so long. */
const END_MILLIS_MAX = 2_000;

const say = (text: string): void => void process.stderr.write(`morgana: ${text}\n`);

export async function inspectVerb(line: Line): Promise<number> {
  const { flags } = line;
  checkFlags(line);
  const source = await openSource(line.words[0] ?? null, flags['token-file']);
  try {
    if (flags.profile !== null) await profile(source, flags.profile, flags.output);
    else if (flags['reload-certificates']) await reloadCertificates(source);
    else if (flags.pcap !== null) await capture(source, line, flags.pcap);
    else if (flags.log !== null || flags.follow) await log(source, flags.log, flags.follow);
    else if (flags.json) {
      const snapshot = await look(source, flags.connections, true);
      process.stdout.write(`${printableJson(snapshot)}\n`);
    } else if (flags.once || !process.stdout.isTTY) await once(source, flags.connections);
    else await refresh(source, line);
    return EXIT_OK;
  } finally {
    source.close();
  }
}

function checkFlags({ flags }: Line): void {
  const see = 'see "morgana inspect --help"';
  const modes = [flags.json, flags.once, flags.log !== null || flags.follow];
  modes.push(flags.profile !== null, flags.pcap !== null, flags['reload-certificates']);
  if (modes.filter(Boolean).length > 1) {
    const all = '--json, --once, --log, --profile, --pcap and --reload-certificates';
    throw usageFailure(`${all} are one at a time`, see);
  }
  if ((flags.output !== null) !== (flags.profile !== null)) {
    throw usageFailure('--profile and --output belong together', see);
  }
  const { output, pcap } = flags;
  if (output !== null && !/\.(json|cpuprofile)$/.test(output)) {
    throw usageFailure(
      `--output=${output}: no kind of profile`,
      'name it .json (speedscope) or .cpuprofile (Chrome)',
    );
  }
  const isCapture = flags['snap-bytes'] !== 0 || flags.port !== 0 || flags.interface !== 0;
  if (pcap === null && isCapture) {
    throw usageFailure('--port, --snap-bytes and --interface go with --pcap', see);
  }
}

async function answered(request: OpenRequest): Promise<unknown> {
  const result = await request.answer;
  if (!result.ok) throw new Failure({ what: printable(result.error) });
  return result.value;
}

/** As `answered`, of what takes no time, or `millis` at most. */
async function soon(request: OpenRequest, millis = ANSWER_MILLIS_MAX): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const what = `no answer for ${millis / 1_000} s`;
    const mend = 'it hangs, or was built with --inspect=off';
    timer = setTimeout(() => reject(new Failure({ what, mend })), millis);
  });
  try {
    return await Promise.race([answered(request), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Somebody is there: what takes long is asked for only then. */
const greet = (source: InspectSource): Promise<unknown> => soon(source.open('log', {}, nothing));

function sentNo(source: InspectSource, what: string): never {
  throw new Failure({ what: `${source.name} sent no ${what}` });
}

const nothing = (): boolean => true;

/** A snapshot with up to `count` connections, in as many requests as that takes. */
export async function look(
  source: InspectSource,
  count: number,
  heap: boolean,
): Promise<UnikernelSnapshot> {
  const ask = async (from: number): Promise<UnikernelSnapshot> => {
    const options = { from, connections: Math.min(PAGE, count - from), heap: heap && from === 0 };
    const answer = await soon(source.open('snapshot', options, nothing));
    return parseSnapshot(answer) ?? sentNo(source, 'snapshot');
  };
  const first = await ask(0);
  for (let from = PAGE; from < count; from += PAGE) {
    const stacks = Object.values(first.stacks);
    if (!stacks.some((stack) => stack !== null && stack.connections.count > from)) break;
    const page = await ask(from);
    for (const [name, stack] of Object.entries(page.stacks)) {
      const list = first.stacks[name]?.connections.list as unknown[] | undefined;
      list?.push(...(stack?.connections.list.slice(0, PAGE) ?? []));
    }
  }
  return first;
}

async function once(source: InspectSource, connections: number): Promise<void> {
  const before = await look(source, connections, true);
  await new Promise((resolve) => setTimeout(resolve, ONCE_MILLIS));
  const now = { ...(await look(source, connections, false)), heap: before.heap ?? null };
  const options = { connectionsMax: connections, columns: 500, title: source.name };
  const lines = snapshotLines(now, before, options);
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Until Ctrl-C, or the unikernel's end. */
async function refresh(source: InspectSource, { flags }: Line): Promise<void> {
  const stop = interrupted();
  let isOver = false;
  void stop.then(() => {
    isOver = true;
  });
  process.stdout.write('\x1b[?25l\x1b[2J');
  try {
    let before: UnikernelSnapshot | null = null;
    for (let count = 0; !isOver; count++) {
      let now = await look(source, flags.connections, count % HEAP_EVERY === 0);
      if (now.heap === null && before?.heap) now = { ...now, heap: before.heap };
      // A terminal that doesn't know its size says 0.
      const [rows, columns] = [process.stdout.rows || 24, process.stdout.columns || 80];
      const connectionsMax = Math.max(5, rows - 24);
      const options = { connectionsMax, columns, title: source.name };
      const lines = snapshotLines(now, before, options).slice(0, rows - 1);
      process.stdout.write(`\x1b[H${lines.map((text) => `${text}\x1b[K\n`).join('')}\x1b[J`);
      before = now;
      await Promise.race([stop, new Promise((next) => setTimeout(next, flags.interval * 1_000))]);
    }
  } finally {
    process.stdout.write('\x1b[?25h');
  }
}

const interrupted = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });

async function log(
  source: InspectSource,
  levels: string | null,
  isFollowed: boolean,
): Promise<void> {
  if (levels !== null || !isFollowed) {
    const options = levels === null ? {} : { levels };
    const answer = await soon(source.open('log', options, nothing));
    const now = parseLevels(answer) ?? sentNo(source, 'log levels');
    const text = Object.entries(now).map(([name, level]) => `${name}:${level}`);
    say(printable(text.join(', ')));
  }
  if (!isFollowed) return;
  const decoder = new TextDecoder();
  let part = '';
  await stream(source, 'log', { follow: true }, (bytes) => {
    const lines = (part + decoder.decode(bytes, { stream: true })).split('\n');
    part = lines.pop() ?? '';
    const text = lines.map((one) => `${printable(one)}\n`).join('');
    return process.stdout.write(text);
  });
}

/** What became of it, in the unikernel's own words. */
async function reloadCertificates(source: InspectSource): Promise<void> {
  const answer = await soon(source.open('reload-certificates', {}, nothing));
  if (typeof answer !== 'string') sentNo(source, 'answer');
  say(printable(answer));
}

async function capture(source: InspectSource, { flags }: Line, file: string): Promise<void> {
  const out: Writable = file === '-' ? process.stdout : createWriteStream(file);
  await new Promise<void>((resolve, reject) => {
    if (file === '-') return resolve();
    out.once('open', () => resolve());
    out.once('error', reject);
  });
  const options = {
    interface: flags.interface,
    ...(flags.port === 0 ? {} : { port: flags.port }),
    ...(flags['snap-bytes'] === 0 ? {} : { snapBytes: flags['snap-bytes'] }),
  };
  out.on('drain', () => source.resume());
  // The reader has enough, as tcpdump with -c.
  const enough = new Promise<void>((resolve) => out.once('error', () => resolve()));
  const tally = await stream(source, 'pcap', options, (bytes) => out.write(bytes.slice()), enough);
  if (file !== '-') await new Promise<void>((resolve) => out.end(resolve));
  const { frames, dropped } = (tally ?? {}) as { frames?: unknown; dropped?: unknown };
  if (typeof frames === 'number') say(`${frames} frames, ${Number(dropped)} dropped`);
}

/** Runs a stream until Ctrl-C, `enough` or its own end; the answer, null when it never comes. */
async function stream(
  source: InspectSource,
  ask: string,
  options: Readonly<Record<string, unknown>>,
  take: (bytes: Uint8Array) => boolean,
  enough: Promise<void> = new Promise(() => {}),
): Promise<unknown> {
  await greet(source);
  const request = source.open(ask, options, take);
  const over = Promise.race([interrupted(), enough]).then(() => {
    source.resume();
    request.end();
    return new Promise<null>((resolve) => setTimeout(resolve, END_MILLIS_MAX, null).unref());
  });
  return Promise.race([answered(request), over]);
}

async function profile(
  source: InspectSource,
  seconds: number,
  output: string | null,
): Promise<void> {
  await greet(source);
  const request = source.open('profile', { seconds }, nothing);
  void interrupted().then(() => request.end());
  const began = performance.now();
  const answer = await soon(request, seconds * 1_000 + PROFILE_PATIENCE_MILLIS);
  // One that hangs may have taken longer than it was asked to.
  const took = Math.max(seconds, (performance.now() - began) / 1_000);
  const taken = parseProfile(answer, took) ?? sentNo(source, 'profile');
  const { target } = await look(source, 1, false);
  const isImage = target === 'pvh' || target === 'process';
  const functions = taken.nodes.flatMap(({ kind, name }) =>
    kind === 'native' ? [Number(name)] : [],
  );
  const nameOf = isImage ? baseSymbols(target, functions) : null;
  const found = byFunction(taken, nameOf ?? (() => null));
  const file = output ?? '';
  const isChrome = file.endsWith('.cpuprofile');
  writeFileSync(file, isChrome ? cpuprofileJson(found) : speedscopeJson(source.name, found));
  for (const text of hottest(found, HOTTEST_SHOWN)) process.stdout.write(`${printable(text)}\n`);
  const { samples, idle, lost } = found;
  say(`${samples} samples, ${idle} of them idle, ${lost} lost; ${printable(file)}`);
}
