/**
 * Tables that decode Huffman codes, RFC 1951 §3.2.2: two levels, so that building them costs an
 * interpreter little. The next `root` bits index the first level; a longer code's entry there names
 * its second level. Read first: inflate.ts, which is the only reader of an entry.
 *
 * An entry has the length of its code (in this level) in bits 0..3. A literal is negative, with its
 * byte in bits 4..11. Else bits 4..7 are the extra bits behind a base, which is in bits 16..30, or
 * it has one of the three flags.
 */

/** Bits 4..7 index the second level, which begins at bits 16..30. */
export const LINK = 1 << 12;
export const END = 1 << 13;
export const INVALID = 1 << 14;

/** RFC 1951 §3.2.7: no code is longer. */
const CODE_BITS_MAX = 15;
/** First levels' bits; zlib's own choice. */
export const LITERAL_ROOT_BITS = 9;
export const DISTANCE_ROOT_BITS = 6;
/** More than any set of 288 or 32 codes takes with these roots (zlib's `enough`: 852 and 592). */
const TABLE_ENTRIES = 1_024;

// RFC 1951 §3.2.5; the last two of both are invalid.
const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258,
];
const LENGTH_EXTRA = [
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
  3073, 4097, 6145, 8193, 12289, 16385, 24577,
];

const baseOf = (base: number, extraBits: number): number => (base << 16) | (extraBits << 4);

/** What each symbol does, but for the bits of its code. */
const LITERAL_SYMBOLS = Int32Array.from({ length: 288 }, (_, symbol) => {
  if (symbol < 256) return (1 << 31) | (symbol << 4);
  if (symbol === 256) return END;
  const base = LENGTH_BASE[symbol - 257];
  return base === undefined ? INVALID : baseOf(base, LENGTH_EXTRA[symbol - 257]!);
});
const DISTANCE_SYMBOLS = Int32Array.from({ length: 32 }, (_, symbol) => {
  const base = DISTANCE_BASE[symbol];
  return base === undefined ? INVALID : baseOf(base, Math.max(0, (symbol >> 1) - 1));
});
/** The code of code lengths: the symbol itself. */
const LENGTH_SYMBOLS = Int32Array.from({ length: 19 }, (_, symbol) => baseOf(symbol, 0));

export type Alphabet = 'literals' | 'distances' | 'code lengths';
const SYMBOLS: Readonly<Record<Alphabet, Int32Array>> = {
  literals: LITERAL_SYMBOLS,
  distances: DISTANCE_SYMBOLS,
  'code lengths': LENGTH_SYMBOLS,
};

export class HuffmanTable {
  readonly entries = new Int32Array(TABLE_ENTRIES);
  /** Bits that index the first level. */
  rootBits = 0;
}

/** What the codes of one block need. */
export interface HuffmanTables {
  readonly literals: HuffmanTable;
  readonly distances: HuffmanTable;
}

// Scratch of `build`, which never runs twice at once.
const counts = new Uint16Array(CODE_BITS_MAX + 1);
const offsets = new Uint16Array(CODE_BITS_MAX + 2);
const sorted = new Uint16Array(288);

/**
 * Fills `table` for the code whose lengths are lengths[at..at + count), 0 for a symbol that isn't
 * used. False for a set that is no code: too many codes, or too few but for one of one bit
 * (RFC 1951 §3.2.7: one distance), and for none at all.
 */
export function buildTable(
  table: HuffmanTable,
  alphabet: Alphabet,
  lengths: Uint8Array,
  at: number,
  count: number,
  rootBitsMax: number,
): boolean {
  counts.fill(0);
  for (let i = at; i < at + count; i++) counts[lengths[i]!] = counts[lengths[i]!]! + 1;
  let max = CODE_BITS_MAX;
  while (max > 0 && counts[max] === 0) max -= 1;
  if (max === 0) {
    // No code: whoever meets one of its symbols has damaged bytes.
    table.rootBits = 1;
    table.entries.fill(INVALID | 1, 0, 2);
    return alphabet === 'distances';
  }
  let left = 1;
  for (let bits = 1; bits <= CODE_BITS_MAX; bits++) {
    left = left * 2 - counts[bits]!;
    if (left < 0) return false;
  }
  if (left > 0 && (alphabet === 'code lengths' || max !== 1)) return false;
  offsets[1] = 0;
  for (let bits = 1; bits <= CODE_BITS_MAX; bits++) {
    offsets[bits + 1] = offsets[bits]! + counts[bits]!;
  }
  for (let i = 0; i < count; i++) {
    const bits = lengths[at + i]!;
    if (bits !== 0) {
      sorted[offsets[bits]!] = i;
      offsets[bits] = offsets[bits]! + 1;
    }
  }
  table.rootBits = Math.min(rootBitsMax, max);
  if (left > 0) table.entries.fill(INVALID | 1, 0, 2);
  fillTable(table, SYMBOLS[alphabet], max);
  return true;
}

/** Walks the codes in their order, shortest first, each with its bits reversed as they arrive. */
function fillTable(table: HuffmanTable, symbols: Int32Array, max: number): void {
  const { entries, rootBits } = table;
  const rootMask = (1 << rootBits) - 1;
  let next = 0;
  let code = 0;
  let start = 0;
  let levelBits = rootBits;
  let dropped = 0;
  let free = 1 << rootBits;
  let prefix = -1;
  for (let bits = 1; bits <= max; bits++) {
    for (let left = counts[bits]!; left > 0; left--) {
      if (bits > rootBits && (code & rootMask) !== prefix) {
        prefix = code & rootMask;
        start = free;
        dropped = rootBits;
        levelBits = secondLevelBits(bits, left, max, dropped);
        free += 1 << levelBits;
        entries[prefix] = LINK | baseOf(start, levelBits) | rootBits;
      }
      const entry = symbols[sorted[next++]!]! | (bits - dropped);
      const step = 1 << (bits - dropped);
      const size = 1 << levelBits;
      for (let i = code >> dropped; i < size; i += step) entries[start + i] = entry;
      let bit = 1 << (bits - 1);
      while ((code & bit) !== 0) bit >>= 1;
      code = bit === 0 ? 0 : (code & (bit - 1)) + bit;
    }
  }
}

/** Bits of the smallest second level that holds all codes with the prefix of the next one. */
function secondLevelBits(bits: number, left: number, max: number, dropped: number): number {
  let level = bits - dropped;
  let room = (1 << level) - left;
  while (level + dropped < max && room > 0) {
    level += 1;
    room = room * 2 - counts[level + dropped]!;
  }
  return level;
}

function fixedTable(alphabet: Alphabet, lengths: Uint8Array, rootBits: number): HuffmanTable {
  const table = new HuffmanTable();
  buildTable(table, alphabet, lengths, 0, lengths.length, rootBits);
  return table;
}

let fixed: HuffmanTables | null = null;

/** RFC 1951 §3.2.6. */
export function fixedTables(): HuffmanTables {
  if (fixed === null) {
    const lengths = new Uint8Array(288).fill(8).fill(9, 144, 256).fill(7, 256, 280);
    fixed = {
      literals: fixedTable('literals', lengths, LITERAL_ROOT_BITS),
      distances: fixedTable('distances', new Uint8Array(32).fill(5), DISTANCE_ROOT_BITS),
    };
  }
  return fixed;
}
