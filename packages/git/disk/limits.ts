/** What a repository's files may cost, and what happens past each bound. */

/** Of a config file; a longer one is refused. */
export const CONFIG_BYTES_MAX = 1_048_576;
/** Of packed-refs, about two million refs; a longer one is refused. */
export const PACKED_REFS_BYTES_MAX = 0x1000_0000;
/** Of the file "shallow", 65,536 commits of SHA-256; a longer one isn't read, nor written. */
export const SHALLOW_FILE_BYTES_MAX = 65_536 * 65;
/** Of a loose ref, HEAD, a gitdir file: a path or a ref's name; a longer one is malformed. */
export const REF_FILE_BYTES_MAX = 4_200;
/** Of info/alternates; a longer one is refused. */
export const ALTERNATES_BYTES_MAX = 65_536;
/** Other repositories that one borrows from, all told; what is named past it isn't looked at. */
export const ALTERNATES_MAX = 100;
/** Of alternates of alternates; as Git, deeper ones aren't looked at. */
export const ALTERNATE_DEPTH_MAX = 5;
/** Symbolic refs that lead to symbolic refs; as Git's, one more is a broken ref. */
export const SYMBOLIC_DEPTH_MAX = 5;
/** Of one line of a reflog that we write; what of a reason is past it is cut. */
export const REFLOG_REASON_BYTES_MAX = 1_024;
/** Of one line of a reflog that we read; longer is malformed. */
export const REFLOG_LINE_BYTES_MAX = 8_192;
/** Levels of directories below refs/ that are looked into. */
export const REF_DIRECTORY_DEPTH_MAX = 64;
/** Of an object that is read; a bigger one is 'too big'. */
export const OBJECT_BYTES_MAX = 0x4000_0000;
/** Objects written, and their bytes, that wait in memory for a ref; with more none wait. */
export const PENDING_OBJECTS_MAX = 1_000;
export const PENDING_BYTES_MAX = 0x0200_0000;
/** How often a lock that another process holds is tried, a few milliseconds apart. */
export const LOCK_TRIES_MAX = 60;
/** How often a reader begins again when the files that it reads are replaced under it. */
export const RESCANS_MAX = 8;
/** Directories of refs that are watched; with more, refs are looked at more often instead. */
export const WATCHED_DIRECTORIES_MAX = 512;
/** Of a pack's index, about 30 million objects; a longer one is refused. */
export const INDEX_BYTES_MAX = 0x4000_0000;
/** Of objects of packs that are kept because deltas upon them are likely read next. */
export const PACK_CACHE_BYTES_MAX = 0x0200_0000;
/** Of packs' bytes as they are stored, that were read last: their entries lie apart. */
export const PACK_BLOCKS_BYTES_MAX = 0x0400_0000;
/** Each of the two of a pack that somebody pushes, until it is taken in. */
export const STAGED_CACHE_BYTES_MAX = 0x0080_0000;
/** So many objects that are written together become a pack; fewer are loose. */
export const PACKED_OBJECTS_MIN = 64;
/** Age of another's lock of `git gc` from which on it is taken for one that died. */
export const GC_LOCK_MILLIS_MAX = 43_200_000;
/** What of reflogs is read for what they keep; longer ones keep what their end names. */
export const REFLOG_BYTES_MAX = 0x0400_0000;
/** A file's time is as coarse as this: what is younger may change again and look the same. */
export const FILE_TIME_MILLIS = 100;
/** Loose refs whose values are remembered; more are forgotten all at once. */
export const REMEMBERED_REFS_MAX = 1_024;
