/** The prebuilt C base and the bytecode compiler: made in a checkout, packed in an installation. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Failure } from './failure.ts';
import { packageRoot } from './places.ts';
import type { Target } from './verbs.ts';

/** The first of `build/base` (a checkout's) and `dist/base` (an installation's) that has `name`. */
export function baseFile(name: string): string | null {
  for (const directory of ['build/base', 'dist/base']) {
    const file = path.join(packageRoot, directory, name);
    if (existsSync(file)) return file;
  }
  return null;
}

/** Targets whose images are the base's ELF with a payload. */
export type ImageTarget = Exclude<Target, 'node'>;
const ELF: Record<ImageTarget, string> = { pvh: 'base.elf', process: 'process.elf' };

/** The base as an ELF file without an application. */
export function baseImage(target: ImageTarget): string {
  const file = baseFile(ELF[target]);
  if (file !== null) return file;
  throw new Failure({ what: 'the base is not built', mend: 'run: npm run setup' });
}

/** Carries frames between tap devices and sockets (base/tools/tap_link.c), or null. */
export const tapLinkTool = (): string | null => baseFile('tap-link');

/**
 * The compiler from JavaScript to the engine's bytecode, or null: then images carry their source.
 */
export const bytecodeTool = (): string | null => baseFile('bytecode');

/**
 * The base's ELF file in two: ours, and the engine with its C library, by the linker's map. An
 * installation has its sum only (NAME.parts.json). Without either all counts as base.
 */
export function baseParts(
  target: ImageTarget,
  baseBytes: number,
): { base: number; engine: number } {
  const map = baseFile(`${ELF[target]}.map`);
  const parts = baseFile(`${ELF[target]}.parts.json`);
  let engine = 0;
  if (map !== null) engine = engineBytes(readFileSync(map, 'utf8'));
  else if (parts !== null) engine = JSON.parse(readFileSync(parts, 'utf8')).engine;
  return { base: baseBytes - engine, engine };
}

/**
 * Bytes of the engine and the C library in a base, from the linker's map: what is in the file, not
 * .bss.
 */
export function engineBytes(map: string): number {
  let isInFile = false;
  let bytes = 0;
  // A section's name may stand on a line of its own, before address, size and object file.
  for (const [, output, size, object] of map
    .slice(map.indexOf('Linker script and memory map'))
    .matchAll(/^(\.\w+)|^ \.\S+\s+0x[0-9a-f]{8,16}\s+0x([0-9a-f]+) (\S+)$/gm)) {
    if (output !== undefined) isInFile = /^\.(text|rodata|data)/.test(output);
    else if (isInFile && /quickjs|\/q\/|libc\.a|libgcc/.test(object!)) {
      bytes += Number.parseInt(size!, 16);
    }
  }
  return bytes;
}
