/** What a store on a block device may cost, and what happens past each bound. */

/** A page of an index, and a superblock when the device's blocks aren't bigger. */
export const PAGE_BYTES = 4_096;
/** Segments of a device: their table fits a superblock. */
export const SEGMENTS_MAX = 512;
/** Fewer and the device is too small: half of them are in use at most. */
export const SEGMENTS_MIN = 16;
export const SEGMENT_BYTES_MIN = 16_384;
/** Sorted runs of the index: they are merged before there are more. */
export const RUNS_MAX = 12;
/** A run is merged with the next older one unless that one is this many times as long. */
export const RUN_GROWTH = 4;
/** Objects since the last checkpoint before the next one: what opening scans, at most twice. */
export const TAIL_OBJECTS_MAX = 2_048;
/** Bytes of the log since the last checkpoint, likewise. */
export const TAIL_BYTES_MAX = 4 * 1_024 * 1_024;
/** Records are gathered in memory up to this, then written (not flushed). */
export const BATCH_BYTES = 256 * 1_024;
/** A bigger object is 'too big'. */
export const OBJECT_BYTES_MAX = 1_024 * 1_024 * 1_024;
/** Bodies of batches up to this are read as a whole when the log is scanned. */
export const SCAN_BYTES = 1_024 * 1_024;
/** Batches behind the log's end that are looked at, to see whether what isn't whole was flushed. */
export const BROKEN_BATCHES_MAX = 16;
/** Of all refs as one record: past it a change that would add to them is refused as 'full'. */
export const REFS_BYTES_MAX = 16 * 1_024 * 1_024;
/** Of the reason of a change of refs; the rest is cut. */
export const REASON_BYTES_MAX = 512;
/** Pages of indexes kept in memory: 256 KiB of them. */
export const INDEX_PAGES_CACHED = 64;
/** Deltas upon deltas; a longer chain is damage. Git makes 50, and reads up to 4,095. */
export const CHAIN_LENGTH_MAX = 4_095;
/** Deltas upon deltas that are written: as Git. What came deeper in a pack is written whole. */
export const DELTA_DEPTH_MAX = 50;
/** Depths of objects that are remembered while packs come; then it is looked again. */
export const DEPTHS_KNOWN_MAX = 8_192;
/** Objects that were read last, since the next one may be a delta upon them; an older one goes. */
export const READER_CACHE_BYTES = 1_024 * 1_024;
/** Objects that were written last stay through a collection, whoever has yet to name them. */
export const RECENT_OBJECTS = 1_024;
/** What is read first of a record, when its length isn't known. */
export const READ_AHEAD_BYTES = 2_048;
/** Problems that a check tells one by one; all of them are counted. */
export const CHECK_PROBLEMS_MAX = 1_000;
