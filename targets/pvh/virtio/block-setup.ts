/**
 * What a block device and its driver agree on before the first request, virtio 1.2 §5.2.3 to
 * §5.2.5. Not here: requests (block.ts).
 */

import { err, ok, type Result, readU32le } from '#core';
import type { VirtioFault } from './fault.ts';
import type { VirtioDevice } from './transport.ts';

/** Feature bits, §5.2.3. */
export const BLOCK_FEATURE = {
  sizeMax: 1 << 1,
  segmentsMax: 1 << 2,
  readOnly: 1 << 5,
  blockSize: 1 << 6,
  flush: 1 << 9,
  topology: 1 << 10,
  discard: 1 << 13,
  writeZeroes: 1 << 14,
} as const;

/** What requests count in, whatever the size of a block: §5.2.6. */
export const SECTOR_BYTES = 512;
/** Linux takes none above a page; a request of ours must have room for one. */
export const BLOCK_BYTES_MAX = 65_536;
const PHYSICAL_EXPONENT_MAX = 15;

/** struct virtio_blk_config, §5.2.4. */
const at = {
  capacityLow: 0,
  capacityHigh: 4,
  sizeMax: 8,
  segmentsMax: 12,
  blockSize: 20,
  physicalExponent: 24,
  discardSectorsMax: 36,
  discardSegmentsMax: 40,
  zeroesSectorsMax: 48,
  zeroesSegmentsMax: 52,
} as const;
const CONFIG_BYTES = 60;
/** A device without the later features may end its configuration before their fields. */
const CONFIG_BYTES_MIN = 24;

export interface BlockGeometry {
  readonly blockBytes: number;
  readonly physicalBlockBytes: number;
  readonly blockCount: number;
  readonly isReadOnly: boolean;
  /** Bytes of one descriptor at most, and descriptors with data of one request. */
  readonly segmentBytesMax: number;
  readonly segmentsMax: number;
  /** Sectors of one request at most; 0: the device can't. */
  readonly discardSectorsMax: number;
  readonly zeroesSectorsMax: number;
}

/** Everything that we know is taken, but what may only be asked of a disk that can be written. */
export function chooseBlockFeatures(offered: number): number {
  const known = Object.values(BLOCK_FEATURE).reduce((sum, bit) => sum | bit, 0);
  const writing = BLOCK_FEATURE.flush | BLOCK_FEATURE.discard | BLOCK_FEATURE.writeZeroes;
  return (offered & BLOCK_FEATURE.readOnly) === 0 ? known : known & ~writing;
}

/** The device is stopped when its configuration makes no sense. */
export function readBlockGeometry(device: VirtioDevice): Result<BlockGeometry, VirtioFault> {
  const bad = (what: string, value: number) => err(device.stop({ kind: 'malformed', what, value }));
  const has = (bit: number): boolean => (device.features & bit) !== 0;
  const isLong = has(BLOCK_FEATURE.discard | BLOCK_FEATURE.writeZeroes | BLOCK_FEATURE.topology);
  const read = device.readConfigBytes(isLong ? CONFIG_BYTES : CONFIG_BYTES_MIN);
  if (!read.ok) return read;
  const config = read.value;
  const field = (bit: number, offset: number, absent: number): number =>
    has(bit) ? readU32le(config, offset) : absent;

  const blockBytes = field(BLOCK_FEATURE.blockSize, at.blockSize, SECTOR_BYTES);
  const isPower = (blockBytes & (blockBytes - 1)) === 0;
  if (!isPower || blockBytes < SECTOR_BYTES || blockBytes > BLOCK_BYTES_MAX) {
    return bad('block size', blockBytes);
  }
  const exponent = has(BLOCK_FEATURE.topology) ? config[at.physicalExponent]! : 0;
  if (exponent > PHYSICAL_EXPONENT_MAX) return bad('physical block size', exponent);
  const capacity = readU32le(config, at.capacityHigh) * 2 ** 32 + readU32le(config, 0);
  const blockCount = Math.floor(capacity / (blockBytes / SECTOR_BYTES));
  if (blockCount < 1 || capacity > Number.MAX_SAFE_INTEGER / SECTOR_BYTES) {
    return bad('capacity', capacity);
  }
  const segmentBytesMax = field(BLOCK_FEATURE.sizeMax, at.sizeMax, 2 ** 32 - 1);
  // Without the feature there is no more than one.
  const segmentsMax = field(BLOCK_FEATURE.segmentsMax, at.segmentsMax, 1);
  if (segmentBytesMax === 0) return bad('segment size', segmentBytesMax);
  if (segmentsMax === 0) return bad('number of segments', segmentsMax);
  return ok({
    blockBytes,
    physicalBlockBytes: blockBytes * 2 ** exponent,
    blockCount,
    isReadOnly: has(BLOCK_FEATURE.readOnly),
    segmentBytesMax,
    segmentsMax,
    discardSectorsMax: sectorsMax(config, has(BLOCK_FEATURE.discard), at.discardSectorsMax),
    zeroesSectorsMax: sectorsMax(config, has(BLOCK_FEATURE.writeZeroes), at.zeroesSectorsMax),
  });
}

/** Of an operation on ranges: its fields are sectors and ranges of one request at most. */
function sectorsMax(config: Uint8Array, isOffered: boolean, offset: number): number {
  return isOffered && readU32le(config, offset + 4) > 0 ? readU32le(config, offset) : 0;
}
