/** Trees for tests, from texts by path, and texts by path from trees. */

import { hot, type SeededRandom } from '#core';
import {
  type FileMode,
  ID_BYTES,
  MODE_DIRECTORY,
  MODE_EXECUTABLE,
  MODE_FILE,
  MODE_LINK,
  type ObjectId,
} from '#git';
import { emitTree, type TreeEntry, TreeTable } from '#git/wire';
import type { ObjectDraft } from './object-draft.ts';

export interface TestFile {
  readonly mode: FileMode;
  readonly text: string;
}
/** By path, with slashes. */
export type Files = Readonly<Record<string, TestFile | string>>;

export const executable = (text: string): TestFile => ({ mode: MODE_EXECUTABLE, text });
export const link = (text: string): TestFile => ({ mode: MODE_LINK, text });
export const fileOf = (file: TestFile | string): TestFile =>
  typeof file === 'string' ? { mode: MODE_FILE, text: file } : file;

export function treeOf(objects: ObjectDraft, files: Files): ObjectId {
  const entries: TreeEntry[] = [];
  const inner = new Map<string, Record<string, TestFile | string>>();
  for (const [path, file] of Object.entries(files)) {
    const slash = path.indexOf('/');
    const name = slash < 0 ? path : path.slice(0, slash);
    if (slash < 0) {
      const { mode, text } = fileOf(file);
      entries.push({ mode, name, id: objects.addBlob(hot.utf8Encode(text)) });
      continue;
    }
    const below = inner.get(name) ?? {};
    below[path.slice(slash + 1)] = file;
    inner.set(name, below);
  }
  for (const [name, below] of inner) {
    entries.push({ mode: MODE_DIRECTORY, name, id: treeOf(objects, below) });
  }
  const idBytes = ID_BYTES[objects.hash];
  const table = TreeTable.parse(emitTree(entries, idBytes), idBytes);
  if (!table.ok) throw new Error('a malformed tree');
  return objects.addTree(table.value);
}

/** Every file below `id`; its mode stands before the text where it isn't a plain file's. */
export async function filesOf(objects: ObjectDraft, id: ObjectId): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const table = await objects.tree(id);
  if (!table.ok) throw new Error(`no tree ${id}`);
  for (const entry of table.value.entries()) {
    if (entry.mode === MODE_DIRECTORY) {
      const below = await filesOf(objects, entry.id);
      for (const [path, text] of Object.entries(below)) files[`${entry.name}/${path}`] = text;
      continue;
    }
    const blob = await objects.blob(entry.id);
    if (!blob.ok) throw new Error(`no blob ${entry.id}`);
    const mode = entry.mode === MODE_FILE ? '' : `${entry.mode.toString(8)} `;
    files[entry.name] = mode + hot.latin1(blob.value, 0, blob.value.length);
  }
  return files;
}

/** A commit a second after its parents. */
export async function commitOf(objects: ObjectDraft, tree: ObjectId, parents: readonly ObjectId[]) {
  let seconds = 1_000;
  for (const parent of parents) {
    const commit = await objects.commit(parent);
    if (commit.ok) seconds = Math.max(seconds, commit.value.committer.seconds + 1);
  }
  const who = { name: 'A', email: 'a@example.org', seconds, zoneMinutes: 0 };
  const head = { tree, parents, author: who, committer: who };
  return objects.addCommit({ ...head, extraHeaders: '', message: 'm\n' });
}

const PATHS = ['a', 'b', 'd', 'd/x', 'd/y', 'd/e/z', 'f'];
const MODES = [MODE_FILE, MODE_FILE, MODE_FILE, MODE_EXECUTABLE, MODE_LINK] as const;

/**
 * A few small files of few texts, some of them where another has a directory. No two paths have
 * the same text, lest Git takes a file for another one's that moved.
 */
export function randomFiles(random: SeededRandom, from: Files = {}): Record<string, TestFile> {
  const files: Record<string, TestFile> = {};
  for (const [path, file] of Object.entries(from)) files[path] = fileOf(file);
  const edits = Object.keys(from).length === 0 ? 6 : 1 + random.below(3);
  for (let i = 0; i < edits; i++) {
    const path = PATHS[random.below(PATHS.length)]!;
    if (random.chance(0.3)) {
      for (const other of Object.keys(files)) {
        if (other === path || other.startsWith(`${path}/`)) delete files[other];
      }
      continue;
    }
    for (const other of Object.keys(files)) {
      if (other.startsWith(`${path}/`) || path.startsWith(`${other}/`)) delete files[other];
    }
    files[path] = {
      mode: MODES[random.below(MODES.length)]!,
      text: `${path} ${random.below(3)}\n`,
    };
  }
  return files;
}

const NAMES = ['a', 'b', 'c'];
const NEW_NAMES = ['z', 'd/z', 'g/h/z', 'z/y', 'd/a/y', 'g/a'];

/**
 * Files that moved, some with their directory, or changed, or came. Few are like another one, some
 * of them empty.
 */
export function movedFiles(random: SeededRandom, from: Files = {}): Record<string, TestFile> {
  const some = (names: readonly string[]): string => names[random.below(names.length)]!;
  // Two that come empty Git merges as texts of no lines: only what was there is.
  const like = Object.keys(from).length === 0 ? ['', 'twin\n'] : ['twin\n'];
  const fresh = (): TestFile => ({
    mode: random.chance(0.2) ? MODE_EXECUTABLE : MODE_FILE,
    text: random.chance(0.15) ? some(like) : `${random.u32()}\n`,
  });
  const files: Record<string, TestFile> = {};
  for (const [path, file] of Object.entries(from)) files[path] = fileOf(file);
  if (Object.keys(files).length === 0) {
    for (const name of NAMES) for (const where of ['', 'd/', 'e/f/']) files[where + name] = fresh();
    return files;
  }
  const put = (path: string, file: TestFile): boolean => {
    const isTaken = Object.keys(files).some(
      (one) => `${one}/`.startsWith(`${path}/`) || `${path}/`.startsWith(`${one}/`),
    );
    if (!isTaken) files[path] = file;
    return !isTaken;
  };
  const move = (old: string, now: string): void => {
    for (const path of Object.keys(files).filter((one) => one.startsWith(old))) {
      if (put(now + path.slice(old.length), files[path]!)) delete files[path];
    }
  };
  for (let i = 1 + random.below(3); i > 0; i--) {
    const path = some(Object.keys(files));
    const what = random.below(6);
    if (what === 0) delete files[path];
    else if (what <= 2) files[path] = fresh();
    else if (what === 3) put(some(NEW_NAMES), fresh());
    else if (what === 4) move(path, some(NEW_NAMES));
    else move(some(['d/', 'e/', 'e/f/']), some(['g/', 'd/h/']));
  }
  return files;
}
