/**
 * Hypothesis: the time of `constantTimeEqual` doesn't depend on where, or whether, two arrays
 * differ, in an image (QuickJS, an interpreter) and on Node (V8, which compiles it).
 * `node bench/constant-time.ts`, half a minute.
 *
 * Welch's t over 1,500 batches of comparisons of either kind (50 each in the image, 1,000 on Node),
 * in random order, without the slowest tenth. Above 4.5 a difference is all but certain, below it
 * none was seen. Two controls: the same input twice must not be told apart, a comparison that stops
 * early must be.
 *
 * Blind spots: differences that are rarer than a batch, or smaller than the clock's step divided by
 * one; caches and power, which no clock shows; another CPU, engine or compiler; what native
 * primitives do inside (they have claims of their own); the slow path of V8 before it compiles. A
 * collector or a neighbour that wakes with one kind only looks like a leak: run it again.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBuildFault, linkImage } from '#targets/base/build';
import { type Finding, findings } from './images/constant-time-work.ts';
import { CACHE } from './linux-vm.ts';
import { BenchError, run } from './process.ts';

const ROOT = join(import.meta.dirname, '..');
const OUTPUT = join(CACHE, 'constant-time.img');
/** As in dudect (Reparaz, Balasch, Verbauwhede 2016). */
const T_MAX = 4.5;

async function inImage(): Promise<Finding[]> {
  await mkdir(CACHE, { recursive: true });
  const built = await linkImage({
    entry: { file: join(ROOT, 'bench/images/constant-time.ts') },
    contents: [],
    baseElf: join(ROOT, 'build/base/process.elf'),
    bytecodeTool: join(ROOT, 'build/base/bytecode'),
    output: OUTPUT,
  });
  if (!built.ok) throw new BenchError(formatBuildFault(built.error));
  try {
    const text = await run(OUTPUT, ['--mem=32'], { timeoutMs: 240_000 });
    return text
      .trim()
      .split('\n')
      .map((line) => {
        const [what = '', t, a, b] = line.split('|');
        return { what, t: Number(t), micros: [Number(a), Number(b)] };
      });
  } finally {
    await rm(OUTPUT, { force: true });
  }
}

/** Whether every finding is what it must be; prints them. */
function print(title: string, found: readonly Finding[]): boolean {
  process.stdout.write(`${title.padEnd(44)}${'us'.padStart(9)}${'us'.padStart(9)}       t\n`);
  return found
    .map(({ what, t, micros }) => {
      const wanted = what.startsWith('control, must be') === Math.abs(t) > T_MAX;
      const numbers = micros.map((micro) => micro.toFixed(4).padStart(9)).join('');
      const verdict = wanted ? '' : '  not as it must be';
      process.stdout.write(`${what.padEnd(44)}${numbers}${t.toFixed(1).padStart(8)}${verdict}\n`);
      return wanted;
    })
    .every(Boolean);
}

const image = print('an image', await inImage());
const node = print(
  'Node',
  findings(() => performance.now() * 1_000, 1_000),
);
process.exitCode = image && node ? 0 : 1;
