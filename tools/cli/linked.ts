/** Writes what a program is linked from into its own text: packages/morgana/linked.ts reads it. */

import type { Part } from './description.ts';

const PLACE = '["@morgana/linked@"]';

/**
 * `text` with the list in it, where it asks for one: `native`, and each part of the bundle (partOf)
 * by its bytes of text.
 */
export function tellLinked(
  text: string,
  native: readonly Part[],
  modules: readonly { readonly part: string; readonly bytes: number }[],
): string {
  if (!text.includes(PLACE)) return text;
  const sums = new Map(native.map(({ name, bytes }) => [name, bytes]));
  for (const { part, bytes } of modules) {
    const name = partName(part);
    sums.set(name, (sums.get(name) ?? 0) + bytes);
  }
  const parts = [...sums].map(([name, bytes]) => ({ name, bytes }));
  parts.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  return text.replace(PLACE, () => JSON.stringify(parts));
}

/** What people read for a part of a bundle. */
export const partName = (name: string): string =>
  name.startsWith('npm:') || name === 'app'
    ? name
    : `morgana/${name.replace(/^target /, 'targets/')}`;
