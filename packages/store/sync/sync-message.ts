/**
 * What the two sides of a channel say, as text of one JSON object; binary messages are pieces of
 * the body of what was said last. Read first: README.md. Never throws for any text.
 */

import { NAME_LETTERS_MAX, TEXT_LETTERS_MAX, WHY_LETTERS_MAX } from './limits.ts';

/** Of this protocol; others are refused by name. */
export const SYNC_PROTOCOL = 1;

export type SyncMessage =
  /** First, from both: they must agree in all of it. */
  | {
      readonly say: 'hello';
      readonly protocol: number;
      readonly hash: string;
      readonly schema: string;
    }
  /** Instead of a hello: why not. */
  | { readonly say: 'refused'; readonly why: string }
  /** The client wants an answer of Git's protocol; a call has a body, and its end. */
  | {
      readonly say: 'ask';
      readonly what: 'discover' | 'call';
      readonly service: 'git-upload-pack' | 'git-receive-pack';
      readonly version: 0 | 1 | 2;
    }
  /** The body is complete. */
  | { readonly say: 'end' }
  /** The answer won't be. */
  | { readonly say: 'failed'; readonly why: string }
  /** From the server: refs have moved since the last discovery. */
  | { readonly say: 'moved' };

export function formatSyncMessage(message: SyncMessage): string {
  if ('why' in message)
    return JSON.stringify({ ...message, why: message.why.slice(0, WHY_LETTERS_MAX) });
  if (message.say !== 'hello') return JSON.stringify(message);
  return JSON.stringify({ ...message, schema: message.schema.slice(0, NAME_LETTERS_MAX) });
}

/** Null for what is none. */
export function parseSyncMessage(text: string): SyncMessage | null {
  if (text.length > TEXT_LETTERS_MAX) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { say, protocol, hash, schema, why, what, service, version } = value as Record<
    string,
    unknown
  >;
  switch (say) {
    case 'hello':
      if (!Number.isSafeInteger(protocol) || !isText(hash, 16)) return null;
      if (!isText(schema, NAME_LETTERS_MAX)) return null;
      return { say, protocol: protocol as number, hash, schema };
    case 'refused':
    case 'failed':
      return isText(why, WHY_LETTERS_MAX) ? { say, why } : null;
    case 'ask':
      if (what !== 'discover' && what !== 'call') return null;
      if (service !== 'git-upload-pack' && service !== 'git-receive-pack') return null;
      if (version !== 0 && version !== 1 && version !== 2) return null;
      return { say, what, service, version };
    case 'end':
    case 'moved':
      return { say };
    default:
      return null;
  }
}

const isText = (value: unknown, lettersMax: number): value is string =>
  typeof value === 'string' && value.length <= lettersMax;
