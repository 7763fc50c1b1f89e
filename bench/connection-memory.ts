/**
 * What connections cost in memory, by state, in the image's own engine:
 * `node bench/connection-memory.ts`. Runs `images/connection-memory.ts` and `images/tls-memory.ts`,
 * which play the peers.
 * Not counted: malloc's own overhead between blocks, which its size classes keep below an eighth.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBuildFault, linkImage } from '#targets/base/build';
import { CACHE } from './linux-vm.ts';
import { BenchError, run } from './process.ts';

const ROOT = join(import.meta.dirname, '..');
const OUTPUT = join(CACHE, 'connection-memory.img');
interface Row {
  readonly state: string;
  /** Heap bytes for each connection, and what the memory budget was charged. */
  readonly bytes: number;
  readonly chargedBytes: number;
  readonly held: string;
}

async function measure(image: string): Promise<Row[]> {
  await mkdir(CACHE, { recursive: true });
  const built = await linkImage({
    entry: { file: join(ROOT, 'bench/images', image) },
    contents: [],
    baseElf: join(ROOT, 'build/base/process.elf'),
    bytecodeTool: join(ROOT, 'build/base/bytecode'),
    output: OUTPUT,
  });
  if (!built.ok) throw new BenchError(formatBuildFault(built.error));
  try {
    const console = await run(OUTPUT, ['--mem=64'], { timeoutMs: 60_000 });
    return console
      .trim()
      .split('\n')
      .map((line) => {
        const [state = '', bytes, chargedBytes, held = ''] = line.split('|');
        return { state, bytes: Number(bytes), chargedBytes: Number(chargedBytes), held };
      });
  } finally {
    await rm(OUTPUT, { force: true });
  }
}

// TLS alone: a connection of TCP, and what serves it, come on top.
for (const image of ['connection-memory.ts', 'tls-memory.ts']) {
  for (const { state, bytes, chargedBytes, held } of await measure(image)) {
    const numbers = `${String(bytes).padStart(7)} ${String(chargedBytes).padStart(7)}`;
    process.stdout.write(`${state.padEnd(42)}${numbers}  ${held}\n`);
  }
}
