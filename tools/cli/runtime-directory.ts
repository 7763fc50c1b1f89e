/**
 * What runs on this machine, as files: `networks/NAME/` of each network's switch,
 * `unikernels/NAME/` of each unikernel and `projects/NAME/` of `morgana compose`, below one
 * directory that only its owner may use. What a
 * process that has died left behind is recognised by its number and start time, and removed by
 * whoever meets it.
 *
 * $MORGANA_RUNTIME_DIR names the directory; else $XDG_RUNTIME_DIR/morgana; else /tmp/morgana-UID,
 * which is refused when it is somebody else's.
 */

import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { Failure, usageFailure } from './failure.ts';

/** sockaddr_un has room for 108, of which the last is 0. */
export const SOCKET_PATH_BYTES_MAX = 107;
/** How many unikernels of one name get numbers behind it. */
export const NAME_NUMBERS_MAX = 1_000;
const NAME_CHARACTERS_MAX = 63;
const PRIVATE_MODE = 0o700;
const OTHERS_MASK = 0o077;

/** A label of a host's name, so that the same name works in the DNS of a network. */
export const isRuntimeName = (text: string): boolean => /^[a-z0-9][a-z0-9-]{0,62}$/.test(text);

/** What the DNS of every network calls somebody else. */
const RESERVED = ['gateway', 'host', 'localhost'];

/** Of a unikernel, which may be on a network. */
export const isUnikernelName = (text: string): boolean =>
  isRuntimeName(text) && !RESERVED.includes(text);

/**
 * The nearest name of a unikernel to what an application is called: "My app" is "my-app", "gateway"
 * "gateway-app".
 */
export function runtimeNameOf(text: string): string {
  const words = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '');
  const name = words.slice(0, NAME_CHARACTERS_MAX).replace(/-+$/, '') || 'unikernel';
  return RESERVED.includes(name) ? `${name}-app` : name;
}

/** The directory, made on demand, and ours alone. */
export function runtimeDirectory(): string {
  const { MORGANA_RUNTIME_DIR: own, XDG_RUNTIME_DIR: session } = process.env;
  const directory = path.resolve(
    own || (session ? path.join(session, 'morgana') : `/tmp/morgana-${process.getuid?.() ?? 0}`),
  );
  makePrivate(directory);
  return directory;
}

function makePrivate(directory: string): void {
  const mend = 'set MORGANA_RUNTIME_DIR to a directory of your own (mode 0700)';
  try {
    mkdirSync(directory, { recursive: true, mode: PRIVATE_MODE });
  } catch (error) {
    const what = `can't make the run-time directory ${directory} (${(error as Error).message})`;
    throw new Failure({ what, mend });
  }
  // Not followed: a link that somebody else put there would lead to a directory of ours.
  const found = lstatSync(directory);
  const isOurs = process.getuid === undefined || found.uid === process.getuid();
  if (found.isDirectory() && isOurs && (found.mode & OTHERS_MASK) === 0) return;
  const why = !found.isDirectory()
    ? 'is no directory'
    : isOurs
      ? 'may be used by others'
      : "is somebody else's";
  throw new Failure({ what: `the run-time directory ${directory} ${why}`, mend });
}

/** `file`, when a socket can be bound or connected there. */
export function socketPath(file: string): string {
  const bytes = Buffer.byteLength(file);
  if (bytes <= SOCKET_PATH_BYTES_MAX) return file;
  throw new Failure({
    what: `the path of a socket, ${file}, has ${bytes} bytes, and ${SOCKET_PATH_BYTES_MAX} are the most`,
    mend: 'take a shorter name, or set MORGANA_RUNTIME_DIR to a shorter path',
  });
}

function checkName(kind: string, name: string): void {
  if (isRuntimeName(name)) return;
  const mend = `take up to ${NAME_CHARACTERS_MAX} of a-z, 0-9 and '-', which can't be the first`;
  throw usageFailure(`'${name}' is no name of a ${kind}`, mend);
}

function checkUnikernelName(name: string): void {
  checkName('unikernel', name);
  if (isUnikernelName(name)) return;
  const what = `'${name}' is what every network calls another than a unikernel`;
  throw usageFailure(what, 'take another --name');
}

export interface NetworkPlaces {
  readonly name: string;
  readonly directory: string;
  /** Where ports are plugged in: QEMU's stream framing. */
  readonly switchSocket: string;
  readonly controlSocket: string;
  /** Held by the network's daemon as long as it lives. */
  readonly lock: string;
  readonly log: string;
}

/** Where the network `name` is, if there is one. */
export function networkPlaces(name: string): NetworkPlaces {
  checkName('network', name);
  const directory = path.join(runtimeDirectory(), 'networks', name);
  return {
    name,
    directory,
    switchSocket: socketPath(path.join(directory, 'switch.sock')),
    controlSocket: socketPath(path.join(directory, 'control.sock')),
    lock: path.join(directory, 'lock'),
    log: path.join(directory, 'log'),
  };
}

/** The same for who starts it: its directory is there. */
export function makeNetworkPlaces(name: string): NetworkPlaces {
  const places = networkPlaces(name);
  mkdirSync(places.directory, { recursive: true, mode: PRIVATE_MODE });
  return places;
}

/** Names of networks that have a directory, whether or not they run. */
export const networkNames = (): readonly string[] => namesIn('networks');

