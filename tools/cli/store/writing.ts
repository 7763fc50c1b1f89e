/** The words of `morgana store` that make commits. */

import { readFileSync } from 'node:fs';
import type { Result } from '#core';
import type { Committed, StoreError } from '#store';
import { EXIT_OK, Failure, usageFailure } from '../failure.ts';
import { shown } from '../places.ts';
import { type Answers, jsonSide, must, safe, shortId } from './answers.ts';
import { branchOf, initStore, type OpenStore, openStore, rootOf, type StorePlace } from './open.ts';
import { pathOf, pathText } from './path-text.ts';
import { commitNamed } from './revision.ts';

export interface WriteFlags {
  readonly message: string | null;
  readonly json: boolean;
}

export function init(
  place: StorePlace,
  format: 'sha1' | 'sha256',
  json: boolean,
  out: Answers,
): number {
  const root = rootOf(place);
  const branch = branchOf(place);
  const hash = format === 'sha1' ? 'SHA-1' : 'SHA-256';
  const isNew = initStore(root, branch, hash);
  if (!isNew) checkThere(place, format, out);
  if (json) out.json({ root, created: isNew });
  else out.text(`${isNew ? 'made' : 'there is already'} a store in ${shown(root)}\n`);
  return EXIT_OK;
}

/** What was asked for is what is there. */
function checkThere(place: StorePlace, format: string, out: Answers): void {
  const { backend } = openStore(place, out);
  if (format === 'sha1' || backend.hash === 'SHA-256') return;
  throw new Failure({
    what: `there is already a store in ${shown(rootOf(place))}, with the shorter hash`,
    mend: 'name another directory with --root=DIR',
  });
}

export async function set(
  opened: OpenStore,
  word: string,
  text: string | undefined,
  flags: WriteFlags & { readonly file: string | null },
): Promise<number> {
  const isBoth = text !== undefined && flags.file !== null;
  if (isBoth || (text === undefined && flags.file === null)) {
    throw usageFailure('set takes a VALUE or --file=FILE', 'give one of them');
  }
  const value = flags.file === null ? new TextEncoder().encode(text) : fileBytes(flags.file);
  const path = contentsPath(word);
  const committed = await opened.store.set(path, value, messageOf(flags));
  return tell(opened, must(opened, committed), flags.json);
}

function fileBytes(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file === '-' ? 0 : file));
  } catch (error) {
    // Of a directory, whose reading fails without a path to tell.
    if ((error as NodeJS.ErrnoException).code !== 'EISDIR') throw error;
    throw new Failure({ what: `${shown(file)} is a directory`, mend: 'name a file' });
  }
}

export async function remove(opened: OpenStore, word: string, flags: WriteFlags): Promise<number> {
  const path = contentsPath(word);
  const kind = must(opened, await opened.store.kind(path));
  if (kind === undefined) {
    throw new Failure({
      what: `nothing is at ${pathText(path)}`,
      mend: 'see "morgana store tree"',
    });
  }
  return tell(opened, must(opened, await opened.store.remove(path, messageOf(flags))), flags.json);
}

export interface MergeFlags extends WriteFlags {
  readonly 'keep-both': boolean;
}

export async function merge(opened: OpenStore, word: string, flags: MergeFlags): Promise<number> {
  const theirs = await commitNamed(opened, word);
  const message = flags.message ?? `merge ${word}`;
  const options = { message, keepBoth: flags['keep-both'], renames: true };
  const merged = await opened.store.mergeWith(theirs, options);
  return tell(opened, mustMerge(opened, merged, flags.json), flags.json);
}

export async function revert(
  opened: OpenStore,
  word: string,
  flags: WriteFlags & { readonly reset: boolean },
): Promise<number> {
  const commit = await commitNamed(opened, word);
  if (!flags.reset) {
    const undone = await opened.store.revert(commit, { ...messageOf(flags), renames: true });
    return tell(opened, mustMerge(opened, undone, flags.json), flags.json);
  }
  must(opened, await opened.store.revertTo(commit));
  return tell(opened, commit, flags.json);
}

/** As `must`; for programs conflicts are the answer as well. */
export function mustMerge<T>(opened: OpenStore, outcome: Result<T, StoreError>, json: boolean): T {
  if (json && !outcome.ok && outcome.error.kind === 'conflict') {
    const { conflicts, count } = outcome.error;
    const told = conflicts.map(({ path, base, ours, theirs, reason }) => {
      return { path, base: jsonSide(base), ours: jsonSide(ours), theirs: jsonSide(theirs), reason };
    });
    opened.out.json({ branch: opened.branch, conflicts: told, count });
  }
  return must(opened, outcome);
}

const messageOf = ({ message }: WriteFlags): { readonly message?: string } =>
  message === null ? {} : { message };

function contentsPath(word: string): string[] {
  const path = pathOf(word);
  if (path.length > 0) return path;
  throw usageFailure(`'${word}' is the root`, 'name a path in it, as a/b/c');
}

export function tell({ branch, out }: OpenStore, committed: Committed, json: boolean): number {
  if (json) out.json({ branch, commit: committed });
  else if (committed === null) out.text('nothing has changed\n');
  else out.text(`${safe(branch)} is at ${shortId(committed)}\n`);
  return EXIT_OK;
}
