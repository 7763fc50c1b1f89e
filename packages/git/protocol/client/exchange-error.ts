/** Why a fetch or a push failed: one closed list, with the server's own words where it had some. */

import { assertNever } from '#core';
import {
  type BackendError,
  formatBackendError,
  formatRefConflict,
  type RefConflict,
} from '../../backend.ts';
import type { ObjectHash } from '../../object-id.ts';
import type { RefspecFault } from '../refspec.ts';
import type { StopReason } from '../stop.ts';
import type { TransportError } from '../transport.ts';

export type ExchangeError =
  | TransportError
  | RefspecFault
  /** What was asked for isn't there; what is. */
  | { readonly kind: 'no such ref'; readonly name: string; readonly available: readonly string[] }
  /** As before, of what is to be pushed. */
  | {
      readonly kind: 'no such local ref';
      readonly name: string;
      readonly available: readonly string[];
    }
  /** The server's names of objects are of the other hash. */
  | { readonly kind: 'other hash'; readonly theirs: ObjectHash | null }
  /** What the server sent isn't Git's protocol, or more than a bound. */
  | { readonly kind: 'malformed'; readonly what: string }
  /** The server refused, or failed, in its own words. */
  | { readonly kind: 'refused'; readonly message: string }
  /** The server can't do what was asked for. */
  | { readonly kind: 'not supported'; readonly what: string }
  /** The pack is none, or doesn't hold what it should. */
  | { readonly kind: 'bad pack'; readonly what: string }
  /** A ref can't be where it should be, beside others that are here. */
  | { readonly kind: 'ref conflict'; readonly conflict: RefConflict }
  | { readonly kind: 'backend'; readonly error: BackendError };

/** A stopped conversation, as a client's caller is told. */
export function errorOfStop(reason: StopReason): ExchangeError {
  switch (reason.kind) {
    case 'malformed':
      return { kind: 'malformed', what: reason.what };
    case 'refused':
      return { kind: 'malformed', what: reason.message };
    case 'remote':
      return { kind: 'refused', message: reason.message };
    case 'broken':
      return { kind: 'unreachable', message: reason.message };
    case 'backend':
      return { kind: 'backend', error: reason.error };
    default:
      return assertNever(reason);
  }
}

const NAMES_SHOWN_MAX = 10;

/** One sentence, without a dot. */
export function formatExchangeError(error: ExchangeError): string {
  switch (error.kind) {
    case 'unreachable':
      return `the server can't be reached: ${error.message}`;
    case 'not allowed':
      return `the server doesn't allow it (${error.status}): ${error.message}`;
    case 'no repository':
      return `there is no repository: ${error.message}`;
    case 'not git':
    case 'malformed':
      return `this is not Git's protocol: ${error.kind === 'malformed' ? error.what : error.message}`;
    case 'bad refspec':
      return `"${error.text}" is no refspec`;
    case 'no such ref':
      return `the server has no ${error.name}${formatAvailable(error.available)}`;
    case 'no such local ref':
      return `there is no ${error.name}${formatAvailable(error.available)}`;
    case 'other hash':
      return `the server's objects are named by ${error.theirs ?? 'an unknown hash'}`;
    case 'refused':
      return `the server says: ${error.message}`;
    case 'not supported':
      return `the server can't ${error.what}`;
    case 'bad pack':
      return error.what;
    case 'ref conflict':
      return formatRefConflict(error.conflict);
    case 'backend':
      return formatBackendError(error.error);
    default:
      return assertNever(error);
  }
}

function formatAvailable(names: readonly string[]): string {
  if (names.length === 0) return ': it is empty';
  const more = names.length > NAMES_SHOWN_MAX ? `, and ${names.length - NAMES_SHOWN_MAX} more` : '';
  return `; it has ${names.slice(0, NAMES_SHOWN_MAX).join(', ')}${more}`;
}
