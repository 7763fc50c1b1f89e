/**
 * `node bench/store-clone.ts [--megabytes=50] [--rounds=5] [--guests=process,pvh] [--json]`: `git
 * clone --bare` of a repository of that size from our server (target node, the disk backend), beside `git
 * http-backend` behind Node's HTTP server (one CGI process a request:
 * tests/helpers/git-http-backend.ts), in alternating rounds over loopback. Of each also the answer
 * alone: the same request as a clone's, by curl, which does nothing with what comes. Medians.
 * `--guests`: also from unikernels, each by itself behind the others, from a disk.
 */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { Workspace } from '../tests/cli/cli.ts';
import { StockGit } from '../tests/helpers/git.ts';
import { startHttpBackend } from '../tests/helpers/git-http-backend.ts';
import { leashed } from '../tests/helpers/machine.ts';
import { fillDisk, startGuest } from './store-guests.ts';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '5' },
    guests: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});
const megabytes = Number(values.megabytes);
const rounds = Number(values.rounds);
const guests = values.guests.split(',').filter((name) => name !== '');
const git = new StockGit();
const work = new Workspace();
const millisMax = 600_000;

/** Text of which half is noise: commits of 20 files each, most of them changed more than once. */
async function makeRepository(folder: string): Promise<void> {
  await git.run(['init', '-q', '--bare', folder]);
  const parts: Buffer[] = [];
  const add = (text: string): void => void parts.push(Buffer.from(text));
  const fileBytes = 25_000;
  const files = Math.ceil((megabytes * 1_000_000) / fileBytes);
  for (let i = 0; i < files; i++) {
    const bytes = Buffer.from(
      randomBytes(fileBytes)
        .toString('hex')
        .slice(0, 2 * fileBytes),
    );
    if (i % 20 === 0) {
      add(`commit refs/heads/main\ncommitter A <a@b> ${1_600_000_000 + i} +0000\ndata 1\nm\n`);
    }
    add(`M 100644 inline d${i % 97}/f${i % 1_500}\ndata ${bytes.length}\n`);
    parts.push(bytes);
    add('\n');
  }
  await git.run(['fast-import', '--quiet'], { cwd: folder, input: Buffer.concat(parts) });
  await git.run(['repack', '-adq'], { cwd: folder });
}

interface Rival {
  readonly name: string;
  readonly url: string;
  readonly cloneMs: number[];
  readonly answerMs: number[];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

const median = (all: readonly number[]): number =>
  [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)]!;

/** The request of a clone, and what comes of it thrown away. */
async function answer(url: string, tip: string): Promise<void> {
  const pkt = (line: string): string => `${(line.length + 4).toString(16).padStart(4, '0')}${line}`;
  const body = `${pkt('command=fetch')}${pkt('object-format=sha1')}0001${pkt('ofs-delta')}${pkt(
    `want ${tip}`,
  )}${pkt('done')}0000`;
  const args = ['-sf', '-o', '/dev/null', '--data-binary', body];
  args.push('-H', 'content-type: application/x-git-upload-pack-request');
  args.push('-H', 'git-protocol: version=2', `${url}/git-upload-pack`);
  await new Promise<void>((resolve, reject) => {
    const child = spawn(...leashed('curl', args));
    child.once('close', (status) => (status === 0 ? resolve() : reject(new Error(`${status}`))));
  });
}

async function measure({ url, cloneMs, answerMs }: Rival, tip: string): Promise<void> {
  const to = git.path('clone');
  cloneMs.push(await timed(() => git.run(['clone', '--bare', '-q', url, to], { millisMax })));
  rmSync(to, { recursive: true });
  answerMs.push(await timed(() => answer(url, tip)));
}

async function main(): Promise<void> {
  const folder = git.path('served', 'repo');
  await makeRepository(folder);
  const tip = await git.run(['rev-parse', 'main'], { cwd: folder });
  const packs = await git.run(['count-objects', '-v'], { cwd: folder });
  const packKib = Number(/size-pack: (\d+)/.exec(packs)?.[1]);
  const ours = spawn(...leashed(process.execPath, ['bench/images/clone-server.ts', folder]), {
    cwd: `${import.meta.dirname}/..`,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: ours.stdout })[Symbol.asyncIterator]();
  const port = (await lines.next()).value;
  const backend = await startHttpBackend(git, git.path('served'));
  try {
    const rivals: Rival[] = [
      { name: 'morgana', url: `http://127.0.0.1:${port}/repo`, cloneMs: [], answerMs: [] },
      { name: 'git http-backend', url: `${backend.url}/repo`, cloneMs: [], answerMs: [] },
    ];
    // Warm: the files are in the page cache, our code is compiled.
    for (const rival of rivals) await measure(rival, tip);
    for (const rival of rivals) rival.cloneMs.length = rival.answerMs.length = 0;
    for (let round = 0; round < rounds; round++)
      for (const rival of rivals) await measure(rival, tip);
    for (const target of guests) rivals.push(await measureGuest(target, folder, tip));
    report(rivals, packKib);
  } finally {
    ours.kill();
    await backend.close();
    git.remove();
    work.remove();
  }
}

/** Not in turns with the others: an idle virtual machine costs them something too. */
async function measureGuest(target: string, folder: string, tip: string): Promise<Rival> {
  const file = work.path(`${target}.img`);
  await fillDisk(file, folder, megabytes);
  const { url, stop } = await startGuest(work, target, file);
  try {
    const rival: Rival = { name: `morgana, target ${target}`, url, cloneMs: [], answerMs: [] };
    for (let round = 0; round < rounds; round++) await measure(rival, tip);
    return rival;
  } finally {
    await stop();
  }
}

function report(rivals: readonly Rival[], packKib: number): void {
  const rows = rivals.map(({ name, cloneMs, answerMs }) => ({
    name,
    cloneMs: Math.round(median(cloneMs)),
    answerMs: Math.round(median(answerMs)),
  }));
  const theirs = rows[1]!;
  const ratios = rows.map(({ cloneMs, answerMs }) => ({
    clone: theirs.cloneMs / cloneMs,
    answer: theirs.answerMs / answerMs,
  }));
  if (values.json) console.log(JSON.stringify({ packKib, rows, ratio: ratios[0], ratios }));
  else {
    console.log(`pack of ${packKib} KiB, medians of ${rounds} rounds`);
    for (const [i, { name, cloneMs, answerMs }] of rows.entries()) {
      const { clone, answer: alone } = ratios[i]!;
      const times = `clone ${cloneMs} ms (${clone.toFixed(2)}), answer ${answerMs} ms`;
      console.log(`${name}: ${times} (${alone.toFixed(2)})`);
    }
  }
}

await main();
