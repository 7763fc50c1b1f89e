/**
 * The refs of a repository as its clients are told of them: HEAD first, tags with what they name.
 */

import type { ObjectBackend, RefEntry } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';
import { HEADS } from '../ref-name.ts';
import type { AdvertisedRef, ListedRef } from '../wire/advertisement.ts';
import { CommitGraph } from './commit-graph.ts';
import { got } from './stop.ts';

/** Which refs, and what of them. */
export interface RefQuestion {
  /** Names begin with one of these; empty: all. */
  readonly prefixes: readonly string[];
  readonly peel: boolean;
  readonly symbols: boolean;
  /** HEAD too when it names a branch that isn't there. */
  readonly unborn: boolean;
}

export const ALL_REFS: RefQuestion = { prefixes: [], peel: true, symbols: true, unborn: false };

/**
 * Whether a name begins with one of these, or there are none. O(log prefixes): a client may send
 * tens of thousands, each of which would otherwise be tried on each ref.
 */
function beginsWithOne(prefixes: readonly string[]): (name: string) => boolean {
  if (prefixes.length === 0) return () => true;
  // What begins with a prefix stands right behind it, and says nothing new.
  const least: string[] = [];
  for (const prefix of [...prefixes].sort()) {
    const last = least.at(-1);
    if (last === undefined || !prefix.startsWith(last)) least.push(prefix);
  }
  return (name) => {
    let from = 0;
    let to = least.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (least[middle]! <= name) from = middle + 1;
      else to = middle;
    }
    return from > 0 && name.startsWith(least[from - 1]!);
  };
}

/**
 * In byte order but for HEAD, the first one. Throws Stop. O(refs log prefixes), and reads what may
 * be a tag.
 */
export async function servedRefs(
  backend: ObjectBackend,
  question: RefQuestion,
): Promise<readonly ListedRef[]> {
  const isAsked = beginsWithOne(question.prefixes);
  const entries = got(await backend.listRefs('refs/'));
  const refs: ListedRef[] = [];
  const head = isAsked('HEAD') ? await headOf(backend, entries) : null;
  if (head !== null && (head.id !== null || (question.unborn && question.symbols))) {
    refs.push(head.id === null || question.symbols ? head : { ...head, symbolic: null });
  }
  const graph = new CommitGraph(backend);
  for (const { name, id } of entries) {
    if (!isAsked(name)) continue;
    const peeled = question.peel ? await peeledOf(graph, name, id) : null;
    refs.push({ name, id, peeled, symbolic: null });
  }
  return refs;
}

/** Where the history here ends: in versions 0 and 1 told beside the refs. Throws Stop. */
export const servedShallow = async (backend: ObjectBackend): Promise<readonly ObjectId[]> => [
  ...(await new CommitGraph(backend).shallow()),
];

async function peeledOf(graph: CommitGraph, name: string, id: AdvertisedRef['id']) {
  // A branch is a commit: it needn't be read.
  if (name.startsWith(HEADS)) return null;
  const peeled = await graph.peel(id);
  return peeled !== null && peeled.tags.length > 0 ? peeled.id : null;
}

/** Null when HEAD isn't there at all. */
async function headOf(
  backend: ObjectBackend,
  entries: readonly RefEntry[],
): Promise<ListedRef | null> {
  const head = got(await backend.readRef('HEAD'));
  if (head === null) return null;
  if (head.symbolic === undefined) {
    return { name: 'HEAD', id: head.id, peeled: null, symbolic: null };
  }
  const id = entries.find(({ name }) => name === head.symbolic)?.id ?? null;
  if (id === null) return { name: 'HEAD', id: null, symbolic: head.symbolic };
  return { name: 'HEAD', id, peeled: null, symbolic: head.symbolic };
}
