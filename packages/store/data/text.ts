/**
 * Text that merges by what was edited (diff3): by lines, as Git does, or by characters (code
 * points). Edits of both sides that don't touch each other are both taken; those that touch
 * conflict, unless they are the same. Symmetric and idempotent; not associative, and not
 * convergent: what merges may depend on the order of merges (Khanna, Kunal, Pierce, "A formal
 * investigation of diff3", 2007, §5). For text that several type at once use an ordered list.
 * `markedLines` never conflicts: it keeps both versions between markers, which people see.
 */

import { ok } from '#core';
import { option } from '../content/combinators.ts';
import type { ContentType } from '../content/content-type.ts';
import { compareText } from '../content/equal.ts';
import { fails, type Merge, type Optional } from '../content/merge.ts';
import { text as wholeText } from '../content/stock.ts';
import { diff, type Hunk } from './diff.ts';
import { type Form, text } from './form.ts';

type Items = readonly string[];

/** A stretch that merges, or one where both sides changed the same. */
export type Chunk =
  | { readonly kind: 'merged'; readonly items: Items }
  | {
      readonly kind: 'conflict';
      readonly base: Items;
      readonly ours: Items;
      readonly theirs: Items;
    };

/** How one side has a stretch of the base. */
class Side {
  readonly items: Items;
  readonly #hunks: readonly Hunk[];
  #next = 0;
  /** What is to be added to a place in the base, up to the next hunk. */
  #shift = 0;

  constructor(base: Items, items: Items) {
    this.items = items;
    this.#hunks = diff(base, items);
  }

  get next(): Hunk | undefined {
    return this.#hunks[this.#next];
  }

  /** Takes hunks that begin at or before `end`; the new end. */
  take(end: number): number {
    let last = end;
    for (let hunk = this.next; hunk !== undefined && hunk.aStart <= last; hunk = this.next) {
      last = Math.max(last, hunk.aEnd);
      this.#next++;
    }
    return last;
  }

