/**
 * How long a unikernel takes to open a store on a disk, up to the first read, and how large the
 * store is after a collection beside `git gc` on the same repository:
 * `node bench/store-open.ts [--commits=1000,10000,100000] [--targets=process,pvh] [--collect=no]`.
 * Hypothesis: opening follows the index (a number a page), not the history. The control: stores of
 * several lengths in one run. Blind spot: the host's page cache has the file.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ObjectId } from '#git';
import { BlockBackend, type StoreParts } from '#store/block';
import { nodeCrypto } from '#targets/node/crypto';
import { FileBlock } from '#targets/node/file-block';
import { NodeLoop } from '#targets/node/loop';
import { zlib } from '#targets/node/zlib';
import { copyObjects, gitWith } from './store-disk.ts';

const option = (name: string, otherwise: string): string =>
  process.argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? otherwise;
const lengths = option('commits', '1000,10000,100000').split(',').map(Number);
const collects = option('collect', 'yes') === 'yes';
const targets = option('targets', 'process,pvh').split(',');
const root = fileURLToPath(new URL('..', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'morgana-store-open-'));
const loop = new NodeLoop();
const git = gitWith(home);

/** Files in ten directories, of which each commit changes one. */
function makeRepository(path: string, commits: number): void {
  const parts: string[] = [];
  for (let i = 0; i < commits; i++) {
    const message = `change ${i}`;
    parts.push(`commit refs/heads/main\ncommitter A <a@example.org> ${1_700_000_000 + i} +0000\n`);
    parts.push(`data ${message.length}\n${message}\n`);
    const all = i === 0 ? Array.from({ length: 100 }, (_, file) => file) : [(i * 37) % 100];
    for (const file of all) {
      const text = `file ${file}\nas of commit ${i}\n${'the rest of it\n'.repeat(file % 9)}`;
      parts.push(`M 100644 inline d${file % 10}/f${Math.floor(file / 10)}\n`);
      parts.push(`data ${text.length}\n${text}\n`);
    }
  }
  git(home, ['init', '-q', '--bare', path]);
  git(path, ['fast-import', '--quiet'], parts.join(''));
}

const seconds = (since: number): string => `${((performance.now() - since) / 1_000).toFixed(1)} s`;

async function fill(file: string, path: string, commits: number): Promise<BlockBackend> {
  const bytes = Math.max(16, Math.ceil(commits / 100)) * 1_048_576;
  const fd = openSync(file, 'w');
  ftruncateSync(fd, bytes);
  closeSync(fd);
  const disk = FileBlock.open(loop, { name: 'data', file, readOnly: false });
  if (!disk.ok) throw new Error(disk.error);
  const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
  const parts: StoreParts = { device: disk.value, crypto: nodeCrypto, zlib, pause };
  const options = { storeId: new Uint8Array(16).fill(commits), overwrite: false };
  const opened = await BlockBackend.openOrFormat(parts, options);
  if (!opened.ok) throw new Error(opened.error.kind);
  const store = opened.value;
  await copyObjects(git, path, store);
  const tip = git(path, ['rev-parse', 'main']).toString().trim() as ObjectId;
  const name = 'refs/heads/main';
  const set = await store.updateRefs([{ name, from: null, to: tip }], 'filled');
  if (!set.ok) throw new Error(set.error.kind);
  return store;
}

/** Says what a collection makes of it, beside Git's. */
async function collect(store: BlockBackend, path: string): Promise<void> {
  const start = performance.now();
  const collected = await store.collect().done;
  if (!collected.ok) throw new Error(collected.error.kind);
  const { objects, bytes } = collected.value;
  const { indexBytes } = store.stats();
  const took = seconds(start);
  const rival = gitPackBytes(path);
  const share = ((bytes + indexBytes) / rival).toFixed(2);
  console.log(
    `  collected in ${took}: ${objects} objects, ${bytes} + ${indexBytes} bytes; git gc ${rival}: ${share}`,
  );
}

function gitPackBytes(path: string): number {
  git(path, ['gc', '-q']);
  const folder = join(path, 'objects/pack');
  const files = readdirSync(folder).filter((name) => /\.(pack|idx)$/.test(name));
  return files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** Milliseconds of opening and of the first read, as the program says. */
function bootOn(target: string, file: string): string {
  const words = ['run', 'bench/images/store-open', `--target=${target}`, `--disk=data=${file}`];
  const cli = join(root, 'tools/cli/main.ts');
  const done = spawnSync(process.execPath, [cli, ...words], { cwd: root, encoding: 'utf8' });
  const opened = /opened in ([\d.]+) ms/.exec(done.stdout)?.[1];
  const read = /first read in ([\d.]+) ms/.exec(done.stdout)?.[1];
  if (opened === undefined || read === undefined) throw new Error(done.stdout + done.stderr);
  return `opened in ${opened} ms, first read ${read} ms`;
}

try {
  for (const commits of lengths) {
    const path = join(home, `${commits}.git`);
    const file = join(home, `${commits}.img`);
    makeRepository(path, commits);
    const start = performance.now();
    const store = await fill(file, path, commits);
    console.log(`${commits} commits: filled in ${seconds(start)}`);
    if (collects) await collect(store, path);
    await store.close();
    const { objects, indexBytes, runs } = store.stats();
    console.log(`  ${objects} objects, ${indexBytes} bytes of index in ${runs} runs`);
    for (const target of targets) console.log(`  ${target}: ${bootOn(target, file)}`);
    rmSync(path, { recursive: true });
    rmSync(file);
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
process.exit(0);