/** What `unikernels/NAME/info.json` says. */
export interface UnikernelInfo {
  readonly name: string;
  /** The application's own name, and where it or its image is. */
  readonly app: string;
  readonly source: string;
  readonly target: string;
  /** The network it joined, by name. */
  readonly network: string | null;
  /** What is published of it, as "127.0.0.1:8080:80/tcp". */
  readonly ports: readonly string[];
  /** The process that holds the name: `morgana run`, not the machine under it. */
  readonly pid: number;
  /** When that process started, as the kernel counts: another process may get its number. */
  readonly pidStart: string;
  /** Milliseconds since 1970. */
  readonly startedMillis: number;
}

export type UnikernelAbout = Pick<UnikernelInfo, 'app' | 'source' | 'target' | 'network' | 'ports'>;

export interface UnikernelPlaces {
  readonly info: UnikernelInfo;
  readonly directory: string;
  readonly controlSocket: string;
}

/** A name that this process holds until it lets it go, or ends. */
export interface ClaimedUnikernel extends UnikernelPlaces {
  release(): void;
}

/**
 * Takes a name for a unikernel that this process runs: `wish`, which must be free; or, when it is
 * null, `base` or the first of base-2, base-3, ... that is.
 */
export function claimUnikernel(
  wish: string | null,
  base: string,
  about: UnikernelAbout,
): ClaimedUnikernel {
  if (wish !== null) checkUnikernelName(wish);
  for (let number = 1; number <= NAME_NUMBERS_MAX; number++) {
    const name = wish ?? numbered(base, number);
    const claimed = tryClaim(name, about);
    if (claimed !== null) return claimed;
    if (wish !== null) {
      throw new Failure({ what: `a unikernel '${wish}' is running`, mend: 'take another --name' });
    }
  }
  throw new Failure({ what: `all names from ${base} to ${base}-${NAME_NUMBERS_MAX} are taken` });
}

function numbered(base: string, number: number): string {
  if (number === 1) return base;
  const suffix = `-${number}`;
  return base.slice(0, NAME_CHARACTERS_MAX - suffix.length) + suffix;
}

function tryClaim(name: string, about: UnikernelAbout): ClaimedUnikernel | null {
  const home = path.join(runtimeDirectory(), 'unikernels');
  const controlSocket = socketPath(path.join(home, name, 'control.sock'));
  const info: UnikernelInfo = { name, ...about, ...thisProcess(), startedMillis: Date.now() };
  const directory = putInPlace(home, name, info);
  if (directory === null) return null;
  const release = (): void => rmSync(directory, { recursive: true, force: true });
  return { info, directory, controlSocket, release };
}

/** Of every info.json: the process that holds the name. */
export interface Holder {
  readonly pid: number;
  readonly pidStart: string;
}

export const thisProcess = (): Holder => ({
  pid: process.pid,
  pidStart: startOf(process.pid) ?? '',
});

/**
 * Makes the directory `home`/`name` with `info` in its info.json; null when it is there and its
 * holder lives.
 */
export function putInPlace(home: string, name: string, info: Holder): string | null {
  const directory = path.join(home, name);
  mkdirSync(home, { recursive: true, mode: PRIVATE_MODE });
  // Made whole elsewhere and put in place in one step, which fails when somebody was faster.
  const made = mkdtempSync(path.join(home, '.new-'));
  writeFileSync(path.join(made, 'info.json'), `${JSON.stringify(info, null, 2)}\n`);
  for (let tries = 0; tries < 2; tries++) {
    try {
      renameSync(made, directory);
      return directory;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
      if (tries > 0 || !removeStale(directory)) break;
    }
  }
  rmSync(made, { recursive: true });
  return null;
}

/**
 * Takes away what a dead process left. It is moved before it is looked at again: another may have
 * done the same and put its own there meanwhile, which then goes back.
 */
export function removeStale(directory: string): boolean {
  if (isHeld(directory)) return false;
  const grave = mkdtempSync(path.join(path.dirname(directory), '.old-'));
  try {
    renameSync(directory, grave);
  } catch {
    rmSync(grave, { recursive: true, force: true });
    return true; // It is gone already.
  }
  if (isHeld(grave)) {
    renameSync(grave, directory);
    return false;
  }
  rmSync(grave, { recursive: true, force: true });
  return true;
}

const isHeld = (directory: string): boolean => {
  const info = readInfo(directory);
  return info !== null && isRunning(info.pid, info.pidStart);
};

export function readInfo<I extends Holder = UnikernelInfo>(directory: string): I | null {
  try {
    const info = JSON.parse(readFileSync(path.join(directory, 'info.json'), 'utf8'));
    return Number.isInteger(info?.pid) && typeof info.pidStart === 'string' ? info : null;
  } catch {
    return null;
  }
}

/** The unikernels that run, by name. What dead ones left is removed. */
export function runningUnikernels(): readonly UnikernelPlaces[] {
  return namesIn('unikernels').flatMap((name) => findUnikernel(name) ?? []);
}

/** Null when none of that name runs. */
export function findUnikernel(name: string): UnikernelPlaces | null {
  checkName('unikernel', name);
  const directory = path.join(runtimeDirectory(), 'unikernels', name);
  const info = readInfo(directory);
  if (info === null) return null;
  if (!isRunning(info.pid, info.pidStart)) {
    removeStale(directory);
    return null;
  }
  return { info, directory, controlSocket: path.join(directory, 'control.sock') };
}

export function namesIn(kind: 'networks' | 'unikernels' | 'projects'): readonly string[] {
  try {
    return readdirSync(path.join(runtimeDirectory(), kind)).filter(isRuntimeName).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Whether the process is still the one that started at `start`, when that is known. */
export function isRunning(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // It exists and is somebody else's: then it isn't the one that could write here.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = startOf(pid);
  return now === null || start === '' || now === start;
}

/** In ticks since boot: the 22nd word of proc(5)'s stat. Null where there is no such file. */
export function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second word is a name in brackets, which may have anything in it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