  /** This side's items of [start, end) of the base, whose hunks were all taken, or none of them. */
  slice(start: number, end: number): Items {
    const from = start + this.#shift;
    const hunk = this.#hunks[this.#next - 1];
    if (hunk !== undefined) this.#shift = hunk.bEnd - hunk.aEnd;
    return this.items.slice(from, end + this.#shift);
  }
}

/** Merges lists of items, in order; no two stretches that merge stand side by side. */
export function mergeItems(base: Items, ours: Items, theirs: Items): Chunk[] {
  const [left, right] = [new Side(base, ours), new Side(base, theirs)];
  const chunks: Chunk[] = [];
  let merged: string[] = [];
  let at = 0;
  for (;;) {
    const start = Math.min(left.next?.aStart ?? base.length, right.next?.aStart ?? base.length);
    const isOurs = left.next?.aStart === start;
    const isTheirs = right.next?.aStart === start;
    for (; at < start; at++) merged.push(base[at]!);
    if (left.next === undefined && right.next === undefined) break;
    const end = takeBoth(left, right, start, isOurs, isTheirs);
    const [one, other] = [left.slice(start, end.at), right.slice(start, end.at)];
    if (end.isBoth && !isEqual(one, other)) {
      if (merged.length > 0) chunks.push({ kind: 'merged', items: merged });
      merged = [];
      chunks.push({ kind: 'conflict', base: base.slice(start, end.at), ours: one, theirs: other });
    } else for (const item of end.isOurs ? one : other) merged.push(item);
    at = end.at;
  }
  if (merged.length > 0) chunks.push({ kind: 'merged', items: merged });
  return chunks;
}

/** Takes the next hunk, and whatever of either side touches what was taken. */
function takeBoth(left: Side, right: Side, start: number, isOurs: boolean, isTheirs: boolean) {
  const [ours, theirs] = [left.next, right.next];
  let at = start;
  if (isOurs) at = left.take(at);
  if (isTheirs) at = right.take(at);
  for (let before = -1; before !== at; ) {
    before = at;
    at = right.take(left.take(at));
  }
  const [hasOurs, hasTheirs] = [left.next !== ours, right.next !== theirs];
  return { at, isOurs: hasOurs, isBoth: hasOurs && hasTheirs };
}

const isEqual = (a: Items, b: Items): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

type Split = (whole: string) => Items;
const byLines: Split = (whole) => (whole === '' ? [] : whole.split(/(?<=\n)/));
const byCharacters: Split = (whole) => [...whole];

function mergeText(split: Split): Merge<string> {
  return (base, ours, theirs) => {
    if (ours === theirs) return ok(ours);
    const old = base();
    if (!old.ok) return old;
    if (old.value === undefined) return fails('both added', 'both added different texts');
    const chunks = mergeItems(split(old.value), split(ours), split(theirs));
    let merged = '';
    for (const chunk of chunks) {
      if (chunk.kind === 'conflict') return fails('both changed', conflictText(chunk));
      merged += chunk.items.join('');
    }
    return ok(merged);
  };
}

function conflictText({ ours, theirs }: Chunk & { kind: 'conflict' }): string {
  const shown = (items: Items) => JSON.stringify(items.join('').slice(0, 40));
  return `both changed the same place, to ${shown(ours)} and to ${shown(theirs)}`;
}

/** Text merged by lines (with their ends), by characters: parts of other contents. */
export const lineText: Form<string> = { ...text, merge: mergeText(byLines) };
/** Plain text inside of one content, merged by characters. */
export const characterText: Form<string> = { ...text, merge: mergeText(byCharacters) };

/** UTF-8 text as contents, merged by lines. */
export const lines: ContentType<string> = {
  ...wholeText,
  name: 'lines',
  merge: option(lineText.merge),
};
/** UTF-8 text as contents, merged by characters. */
export const characters: ContentType<string> = {
  ...wholeText,
  name: 'characters',
  merge: option(characterText.merge),
};

const BEGIN = '<<<<<<< one side\n';
const BASE = '||||||| before\n';
const MIDDLE = '=======\n';
const END = '>>>>>>> other side\n';

/** Whether text has a conflict that `markedLines` marked in it. */
export const hasMarks = (value: string): boolean => byLines(value).includes(BEGIN);

const whole = (items: Items): string => {
  const joined = items.join('');
  return joined === '' || joined.endsWith('\n') ? joined : `${joined}\n`;
};

/**
 * What both have, once; between that both versions in the order of their code units, so that it
 * doesn't matter whose is whose. Insertions alone need no marks: nothing was there that either
 * of them has changed.
 */
function keepBoth({ base, ours, theirs }: Chunk & { kind: 'conflict' }, isInsertion: boolean) {
  let start = 0;
  while (start < Math.min(ours.length, theirs.length) && ours[start] === theirs[start]) start++;
  const most = Math.min(ours.length, theirs.length) - start;
  let end = 0;
  while (end < most && ours.at(-1 - end) === theirs.at(-1 - end)) end++;
  const between = (items: Items) => whole(items.slice(start, items.length - end));
  const [one, other] = [between(ours), between(theirs)].sort(compareText);
  const both = isInsertion
    ? `${one}${other}`
    : `${BEGIN}${one}${BASE}${whole(base)}${MIDDLE}${other}${END}`;
  const [before, after] = [ours.slice(0, start), ours.slice(ours.length - end)];
  return [...before, both, ...after].join('');
}

const mergeMarked: Merge<Optional<string>> = (base, ours, theirs) => {
  const plain = lines.merge(base, ours, theirs);
  if (plain.ok) return plain;
  const old = base();
  const was = old.ok ? old.value : undefined;
  const sides = { ours: byLines(ours ?? ''), theirs: byLines(theirs ?? '') };
  if (was === undefined || ours === undefined || theirs === undefined) {
    return ok(keepBoth({ kind: 'conflict', base: byLines(was ?? ''), ...sides }, false));
  }
  let text = '';
  for (const chunk of mergeItems(byLines(was), sides.ours, sides.theirs)) {
    if (text !== '' && !text.endsWith('\n')) text += '\n';
    text +=
      chunk.kind === 'merged' ? chunk.items.join('') : keepBoth(chunk, chunk.base.length === 0);
  }
  return ok(text);
};

/**
 * As `lines`, made total. What both inserted at one place stands one behind the other. Where both
 * changed the same lines, or one side removed what the other changed, both versions are kept
 * between markers (`hasMarks`). Symmetric, so that two who merge each other's have the same; in
 * which order insertions stand may depend on the order of more merges. No line that nobody took
 * away is lost.
 */
export const markedLines: ContentType<string> = {
  ...lines,
  name: 'marked-lines',
  merge: mergeMarked,
};
