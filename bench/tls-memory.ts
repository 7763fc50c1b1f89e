/**
 * What sessions of TLS cost in memory, by state, in the image's own engine, for one end without the
 * flow below: `node bench/tls-memory.ts`. Runs `images/tls-memory.ts`, which is both ends. Not
 * counted: malloc's own overhead between blocks, which its size classes keep below an eighth.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBuildFault, linkImage } from '#targets/base/build';
import { CACHE } from './linux-vm.ts';
import { BenchError, run } from './process.ts';

const ROOT = join(import.meta.dirname, '..');
const OUTPUT = join(CACHE, 'tls-memory.img');

await mkdir(CACHE, { recursive: true });
const built = await linkImage({
  entry: { file: join(ROOT, 'bench/images/tls-memory.ts') },
  contents: [],
  baseElf: join(ROOT, 'build/base/process.elf'),
  bytecodeTool: join(ROOT, 'build/base/bytecode'),
  output: OUTPUT,
});
if (!built.ok) throw new BenchError(formatBuildFault(built.error));
try {
  const console = await run(OUTPUT, ['--mem=96'], { timeoutMs: 60_000 });
  for (const line of console.trim().split('\n')) {
    const [state = '', bytes] = line.split('|');
    process.stdout.write(`${state.padEnd(42)}${String(bytes).padStart(7)}\n`);
  }
} finally {
  await rm(OUTPUT, { force: true });
}
