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
const ELF: Record<ImageTarget, string> = { pvh: 'base', process: 'process' };

const elfName = (target: ImageTarget, crypto: boolean): string =>
  `${ELF[target]}${crypto ? '-crypto' : ''}.elf`;

/** The base as an ELF file without an application; with `crypto` the one with Mbed TLS. */
export function baseImage(target: ImageTarget, crypto = false): string {
  const file = baseFile(elfName(target, crypto));
  if (file !== null) return file;
  throw new Failure({ what: 'the base is not built', mend: 'run: npm run setup' });
}

/** Carries frames between tap devices and sockets (base/tools/tap_link.c), or null. */
export const tapLinkTool = (): string | null => baseFile('tap-link');

/**
 * The compiler from JavaScript to the engine's bytecode, or null: then images carry their source.
 */
export const bytecodeTool = (): string | null => baseFile('bytecode');

export interface BaseParts {
  readonly base: number;
  readonly engine: number;
  /** Null when the base has none. */
  readonly mbedtls: { readonly version: string; readonly bytes: number } | null;
}

/** What NAME.parts.json has in an installation. */
export type LinkedParts = Record<'engine' | 'mbedtls', number> & { readonly version: string };

/**
 * The base's ELF file in parts: ours, the engine with its C library, and Mbed TLS, by the linker's
 * map. An installation has their sums only (NAME.parts.json). Without either all counts as base.
 */
export function baseParts(target: ImageTarget, crypto: boolean, baseBytes: number): BaseParts {
  const name = elfName(target, crypto);
  const map = baseFile(`${name}.map`);
  const sums = baseFile(`${name}.parts.json`);
  let found: LinkedParts = { engine: 0, mbedtls: 0, version: '' };
  if (map !== null) found = linkedParts(readFileSync(map, 'utf8'), mbedtlsVersion());
  else if (sums !== null) found = JSON.parse(readFileSync(sums, 'utf8'));
  const { engine, mbedtls, version } = found;
  return {
    base: baseBytes - engine - mbedtls,
    engine,
    mbedtls: crypto ? { version, bytes: mbedtls } : null,
  };
}

/** Of a checkout's base. */
function mbedtlsVersion(): string {
  const file = baseFile('mbedtls.version');
  return file === null ? '' : readFileSync(file, 'utf8').trim();
}

/**
 * Bytes of the engine with the C library, and of Mbed TLS, from the linker's map of a base: what is
 * in the file, not .bss.
 */
export function linkedParts(map: string, version: string): LinkedParts {
  let isInFile = false;
  const bytes = { engine: 0, mbedtls: 0 };
  // A section's name may stand on a line of its own, before address, size and object file.
  for (const [, output, size, object] of map
    .slice(map.indexOf('Linker script and memory map'))
    .matchAll(/^(\.\w+)|^ \.\S+\s+0x[0-9a-f]{8,16}\s+0x([0-9a-f]+) (\S+)$/gm)) {
    if (output !== undefined) isInFile = /^\.(text|rodata|data)/.test(output);
    else if (isInFile) {
      const part = partOf(object!);
      if (part !== null) bytes[part] += Number.parseInt(size!, 16);
    }
  }
  return { ...bytes, version };
}

const partOf = (object: string): 'engine' | 'mbedtls' | null =>
  /quickjs|\/q\/|libc\.a|libgcc/.test(object) ? 'engine' : /\/m\//.test(object) ? 'mbedtls' : null;
