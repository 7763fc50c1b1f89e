/** What can be wrong with a pack that somebody sent. */

import { assertNever } from '#core';
import type { BackendError } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';

export type PackFault =
  /** The bytes ended before the pack did. */
  | { readonly kind: 'cut'; readonly offset: number }
  /** Not a pack, or one of a version that isn't known. */
  | { readonly kind: 'not a pack' }
  /** The head of an entry, its stream, or the size of what it inflates to. */
  | { readonly kind: 'bad entry'; readonly offset: number; readonly what: string }
  /** A delta whose base isn't in the pack, nor anywhere else: this one, and so many in all. */
  | { readonly kind: 'missing base'; readonly offset: number; readonly count: number }
  | { readonly kind: 'bad delta'; readonly offset: number }
  /** The hash at the end isn't that of what is before it. */
  | { readonly kind: 'checksum' }
  /** Bytes behind the end. */
  | { readonly kind: 'trailing' }
  | { readonly kind: 'duplicate'; readonly id: ObjectId }
  /** An object that Git would not let in (check-object.ts). */
  | { readonly kind: 'bad object'; readonly id: ObjectId; readonly what: string }
  /** An object that another one names isn't here, or is of another kind than it says. */
  | { readonly kind: 'broken link'; readonly id: ObjectId; readonly what: string }
  /** Larger or more than is allowed. */
  | { readonly kind: 'too much'; readonly what: PackBound };

export type PackBound =
  | 'bytes of the pack'
  | 'objects'
  | 'bytes of an object'
  | 'deltas upon deltas'
  | 'bytes of all objects'
  | 'deltas that wait for their base';

const KINDS: ReadonlySet<string> = new Set<PackFault['kind']>([
  'cut',
  'not a pack',
  'bad entry',
  'missing base',
  'bad delta',
  'checksum',
  'trailing',
  'duplicate',
  'bad object',
  'broken link',
  'too much',
]);

export const isPackFault = (error: PackFault | BackendError): error is PackFault =>
  KINDS.has(error.kind);

/** One sentence's end, without a dot. */
export function formatPackFault(fault: PackFault): string {
  switch (fault.kind) {
    case 'cut':
      return `the pack ends after ${fault.offset} bytes, before its end`;
    case 'not a pack':
      return 'this is not a pack';
    case 'bad entry':
      return `the pack has a bad object at offset ${fault.offset}: ${fault.what}`;
    case 'missing base':
      return `the pack has ${fault.count} unresolved deltas, the first at ${fault.offset}`;
    case 'bad delta':
      return `the pack has a malformed delta at offset ${fault.offset}`;
    case 'checksum':
      return 'the pack is corrupted: its checksum is another one';
    case 'trailing':
      return 'the pack has bytes behind its end';
    case 'duplicate':
      return `the pack has the object ${fault.id} twice`;
    case 'bad object':
    case 'broken link':
      return `${fault.id}: ${fault.what}`;
    case 'too much':
      return `the pack has more ${fault.what} than is allowed`;
    default:
      return assertNever(fault);
  }
}
