/** Compression as Git's files have it. Read first: packages/device/zlib.ts. */

export { InflateStream, inflate } from './inflate.ts';
export { portableZlib } from './portable.ts';
export { withSmall } from './small.ts';
