/**
 * Links an application for the node target: one module that Node runs, with the host's modules
 * left outside.
 */

import { isBuiltin } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildFailure, build, type Metafile, type Plugin } from 'esbuild';
import { err, ok, type Result } from '#core';

export interface NodeBuildOptions {
  readonly entry: { readonly text: string; readonly resolveDir: string; readonly name: string };
  readonly alias: Readonly<Record<string, string>>;
  readonly define: Readonly<Record<string, string>>;
  /**
   * Modules whose exports stand in for globals, so that a process has the same ones as an image.
   */
  readonly inject: readonly string[];
}

export type NodeBuildFault =
  | {
      readonly kind: 'no such module';
      readonly specifier: string;
      readonly node: boolean;
      /** Importers, the nearest last. */
      readonly chain: readonly string[];
    }
  | { readonly kind: 'syntax'; readonly message: string };

export interface NodeModule {
  readonly text: string;
  readonly metafile: Metafile;
}

const HERE = path.dirname(fileURLToPath(import.meta.url)) + path.sep;

export async function buildNodeModule(
  options: NodeBuildOptions,
): Promise<Result<NodeModule, NodeBuildFault>> {
  const { entry } = options;
  const foreign: { specifier: string; importer: string }[] = [];
  try {
    const result = await build({
      stdin: {
        contents: entry.text,
        resolveDir: entry.resolveDir,
        sourcefile: entry.name,
        loader: 'ts',
      },
      absWorkingDir: entry.resolveDir,
      bundle: true,
      write: false,
      metafile: true,
      outfile: 'main.mjs',
      format: 'esm',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      conditions: ['morgana', 'worker', 'import', 'default'],
      target: 'node20',
      charset: 'utf8',
      legalComments: 'none',
      sourcemap: 'inline',
      sourcesContent: false,
      define: { ...options.define },
      alias: { ...options.alias },
      inject: [...options.inject],
      logLevel: 'silent',
      plugins: [hostModules(foreign)],
    });
    const [first] = foreign;
    if (first !== undefined) {
      const { specifier, importer } = first;
      const chain = [path.relative(entry.resolveDir, importer)];
      return err({ kind: 'no such module', specifier, node: true, chain });
    }
    return ok({ text: result.outputFiles[0]!.text, metafile: result.metafile });
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>;
    if (errors === undefined) throw error;
    const lines = errors.map(({ text, location }) =>
      location === null ? text : `${location.file}:${location.line}:${location.column}: ${text}`,
    );
    return err({ kind: 'syntax', message: lines.join('\n') });
  }
}

/**
 * Only this target may import Node's modules: an application that did would not run in an image.
 * Puts this target's primitives and zlib in the place of packages/crypto/platform.ts and
 * packages/git/zlib/platform.ts.
 */
function hostModules(foreign: { specifier: string; importer: string }[]): Plugin {
  return {
    name: 'morgana-node',
    setup(esbuild) {
      esbuild.onResolve({ filter: /^#crypto\/platform$/ }, () => ({
        path: path.join(HERE, 'crypto.ts'),
        sideEffects: false,
      }));
      esbuild.onResolve({ filter: /^#git\/zlib\/platform$/ }, () => ({
        path: path.join(HERE, 'zlib.ts'),
        sideEffects: false,
      }));
      esbuild.onResolve({ filter: /.*/ }, ({ path: specifier, importer, kind }) => {
        if (kind === 'entry-point' || !isBuiltin(specifier)) return null;
        if (!importer.startsWith(HERE)) foreign.push({ specifier, importer });
        return { path: specifier, external: true };
      });
    },
  };
}
