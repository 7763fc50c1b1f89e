/**
 * The primitives of an image (target process: the base's, natively) against OpenSSL's by
 * node:crypto, each behind the same interface: `node bench/crypto.ts`. They take turns, and of each
 * the least time counts, so that a busy machine slows both.
 */
import { randomFillSync } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBuildFault, linkImage } from '#targets/base/build';
import { nodeCrypto } from '#targets/node/crypto';
import { measure, work } from './images/crypto-work.ts';
import { CACHE } from './linux-vm.ts';
import { BenchError, run } from './process.ts';

const ROOT = join(import.meta.dirname, '..');
const OUTPUT = join(CACHE, 'crypto.img');
const ROUNDS = 3;

type Micros = Map<string, number>;

async function link(): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const built = await linkImage({
    entry: { file: join(ROOT, 'bench/images/crypto.ts') },
    contents: [],
    baseElf: join(ROOT, 'build/base/process.elf'),
    bytecodeTool: join(ROOT, 'build/base/bytecode'),
    output: OUTPUT,
  });
  if (!built.ok) throw new BenchError(formatBuildFault(built.error));
}

const keepLeast = (all: Micros, what: string, micros: number): void => {
  all.set(what, Math.min(all.get(what) ?? Infinity, micros));
};

async function measureImage(all: Micros): Promise<void> {
  const console = await run(OUTPUT, ['--mem=32'], { timeoutMs: 120_000 });
  for (const line of console.trim().split('\n')) {
    const [what = '', micros] = line.split('|');
    keepLeast(all, what, Number(micros));
  }
}

function measureNode(all: Micros): void {
  const entropy = { fill: (out: Uint8Array) => void randomFillSync(out) };
  const now = () => performance.now() * 1000;
  for (const { what, run } of work(nodeCrypto, entropy)) keepLeast(all, what, measure(run, now));
}

const [ours, node]: [Micros, Micros] = [new Map(), new Map()];
await link();
try {
  for (let round = 0; round < ROUNDS; round++) {
    await measureImage(ours);
    measureNode(node);
  }
} finally {
  await rm(OUTPUT, { force: true });
}
const number = (micros: number) => micros.toFixed(2).padStart(12);
process.stdout.write(`${'us'.padEnd(30)}${'image'.padStart(12)}${'node'.padStart(12)}   speed\n`);
for (const [what, micros] of ours) {
  const rival = node.get(what) ?? NaN;
  const speed = (rival / micros).toFixed(2);
  process.stdout.write(`${what.padEnd(30)}${number(micros)}${number(rival)}   ${speed}\n`);
}
