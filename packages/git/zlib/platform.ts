/**
 * The target's own zlib, for whoever joins a real program. Import it as `#git/zlib/platform`: a
 * build for Node puts targets/node/zlib.ts in this one's place; images and browsers have none of
 * their own, so it is the portable one there. Formats and tests take a Zlib as an argument instead.
 */

export { portableZlib as zlib } from './portable.ts';
