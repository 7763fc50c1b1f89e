/**
 * Bundles a program for the image with esbuild: one script of exactly what the entry reaches. A
 * module that doesn't exist in an image (node:, or not found) is a fault that tells the chain of
 * imports.
 */

import { isBuiltin } from 'node:module';
import { basename, dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildFailure, build, type Metafile, type OutputFile, type Plugin } from 'esbuild';
import { err, ok, type Result } from '#core';

/** A module file, or a module's text whose imports are resolved from `resolveDir`. */
export type BundleEntry =
  | { readonly file: string }
  | { readonly text: string; readonly resolveDir: string; readonly name: string };

export interface BundleOptions {
  readonly entry: BundleEntry;
  readonly define: Readonly<Record<string, string>>;
  readonly inject: readonly string[];
  /** Specifiers that mean another module, as esbuild's `alias`. */
  readonly alias: Readonly<Record<string, string>>;
  /**
   * Keeps each module under a comment with its path: for analysis, not for images.
   */
  readonly readable?: boolean;
  /**
   * Leaves this package's own modules out: the text is a function of `require`, `module` and
   * `exports` that asks for them by their path in the package (packages/morgana/live-program.ts).
   */
  readonly asScript?: boolean;
}

export interface BundledModule {
  /** Relative to the entry's folder, as in messages. */
  readonly path: string;
  /** "app", a package of ours ("net"), or "npm:NAME". */
  readonly part: string;
  readonly bytes: number;
}

export interface Bundle {
  readonly text: string;
  readonly modules: readonly BundledModule[];
  readonly metafile: Metafile;
  /** Whether it uses the base's cryptography (crypto.ts). */
  readonly crypto: boolean;
  /** With `asScript`: modules of this package that the text asks for, as `require` gets them. */
  readonly asks: readonly string[];
  /** With `asScript`: the source map, version 3, whose paths count from the entry's folder. */
  readonly sourceMap: string | null;
}

export type BundleFault =
  | {
      readonly kind: 'no such module';
      readonly specifier: string;
      /** It exists on Node, not in an image. */
      readonly node: boolean;
      /** From the entry to the importer. */
      readonly chain: readonly string[];
    }
  | { readonly kind: 'syntax'; readonly message: string };

export function formatBundleFault(fault: BundleFault): string {
  if (fault.kind === 'syntax') return fault.message;
  const why = fault.node ? "is Node's, and an image has no Node in it" : "can't be found";
  const chain = [...fault.chain, fault.specifier].map(
    (step, i) => `  ${i === 0 ? '' : '-> '}${step}`,
  );
  return `the module "${fault.specifier}" ${why}; it is imported by\n${chain.join('\n')}`;
}

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, '../..');
const MISSING = 'missing';
const CRYPTO = resolve(HERE, 'crypto.ts');
/** Modules of packages/ in whose place an image has the base's. */
const NATIVE = new Map([
  [resolve(ROOT, 'packages/core/hot-bytes.ts'), resolve(HERE, 'hot-bytes.ts')],
  [resolve(ROOT, 'packages/crypto/platform.ts'), CRYPTO],
]);

export async function bundle(options: BundleOptions): Promise<Result<Bundle, BundleFault>> {
  const { entry } = options;
  const folder = 'file' in entry ? dirname(resolve(entry.file)) : resolve(entry.resolveDir);
  const given =
    'file' in entry
      ? { entryPoints: [resolve(entry.file)] }
      : {
          stdin: {
            contents: entry.text,
            resolveDir: folder,
            sourcefile: entry.name,
            loader: 'ts' as const,
          },
        };
  try {
    const result = await build({
      ...given,
      absWorkingDir: folder,
      bundle: true,
      write: false,
      metafile: true,
      outfile: 'main.js',
      ...(options.asScript === true ? SCRIPT : { format: 'iife' }),
      platform: 'neutral',
      mainFields: ['module', 'main'],
      conditions: ['morgana', 'worker', 'import', 'default'],
      target: 'es2023',
      charset: 'utf8',
      legalComments: 'none',
      minifySyntax: options.readable !== true,
      minifyWhitespace: false,
      define: { ...options.define },
      inject: [...options.inject],
      alias: { ...options.alias },
      tsconfigRaw: { compilerOptions: { useDefineForClassFields: true } },
      logLevel: 'silent',
      plugins: [imagePlugin(options)],
    });
    const missing = findMissing(result.metafile);
    if (missing !== null) return err(missing);
    const { metafile } = result;
    const raw = outputOf(result.outputFiles, 'main.js')!;
    const text = options.readable === true ? raw : placeless(raw, metafile, folder);
    return ok({
      text,
      modules: listModules(metafile, folder),
      metafile,
      crypto: listsCrypto(metafile, folder),
      asks: listAsked(metafile),
      sourceMap: outputOf(result.outputFiles, 'main.js.map'),
    });
  } catch (error) {
    const failure = error as BuildFailure;
    if (!Array.isArray(failure.errors)) throw error;
    const lines = failure.errors.map(({ text, location }) =>
      location === null ? text : `${location.file}:${location.line}:${location.column}: ${text}`,
    );
    return err({ kind: 'syntax', message: lines.join('\n') });
  }
}

/** A function, and where each of its places comes from. */
const SCRIPT = {
  format: 'cjs',
  banner: { js: '(function(require,module,exports){' },
  footer: { js: '})' },
  sourcemap: 'external',
  sourcesContent: false,
} as const;

/** Beside it there may be its source map. */
const linkedOutput = ({ outputs }: Metafile): Metafile['outputs'][string] =>
  Object.entries(outputs).find(([name]) => !name.endsWith('.map'))![1];

const outputOf = (files: readonly OutputFile[], name: string): string | null =>
  files.find((file) => basename(file.path) === name)?.text ?? null;

