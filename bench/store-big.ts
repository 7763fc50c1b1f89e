/**
 * Big repositories on disk (target node): one of many commits, one of many bytes. For each what it
 * takes to open it, to read, to walk its history, to commit, to collect garbage, to check it, and
 * what memory that needs; `git gc` of a copy beside our collection; then `git fsck` and `git clone`
 * of the result: `node bench/store-big.ts --commits=100000 --megabytes=1024 [--gc-only]`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkRepository } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { openDisk } from './store-disk.ts';

const FILES = 1_000;
const MEGABYTE = 1_048_576;

interface Row {
  readonly what: string;
  readonly millis: number;
  readonly said: string;
}

export interface BigOptions {
  readonly directory: string;
  readonly commits: number;
  readonly megabytes: number;
  /** Nothing after the collection. */
  readonly gcOnly?: boolean;
}

/** A history of small changes in a thousand files. */
function* manyCommits(count: number): Generator<string> {
  for (let k = 0; k < count; k++) {
    const text = `${k}\n`.repeat(1 + (k % 30));
    const at = (k * 37) % FILES;
    yield `commit refs/heads/main\ncommitter A <a@example.org> ${1_500_000_000 + k} +0000\n`;
    yield `data 2\nm\nM 100644 inline d${at % 32}/f${at}\ndata ${text.length}\n${text}\n`;
  }
}

/** So many megabytes that can't be compressed, one a commit; every 64th has 16 of them. */
function* manyBytes(megabytes: number): Generator<string | Uint8Array> {
  for (let k = 0; k < megabytes; ) {
    const size = k % 64 === 63 ? Math.min(16, megabytes - k) : 1;
    yield `commit refs/heads/main\ncommitter A <a@example.org> ${1_500_000_000 + k} +0000\n`;
    yield `data 2\nm\nM 100644 inline d${k % 16}/f${k}\ndata ${size * MEGABYTE}\n`;
    for (let i = 0; i < size; i++) yield noise(k + i);
    yield '\n';
    k += size;
  }
}

/** A megabyte drawn from a number. */
function noise(seed: number): Uint8Array {
  const hash = createHash('shake256', { outputLength: MEGABYTE });
  return hash.update(`noise ${seed}`).digest();
}

