/** What goes wrong inside of the store, and what callers of its backend are told. */

import type { BlockError } from '#device';
import { formatBlockError } from '#device';
import type { BackendError, ObjectId } from '#git';

export type StoreFault =
  | { readonly kind: 'device'; readonly error: BlockError }
  /** What is in this block, or goes on from it, isn't what was written. */
  | { readonly kind: 'damaged'; readonly block: number; readonly what: string }
  | { readonly kind: 'full' };

export function backendError(fault: StoreFault, device: string, id: ObjectId | null): BackendError {
  switch (fault.kind) {
    case 'device':
      return { kind: 'device', what: `${device}: ${formatBlockError(fault.error)}` };
    case 'damaged':
      return { kind: 'damaged', id, what: `block ${fault.block} of ${device}: ${fault.what}` };
    case 'full':
      return { kind: 'full' };
  }
}
