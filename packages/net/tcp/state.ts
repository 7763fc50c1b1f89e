/**
 * The states of a connection and the relation between them, RFC 9293 §3.3.2. LISTEN is not here: a
 * listener is an object of its own (stack.ts); nor is TIME_WAIT's waiting, which needs no
 * connection (time-wait.ts). States are small integers because the data path compares them.
 */

import { AssertionError } from '#core';

export type State = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
export const CLOSED = 0;
export const SYN_SENT = 1;
export const SYN_RECEIVED = 2;
export const ESTABLISHED = 3;
export const FIN_WAIT_1 = 4;
export const FIN_WAIT_2 = 5;
export const CLOSE_WAIT = 6;
export const CLOSING = 7;
export const LAST_ACK = 8;
export const TIME_WAIT = 9;

export const STATE_NAMES = [
  'CLOSED',
  'SYN_SENT',
  'SYN_RECEIVED',
  'ESTABLISHED',
  'FIN_WAIT_1',
  'FIN_WAIT_2',
  'CLOSE_WAIT',
  'CLOSING',
  'LAST_ACK',
  'TIME_WAIT',
] as const;

export type StateEvent =
  /** An acceptable SYN while ours is not acknowledged. */
  | 'syn'
  /** Our SYN is acknowledged and the peer's is known. */
  | 'open'
  /** The application sends no more: our FIN is queued. */
  | 'shutdown'
  /** Our FIN is acknowledged. */
  | 'finAcked'
  /** The peer's FIN is next in order. */
  | 'fin'
  /** Reset, timeout, abort, or nothing left to do. */
  | 'gone';

/** -: the event cannot happen in the state; asking for it is a broken promise of ours. */
const _ = -1;
const NEXT: Readonly<Record<StateEvent, readonly (State | -1)[]>> = {
  // from:    CLOSED  SYN_SENT      SYN_RECEIVED  ESTABLISHED FIN_WAIT_1  FIN_WAIT_2 CLOSE_WAIT
  // CLOSING    LAST_ACK TIME_WAIT
  syn: [_, SYN_RECEIVED, _, _, _, _, _, _, _, _],
  open: [_, ESTABLISHED, ESTABLISHED, _, _, _, _, _, _, _],
  shutdown: [_, _, _, FIN_WAIT_1, _, _, LAST_ACK, _, _, _],
  finAcked: [_, _, _, _, FIN_WAIT_2, _, _, TIME_WAIT, CLOSED, _],
  fin: [_, _, _, CLOSE_WAIT, CLOSING, TIME_WAIT, _, _, _, _],
  gone: [_, CLOSED, CLOSED, CLOSED, CLOSED, CLOSED, CLOSED, CLOSED, CLOSED, CLOSED],
};

export function nextState(state: State, event: StateEvent): State {
  const next = NEXT[event][state];
  if (next === undefined || next === _) {
    throw new AssertionError(`${event} in ${STATE_NAMES[state]}`);
  }
  return next;
}

/** Our FIN is queued or sent: nothing can be written any more. */
export const isFinQueued = (state: State): boolean =>
  state === FIN_WAIT_1 || state === CLOSING || state === LAST_ACK;

/** The peer may still send data. */
export const canReceive = (state: State): boolean =>
  state === ESTABLISHED || state === FIN_WAIT_1 || state === FIN_WAIT_2;
