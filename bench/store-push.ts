/**
 * `node bench/store-push.ts [--megabytes=10] [--kind=noise|texts] [--targets=process,pvh]
 * [--memory=256] [--profile=FILE.json]`: stock git pushes a repository whose pack has that size to
 * a unikernel that keeps it on a disk, clones it, and checks the clone. No rival: none runs there.
 * `noise`: files of noise in hexadecimal, each whole in the pack. `texts`: files that are edited,
 * most of them deltas. CPU is what tells on a busy machine. `--profile`: of the push, as `morgana
 * inspect` takes it. Blind spots: client and unikernel share the cores; process is behind the
 * gateway of a network of its own.
 */

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { SimRandom } from '#targets/sim/index';
import { freePort, type Tool, Workspace } from '../tests/cli/cli.ts';
import { StockGit } from '../tests/helpers/git.ts';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '10' },
    kind: { type: 'string', default: 'noise' },
    targets: { type: 'string', default: 'process,pvh' },
    memory: { type: 'string', default: '256' },
    profile: { type: 'string' },
  },
});
const megabytes = Number(values.megabytes);
const git = new StockGit();
const work = new Workspace();
const millisMax = 600_000;
const random = new SimRandom(6);

/** Seconds of CPU that `morgana run` and all that it started took so far. */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const own = (Number(fields[11]) + Number(fields[12])) / 100;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  if (children === '') return own;
  return own + children.split(' ').reduce((sum, child) => sum + cpuOf(Number(child)), 0);
}

/** What a file has, anew or changed in three lines. */
type FileMaker = (before: string | undefined) => string;

function noise(): string {
  const bytes = new Uint8Array(25_000);
  random.fill(bytes);
  return Buffer.from(bytes).toString('hex');
}

const line = (): string => {
  const words = Array.from({ length: 9 }, () => random.below(100_000).toString(36));
  return words.join(' ');
};

function edited(before: string | undefined): string {
  if (before === undefined) return Array.from({ length: 150 }, line).join('\n');
  const lines = before.split('\n');
  for (let i = 0; i < 3; i++) lines[random.below(lines.length)] = line();
  return lines.join('\n');
}

const FILES = 200;
/** Bytes that one change adds to the pack, roughly. */
const KINDS: Readonly<Record<string, readonly [FileMaker, number]>> = {
  noise: [noise, 25_000],
  texts: [edited, 400],
};

async function makeRepository(folder: string): Promise<void> {
  const [make, changeBytes] = KINDS[values.kind]!;
  await git.run(['init', '-q', folder]);
  const parts: string[] = [];
  const files = new Map<string, string>();
  const changes = Math.ceil((megabytes * 1_000_000) / changeBytes);
  for (let i = 0; i < changes; i++) {
    if (i % 20 === 0) {
      const head = `commit refs/heads/main\ncommitter A <a@b> ${1_600_000_000 + i} +0000`;
      parts.push(`${head}\ndata 1\nm\n`);
    }
    const file = i % FILES;
    const name = `d${file % 20}/f${file}`;
    const text = make(files.get(name));
    files.set(name, text);
    parts.push(`M 100644 inline ${name}\ndata ${text.length}\n${text}\n`);
  }
  await git.run(['fast-import', '--quiet'], { cwd: folder, input: parts.join('') });
  await git.run(['repack', '-adfq'], { cwd: folder });
}

async function timed(what: string, pid: number, job: () => Promise<unknown>): Promise<void> {
  const from = performance.now();
  const cpuFrom = cpuOf(pid);
  await job();
  const took = (performance.now() - from) / 1_000;
  const cpu = cpuOf(pid) - cpuFrom;
  console.log(`  ${what}: ${took.toFixed(2)} s, of CPU there ${cpu.toFixed(2)} s`);
}

async function start(target: string, port: number): Promise<Tool> {
  const words = ['run', `${import.meta.dirname}/images/store-push`, `--target=${target}`];
  words.push(`--memory=${values.memory}`, `--publish=${port}:80`, '--name=push');
  words.push(`--disk=data=${target}.img,size=${64 + 6 * megabytes}M`);
  if (target === 'process') words.push('--network=push');
  const running = work.start(words);
  await running.wrote(/serving/);
  return running;
}

async function measure(target: string, folder: string): Promise<void> {
  console.log(`${target}:`);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/repo`;
  const running = await start(target, port);
  try {
    const profile = values.profile === undefined ? null : takeProfile(values.profile);
    const pid = running.child.pid!;
    await timed('push', pid, () =>
      git.run(['push', '-q', url, 'main'], { cwd: folder, millisMax }),
    );
    await profile;
    const clone = git.path(`clone-${target}`);
    await timed('clone', pid, () => git.run(['clone', '-q', '--bare', url, clone], { millisMax }));
    await git.run(['fsck', '--full', '--strict'], { cwd: clone });
  } finally {
    running.child.kill('SIGTERM');
    await running.ended;
  }
}

const takeProfile = (file: string): Promise<unknown> =>
  work.run(['inspect', 'push', '--profile=30', `--output=${file}`]);

try {
  const folder = git.path('work');
  await makeRepository(folder);
  const packs = await git.run(['count-objects', '-v'], { cwd: folder });
  console.log(`a pack of ${/size-pack: (\d+)/.exec(packs)?.[1]} KiB`);
  for (const target of values.targets.split(',')) await measure(target, folder);
} finally {
  git.remove();
  work.remove();
}
