/**
 * How small a store's pack is after garbage collection, beside `git gc` on the same repository in
 * the same run: `node bench/store-pack-size.ts [--commits=N]`. Three repositories by chance: texts
 * that are edited, many small JSON records, wide trees. Ours starts from objects without any delta,
 * as a store's are; so does Git's.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '#core';
import { compact, MemoryBackend, type ObjectId } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { copyObjects, gitWith } from './store-disk.ts';

const REACH = 1.3;
const tools = { crypto: nodeCrypto, zlib };
const commits = Number(
  process.argv.find((arg) => arg.startsWith('--commits='))?.slice(10) ?? 1_000,
);
const home = mkdtempSync(join(tmpdir(), 'morgana-pack-size-'));
const git = gitWith(home);

/** A file that changes: path and new text. */
type Change = readonly [string, string];

const random = new SeededRandom(6);
const pick = <T>(all: readonly T[]): T => all[random.below(all.length)]!;
const WORDS = Array.from({ length: 2_000 }, () =>
  Array.from({ length: 2 + random.below(9) }, () => 'etaoinshrdlucmfw'[random.below(16)]).join(''),
);
const line = () => `${Array.from({ length: 4 + random.below(10) }, () => pick(WORDS)).join(' ')}\n`;

function* texts(): Generator<Change[]> {
  const files = Array.from({ length: 120 }, (_, i) => ({
    path: `src/${pick(WORDS)}/${pick(WORDS)}-${i}.ts`,
    lines: Array.from({ length: 20 + random.below(400) }, line),
  }));
  yield files.map(({ path, lines }) => [path, lines.join('')]);
  for (;;) {
    const changed = new Set(Array.from({ length: 1 + random.below(4) }, () => pick(files)));
    yield [...changed].map(({ path, lines }) => {
      for (let edit = random.below(5); edit >= 0; edit--) {
        const at = random.below(lines.length);
        lines.splice(at, random.below(3), ...Array.from({ length: random.below(4) }, line));
      }
      return [path, lines.join('')];
    });
  }
}

function* records(): Generator<Change[]> {
  const record = (id: number) =>
    `${JSON.stringify(
      {
        id,
        name: `${pick(WORDS)} ${pick(WORDS)}`,
        mail: `${pick(WORDS)}@${pick(WORDS)}.example`,
        tags: [pick(WORDS), pick(WORDS)],
        visits: random.below(100_000),
        notes: line().trim(),
        address: { street: `${pick(WORDS)} ${random.below(200)}`, city: pick(WORDS) },
      },
      null,
      2,
    )}\n`;
  const pathOf = (id: number) => `contacts/${String(id % 40).padStart(2, '0')}/${id}.json`;
  yield Array.from({ length: 3_000 }, (_, id) => [pathOf(id), record(id)]);
  for (let next = 3_000; ; next++) {
    const id = random.below(3) === 0 ? next : random.below(next);
    yield [[pathOf(id), record(id)]];
  }
}

function* wide(): Generator<Change[]> {
  const body = () => `${random.below(1_000_000)} ${pick(WORDS)}\n`;
  yield Array.from({ length: 5_000 }, (_, i) => [`all/entry-${i}`, body()]);
  for (;;) yield [[`all/entry-${random.below(5_000)}`, body()]];
}

function importStream(changes: Generator<Change[]>): string {
  const parts: string[] = [];
  for (let i = 0; i < commits; i++) {
    const seconds = 1_700_000_000 + i * 60;
    const message = `${line().trim()}\n`;
    parts.push(`commit refs/heads/main\ncommitter A <a@example.org> ${seconds} +0000\n`);
    parts.push(`data ${message.length}\n${message}`);
    for (const [path, text] of changes.next().value as Change[]) {
      parts.push(`M 100644 inline ${path}\ndata ${text.length}\n${text}\n`);
    }
  }
  return parts.join('');
}

/** Bytes of the pack, and seconds. */
async function ours(path: string): Promise<[number, number]> {
  const backend = new MemoryBackend();
  await copyObjects(git, path, backend);
  const tip = git(path, ['rev-parse', 'main']).toString().trim() as ObjectId;
  const start = performance.now();
  const steps = compact(backend, tools, { roots: [tip] });
  const pieces: Uint8Array[] = [];
  let next = await steps.next();
  for (; next.done !== true; next = await steps.next()) {
    if (next.value.bytes !== null) pieces.push(next.value.bytes);
  }
  const seconds = (performance.now() - start) / 1_000;
  if (!next.value.ok) throw new Error(JSON.stringify(next.value.error));
  // What counts is a pack that Git takes.
  const judge = join(home, 'judge');
  git(home, ['init', '-q', '--bare', judge]);
  git(judge, ['index-pack', '--strict', '--stdin'], Buffer.concat(pieces));
  rmSync(judge, { recursive: true });
  return [next.value.value.sizeBytes, seconds];
}

function theirs(path: string): [number, number] {
  const start = performance.now();
  git(path, ['-c', 'pack.threads=1', 'repack', '-adfq']);
  const seconds = (performance.now() - start) / 1_000;
  git(path, ['gc', '-q', '--prune=now']);
  const folder = join(path, 'objects/pack');
  const packs = readdirSync(folder).filter((name) => name.endsWith('.pack'));
  return [packs.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0), seconds];
}

const number = (value: number, digits = 0) => value.toFixed(digits).padStart(12);
process.stdout.write(`${'bytes'.padEnd(10)}${'ours'.padStart(12)}${'git gc'.padStart(12)}`);
process.stdout.write(`   ratio (at most ${REACH})        seconds, ours and git's\n`);
try {
  for (const [name, changes] of Object.entries({ texts, records, wide })) {
    const path = join(home, name);
    git(home, ['init', '-q', '--bare', '-b', 'main', path]);
    git(path, 'fast-import --quiet'.split(' '), importStream(changes()));
    const [size, seconds] = await ours(path);
    const [gitSize, gitSeconds] = theirs(path);
    process.stdout.write(`${name.padEnd(10)}${number(size)}${number(gitSize)}`);
    process.stdout.write(
      `${number(size / gitSize, 3)}${number(seconds, 2)}${number(gitSeconds, 2)}\n`,
    );
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
