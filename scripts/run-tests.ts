/**
 * Runs every test file under node's own runner, four at a time: files named on the command line,
 * else all. Many wait for machines and for lost packets, so two would leave two cores idle. Ends
 * with the runner's own count.
 */

import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

/**
 * Longest files first, so that the end of the run waits for none: those of whole systems take up to
 * a minute, the others seconds. `node --test` would sort by name, and end with the long ones.
 */
const ROOMS = ['tests', 'base', 'tools', 'targets', 'examples', 'bench', 'scripts', 'packages'];
/** Rooms whose files share processes, whose start costs more than most of them. */
const TOGETHER = ['targets', 'packages'];
const TOGETHER_MAX = 10;
/** Says that a file minds what else is in its process, or has other programs do the work. */
const ALONE = /\bprocess\.|'node:(child_process|v8)'/;

const root = fileURLToPath(new URL('..', import.meta.url));
const named = process.argv.slice(2);
const files = named.length > 0 ? named : ROOMS.flatMap(filesOf);

function filesOf(room: string): string[] {
  const all = globSync(`${room}/**/*.test.ts`, { cwd: root }).sort();
  if (!TOGETHER.includes(room)) return all;
  const files = all.filter((file) => ALONE.test(readFileSync(root + file, 'utf8')));
  const shared = all.filter((file) => !files.includes(file));
  for (let start = 0; start < shared.length; start += TOGETHER_MAX) {
    files.push(batchOf(shared.slice(start, start + TOGETHER_MAX)));
  }
  return files;
}

/** A file with the tests of all `parts`. */
function batchOf(parts: readonly string[]): string {
  const file = `${root}.cache/tests/${parts[0]!.replaceAll('/', '-')}`;
  const imports = parts.map((part) => `import '../../${part}';\n`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, imports.join(''));
  return file;
}

// Hundreds of processes load the same modules: each file is stripped of types and compiled once.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../.cache/node', import.meta.url));
// Told to end, it ends the files under way first, and shows its count.
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
const running = run({
  cwd: root,
  files,
  concurrency: 4,
  timeout: 240_000,
  signal: stop.signal,
  execArgv: ['--import', new URL('test-process.ts', import.meta.url).href],
});
running.on('test:summary', ({ success }) => {
  if (!success) process.exitCode = 1;
});
running.compose(new spec()).pipe(process.stdout);
