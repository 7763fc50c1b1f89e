/**
 * Builds an image on the C base, for the platform that its ELF is of: bundles a TypeScript entry
 * with what it reaches (build-bundle.ts), compiles it to bytecode, packs directories of content
 * (build-content.ts) and appends all that to the base's ELF as base/include/base_abi.h describes.
 * Runs on Node. The same inputs give the same bytes.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { err, ok, type Result } from '#core';
import { emitKvPack } from '#device';
import {
  type Bundle,
  type BundleEntry,
  type BundleFault,
  bundle,
  formatBundleFault,
} from './build-bundle.ts';
import type { ContentFile } from './build-content.ts';
import { appendPayload, type PayloadInput } from './build-elf.ts';

export { emitKvPack } from '#device';
export {
  type Bundle,
  type BundleEntry,
  type BundleFault,
  type BundleOptions,
  bundle,
  formatBundleFault,
  listModules,
} from './build-bundle.ts';
export { type ContentFile, type ContentOptions, readContent } from './build-content.ts';

export interface BuildOptions {
  /** The module that calls `launch` (targets/X/index.ts), as a file or as text. */
  readonly entry: BundleEntry;
  /** Each becomes `machine.content(name)`. */
  readonly contents: readonly { readonly name: string; readonly files: readonly ContentFile[] }[];
  /**
   * Paths. Beside NAME.elf is NAME-crypto.elf, which a program that uses cryptography gets.
   * `bytecodeTool` null: the image carries source and compiles it at boot.
   */
  readonly baseElf: string;
  readonly bytecodeTool: string | null;
  readonly output: string;
  /** Constants to replace in the bundle, as esbuild's `define`. */
  readonly define?: Readonly<Record<string, string>>;
  /** Modules whose exports stand in for globals, as esbuild's `inject`; absolute paths. */
  readonly inject?: readonly string[];
  /** Specifiers that mean another module, as esbuild's `alias`. */
  readonly alias?: Readonly<Record<string, string>>;
  /** The program's text, from its bundle's; left out: as it is. */
  readonly finish?: (bundle: Bundle) => string;
}

export interface BuildReport {
  /** What the program is in the image; 'source' when the compiler couldn't run here. */
  readonly programKind: 'bytecode' | 'source';
  /** Whether it stands on the base with Mbed TLS. */
  readonly crypto: boolean;
  /** Bytes of the output file: the sum of all parts. */
  readonly imageBytes: number;
  readonly parts: {
    /** The ELF without the payload: base, C library, JavaScript engine. */
    readonly base: number;
    /** Libraries of ours and of npm, by name ("net", "npm:hono"), and the application. */
    readonly libraries: Readonly<Record<string, number>>;
    readonly app: number;
    readonly contents: Readonly<Record<string, number>>;
    /** Headers and padding of the payload. */
    readonly padding: number;
  };
  /** Every module in the bundle with its bytes of bundled text, largest first. */
  readonly modules: readonly { readonly path: string; readonly bytes: number }[];
  /** What esbuild says about the bundle: who imports whom. Paths as in `modules`. */
  readonly metafile: Metafile;
}

export type BuildFault =
  | BundleFault
  | { readonly kind: 'base'; readonly path: string; readonly why: string }
  | { readonly kind: 'compile'; readonly message: string };

/** One or several lines, without "error:" in front. */
export function formatBuildFault(fault: BuildFault): string {
  switch (fault.kind) {
    case 'base':
      return `can't use the base ${fault.path}: ${fault.why}`;
    case 'compile':
      return `the bytecode compiler refused the program: ${fault.message}`;
    default:
      return formatBundleFault(fault);
  }
}

