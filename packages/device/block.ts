/**
 * A block device: numbered blocks of one size, read and written whole. Operations may be under way
 * together and complete in any order; only `flush` orders. Not here: partitions, file systems,
 * caches.
 */

import type { Result } from '#core';

export type BlockError =
  /** Some of it lies behind the last block. */
  | { readonly kind: 'out of range'; readonly firstBlock: number; readonly blockCount: number }
  /** Not a whole number of blocks, or none. */
  | { readonly kind: 'partial block'; readonly bytes: number }
  | { readonly kind: 'read only' }
  /** The device failed; `code` is its own. What it was to read or write is in an unknown state. */
  | { readonly kind: 'device'; readonly code: number }
  /** So many operations are under way that it takes no more: again when one of them is done. */
  | { readonly kind: 'busy' }
  /** It was taken away, or broke its own rules: it never works again. State as with 'device'. */
  | { readonly kind: 'gone' };

export interface BlockDevice {
  readonly name: string;
  /** A power of two, at least 512. */
  readonly blockBytes: number;
  /**
   * What the device works in: `blockBytes` times a power of two. Writing whole ones, at multiples
   * of them, is cheapest.
   */
  readonly physicalBlockBytes: number;
  /** At least 1; it never changes. */
  readonly blockCount: number;
  readonly isReadOnly: boolean;
  /** Fills `into` from block `firstBlock` on. `into` is the device's until the promise resolves. */
  read(firstBlock: number, into: Uint8Array): Promise<Result<void, BlockError>>;
  /**
   * Writes `bytes` from block `firstBlock` on; reads see them from then on. `bytes` are borrowed
   * until the promise resolves. A crash before a `flush` may lose any part of them.
   */
  write(firstBlock: number, bytes: Uint8Array): Promise<Result<void, BlockError>>;
  /** Resolves when every write that resolved before this call would survive a loss of power. */
  flush(): Promise<Result<void, BlockError>>;
  /**
   * Tells that what is in these blocks is no longer needed: until they are written again, reading
   * gives zeros, what was there, or anything else. Absent where the device has no use for it.
   */
  discard?(firstBlock: number, blockCount: number): Promise<Result<void, BlockError>>;
  /** What it did so far, where it counts: for `morgana inspect`. */
  counters?(): Readonly<Record<string, number>>;
  /** As a write of zeros, without sending them. Absent where the device can't. */
  writeZeroes?(firstBlock: number, blockCount: number): Promise<Result<void, BlockError>>;
}

/** Why `bytes` from `firstBlock` on can't be read or written, or null: the same for all devices. */
export function checkBlocks(
  device: Pick<BlockDevice, 'blockBytes' | 'blockCount'>,
  firstBlock: number,
  bytes: number,
): BlockError | null {
  const { blockBytes } = device;
  if (bytes === 0 || bytes % blockBytes !== 0) return { kind: 'partial block', bytes };
  return checkBlockRange(device, firstBlock, bytes / blockBytes);
}

/** The same for operations without bytes: `count` blocks, at least one. */
export function checkBlockRange(
  { blockCount }: Pick<BlockDevice, 'blockCount'>,
  firstBlock: number,
  count: number,
): BlockError | null {
  const isWhole = Number.isInteger(firstBlock) && Number.isInteger(count);
  if (isWhole && firstBlock >= 0 && count >= 1 && firstBlock + count <= blockCount) return null;
  return { kind: 'out of range', firstBlock, blockCount };
}

/** One sentence's end, without a dot. */
export function formatBlockError(error: BlockError): string {
  switch (error.kind) {
    case 'out of range':
      return `block ${error.firstBlock} and on lie outside of its ${error.blockCount} blocks`;
    case 'partial block':
      return `${error.bytes} bytes are not a whole number of blocks`;
    case 'read only':
      return 'it is read only';
    case 'device':
      return `the device failed with code ${error.code}`;
    case 'busy':
      return 'it has too much to do';
    case 'gone':
      return 'the device is gone';
  }
}
