/** Bounds what visitors cost: how many at once, and how long one may take to go. */

import type { Flow } from 'morgana';

/** More at once: reset. A handshake holds some 20 KiB for its ten seconds at most. */
const VISITORS_MAX = 128;
/** From our last byte to the visitor's; longer: reset. */
const LINGER_MILLIS = 10_000;

const NOTHING = { data() {}, drained() {}, end() {}, closed() {} };

export class Visitors {
  private count = 0;

  /** Whether there is room for one more, who must `leave`; if not, `flow` is gone. */
  admit(flow: Flow): boolean {
    if (this.admitCall()) return true;
    flow.attach(NOTHING);
    flow.abort();
    return false;
  }

  /** The same for one that we call. */
  admitCall(): boolean {
    if (this.count === VISITORS_MAX) return false;
    this.count += 1;
    return true;
  }

  /** One that was admitted is gone. */
  leave(): void {
    this.count -= 1;
  }

  /** Says `bytes` and goodbye; hears nothing, and waits only so long for the visitor to go. */
  tell(flow: Flow, bytes: Uint8Array): void {
    const late = setTimeout(() => flow.abort(), LINGER_MILLIS);
    const closed = () => {
      clearTimeout(late);
      this.leave();
    };
    flow.attach({ ...NOTHING, closed });
    if (bytes.length > 0) flow.write(bytes);
    flow.shutdown();
  }
}
