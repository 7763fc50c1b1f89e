/**
 * Disks of a unikernel, `--disk=NAME=FILE[,size=64M][,readonly]`: files of this machine, made when
 * they don't exist and a size is given, and held so that two that run never write one. Not here:
 * who opens them (qemu.ts, linux-process.ts, node-process.ts).
 */

import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, ftruncateSync, openSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';
import { DISK_NAME, formatDiskBytes } from '../../packages/morgana/disk.ts';
import type { DescribedDisk, Description } from './description.ts';
import { Failure, usageFailure } from './failure.ts';
import { shown } from './places.ts';

/** What --disk says. */
export interface DiskWish {
  readonly name: string;
  readonly file: string;
  /** Of the file, which is made with it; null: it exists. */
  readonly bytes: number | null;
  readonly readOnly: boolean;
}

/** What the machine gets. */
export type MachineDisk = Omit<DiskWish, 'bytes'>;

export const DISK_EXPECTED = 'NAME=FILE[,size=64M][,readonly]';
const SECTOR_BYTES = 512;
/** Of a new file: what every file system works in. */
const PAGE_BYTES = 4_096;
/** More than any file system gives, and far below 2^53. */
const DISK_BYTES_MAX = 2 ** 44;
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

/** Null when `text` is no disk. */
export function parseDisk(text: string): DiskWish | null {
  const found = /^([^=]+)=(.+?)(?:,size=(\d{1,13})([KMGT]?))?(,readonly)?$/s.exec(text);
  if (found === null) return null;
  const [, name = '', file = '', size, unit = '', readonly] = found;
  const bytes = size === undefined ? null : Number(size) * UNITS[unit]!;
  const isSize = bytes === null || (bytes > 0 && bytes <= DISK_BYTES_MAX);
  if (!DISK_NAME.test(name) || !isSize) return null;
  // A disk made here and now, and then only read, has nothing to be read.
  if (bytes !== null && (bytes % PAGE_BYTES !== 0 || readonly !== undefined)) return null;
  return { name, file, bytes, readOnly: readonly !== undefined };
}

/** Relative files as they are from `home`. */
export const diskFrom = (wish: DiskWish, home: string): DiskWish => ({
  ...wish,
  file: path.resolve(home, wish.file),
});

/** What an application says about its disks, as far as it is known. */
export type DiskProgram = Pick<Description, 'name' | 'args'> & {
  readonly capabilities: Pick<Description['capabilities'], 'disks'>;
};

/**
 * Checks the wishes against what the program declares (null: nobody knows), makes the files that
 * are missing, and sees whether another holds one. Throws a Failure, before anything is made where
 * that can be known.
 */
export function attachDisks(
  wishes: readonly DiskWish[],
  program: DiskProgram | null,
  bootArguments: readonly string[],
): MachineDisk[] {
  const declared = program?.capabilities.disks ?? [];
  if (program !== null) checkDeclared(wishes, program, bootArguments);
  return wishes.map((wish) => {
    const disk = declared.find(({ name }) => name === wish.name);
    const file = path.resolve(wish.file);
    const bytes = sizeOf({ ...wish, file });
    if (bytes !== null && disk !== undefined && bytes < disk.bytesMin) {
      const needs = `${program!.name} needs ${formatDiskBytes(disk.bytesMin)} at least`;
      throw new Failure({
        what: `disk '${wish.name}' has ${formatDiskBytes(bytes)}, and ${needs}`,
        mend: 'name a larger file',
      });
    }
    const readOnly = wish.readOnly || disk?.readOnly === true;
    const attached = { name: wish.name, file, readOnly };
    if (!existsSync(file)) makeFile(file, wish.bytes!);
    checkFree(attached);
    return attached;
  });
}

function checkDeclared(
  wishes: readonly DiskWish[],
  program: DiskProgram,
  bootArguments: readonly string[],
): void {
  const { name, capabilities } = program;
  for (const disk of capabilities.disks) {
    if (disk.optional === true || wishes.some((wish) => wish.name === disk.name)) continue;
    throw usageFailure(
      `${name} needs the disk '${disk.name}', and it is not attached`,
      `give it --disk=${disk.name}=FILE${disk.readOnly ? '' : `,size=${sizeFor(disk)}`}`,
    );
  }
  const known = [
    ...capabilities.disks.map((disk) => disk.name),
    ...fromArguments(program, bootArguments),
  ];
  for (const wish of wishes) {
    if (known.includes(wish.name)) continue;
    throw usageFailure(
      `${name} declares no disk '${wish.name}'${known.length > 0 ? ` but ${known.join(', ')}` : ''}`,
      `leave it out, or declare it in morgana.config.ts: ${wish.name}: disk()`,
    );
  }
}