async function fastImport(path: string, input: Iterable<string | Uint8Array>): Promise<void> {
  execFileSync('git', ['init', '-q', '--bare', '-b', 'main', path]);
  const child = spawn('git', ['fast-import', '--quiet'], {
    cwd: path,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const closed = once(child, 'close');
  let text = '';
  for (const piece of input) {
    if (typeof piece === 'string' && text.length < 65_536) {
      text += piece;
      continue;
    }
    if (!child.stdin.write(text)) await once(child.stdin, 'drain');
    text = '';
    if (!child.stdin.write(piece)) await once(child.stdin, 'drain');
  }
  child.stdin.end(text);
  const [code] = await closed;
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
}

const peakMegabytes = (): string => `${Math.round(process.resourceUsage().maxRSS / 1_024)} MB`;

function ok<T>(result: { ok: true; value: T } | { ok: false; error: unknown }): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

/** What each step takes; the peak of memory so far is said with it. */
async function measure(path: string, gcOnly: boolean, say: (row: Row) => void): Promise<void> {
  const time = async (what: string, work: () => Promise<string> | string): Promise<void> => {
    const start = performance.now();
    const said = await work();
    say({ what, millis: performance.now() - start, said: `${said}; peak ${peakMegabytes()}` });
  };
  let { backend, repository } = openDisk(path, true);
  const read = async (): Promise<string> => {
    const store = repository.branch('main');
    return `${ok(await store.list([])).length} names`;
  };
  await time('open and first read', read);
  await time('walk of the whole history', async () => {
    let commits = 0;
    for await (const one of repository.branch('main').history()) {
      ok(one);
      commits++;
    }
    return `${commits} commits`;
  });
  await time('20 commits', async () => {
    for (let k = 0; k < 20; k++) {
      ok(await repository.branch('main').set(['new', `f${k}`], Buffer.from(`${k}`)));
    }
    return 'each safe from a loss of power';
  });
  const git = gitGc(path);
  await time('garbage collection', async () => {
    const start = performance.now();
    const report = ok(await backend.gc({ pruneBefore: Date.now() }));
    const times = (performance.now() - start) / 1_000 / git.seconds;
    const theirs = `${times.toFixed(2)} times git gc, ${git.seconds.toFixed(2)} s`;
    const megabytes = report.packBytes / MEGABYTE;
    const sizes = `${megabytes.toFixed(1)} MB (${(megabytes / git.megabytes).toFixed(3)} of its)`;
    return `${report.objects} objects in ${sizes}; ${theirs}`;
  });
  await backend.close();
  if (gcOnly) return;
  ({ backend, repository } = openDisk(path, true));
  await time('open and first read, collected', read);
  await time('check of every object', async () => {
    const report = ok(await checkRepository(backend, { crypto: nodeCrypto }));
    if (report.problemCount > 0) throw new Error(JSON.stringify(report.problems));
    return `${report.objects} objects, ${(report.objectBytes / MEGABYTE).toFixed(0)} MB`;
  });
  await backend.close();
  await time('git fsck --full --strict', () => {
    const args = ['fsck', '--full', '--strict', '--no-dangling', '--no-progress'];
    const said = execFileSync('git', args, { cwd: path, encoding: 'utf8', stdio: 'pipe' });
    if (said !== '') throw new Error(said);
    return 'clean';
  });
  await time('git clone --bare --no-local', () => {
    execFileSync('git', ['clone', '-q', '--bare', '--no-local', path, `${path}-clone`]);
    return 'done';
  });
}

/** `git gc` of a copy of the repository: seconds, and megabytes of its packs. */
function gitGc(path: string): { seconds: number; megabytes: number } {
  const copy = `${path}-gc`;
  cpSync(path, copy, { recursive: true });
  const start = performance.now();
  execFileSync('git', ['gc', '-q', '--prune=now'], { cwd: copy });
  const seconds = (performance.now() - start) / 1_000;
  const folder = join(copy, 'objects/pack');
  const packs = readdirSync(folder).filter((name) => name.endsWith('.pack'));
  const bytes = packs.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  rmSync(copy, { recursive: true });
  return { seconds, megabytes: bytes / MEGABYTE };
}

/** Says a line after each step; throws when anything is wrong. */
export async function runBig(options: BigOptions, say: (line: string) => void): Promise<void> {
  const home = mkdtempSync(join(options.directory, 'morgana-big-'));
  try {
    const kinds: [string, Iterable<string | Uint8Array>][] = [];
    if (options.commits > 0) {
      kinds.push([`${options.commits} commits`, manyCommits(options.commits)]);
    }
    if (options.megabytes > 0) {
      kinds.push([`${options.megabytes} MB`, manyBytes(options.megabytes)]);
    }
    for (const [at, [title, input]] of kinds.entries()) {
      const path = join(home, `${at}.git`);
      await fastImport(path, input);
      say(title);
      await measure(path, options.gcOnly ?? false, ({ what, millis, said }) =>
        say(`  ${what.padEnd(32)}${(millis / 1_000).toFixed(2).padStart(9)} s  ${said}`),
      );
      rmSync(path, { recursive: true });
    }
  } finally {
    rmSync(home, { recursive: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      commits: { type: 'string', default: '100000' },
      megabytes: { type: 'string', default: '1024' },
      directory: { type: 'string', default: tmpdir() },
      'gc-only': { type: 'boolean', default: false },
    },
  });
  const { directory } = values;
  const [commits, megabytes] = [Number(values.commits), Number(values.megabytes)];
  const options = { directory, commits, megabytes, gcOnly: values['gc-only'] };
  await runBig(options, (line) => process.stdout.write(`${line}\n`));
}
