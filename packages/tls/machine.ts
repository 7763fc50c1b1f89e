/**
 * A handshake's state machine, one object for a role and a version: client-start.ts and
 * server-start.ts begin, and hand over to client-13.ts, server-13.ts or those of TLS 1.2 when the
 * version is known; open-13.ts is what stays of TLS 1.3 when it is complete.
 */

import type { Refusal } from './refusal.ts';

export interface Machine {
  /**
   * One whole handshake message, header first, borrowed; of a type that STATES lists for the
   * engine's state. A refusal ends the connection with its alert.
   */
  message(type: number, message: Uint8Array): Refusal | null;
  /** TLS 1.2's change_cipher_spec, in a state whose table entry says `next`. */
  changeCipherSpec(): Refusal | null;
  /** Our key is worn out (RFC 8446 §5.5): another, or a refusal where there is none. */
  renewKey(): Refusal | null;
  /**
   * Wipes all secrets; nothing is called after it. `isFailed`: an alert, ours or theirs, is why.
   */
  destroy(isFailed: boolean): void;
}
