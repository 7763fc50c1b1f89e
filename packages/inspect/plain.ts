/**
 * What a program tells of itself, made fit for a snapshot: any value, and any error. Not here: the
 * snapshot (commands.ts).
 */

import { sectionCharactersMax } from './limits.ts';

/** Anything can be thrown, even what can't be made into text. */
export function errorText(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error);
  } catch {
    return 'a value that has no text';
  }
}

/**
 * What `take` returns as JSON carries it, a copy; `{ error }` when it throws, when JSON can't carry
 * it (a bigint, a cycle) or when it is longer than sectionCharactersMax: one section doesn't cost
 * the others.
 */
export function plain(take: () => unknown): unknown {
  try {
    const text = JSON.stringify(take()) as string | undefined;
    if (text === undefined) return null;
    if (text.length <= sectionCharactersMax) return JSON.parse(text);
    return { error: `${text.length} characters are more than ${sectionCharactersMax}` };
  } catch (error) {
    return { error: errorText(error) };
  }
}
