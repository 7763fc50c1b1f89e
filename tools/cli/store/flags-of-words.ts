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

export type StoreWord = keyof typeof STORE_WORDS;

export const isStoreWord = (word: string): word is StoreWord => Object.hasOwn(STORE_WORDS, word);
