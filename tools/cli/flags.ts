/**
 * The command line: a table of flags per verb, read by one pure parser. `--key=value`; repeats (of
 * flags that don't say so) and unknowns are refused. Not here: what the verbs do, and the help
 * texts (help.ts).
 */

import { err, ok, type Result } from '#core';
import { DISK_EXPECTED, type DiskWish, parseDisk } from './disks.ts';

export interface Flag<T> {
  /** The value that `text` means, or null; `text` is null for a flag without '='. */
  read(text: string | null): T | null;
  readonly expected: string;
  readonly absent: T;
  /** Combines the values of a flag that may be given again; null: not with this value. */
  join?(before: T, next: T): T | null;
}

export type FlagTable = { readonly [name: string]: Flag<unknown> };
export type FlagValues<S extends FlagTable> = {
  readonly [N in keyof S]: S[N] extends Flag<infer T> ? T : never;
};

export interface CommandLine<S extends FlagTable> {
  readonly flags: FlagValues<S>;
  /** Words that aren't flags. */
  readonly words: readonly string[];
  /** What stands after '--'; null when there is no '--'. */
  readonly rest: readonly string[] | null;
}

export const switchFlag: Flag<boolean> = {
  read: (text) => (text === null ? true : null),
  expected: 'no value',
  absent: false,
};

export const textFlag: Flag<string | null> = {
  read: (text) => (text === null || text === '' ? null : text),
  expected: 'a value',
  absent: null,
};

export const choiceFlag = <const T extends string>(choices: readonly T[], absent: T): Flag<T> => ({
  read: (text) => choices.find((choice) => choice === text) ?? null,
  expected: choices.join(' or '),
  absent,
});

export const integerFlag = (min: number, max: number, absent: number): Flag<number> => ({
  read: (text) => readInteger(text, min, max),
  expected: `an integer, ${min} to ${max}`,
  absent,
});

export const secondsFlag: Flag<number | null> = {
  read: (text) => readInteger(text, 1, 600),
  expected: 'seconds, 1 to 600',
  absent: null,
};

/** A number with or without a fraction; `absent` is 0. */
export const decimalFlag = (max: number, what: string): Flag<number> => ({
  read(text) {
    if (text === null || !/^\d{1,9}(\.\d{1,6})?$/.test(text)) return null;
    return Number(text) <= max ? Number(text) : null;
  },
  expected: `${what}, 0 to ${max}`,
  absent: 0,
});

/** How many there should be; all when it isn't given. */
export const countFlag = (max: number): Flag<number | null> => ({
  read: (text) => readInteger(text, 0, max),
  expected: `an integer, 0 to ${max}`,
  absent: null,
});

