/**
 * An application's own modules as a script of a development build, beside the system that it asks
 * for the rest: packages/morgana/live-program.ts runs it, and puts it in place of the one before.
 */

import path from 'node:path';
import { bundle } from '../../targets/base/build.ts';
import type { App } from './app.ts';
import { bundleFailure, checkGlobals, type Entry, INJECT, MARKED } from './build-options.ts';
import { ENTRY_NAME, unmarked } from './import-graph.ts';
import { morganaAlias } from './load.ts';

export interface Script {
  /** As the machine's `evaluate` takes it. */
  readonly code: Uint8Array;
  /** Two versions with equal ones do the same. */
  readonly source: string;
  /** Lines of `code` before those of `source`, and of `source`. */
  readonly firstLine: number;
  readonly lineCount: number;
  /** Version 3; its paths count from `home`. */
  readonly sourceMap: string;
  readonly home: string;
  /** The system's modules that it asks for, by their paths below the package's root. */
  readonly asks: readonly string[];
  /** The files that it was made from, absolute; also those of the system that it merely names. */
  readonly sources: readonly string[];
}

/**
 * What traces call every script: the base's engine calls so whatever is evaluated. Versions are
 * told apart by where their lines begin.
 */
export const SCRIPT_NAME = '<input>';
/** Where no script begins any more: the lines before it are bytes too. */
const FIRST_LINE_MAX = 32_768;

/** A line for the first line of the version after `script`. */
export const lineAfter = ({ firstLine, lineCount }: Script): number =>
  firstLine + lineCount > FIRST_LINE_MAX ? 0 : firstLine + lineCount;

/** Throws a Failure for what can't be linked, or uses what no image has. */
export async function buildScript(
  app: App & { readonly main: string },
  firstLine: number,
): Promise<Script> {
  const home = path.dirname(app.main);
  const main = JSON.stringify(app.main);
  const entry: Entry = {
    text: `import * as app from ${main};\nexport { app };\n`,
    resolveDir: home,
    name: ENTRY_NAME,
  };
  const options = { entry, inject: INJECT, alias: morganaAlias, define: MARKED };
  const bundled = await bundle({ ...options, readable: true, asScript: true });
  if (!bundled.ok) throw bundleFailure(bundled.error);
  checkGlobals(bundled.value);
  const { asks, metafile, sourceMap } = bundled.value;
  const source = unmarked(bundled.value.text);
  const text = `${'\n'.repeat(firstLine)}${source}\n//# sourceURL=${SCRIPT_NAME}\n`;
  return {
    code: new TextEncoder().encode(text),
    source,
    firstLine,
    lineCount: source.split('\n').length,
    sourceMap: sourceMap!,
    home,
    asks,
    sources: Object.keys(metafile.inputs)
      .filter((input) => path.basename(input) !== ENTRY_NAME)
      .map((input) => path.resolve(home, input)),
  };
}