export async function linkImage(options: BuildOptions): Promise<Result<BuildReport, BuildFault>> {
  const bundled = await bundle({
    entry: options.entry,
    define: options.define ?? {},
    inject: options.inject ?? [],
    alias: options.alias ?? {},
  });
  if (!bundled.ok) return bundled;
  const text = options.finish?.(bundled.value) ?? bundled.value.text;
  const program = compile(text, options.bytecodeTool);
  if (!program.ok) return program;
  const baseElf = bundled.value.crypto ? withCrypto(options.baseElf) : options.baseElf;
  const appended = appendProgram(program.value, { contents: options.contents, baseElf });
  if (!appended.ok) return appended;
  const { baseBytes, image, sections } = appended.value;
  writeFileSync(options.output, image, { mode: 0o755 });
  return ok(report(baseBytes, image.length, sections, bundled.value));
}

/** The base with Mbed TLS that is beside the small one. */
const withCrypto = (baseElf: string): string => baseElf.replace(/\.elf$/, '-crypto.elf');

interface Appended {
  readonly baseBytes: number;
  readonly image: Uint8Array;
  readonly sections: readonly PayloadInput[];
}

/** The base with a compiled program and directories of content behind it. */
export function appendProgram(
  program: PayloadInput,
  { contents, baseElf }: Pick<BuildOptions, 'contents' | 'baseElf'>,
): Result<Appended, BuildFault> {
  const sections: PayloadInput[] = [program];
  for (const { name, files } of contents) {
    sections.push({ kind: 'content', name, bytes: emitKvPack(files) });
  }
  let base: Uint8Array;
  try {
    base = readFileSync(baseElf);
  } catch (error) {
    return err({ kind: 'base', path: baseElf, why: (error as Error).message });
  }
  const image = appendPayload(base, sections);
  if (!image.ok) return err({ kind: 'base', path: baseElf, why: image.error });
  return ok({ baseBytes: base.length, image: image.value, sections });
}

/**
 * Bytecode of `text`, which is called `name` in traces; the text itself when the compiler is
 * missing or can't run on this host.
 */
export function compile(
  text: string,
  tool: string | null,
  name = 'main.js',
): Result<PayloadInput, BuildFault> {
  const source = { kind: 'source', name: 'main', bytes: new TextEncoder().encode(text) } as const;
  if (tool === null) return ok(source);
  const folder = mkdtempSync(join(tmpdir(), 'morgana-'));
  try {
    const input = join(folder, 'main.js');
    const output = join(folder, 'main.bin');
    writeFileSync(input, text);
    const ran = spawnSync(tool, [input, output, name], { encoding: 'utf8' });
    // No status: a signal ended it, as on a processor without its instructions.
    if (ran.error !== undefined || ran.status === null) return ok(source);
    if (ran.status !== 0) return err({ kind: 'compile', message: ran.stderr.trim() });
    return ok({ kind: 'bytecode', name: 'main', bytes: readFileSync(output) });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Sizes in the image; the program's bytes are shared out by each module's bytes of bundled text.
 */
function report(
  base: number,
  imageBytes: number,
  sections: readonly PayloadInput[],
  { modules, metafile, crypto }: Bundle,
): BuildReport {
  const [program, ...contents] = sections;
  let textLeft = modules.reduce((sum, { bytes }) => sum + bytes, 0);
  let bytesLeft = program!.bytes.length;
  const libraries: Record<string, number> = {};
  let app = 0;
  for (const { part, bytes } of modules) {
    const share = textLeft === 0 ? 0 : Math.round((bytesLeft * bytes) / textLeft);
    textLeft -= bytes;
    bytesLeft -= share;
    if (part === 'app') app += share;
    else libraries[part] = (libraries[part] ?? 0) + share;
  }
  // Fixed order, so that equal builds print equal reports.
  const sorted = Object.fromEntries(Object.entries(libraries).sort(([, a], [, b]) => b - a));
  const sum = sections.reduce((total, { bytes }) => total + bytes.length, 0);
  return {
    programKind: program!.kind === 'bytecode' ? 'bytecode' : 'source',
    crypto,
    imageBytes,
    parts: {
      base,
      libraries: sorted,
      app: app + bytesLeft,
      contents: Object.fromEntries(contents.map(({ name, bytes }) => [name, bytes.length])),
      padding: imageBytes - base - sum,
    },
    modules: modules.map(({ path, bytes }) => ({ path, bytes })),
    metafile,
  };
}
