/** The words of `morgana store`, and which flags go with each, beside --root, --branch, --json. */

export const STORE_WORDS = {
  init: { args: [], flags: ['object-format'] },
  get: { args: ['PATH'], flags: [] },
  set: { args: ['PATH', '[VALUE]'], flags: ['file', 'message', 'author'] },
  remove: { args: ['PATH'], flags: ['message', 'author'] },
  list: { args: ['[PATH]'], flags: [] },
  tree: { args: ['[PATH]'], flags: [] },
  branches: { args: [], flags: [] },
  log: { args: ['[PATH]'], flags: ['count'] },
  diff: { args: ['[FROM]', '[TO]'], flags: [] },
  merge: { args: ['REVISION'], flags: ['keep-both', 'message', 'author'] },
  revert: { args: ['REVISION'], flags: ['reset', 'message', 'author'] },
  watch: { args: ['[PATH]'], flags: ['count'] },
  clone: { args: ['URL'], flags: ['object-format'] },
  pull: { args: ['[URL]'], flags: ['keep-both', 'message', 'author'] },
  push: { args: ['[URL]'], flags: [] },
  export: { args: ['FILE'], flags: [] },
  import: { args: ['FILE'], flags: [] },
  gc: { args: [], flags: [] },
  check: { args: [], flags: [] },
  serve: { args: [], flags: ['port', 'push'] },
  graph: { args: [], flags: ['count'] },
} as const;

/** What is of the whole repository. */
export const WITHOUT_BRANCH: readonly string[] =
  'branches export import gc check serve graph'.split(' ');
/** What reads or changes a branch that must be there; the others make it, or wait for it. */
export const NEEDS_BRANCH: readonly string[] = 'get list tree log remove merge revert push'.split(
  ' ',
);

export type StoreWord = keyof typeof STORE_WORDS;

export const isStoreWord = (word: string): word is StoreWord => Object.hasOwn(STORE_WORDS, word);