/** An example for a person. */
const sizeFor = ({ bytesMin }: DescribedDisk): string =>
  bytesMin <= UNITS.M! * 64 ? '64M' : `${Math.ceil(bytesMin / UNITS.M!)}M`;

/** Names of disks that boot-time arguments give, as --tls-disk does. */
function fromArguments({ args }: DiskProgram, bootArguments: readonly string[]): string[] {
  const names = Object.keys(args).filter((name) => name.endsWith('-disk'));
  return names.map((name) => {
    const prefix = `--${name}=`;
    const given = bootArguments.findLast((word) => word.startsWith(prefix));
    return given?.slice(prefix.length) ?? String(args[name]!.default);
  });
}

/** Bytes that the disk has or will have; null: a block device, which tells by itself. */
function sizeOf({ name, file, bytes }: DiskWish): number | null {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) {
    if (bytes !== null) return bytes;
    throw new Failure({
      what: `disk '${name}': there is no ${shown(file)}`,
      mend: `name a file that is, or have it made: --disk=${name}=${shown(file)},size=64M`,
    });
  }
  if (stats.isBlockDevice()) return null;
  checkFile(name, file, stats);
  if (bytes === null || bytes === stats.size) return stats.size;
  const sizes = `${formatDiskBytes(stats.size)}, not ${formatDiskBytes(bytes)}`;
  throw new Failure({
    what: `disk '${name}': ${shown(file)} has ${sizes}`,
    mend: 'leave size out, or name another file',
  });
}

function checkFile(name: string, file: string, stats: Stats): void {
  const fail = (what: string, mend: string): never => {
    throw new Failure({ what: `disk '${name}': ${shown(file)} ${what}`, mend });
  };
  if (!stats.isFile()) fail('is neither a file nor a block device', 'name one that is');
  if (stats.size === 0 || stats.size % SECTOR_BYTES !== 0) {
    fail(`has ${stats.size} bytes, no multiple of ${SECTOR_BYTES}`, 'truncate --size=1M FILE');
  }
}

/** All zeros; takes no room until it is written. */
function makeFile(file: string, bytes: number): void {
  const fd = openSync(file, 'wx');
  ftruncateSync(fd, bytes);
  closeSync(fd);
}

/** Of util-linux; without it (not on Linux) nothing keeps two from one disk. */
const FLOCK = '/usr/bin/flock';
/** What it ends with when another holds the file: no exit code of a program, nor of QEMU. */
const FLOCK_HELD = 200;

const lockWords = ({ file, readOnly }: MachineDisk): string[] => [
  ...['--nonblock', '--conflict-exit-code', String(FLOCK_HELD)],
  ...[readOnly ? '--shared' : '--exclusive', file],
];

/** Refuses a disk that another holds, before something does so less clearly. */
function checkFree(disk: MachineDisk): void {
  if (!existsSync(FLOCK)) return;
  const { status } = spawnSync(FLOCK, [...lockWords(disk), 'true'], { stdio: 'ignore' });
  if (status === FLOCK_HELD) throw heldFailure([disk]);
}

/** One of `disks` is held. */
function heldFailure(disks: readonly MachineDisk[]): Failure {
  const names = disks.map(({ name, file }) => `'${name}' (${shown(file)})`).join(' or ');
  return new Failure({ what: `disk ${names} is used by another`, mend: 'stop it, or take a copy' });
}

/**
 * The command behind what holds its disks for as long as it runs: the same process, so that signals
 * and exit codes are its own. Images of target process hold theirs themselves.
 */
export function holding(
  disks: readonly MachineDisk[],
  [command, args]: readonly [string, readonly string[]],
): [string, string[]] {
  let words = [command, ...args];
  if (existsSync(FLOCK)) {
    for (const disk of disks) words = [FLOCK, '--no-fork', ...lockWords(disk), ...words];
  }
  return [words[0]!, words.slice(1)];
}

/** The exit code of what `holding` ran; throws when it was never started. */
export function heldStatus(disks: readonly MachineDisk[], status: number): number {
  if (disks.length > 0 && status === FLOCK_HELD) throw heldFailure(disks);
  return status;
}
