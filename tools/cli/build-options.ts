/**
 * What linking an application is on every target: the globals that it finds, those that it may not
 * use, and what a person is told when it can't be linked.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { WEB_GLOBALS, webDefines } from '../../packages/web/bundle.ts';
import type { Bundle, formatBundleFault } from '../../targets/base/build.ts';
import { Failure } from './failure.ts';
import { ENTRY_NAME, missingGlobalMarks, missingGlobals } from './import-graph.ts';
import { packageRoot } from './places.ts';

/** A module's text, with the directory that its imports count from. */
export interface Entry {
  readonly text: string;
  readonly resolveDir: string;
  readonly name: string;
}

export const INJECT = ['packages/web/inject.ts', 'packages/http/inject.ts'].map((file) =>
  path.join(packageRoot, file),
);
/** Linked for whoever names the global `fetch`. */
export const FETCH = 'packages/http/client/fetch.ts';
/**
 * What every system of a development build has for applications, whether or not they use it yet:
 * all but `fetch`, which brings names with it.
 */
export const SYSTEM_MODULES: readonly string[] = [
  'packages/morgana/http.ts',
  ...injectedModules('packages/web/inject.ts'),
];

/** The modules whose exports `file` passes on. */
function injectedModules(file: string): string[] {
  const text = readFileSync(path.join(packageRoot, file), 'utf8');
  return [...text.matchAll(/ from '(\.\/[a-z-]+\.ts)'/g)].map(([, from]) =>
    path.posix.join(path.posix.dirname(file), from!),
  );
}

/** What libraries ask about the environment: an image is production, and no Node. */
export const DEFINE = {
  'process.env.NODE_ENV': '"production"',
  ...webDefines(),
  'globalThis.fetch': 'fetch',
  'self.fetch': 'fetch',
};
/** DEFINE, and marks for what `checkGlobals` looks for. */
export const MARKED = {
  ...missingGlobalMarks(new Set([...WEB_GLOBALS, 'fetch'])),
  ...DEFINE,
};

/**
 * Refuses an application that uses a global which no image has, with the chain of imports.
 * `bundled`: readable, with the marks.
 */
export function checkGlobals({ text, metafile }: Bundle): void {
  const [first] = missingGlobals(text, metafile);
  if (first === undefined) return;
  throw new Failure({
    what: `the global '${first.name}' does not exist in an image`,
    where: `used by ${first.chain.join(' -> ')}`,
    mend: 'use a Web-standard API instead, or ask `typeof` before',
  });
}

/** A fault of the bundler as a Failure. */
export function bundleFailure(fault: Parameters<typeof formatBundleFault>[0]): Failure {
  if (fault.kind === 'syntax') {
    const detail = fault.message.split('\n');
    return new Failure({ what: 'the application cannot be linked', mend: 'see above', detail });
  }
  const chain = fault.chain.filter((step) => path.basename(step) !== ENTRY_NAME);
  return new Failure({
    what: fault.node
      ? `the module "${fault.specifier}" is Node's, and an image has no Node in it`
      : `the module "${fault.specifier}" can't be found`,
    where: `imported by ${[...chain, fault.specifier].join(' -> ')}`,
    mend: fault.node ? 'use a Web-standard API instead' : 'install it, or correct the name',
  });
}
