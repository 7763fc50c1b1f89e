/**
 * Contents of a store that one only knows by its files: bytes. They merge as Git merges files: by
 * lines where both sides and the base are text, else taken from the side that changed them.
 */

import { type ContentType, defineSchema, known, lines, stock } from '#store';

const { bytes } = stock;

const fileContents: ContentType<Uint8Array> = {
  ...bytes,
  merge(base, ours, theirs) {
    if (ours === undefined || theirs === undefined) return bytes.merge(base, ours, theirs);
    const old = base();
    const [left, right] = [textOf(ours), textOf(theirs)];
    const before = old.ok && old.value !== undefined ? textOf(old.value) : null;
    if (before === null || left === null || right === null) return bytes.merge(base, ours, theirs);
    const merged = lines.merge(known(before), left, right);
    if (!merged.ok) return merged;
    return { ok: true, value: merged.value === undefined ? undefined : lines.encode(merged.value) };
  },
};

/** Null for what isn't UTF-8, or has a NUL: Git's word for what isn't text. */
function textOf(contents: Uint8Array): string | null {
  const text = lines.decode(contents);
  return text.ok && !contents.includes(0) ? text.value : null;
}

export const fileSchema = defineSchema({ '**': fileContents });
