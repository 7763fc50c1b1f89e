/**
 * How records are protected, one direction and one key: what the reader and the writer see of TLS
 * 1.3 (protection-13.ts) and TLS 1.2 (protection-12.ts).
 */

export interface RecordProtection {
  /** Between a record's header and its content: TLS 1.2's explicit nonce. */
  readonly prefixBytes: number;
  /** Behind the content: TLS 1.3's type, and the tag. */
  readonly suffixBytes: number;
  /** TLS 1.3: the type is inside, behind the content, with padding behind it (RFC 8446 §5.2). */
  readonly hasInnerType: boolean;
  /** The most bytes that a protected record may have behind its header. */
  readonly recordBytesMax: number;
  /** Records sealed or opened so far. */
  readonly records: number;
  /**
   * Seals the record whose header begins at `at`: `contentBytes` of content are in place, behind
   * the header and `prefixBytes`; header, prefix and suffix are written, with `paddingBytes` zeros
   * (TLS 1.3 only) between content and tag.
   */
  seal(
    record: Uint8Array,
    at: number,
    type: number,
    contentBytes: number,
    paddingBytes: number,
  ): void;
  /**
   * Opens the whole record at `at`, `bodyBytes` behind its header, to `out` from `outAt` (may be
   * where its ciphertext is). Returns the bytes written: content, and with `hasInnerType` type and
   * padding; -1 for a record that isn't the next one of this key.
   */
  open(record: Uint8Array, at: number, bodyBytes: number, out: Uint8Array, outAt: number): number;
  /** Wipes the key. */
  destroy(): void;
}
