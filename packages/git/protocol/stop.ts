/**
 * Why a conversation can't go on. Inside protocol/ it is thrown, from any depth of what reads,
 * walks and writes, and caught where the conversation began: there it becomes a value and a line
 * for the peer. Nothing of it leaves protocol/.
 */

import { assertNever, type Result } from '#core';
import { type BackendError, formatBackendError } from '../backend.ts';
import type { PktEnd, PktRead } from './pkt-reader.ts';

export type StopReason =
  /** What the peer sent is no request or answer of the protocol. */
  | { readonly kind: 'malformed'; readonly what: string }
  /**
   * The peer wants what it may not have, or more than a bound. `message` is for the peer's user.
   */
  | { readonly kind: 'refused'; readonly message: string }
  /** The peer refused, with its own words. */
  | { readonly kind: 'remote'; readonly message: string }
  | { readonly kind: 'backend'; readonly error: BackendError }
  /** The connection ended, or broke, in the middle. */
  | { readonly kind: 'broken'; readonly message: string };

export class Stop extends Error {
  override readonly name = 'Stop';
  readonly reason: StopReason;

  constructor(reason: StopReason) {
    super(reason.kind);
    this.reason = reason;
  }
}

export const malformed = (what: string): Stop => new Stop({ kind: 'malformed', what });
export const refused = (message: string): Stop => new Stop({ kind: 'refused', message });

/** The value of what a backend did. */
export function got<T>(result: Result<T, BackendError>): T {
  if (result.ok) return result.value;
  throw new Stop({ kind: 'backend', error: result.error });
}

/** Why a stream ended before what was expected of it. */
export function stopOfEnd(end: PktEnd): Stop {
  switch (end.kind) {
    case 'end':
      return new Stop({ kind: 'broken', message: 'the connection ended too early' });
    case 'fault':
      return end.fault.kind === 'short'
        ? new Stop({ kind: 'broken', message: 'the connection ended within a line' })
        : malformed('no pkt-line');
    case 'broken':
      return new Stop({ kind: 'broken', message: textOf(end.reason) });
    default:
      return assertNever(end);
  }
}

/** One sentence's end for a person, without a dot. */
export function formatStop(reason: StopReason): string {
  switch (reason.kind) {
    case 'malformed':
      return `this is not Git's protocol: ${reason.what}`;
    case 'refused':
    case 'remote':
    case 'broken':
      return reason.message;
    case 'backend':
      return formatBackendError(reason.error);
    default:
      return assertNever(reason);
  }
}

/** What was thrown, if it is one of ours: whatever else it is goes on. */
export function reasonOf(error: unknown): StopReason {
  if (error instanceof Stop) return error.reason;
  throw error;
}

/** What a stream was rejected with, in words. */
export const textOf = (reason: unknown): string =>
  reason instanceof Error ? reason.message : String(reason);

/** A payload, or a mark that is asked for; everything else stops the conversation. */
export function payloadIn(read: PktRead): Uint8Array {
  if (read instanceof Uint8Array) return read;
  throw typeof read === 'string' ? malformed(`a ${read} out of place`) : stopOfEnd(read);
}
