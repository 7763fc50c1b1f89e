/** An error of a client's on its way out, and the makers of some. */

import { type BackendError, isRefConflict, type RefConflict } from '../../backend.ts';
import { HEADS } from '../../ref-name.ts';
import type { ExchangeError } from './exchange-error.ts';

export class Failed extends Error {
  override readonly name = 'Failed';
  readonly error: ExchangeError;

  constructor(error: ExchangeError) {
    super(error.kind);
    this.error = error;
  }
}

/** Names that can be asked for instead: branches by their short ones. */
export function noSuchRef(
  name: string,
  refs: readonly { readonly name: string }[],
  kind: 'no such ref' | 'no such local ref' = 'no such ref',
): ExchangeError {
  const available = refs.filter((ref) => ref.name !== 'HEAD').map((ref) => shortName(ref.name));
  return { kind, name: shortName(name), available };
}

const shortName = (name: string): string =>
  name.startsWith(HEADS) ? name.slice(HEADS.length) : name;

export function errorOfRefs(error: RefConflict | BackendError): ExchangeError {
  return isRefConflict(error)
    ? { kind: 'ref conflict', conflict: error }
    : { kind: 'backend', error };
}
