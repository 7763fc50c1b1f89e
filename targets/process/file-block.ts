/**
 * A disk of the process: a file of the host's, or a block device. A call is done when it returns,
 * so promises are resolved at once. Required reading: base.ts, packages/device/block.ts.
 */

import { err, ok, type Result } from '#core';
import { type BlockDevice, type BlockError, checkBlocks } from '#device';
import { DISK_BYTES_MAX, type ProcessBase } from './base.ts';

const BLOCK_BYTES = 512;
const PAGE_BYTES = 4_096;

export class FileBlock implements BlockDevice {
  readonly name: string;
  readonly blockBytes = BLOCK_BYTES;
  /** The host's page cache works in pages. */
  readonly physicalBlockBytes = PAGE_BYTES;
  readonly blockCount: number;
  readonly isReadOnly: boolean;
  private readonly base: ProcessBase;
  private readonly disk: number;

  constructor(base: ProcessBase, disk: number) {
    const { name, bytes, isReadOnly } = base.disks[disk]!;
    this.base = base;
    this.disk = disk;
    this.name = name;
    this.blockCount = bytes / BLOCK_BYTES;
    this.isReadOnly = isReadOnly;
  }

  read(firstBlock: number, into: Uint8Array): Promise<Result<void, BlockError>> {
    return this.inPieces(firstBlock, into, (at, piece) => this.base.diskRead(this.disk, at, piece));
  }

  write(firstBlock: number, bytes: Uint8Array): Promise<Result<void, BlockError>> {
    if (this.isReadOnly) return Promise.resolve(err({ kind: 'read only' }));
    return this.inPieces(firstBlock, bytes, (at, piece) =>
      this.base.diskWrite(this.disk, at, piece),
    );
  }

  flush(): Promise<Result<void, BlockError>> {
    return Promise.resolve(outcome(this.base.diskFlush(this.disk)));
  }

  private inPieces(
    firstBlock: number,
    bytes: Uint8Array,
    transfer: (at: number, piece: Uint8Array) => number,
  ): Promise<Result<void, BlockError>> {
    const wrong = checkBlocks(this, firstBlock, bytes.length);
    if (wrong !== null) return Promise.resolve(err(wrong));
    for (let done = 0; done < bytes.length; done += DISK_BYTES_MAX) {
      const piece = bytes.subarray(done, done + DISK_BYTES_MAX);
      const code = transfer(firstBlock * BLOCK_BYTES + done, piece);
      if (code !== 0) return Promise.resolve(outcome(code));
    }
    return Promise.resolve(outcome(0));
  }
}

const outcome = (code: number): Result<void, BlockError> =>
  code === 0 ? ok(undefined) : err({ kind: 'device', code });
