/**
 * Names of fields that handlers send: the same few come again and again, so each is looked at once.
 */

import { isToken } from './wire/chars.ts';

export type FieldKind =
  | 'plain'
  /** The server adds one when the handler doesn't. */
  | 'date'
  /** Says how this connection frames the message, or is in every response: the server's own. */
  | 'framing'
  /** No token: not a name at all. */
  | 'bad';

/** Names remembered; when there are more, all are forgotten. */
export const FIELD_NAMES_MAX = 256;

const FRAMING: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

function kindOf(name: string): FieldKind {
  if (!isToken(name)) return 'bad';
  const lower = name.toLowerCase();
  if (lower === 'date') return 'date';
  return FRAMING.has(lower) ? 'framing' : 'plain';
}

export class FieldNames {
  private readonly kinds = new Map<string, FieldKind>();
  private readonly taken: ReadonlySet<string>;

  /** `taken`: further names that are the server's, in lower case. */
  constructor(taken: readonly string[] = []) {
    this.taken = new Set(taken);
  }

  /** What `name`, in any case, is. */
  kind(name: string): FieldKind {
    let kind = this.kinds.get(name);
    if (kind === undefined) {
      kind = this.taken.has(name.toLowerCase()) ? 'framing' : kindOf(name);
      if (this.kinds.size >= FIELD_NAMES_MAX) this.kinds.clear();
      this.kinds.set(name, kind);
    }
    return kind;
  }

  get size(): number {
    return this.kinds.size;
  }
}
