/**
 * Views of one piece of memory by length: frames come in few lengths, and making a Uint8Array costs
 * as much as handling a small frame.
 */

/** Remembered views, by the low bits of their length. */
const VIEWS = 64;

export class FrameViews {
  private readonly memory: Uint8Array;
  private readonly at: number;
  private readonly views: Uint8Array[];
  private readonly lengths = new Int32Array(VIEWS).fill(-1);

  /** Of what lies in `memory` from `at` on. */
  constructor(memory: Uint8Array, at: number) {
    this.memory = memory;
    this.at = at;
    this.views = new Array<Uint8Array>(VIEWS).fill(memory);
  }

  /** The first `bytes` bytes. */
  of(bytes: number): Uint8Array {
    const slot = bytes & (VIEWS - 1);
    if (this.lengths[slot] === bytes) return this.views[slot]!;
    const view = this.memory.subarray(this.at, this.at + bytes);
    this.views[slot] = view;
    this.lengths[slot] = bytes;
    return view;
  }
}
