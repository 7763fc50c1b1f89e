/** The checksum of a zlib stream, RFC 1950 §8.2. */

const MODULUS = 65_521;
/** Bytes whose sums stay below 2^31 without a division: so far an interpreter's integers go. */
const RUN_BYTES = 2_048;

/** The sum of bytes[at..end), which goes on from `sum` (1 at the start); an unsigned number. */
export function adler32(sum: number, bytes: Uint8Array, at: number, end: number): number {
  let low = sum % 65_536;
  let high = (sum - low) / 65_536;
  let i = at;
  while (i < end) {
    const stop = Math.min(end, i + RUN_BYTES);
    const stopOfEights = stop - ((stop - i) & 7);
    // Eight bytes a turn: the loop itself costs an interpreter as much as an addition.
    while (i < stopOfEights) {
      high += low += bytes[i]!;
      high += low += bytes[i + 1]!;
      high += low += bytes[i + 2]!;
      high += low += bytes[i + 3]!;
      high += low += bytes[i + 4]!;
      high += low += bytes[i + 5]!;
      high += low += bytes[i + 6]!;
      high += low += bytes[i + 7]!;
      i += 8;
    }
    while (i < stop) high += low += bytes[i++]!;
    low %= MODULUS;
    high %= MODULUS;
  }
  return high * 65_536 + low;
}