/** Puts the base's modules in the packages' place, and notes those that don't exist in an image. */
function imagePlugin({ alias, asScript }: BundleOptions): Plugin {
  const inner = Symbol('inner');
  return {
    name: 'morgana-image',
    setup(esbuild) {
      esbuild.onResolve({ filter: /.*/ }, async (args) => {
        if (args.pluginData === inner || args.kind === 'entry-point') return null;
        if (isBuiltin(args.path) && !Object.hasOwn(alias, args.path)) {
          // An npm package of the same name (buffer, events, punycode) is as good as any other.
          const own = args.path.startsWith('node:') ? null : await find(args.path);
          return own ?? { path: args.path, namespace: MISSING, pluginData: 'node' };
        }
        return (await find(args.path)) ?? { path: args.path, namespace: MISSING };

        async function find(path: string) {
          const { importer, namespace, resolveDir, kind } = args;
          if (asScript !== true && isNeighbour(path, importer)) {
            const near = resolve(resolveDir, path);
            return { path: NATIVE.get(near) ?? near, sideEffects: false };
          }
          const options = { importer, namespace, resolveDir, kind, pluginData: inner };
          const found = await esbuild.resolve(path, options);
          if (found.errors.length > 0 || found.external) return null;
          const { sideEffects, suffix } = found;
          if (asScript === true && isOwn(found.path)) {
            return { path: relative(ROOT, found.path), external: true, sideEffects: false };
          }
          const chosen = NATIVE.get(found.path) ?? found.path;
          return { path: chosen, namespace: found.namespace, sideEffects, suffix };
        }
      });
      esbuild.onLoad({ filter: /.*/, namespace: MISSING }, () => ({
        contents: 'module.exports = {}',
      }));
    },
  };
}

/** A comment before a module, or the name of the function around a lazy one. */
const MODULE_PATH = /^( *\/\/ )(.+)$|((?:__esm|__commonJS)\w*\(\{\s*")((?:[^"\\]|\\.)*)(?="\()/gm;

/**
 * esbuild writes a module's path from the entry's folder, which differs with where this package is
 * installed. Writes, in the text and into the sums, its path in its own package instead: the same
 * inputs give the same bytes wherever they are.
 */
function placeless(text: string, metafile: Metafile, folder: string): string {
  const { inputs } = linkedOutput(metafile);
  return text.replace(MODULE_PATH, (whole, comment, commented, lazy, named) => {
    const path: string = commented ?? named;
    const input = inputs[path];
    if (input === undefined) return whole;
    const place = placeInPackage(path, folder);
    if (named !== undefined) input.bytesInOutput += place.length - path.length;
    return `${comment ?? lazy}${place}`;
  });
}

function placeInPackage(path: string, folder: string): string {
  const file = resolve(folder, path);
  const part = partOf(file);
  if (part === 'app') return path;
  const npm = file.lastIndexOf('/node_modules/');
  return part.startsWith('npm:') ? file.slice(npm + '/node_modules/'.length) : relative(ROOT, file);
}

/** The first module that doesn't exist, with the shortest chain of imports to it. */
function findMissing(metafile: Metafile): BundleFault | null {
  const entry = linkedOutput(metafile).entryPoint!;
  const from = new Map<string, string | null>([[entry, null]]);
  for (const path of from.keys()) {
    if (path.startsWith(`${MISSING}:`)) {
      const specifier = path.slice(MISSING.length + 1);
      const chain: string[] = [];
      for (let step = from.get(path); step; step = from.get(step)) chain.unshift(step);
      return { kind: 'no such module', specifier, node: isBuiltin(specifier), chain };
    }
    // A Map's keys may grow while they are walked: this is the queue of a breadth-first search.
    for (const { path: next } of metafile.inputs[path]?.imports ?? []) {
      if (!from.has(next)) from.set(next, path);
    }
  }
  return null;
}

/** Whether a file is one of this package's modules, which a development build has once. */
function isOwn(file: string): boolean {
  const part = partOf(file);
  return part !== 'app' && !part.startsWith('npm:');
}

/** Whether one of this package's modules names another by its place: esbuild needn't search. */
const isNeighbour = (path: string, importer: string): boolean =>
  /^\.\.?\/.*\.ts$/.test(path) && isOwn(importer);

function listAsked(metafile: Metafile): string[] {
  const { imports } = linkedOutput(metafile);
  return [...new Set(imports.filter((one) => one.external).map(({ path }) => path))].sort();
}

const listsCrypto = (metafile: Metafile, folder: string): boolean =>
  Object.entries(linkedOutput(metafile).inputs).some(
    ([path, { bytesInOutput }]) => bytesInOutput > 0 && resolve(folder, path) === CRYPTO,
  );

/** What is in a bundle, the largest first; the metafile's paths count from `folder`. */
export function listModules(metafile: Metafile, folder: string): BundledModule[] {
  const { inputs } = linkedOutput(metafile);
  const modules = Object.entries(inputs).map(([path, { bytesInOutput }]) => ({
    path,
    part: partOf(resolve(folder, path)),
    bytes: bytesInOutput,
  }));
  return modules.sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1));
}

/** Which line of the report a file counts for. */
export function partOf(file: string): string {
  const npm = file.lastIndexOf('/node_modules/');
  const own = relative(ROOT, file).split('/');
  if (npm >= 0 && (own[0] === '..' || own.includes('node_modules'))) {
    const [scope, name] = file.slice(npm + '/node_modules/'.length).split('/');
    return `npm:${scope!.startsWith('@') ? `${scope}/${name}` : scope}`;
  }
  if (own[0] === 'packages') return own[1]!;
  return own[0] === 'targets' ? `target ${own[1]}` : 'app';
}
