// tidy: int32
/**
 * What a translator knows of a TCP connection from the flags that pass it (RFC 5382 §5, RFC 7857
 * §2): enough to tell connections that may be idle for hours from those that open or close. A reset
 * ends none by itself, as anybody may have forged it: packets that then still come from both sides
 * show that it wasn't believed (RFC 7857 §2.3). Nor does a SYN from outside and its answer make one
 * that lasts: whoever sent it must acknowledge the answer, which forgers don't see.
 */

import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '#net/wire';

/** Bits of a state. From inside, from outside. */
export const SYN_OUT = 1;
export const SYN_IN = 2;
export const FIN_OUT = 4;
export const FIN_IN = 8;
export const RESET = 16;
/** Packets that aren't resets, since one was. */
export const ALIVE_OUT = 32;
export const ALIVE_IN = 64;
/** Begun from outside, and nothing shows yet that its sender hears us. */
export const UNPROVEN = 128;

const OPEN = SYN_OUT | SYN_IN;
const CLOSED = FIN_OUT | FIN_IN;
const ALIVE = ALIVE_OUT | ALIVE_IN;
/** Flags that change nothing about an established connection. */
const CHANGES_MASK = TCP_SYN | TCP_FIN | TCP_RST;

/** How much of our data the first acknowledgement may be for. */
const PROOF_BYTES = 65_536;

/** Both ends have spoken and hear each other, and at most one has finished. */
export const isEstablished = (state: number): boolean =>
  (state & OPEN) === OPEN && (state & CLOSED) !== CLOSED && (state & (RESET | UNPROVEN)) === 0;

/** Whether a packet with `flags` leaves an established connection as it is. */
export const changesNothing = (flags: number): boolean => (flags & CHANGES_MASK) === 0;

/** The state after a packet with `flags`, from inside or from outside. */
export function tcpStep(state: number, flags: number, isOut: boolean): number {
  if ((flags & TCP_RST) !== 0) return (state | RESET) & ~ALIVE;
  const isOver = (state & RESET) !== 0 || (state & CLOSED) === CLOSED;
  // The ports are used again (RFC 9293 §3.6.1); the answer's SYN comes with an ACK.
  if ((flags & (TCP_SYN | TCP_ACK)) === TCP_SYN && isOver) {
    return isOut ? SYN_OUT : SYN_IN | UNPROVEN;
  }
  // A connection that is older than this translator is known by its data.
  let next = state | (isOut ? SYN_OUT : SYN_IN);
  if (state === 0 && !isOut) next |= UNPROVEN;
  if ((flags & TCP_FIN) !== 0) next |= isOut ? FIN_OUT : FIN_IN;
  if ((next & RESET) !== 0) {
    next |= isOut ? ALIVE_OUT : ALIVE_IN;
    if ((next & ALIVE) === ALIVE) next &= ~(RESET | ALIVE);
  }
  return next;
}

/** What is kept of a connection for that. */
export interface Handshake {
  /** Of the last SYN from inside; null: none was seen. */
  synSeq: number | null;
}

/** `state`, which is unproven, after a packet with these numbers. */
export function proven(
  state: number,
  flags: number,
  isOut: boolean,
  kept: Handshake,
  seq: number,
  ack: number,
): number {
  if (isOut) {
    if ((flags & TCP_SYN) !== 0) kept.synSeq = seq;
    return state;
  }
  if (kept.synSeq === null || (flags & (TCP_ACK | TCP_RST)) !== TCP_ACK) return state;
  return ((ack - kept.synSeq - 1) & -PROOF_BYTES) === 0 ? state & ~UNPROVEN : state;
}
