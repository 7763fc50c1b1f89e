/** The checksum of an entry in a pack's index: CRC-32 of its bytes as stored, as zlib has it. */

const POLYNOMIAL = 0xedb8_8320;

let table: Int32Array | null = null;

function makeTable(): Int32Array {
  const made = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ ((value & 1) * POLYNOMIAL);
    made[byte] = value;
  }
  return made;
}

/** The sum of bytes[at..end), which goes on from `sum` (0 at the start), as a signed integer. */
export function crc32(sum: number, bytes: Uint8Array, at: number, end: number): number {
  table ??= makeTable();
  const t = table;
  let value = ~sum;
  for (let i = at; i < end; i++) value = t[(value ^ bytes[i]!) & 0xff]! ^ (value >>> 8);
  return ~value;
}