/** A port of the host that is forwarded to one of the image. */
export interface Publish {
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly guestPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/** As --publish takes it, with nothing left out. */
export const formatPublish = ({ hostAddress, hostPort, guestPort, protocol }: Publish): string =>
  `${hostAddress}:${hostPort}:${guestPort}/${protocol}`;

export const publishFlag: Flag<readonly Publish[]> = {
  read: (text) => readPublish(text ?? ''),
  expected: '[ADDRESS:]HOST:IMAGE[/udp], as 8080:80',
  absent: [],
  join: (before, next) => [...before, ...next],
};

/** A port of this machine that leads to one of a unikernel on a network. */
export interface PublishTo extends Publish {
  /** An address, or a name on the network. */
  readonly guest: string;
}

export const publishToFlag: Flag<readonly PublishTo[]> = {
  read(text) {
    const found = /^(.*):([a-z0-9][a-z0-9.-]*)(:\d+(?:\/\w+)?)$/.exec(text ?? '');
    const ports = found === null ? null : readPublish(`${found[1]}${found[3]}`);
    return ports?.map((port) => ({ ...port, guest: found![2]! })) ?? null;
  },
  expected: '[ADDRESS:]HOST:NAME:PORT[/udp], as 8080:web:80',
  absent: [],
  join: (before, next) => [...before, ...next],
};

/** An address that a network's station always gets. */
export const leaseFlag: Flag<readonly { readonly mac: string; readonly address: string }[]> = {
  read(text) {
    const station = /^([0-9a-f][02468ace](?::[0-9a-f]{2}){5})=(\d{1,3}(?:\.\d{1,3}){3})$/;
    const found = station.exec(text ?? '');
    return found === null ? null : [{ mac: found[1]!, address: found[2]! }];
  },
  expected: 'MAC=ADDRESS, as 02:00:00:00:00:01=10.77.0.9',
  absent: [],
  join: (before, next) => [...before, ...next],
};

/** A flag whose every occurrence is one word of a shape. */
const wordsFlag = (shape: RegExp, expected: string): Flag<readonly string[]> => ({
  read: (text) => (text !== null && shape.test(text) ? [text] : null),
  expected,
  absent: [],
  join: (before, next) => [...before, ...next],
});

/** Ethernet for a process: base/plat/process/links.c reads it. */
export const linkFlag = wordsFlag(
  /^(tap|unix|unix-listen):./s,
  'tap:NAME, unix:PATH or unix-listen:PATH',
);

/** A network by name, an interface each: runtime-directory.ts. */
export const networkFlag: Flag<readonly string[]> = {
  ...wordsFlag(/^[a-z0-9][a-z0-9-]{0,62}$/, "up to 63 of a-z, 0-9 and '-'"),
  // Twice on one network would be two interfaces with one address.
  join: (before, next) => (before.includes(next[0]!) ? null : [...before, ...next]),
};

/** Files as block devices: disks.ts. */
export const diskFlag: Flag<readonly DiskWish[]> = {
  read(text) {
    const disk = parseDisk(text ?? '');
    return disk === null ? null : [disk];
  },
  expected: DISK_EXPECTED,
  absent: [],
  join: (before, [next]) =>
    before.some(({ name }) => name === next!.name) ? null : [...before, next!],
};

function readPublish(text: string): Publish[] | null {
  const found = /^(?:(\d{1,3}(?:\.\d{1,3}){3}):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
  if (found === null) return null;
  const hostPort = readInteger(found[2]!, 1, 65_535);
  const guestPort = readInteger(found[3]!, 1, 65_535);
  if (hostPort === null || guestPort === null) return null;
  const protocol = found[4] === 'udp' ? 'udp' : 'tcp';
  return [{ hostAddress: found[1] ?? '127.0.0.1', hostPort, guestPort, protocol }];
}

function readInteger(text: string | null, min: number, max: number): number | null {
  if (text === null || !/^\d{1,9}$/.test(text)) return null;
  const value = Number(text);
  return value >= min && value <= max ? value : null;
}

/** Reads `argv` (after the verb) by `table`, with at most `wordsMax` words; else one sentence. */
export function parseCommandLine<const S extends FlagTable>(
  argv: readonly string[],
  table: S,
  wordsMax: number,
): Result<CommandLine<S>, string> {
  const end = argv.indexOf('--');
  const rest = end < 0 ? null : argv.slice(end + 1);
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(table)) values[name] = flag.absent;
  const seen = new Set<string>();
  const words: string[] = [];
  for (const word of end < 0 ? argv : argv.slice(0, end)) {
    if (!word.startsWith('-')) {
      if (words.length === wordsMax) return err(`unexpected '${word}'`);
      words.push(word);
      continue;
    }
    const wrong = readFlag(word, table, values, seen);
    if (wrong !== null) return err(wrong);
  }
  return ok({ flags: values as FlagValues<S>, words, rest });
}

/** Puts one flag's value into `values`; one sentence when it can't. */
function readFlag(
  word: string,
  table: FlagTable,
  values: Record<string, unknown>,
  seen: Set<string>,
): string | null {
  const found = /^--([a-z-]+)(?:=(.*))?$/s.exec(word);
  const name = found?.[1] ?? '';
  const flag = Object.hasOwn(table, name) ? table[name] : undefined;
  if (flag === undefined) return `unknown flag '${word}'`;
  if (seen.has(name) && flag.join === undefined) return `--${name} is given twice`;
  const value = flag.read(found?.[2] ?? null);
  if (value === null) return `'${word}': expected --${name} with ${flag.expected}`;
  const joined = seen.has(name) && flag.join ? flag.join(values[name], value) : value;
  if (joined === null) return `'${word}' is given twice`;
  values[name] = joined;
  seen.add(name);
  return null;
}
