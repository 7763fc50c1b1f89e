/** What packs may cost, and what happens past each bound. */

export { TAG_CHAIN_MAX } from '../limits.ts';

/** Entries of a pack that somebody sends; one more is refused unless the caller says otherwise. */
export const PACK_OBJECTS_MAX = 10_000_000;
/** Of such a pack; a longer one is refused. */
export const PACK_BYTES_MAX = 8 * 1024 ** 3;
/** Of one object in it, or one delta; a larger one is refused. */
export const PACK_OBJECT_BYTES_MAX = 512 * 1024 ** 2;
/** Deltas upon deltas: Git makes chains of at most 4,095; a longer one is refused. */
export const DELTA_CHAIN_MAX = 4_095;
/**
 * What all deltas of a pack may make, beside what its bytes allow for each: a bomb of deltas is
 * refused. Git's own history makes 150 bytes of each one.
 */
export const EXPANSION_BYTES_MAX = 1024 ** 3;
export const EXPANSION_FACTOR_MAX = 1_000;
/** Deltas that come before their base are held; with more bytes the pack is refused. */
export const WAITING_BYTES_MAX = 64 * 1024 ** 2;
/** Objects that were just read or made, held because the next deltas are likely on them. */
export const BASE_CACHE_BYTES_MAX = 16 * 1024 ** 2;
/** Objects that are written to a backend at once. */
export const BATCH_BYTES_MAX = 1024 ** 2;
export const BATCH_OBJECTS_MAX = 512;
/** Trees of the other side that are looked into; further ones aren't, and more is sent. */
export const EDGES_MAX = 16;
/** Trees that were walked, beside which the next ones are; the oldest aren't beside any more. */
export const WALKED_BYTES_MAX = 8 * 1024 ** 2;
/** Objects with fewer bytes aren't made deltas of, nor with more: as Git, and as memory allows. */
export const DELTA_OBJECT_BYTES_MIN = 50;
export const DELTA_OBJECT_BYTES_MAX = 16 * 1024 ** 2;
/** Of the objects that are compared at a time, and their indexes; the oldest leave earlier then. */
export const WINDOW_BYTES_MAX = 64 * 1024 ** 2;
/** Deltas that were found are held until they are written; past it they are made again. */
export const FOUND_BYTES_MAX = 64 * 1024 ** 2;
/** Objects of one pack aren't compared with each other again from this size on. */
export const COMPARED_BYTES_MIN = 65_536;
/**
 * What a deflated entry may have more than what it inflates to, and one part of that in so many:
 * deflate itself needs 5 bytes for each 16 KiB, and 11. A longer one isn't kept as it came.
 */
export const ENTRY_EXCESS_BYTES = 64;
export const ENTRY_EXCESS_PART = 1_024;
