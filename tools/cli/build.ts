/**
 * `morgana build`: from an application to an image (or to a module for Node), and what is in it.
 */

import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Metafile } from 'esbuild';
import {
  type BuildReport,
  bundle,
  formatBuildFault,
  linkImage,
  listModules,
  readContent,
} from '../../targets/base/build.ts';
import { buildNodeModule } from '../../targets/node/build.ts';
import { type App, detectApp } from './app.ts';
import { baseImage, baseParts, bytecodeTool, type ImageTarget } from './base.ts';
import {
  bundleFailure,
  checkGlobals,
  DEFINE,
  type Entry,
  FETCH,
  INJECT,
  MARKED,
} from './build-options.ts';
import { checkContent } from './content.ts';
import { describeApp } from './describe-app.ts';
import { partLines } from './describe-text.ts';
import { appendDescription, type Description, type Part } from './description.ts';
import { checkDevices, entrySource, isTlsServer } from './entry.ts';
import { EXIT_OK, Failure, usageFailure } from './failure.ts';
import type { CommandLine } from './flags.ts';
import { ENTRY_NAME } from './import-graph.ts';
import { partName, tellLinked } from './linked.ts';
import { loadApp, morganaAlias } from './load.ts';
import { appCacheDirectory, packageRoot, shown } from './places.ts';
import { checkTypes } from './typecheck.ts';
import { type Platform, platformOf, type Target, type VERBS } from './verbs.ts';

export interface Built {
  readonly description: Description;
  /** The whole file to write. */
  readonly output: Uint8Array;
  /** Of the file that it becomes: with private keys in it, it is its owner's only. */
  readonly mode: number;
  /** The files that it was made from, absolute. */
  readonly sources: readonly string[];
}

/** Of the file that `build` writes. */
export const SUFFIX: Record<Target, string> = { pvh: 'img', process: 'elf', node: 'mjs' };

export async function buildVerb(line: CommandLine<typeof VERBS.build.flags>): Promise<number> {
  const found = detectApp(line.words[0] ?? '.');
  if (found.kind === 'image') {
    throw usageFailure(`${shown(found.image)} is an image already`, 'name an application');
  }
  const { target, net, json } = line.flags;
  const app = await loadApp(found, line.flags);
  const built = await buildApp(app, platformOf(target, net));
  const file = line.flags.output ?? `${app.name}.${SUFFIX[target]}`;
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  writeFileSync(file, built.output, { mode: built.mode });
  // One that was there before has kept its mode.
  if ((built.mode & OTHERS_MASK) === 0) chmodSync(file, built.mode);
  const { image } = built.description;
  if (json) {
    process.stdout.write(`${JSON.stringify({ output: file, target, ...image }, null, 2)}\n`);
  } else {
    const lines = partLines(image.parts, image.bytes);
    process.stdout.write(`${lines.join('\n')}\n${shown(path.resolve(file))}\n`);
  }
  return EXIT_OK;
}

/** Checks, links and describes. Nothing but caches is written. */
export async function buildApp(app: App, platform: Platform): Promise<Built> {
  checkDevices(app, platform);
  checkContent(app);
  // On every target the application may use only what an image has: else "dev" would promise too
  // much. Before the types: the compiler would advise to install those of Node.
  const fetches = app.main !== null && (await checkImage(entryOf(app, 'pvh')));
  await checkTypes(app);
  const linked = fetches ? { ...app, connects: true } : app;
  const entry = entryOf(linked, platform);
  return platform === 'node' || platform === 'node-direct'
    ? buildModule(linked, entry, platform)
    : buildImage(linked, entry, platform);
}

const OTHERS_MASK = 0o077;

/** Certificates that are linked come with their private keys. */
function modeOf(app: App, mode: number): number {
  const isSecret = app.devices.some(
    (node) => isTlsServer(node) && Object.hasOwn(app.content, node.name),
  );
  return isSecret ? mode & ~OTHERS_MASK : mode;
}

const entryOf = (app: App, platform: Platform): Entry => ({
  text: entrySource(app, platform),
  resolveDir: app.main === null ? packageRoot : path.dirname(app.main),
  name: ENTRY_NAME,
});

