/** `morgana store`: what its words and flags ask for. */

import { usageFailure } from '../failure.ts';
import type { CommandLine } from '../flags.ts';
import type { VERBS } from '../verbs.ts';
import { stdoutAnswers } from './answers.ts';
import {
  isStoreWord,
  NEEDS_BRANCH,
  STORE_WORDS,
  type StoreWord,
  WITHOUT_BRANCH,
} from './flags-of-words.ts';
import { needBranch, type OpenStore, openStore } from './open.ts';

type Line = CommandLine<typeof VERBS.store.flags>;

export async function storeVerb(line: Line, out = stdoutAnswers): Promise<number> {
  // What stands after "--" are words too, those that begin with "-".
  const [word, ...args] = [...line.words, ...(line.rest ?? [])];
  if (word === undefined || !isStoreWord(word)) {
    const what = word === undefined ? 'store needs a word' : `store has no '${word}'`;
    throw usageFailure(what, `it is one of ${Object.keys(STORE_WORDS).join(', ')}`);
  }
  checkFlags(line, word);
  checkArguments(word, args);
  const { flags } = line;
  if (word === 'init') {
    return (await import('./writing.ts')).init(flags, flags['object-format'], flags.json, out);
  }
  if (word === 'clone') return (await import('./exchange.ts')).clone(flags, args[0]!, out);
  const opened = openStore(flags, out);
  try {
    if (NEEDS_BRANCH.includes(word)) await needBranch(opened, flags.branch !== null);
    return await run(opened, word, args, line);
  } finally {
    await opened.repository.close();
  }
}

/** One that needs a repository which is there. */
async function run(
  opened: OpenStore,
  word: Exclude<StoreWord, 'init' | 'clone'>,
  args: readonly string[],
  { flags }: Line,
): Promise<number> {
  const [first = '', second] = args;
  const { json } = flags;
  const reading = await import('./reading.ts');
  const writing = await import('./writing.ts');
  switch (word) {
    case 'get':
      return reading.get(opened, first, json);
    case 'list':
      return reading.list(opened, first, json);
    case 'tree':
      return reading.tree(opened, first, json);
    case 'branches':
      return reading.branches(opened, json);
    case 'log':
      return reading.log(opened, args[0], flags.count, json);
    case 'diff':
      return reading.diff(opened, args[0], second, json);
    case 'graph':
      return reading.graph(opened, flags.count, json);
    case 'set':
      return writing.set(opened, first, second, flags);
    case 'remove':
      return writing.remove(opened, first, flags);
    case 'merge':
      return writing.merge(opened, first, flags);
    case 'revert':
      return writing.revert(opened, first, flags);
    case 'watch':
      return (await import('./watching.ts')).watch(opened, first, flags.count, json);
    case 'pull':
      return (await import('./exchange.ts')).pull(opened, args[0], flags);
    case 'push':
      return (await import('./exchange.ts')).push(opened, args[0], json);
    case 'serve':
      return (await import('./serving.ts')).serve(opened, flags);
    case 'export':
      return (await import('./bundles.ts')).exportWord(opened, first, json);
    case 'import':
      return (await import('./bundles.ts')).importWord(opened, first, json);
    case 'gc':
      return (await import('./keeping.ts')).gc(opened, json);
    case 'check':
      return (await import('./keeping.ts')).check(opened, json);
  }
}

function checkFlags({ flags }: Line, word: StoreWord): void {
  const given = {
    'object-format': flags['object-format'] !== 'sha1',
    file: flags.file !== null,
    message: flags.message !== null,
    author: flags.author !== null,
    count: flags.count !== null,
    reset: flags.reset,
    'keep-both': flags['keep-both'],
    port: flags.port !== 0,
    push: flags.push,
    branch: flags.branch !== null,
  };
  const fitting: string[] = [...STORE_WORDS[word].flags];
  if (!WITHOUT_BRANCH.includes(word)) fitting.push('branch');
  for (const [name, isGiven] of Object.entries(given)) {
    if (!isGiven || fitting.includes(name)) continue;
    throw usageFailure(`--${name} does not go with store ${word}`, 'leave it out');
  }
}

function checkArguments(word: StoreWord, args: readonly string[]): void {
  const { args: wanted } = STORE_WORDS[word];
  const least = wanted.filter((name) => !name.startsWith('[')).length;
  if (args.length >= least && args.length <= wanted.length) return;
  const usage = `"morgana store ${[word, ...wanted].join(' ')}"`;
  if (args.length > wanted.length) {
    throw usageFailure(`unexpected '${args[wanted.length]}'`, `it is ${usage}`);
  }
  throw usageFailure(`store ${word} needs ${wanted[args.length]}`, `it is ${usage}`);
}
