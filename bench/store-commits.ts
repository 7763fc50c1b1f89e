/**
 * Commits per second, each a small change in a tree of 10,000 files: a Store on a Git repository on
 * disk (target node) beside libgit2 (npm's es-git) and `git fast-import`, on the same disk, taking
 * turns: `node bench/store-commits.ts`. Twice: with nothing synced on either side; and with every
 * commit safe from a loss of power before the next one begins, which fast-import can't do.
 *
 * libgit2 by es-git has no way to write a blob or a tree but by its index: the file is written to a
 * work tree and added; the index stays in memory, with its cache of trees. Every repository is
 * looked at by `git fsck` in the end.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CACHE } from './linux-vm.ts';
import { millisOf, openDisk, seedRepository } from './store-disk.ts';

const { values } = parseArgs({
  options: {
    commits: { type: 'string', default: '1000' },
    synced: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '3' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const ROUNDS = Number(values.rounds);
const home = mkdtempSync(join(values.directory, 'morgana-bench-'));
const git = (cwd: string, args: readonly string[], input = ''): string =>
  execFileSync('git', args, { cwd, input, encoding: 'utf8', maxBuffer: 1 << 28 }).trim();

/** The change that commit number `k` makes. */
const change = (k: number): { path: [string, string]; text: string } => ({
  path: [`d${(k * 37) % 100}`, `f${(k * 61) % 100}`],
  text: `value ${k}\n`,
});

interface Rival {
  readonly name: string;
  /** Makes so many commits, numbered from `from`; milliseconds. */
  run(from: number, count: number): Promise<number>;
}

async function ours(seed: string, isSynced: boolean): Promise<Rival> {
  const path = join(home, `ours-${isSynced}`);
  cpSync(seed, path, { recursive: true });
  const { repository } = openDisk(path, isSynced);
  const store = repository.branch('main');
  return {
    name: 'Store',
    async run(from, count) {
      const start = performance.now();
      for (let k = from; k < from + count; k++) {
        const { path: at, text } = change(k);
        const done = await store.set(at, Buffer.from(text));
        if (!done.ok) throw new Error(JSON.stringify(done.error));
      }
      return millisOf(start);
    },
  };
}

/** What of es-git is used here. */
interface EsGit {
  openRepository(path: string): Promise<{
    index(): { addPath(path: string): void; writeTree(): string };
    head(): { target(): string };
    getTree(id: string): unknown;
    commit(tree: unknown, message: string, options: object): string;
  }>;
}

async function libgit2(seed: string, isSynced: boolean): Promise<Rival> {
  const path = join(home, `libgit2-${isSynced}`);
  git(home, ['clone', '-q', seed, path]);
  if (isSynced) git(path, ['config', 'core.fsyncObjectFiles', 'true']);
  const load = createRequire(join(CACHE, 'npm', 'package.json'));
  const repository = await (load('es-git') as EsGit).openRepository(path);
  const index = repository.index();
  let parent = repository.head().target();
  const person = { name: 'A', email: 'a@example.org' };
  return {
    name: 'libgit2 (es-git)',
    async run(from, count) {
      const start = performance.now();
      for (let k = from; k < from + count; k++) {
        const { path: at, text } = change(k);
        writeFileSync(join(path, ...at), text);
        index.addPath(at.join('/'));
        const tree = repository.getTree(index.writeTree());
        const options = { updateRef: 'HEAD', author: person, committer: person, parents: [parent] };
        parent = repository.commit(tree, 'm', options);
      }
      return millisOf(start);
    },
  };
}

function fastImport(seed: string): Rival {
  const path = join(home, 'fast-import');
  cpSync(seed, path, { recursive: true });
  return {
    name: 'git fast-import',
    async run(from, count) {
      let input = '';
      for (let k = from; k < from + count; k++) {
        const { path: at, text } = change(k);
        const start = k === from ? 'from refs/heads/main^0\n' : '';
        input += `commit refs/heads/main\ncommitter A <a@example.org> ${1_800_000_000 + k} +0000\n`;
        input += `data 2\nm\n${start}M 100644 inline ${at.join('/')}\ndata ${text.length}\n${text}\n`;
      }
      const start = performance.now();
      git(path, ['fast-import', '--quiet'], input);
      return millisOf(start);
    },
  };
}

async function compare(title: string, rivals: readonly Rival[], count: number): Promise<void> {
  const best = new Map<Rival, number>();
  for (const rival of rivals) await rival.run(0, Math.ceil(count / 10));
  for (let round = 1; round <= ROUNDS; round++) {
    for (const rival of rivals) {
      const millis = await rival.run(round * count, count);
      best.set(rival, Math.min(best.get(rival) ?? Infinity, millis));
    }
  }
  process.stdout.write(`${title}\n`);
  const own = (1_000 * count) / best.get(rivals[0]!)!;
  for (const rival of rivals) {
    const rate = (1_000 * count) / best.get(rival)!;
    const share = rival === rivals[0] ? '' : `  ours is ${(own / rate).toFixed(2)} of it`;
    process.stdout.write(`  ${rival.name.padEnd(20)}${rate.toFixed(0).padStart(7)}/s${share}\n`);
  }
}

try {
  const seed = join(home, 'seed');
  seedRepository(seed, 100, 100);
  const plain = [await ours(seed, false), await libgit2(seed, false), fastImport(seed)];
  await compare('nothing synced', plain, Number(values.commits));
  const safe = [await ours(seed, true), await libgit2(seed, true)];
  await compare('every commit safe from a loss of power', safe, Number(values.synced));
  for (const name of ['ours-false', 'ours-true']) {
    git(join(home, name), ['fsck', '--full', '--strict', '--no-dangling']);
  }
} finally {
  rmSync(home, { recursive: true });
}
