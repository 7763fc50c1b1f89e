/** Waits for a UNIX socket of this host; without connecting, which would be its first peer. */

import { readFileSync } from 'node:fs';

/** /proc/net/unix, Flags: __SO_ACCEPTCON of Linux. */
const LISTENS = '00010000';

/**
 * Resolves when somebody listens at `place`, an absolute path. Its file is there a moment before:
 * until then a peer is refused.
 */
export async function listening(place: string): Promise<void> {
  for (;;) {
    for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n')) {
      if (line.endsWith(` ${place}`) && line.split(' ')[3] === LISTENS) return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
