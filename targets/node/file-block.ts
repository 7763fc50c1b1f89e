/**
 * A file of the host as a disk. Whoever starts the process sees to it that nobody else writes the
 * file (tools/cli/disks.ts). Required reading: packages/device/block.ts. Not here: block devices of
 * the host, whose size Node doesn't tell.
 */

import { closeSync, fdatasync, fstatSync, openSync, read, write } from 'node:fs';
import { err, ok, type Result } from '#core';
import { type BlockDevice, type BlockError, checkBlocks } from '#device';
import type { NodeLoop } from './loop.ts';

/** What the CLI attached. */
export interface AttachedDisk {
  readonly name: string;
  readonly file: string;
  readonly readOnly: boolean;
}

const BLOCK_BYTES = 512;
/** The host's page cache works in pages. */
const PAGE_BYTES = 4_096;
/** Operations under way; one more is 'busy'. */
export const FILE_BLOCK_OPERATIONS_MAX = 1_024;

type Outcome = Result<void, BlockError>;
type Transfer = (
  at: number,
  done: (error: NodeJS.ErrnoException | null, bytes: number) => void,
) => void;

export class FileBlock implements BlockDevice {
  readonly name: string;
  readonly blockBytes = BLOCK_BYTES;
  readonly physicalBlockBytes = PAGE_BYTES;
  readonly blockCount: number;
  readonly isReadOnly: boolean;
  private readonly loop: Pick<NodeLoop, 'turn'>;
  private readonly fd: number;
  private underWay = 0;

  private constructor(loop: Pick<NodeLoop, 'turn'>, disk: AttachedDisk, fd: number, bytes: number) {
    this.loop = loop;
    this.name = disk.name;
    this.isReadOnly = disk.readOnly;
    this.blockCount = bytes / BLOCK_BYTES;
    this.fd = fd;
  }

  /** The disk, open until the process ends; or one sentence's end that says why not. */
  static open(loop: Pick<NodeLoop, 'turn'>, disk: AttachedDisk): Result<FileBlock, string> {
    let fd: number;
    try {
      fd = openSync(disk.file, disk.readOnly ? 'r' : 'r+');
    } catch (error) {
      return err((error as Error).message);
    }
    const stats = fstatSync(fd);
    const isSized = stats.size > 0 && stats.size % BLOCK_BYTES === 0;
    if (stats.isFile() && isSized) return ok(new FileBlock(loop, disk, fd, stats.size));
    closeSync(fd);
    const why = stats.isFile() ? `its size is not a multiple of ${BLOCK_BYTES}` : 'it is no file';
    return err(`${disk.file}: ${why}`);
  }

  read(firstBlock: number, into: Uint8Array): Promise<Outcome> {
    const first = firstBlock * BLOCK_BYTES;
    return this.transfer(firstBlock, into, (at, done) =>
      read(this.fd, into, at, into.length - at, first + at, done),
    );
  }

  write(firstBlock: number, bytes: Uint8Array): Promise<Outcome> {
    if (this.isReadOnly) return Promise.resolve(err({ kind: 'read only' }));
    const first = firstBlock * BLOCK_BYTES;
    return this.transfer(firstBlock, bytes, (at, done) =>
      write(this.fd, bytes, at, bytes.length - at, first + at, done),
    );
  }

  flush(): Promise<Outcome> {
    if (this.isReadOnly) return Promise.resolve(ok(undefined));
    return this.begin((end) => fdatasync(this.fd, (error) => end(outcomeOf(error))));
  }

  /** Calls `transfer` until all of `bytes` went, which may take several calls. */
  private transfer(firstBlock: number, bytes: Uint8Array, transfer: Transfer): Promise<Outcome> {
    const wrong = checkBlocks(this, firstBlock, bytes.length);
    if (wrong !== null) return Promise.resolve(err(wrong));
    return this.begin((end) => {
      const next = (at: number): void =>
        transfer(at, (error, count) => {
          if (error !== null) end(outcomeOf(error));
          // Cut short behind our back.
          else if (count === 0) end(err({ kind: 'gone' }));
          else if (at + count < bytes.length) next(at + count);
          else end(ok(undefined));
        });
      next(0);
    });
  }

  private begin(work: (end: (outcome: Outcome) => void) => void): Promise<Outcome> {
    if (this.underWay === FILE_BLOCK_OPERATIONS_MAX) return Promise.resolve(err({ kind: 'busy' }));
    this.underWay++;
    return new Promise((resolve) => {
      work((outcome) => {
        this.underWay--;
        this.loop.turn(() => resolve(outcome));
      });
    });
  }
}

/** Node has the system's error number, negative. */
const outcomeOf = (error: NodeJS.ErrnoException | null): Outcome =>
  error === null ? ok(undefined) : err({ kind: 'device', code: -(error.errno ?? 0) });
