/**
 * Bytes that come in pieces, seen as one array from where it is read: what a parser of a stream
 * looks at, takes, and asks more for. Not here: what they mean.
 */

/** Pieces that are smaller are joined with what is left; larger ones stay as they came. */
const EMPTY = new Uint8Array(0);

export class ByteSource {
  /** What is here, from `at` on. */
  bytes: Uint8Array = EMPTY;
  at = 0;
  private readonly pieces: AsyncIterator<Uint8Array>;
  private isEnded = false;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.pieces = pieces[Symbol.asyncIterator]();
  }

  get haveBytes(): number {
    return this.bytes.length - this.at;
  }

  /** The next piece behind what is here; false at the end. Throws what the pieces throw. */
  async more(): Promise<boolean> {
    while (!this.isEnded) {
      const next = await this.pieces.next();
      if (next.done === true) this.isEnded = true;
      else if (next.value.length > 0) {
        this.append(next.value);
        return true;
      }
    }
    return false;
  }

  /** Until so many bytes are here; false when there are no more than fewer. */
  async need(count: number): Promise<boolean> {
    while (this.haveBytes < count) if (!(await this.more())) return false;
    return true;
  }

  /** Nobody reads on. */
  async close(): Promise<void> {
    if (!this.isEnded) await this.pieces.return?.();
    this.isEnded = true;
  }

  private append(piece: Uint8Array): void {
    const left = this.haveBytes;
    if (left === 0) {
      this.bytes = piece;
    } else {
      const joined = new Uint8Array(left + piece.length);
      joined.set(this.bytes.subarray(this.at));
      joined.set(piece, left);
      this.bytes = joined;
    }
    this.at = 0;
  }
}