/** Refuses what an image lacks: a global, or a module. True when it uses `fetch`. */
async function checkImage(entry: Entry): Promise<boolean> {
  const options = { entry, inject: INJECT, alias: morganaAlias };
  const bundled = await bundle({ ...options, define: MARKED, readable: true });
  if (!bundled.ok) throw bundleFailure(bundled.error);
  checkGlobals(bundled.value);
  return links(bundled.value.metafile, entry, path.join(packageRoot, FETCH));
}

/** Whether some of `file` is in the bundle. */
function links(metafile: Metafile, entry: Entry, file: string): boolean {
  const inputs = Object.values(metafile.outputs)[0]?.inputs ?? {};
  return Object.entries(inputs).some(
    ([input, { bytesInOutput }]) =>
      bytesInOutput > 0 && path.resolve(entry.resolveDir, input) === file,
  );
}

async function buildImage(app: App, entry: Entry, target: ImageTarget): Promise<Built> {
  const output = path.join(appCacheDirectory(app.root), `linked.${SUFFIX[target]}`);
  const contents = Object.entries(app.content).map(([name, directory]) => ({
    name,
    files: readContent(directory),
  }));
  const built = await linkImage({
    entry,
    contents,
    baseElf: baseImage(target),
    bytecodeTool: bytecodeTool(),
    output,
    define: DEFINE,
    inject: INJECT,
    alias: morganaAlias,
    finish({ text, crypto, modules }) {
      const { size } = statSync(baseImage(target, crypto));
      return tellLinked(text, nativeParts(target, crypto, size), modules);
    },
  });
  if (!built.ok) {
    const { error } = built;
    if (error.kind === 'no such module' || error.kind === 'syntax') throw bundleFailure(error);
    throw new Failure({ what: formatBuildFault(error), mend: 'run: npm run setup' });
  }
  const report = built.value;
  const description = describeApp(app, target, report.metafile, entry.resolveDir, {
    bytes: report.imageBytes,
    parts: imageParts(target, report),
    contents: contents.map(({ name, files }) => ({
      device: name,
      files: files.length,
      bytes: files.reduce((sum, file) => sum + file.bytes.length, 0),
    })),
  });
  return {
    description,
    output: appendDescription(readFileSync(output), description),
    mode: modeOf(app, 0o755),
    sources: sourcesOf(report.metafile, entry.resolveDir),
  };
}

function nativeParts(target: ImageTarget, crypto: boolean, bytes: number): Part[] {
  const { engine, base, mbedtls } = baseParts(target, crypto, bytes);
  return [
    { name: 'base', bytes: base },
    { name: 'engine', bytes: engine },
    ...(mbedtls === null ? [] : [{ name: `Mbed TLS ${mbedtls.version}`, bytes: mbedtls.bytes }]),
  ];
}

function imageParts(target: ImageTarget, { parts, programKind, crypto }: BuildReport): Part[] {
  const libraries = Object.entries(parts.libraries);
  const content = Object.values(parts.contents).reduce((sum, bytes) => sum + bytes, 0);
  return [
    ...nativeParts(target, crypto, parts.base),
    ...libraries.map(([name, bytes]) => ({ name: partName(name), bytes })),
    { name: programKind === 'source' ? 'app (source)' : 'app', bytes: parts.app },
    { name: 'content', bytes: content },
    { name: 'padding', bytes: parts.padding },
  ];
}

async function buildModule(app: App, entry: Entry, platform: Platform): Promise<Built> {
  const built = await buildNodeModule({
    entry,
    alias: morganaAlias,
    define: DEFINE,
    inject: INJECT,
  });
  if (!built.ok) throw bundleFailure(built.error);
  const { text, metafile } = built.value;
  const modules = listModules(metafile, entry.resolveDir);
  const output = new TextEncoder().encode(tellLinked(text, [], modules));
  const description = describeApp(app, platform, metafile, entry.resolveDir, {
    bytes: output.length,
    parts: [{ name: 'module', bytes: output.length }],
    contents: [],
  });
  const mode = modeOf(app, 0o644);
  return { description, output, mode, sources: sourcesOf(metafile, entry.resolveDir) };
}

const sourcesOf = (metafile: { inputs: object }, folder: string): string[] =>
  Object.keys(metafile.inputs)
    .filter((input) => path.basename(input) !== ENTRY_NAME)
    .map((input) => path.resolve(folder, input));
