/**
 * Checks an application's types before it is linked; the compiler's messages are shown as they
 * are.
 */

import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { App } from './app.ts';
import { Failure } from './failure.ts';
import { morganaAlias } from './load.ts';
import { appCacheDirectory, cacheDirectory, packageRoot, shown } from './places.ts';

/** Throws a Failure whose detail is what the compiler said. A website has no types. */
export async function checkTypes(app: App): Promise<void> {
  if (app.main === null) return;
  const directory = appCacheDirectory(app.root);
  const check = path.join(directory, 'check.ts');
  const project = path.join(directory, 'tsconfig.json');
  writeFileSync(check, checkSource(app));
  const own = ownProject(path.dirname(app.main));
  writeFileSync(project, JSON.stringify(projectOf(own, check), null, 2));
  const words = ['-p', project, '--pretty', 'false', '--singleThreaded'];
  const compiled = await remembering(own === null ? cacheDirectory('types') : directory, (known) =>
    compile([...words, '--incremental', '--tsBuildInfoFile', known]),
  );
  if (compiled === null) return;
  const output = compiled.replaceAll(checkFileName(check), () => checkedName(app));
  const detail = ownMessages(output);
  if (detail.length === 0) return;
  const count = detail.filter((line) => !line.startsWith(' ')).length;
  throw new Failure({
    what: `${count} type error${count === 1 ? '' : 's'} in ${app.name}`,
    mend: 'correct what is shown above',
    detail,
  });
}

/**
 * The compiler's own executable, which `typescript/bin/tsc` would start after a Node of its own;
 * that one where it isn't found.
 */
function compilerCommand(): [string, ...string[]] {
  const typescript = createRequire(import.meta.url).resolve('typescript/package.json');
  try {
    const name = `@typescript/typescript-${process.platform}-${process.arch}/package.json`;
    const tsc = path.join(path.dirname(createRequire(typescript).resolve(name)), 'lib', 'tsc');
    if (existsSync(tsc)) return [tsc];
  } catch {
    // Another layout of the same package: its own script knows.
  }
  return [process.execPath, path.join(path.dirname(typescript), 'bin', 'tsc')];
}

/**
 * What the compiler wrote; null when it found nothing wrong. One thread and rarer collections of
 * garbage: an application is small, and several checkers would each learn the same types anew.
 */
function compile(words: readonly string[]): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const [command, ...first] = compilerCommand();
    const env = { GOGC: '400', ...process.env };
    const child = spawn(command, [...first, ...words], { stdio: ['ignore', 'pipe', 'pipe'], env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', reject);
    child.once('close', (status) => resolve(status === 0 ? null : output));
  });
}

/**
 * Has the compiler use what it found of this package's sources the last time, two thirds of its
 * work, which is the same for all applications without options of their own. Each run has a copy:
 * another may come at any moment.
 */
async function remembering<T>(
  directory: string,
  compileWith: (known: string) => Promise<T>,
): Promise<T> {
  const last = path.join(directory, 'known.tsbuildinfo');
  const known = `${last}.${process.pid}`;
  try {
    if (existsSync(last)) copyFileSync(last, known);
    const compiled = await compileWith(known);
    if (existsSync(known)) renameSync(known, last);
    return compiled;
  } finally {
    rmSync(known, { force: true });
  }
}

/** In the compiler's messages, at the beginning of a line. */
const checkFileName = (check: string): RegExp => {
  const escaped = path.basename(check).replaceAll('.', '\\.');
  return new RegExp(
    `^.*${path.basename(path.dirname(check))}[\\\\/]${escaped}\\(\\d+,\\d+\\)`,
    'gm',
  );
};

/** Where a person finds what our own file complains of. */
const checkedName = (app: App): string =>
  `${shown(app.main!)}, what it exports${app.kind === 'handler' ? ' ({ fetch(request) })' : ''}`;

/** Ties the application to the shape that the entry module relies on. */
function checkSource(app: App): string {
  const main = JSON.stringify(app.main);
  if (app.kind === 'handler') {
    return `import type { FetchInfo, HandlerConfig, Reload } from 'morgana';
import handler from ${main};
import * as app from ${main};
type Handler = { fetch(request: Request, info: FetchInfo): Response | Promise<Response> };
export const checked: Handler = handler;
export const live: { default: unknown; reload?: Reload<HandlerConfig, never> } = app;
`;
  }
  return `import type { Reload, Start } from 'morgana';
import type config from ${JSON.stringify(app.config)};
import { start } from ${main};
import * as app from ${main};
export const checked: Start<typeof config> = start;
export const live: { start: unknown; reload?: Reload<typeof config, never> } = app;
`;
}

/**
 * The application's own tsconfig.json, when it has one, with what linking an image needs on top.
 */
function projectOf(own: string | null, check: string): object {
  const compilerOptions = {
    ...(own === null ? STRICT : {}),
    ...ENVIRONMENT,
    noEmit: true,
    composite: false,
    skipLibCheck: true,
    module: 'esnext',
    moduleResolution: 'bundler',
    allowImportingTsExtensions: true,
    allowJs: true,
    checkJs: false,
    paths: Object.fromEntries(Object.entries(morganaAlias).map(([name, file]) => [name, [file]])),
  };
  return {
    ...(own === null ? {} : { extends: own }),
    compilerOptions,
    files: [check],
    include: [],
  };
}

/** For an application without a tsconfig.json. */
const STRICT = { strict: true, noUncheckedIndexedAccess: true };

/**
 * What exists in an image, whatever the application's editor believes: no types of Node, for one.
 */
const ENVIRONMENT = {
  target: 'es2023',
  lib: ['es2023', 'dom', 'dom.iterable', 'dom.asynciterable'],
  types: [],
};

function ownProject(from: string): string | null {
  for (let directory = from; ; directory = path.dirname(directory)) {
    const file = path.join(directory, 'tsconfig.json');
    if (existsSync(file)) return file;
    const end = existsSync(path.join(directory, 'package.json'));
    if (end || path.dirname(directory) === directory) return null;
  }
}

/**
 * Leaves out messages about this package's sources, which its own checks cover under its own
 * options.
 */
function ownMessages(output: string): string[] {
  const lines: string[] = [];
  let isOurs = false;
  const packages = path.join(packageRoot, 'packages') + path.sep;
  for (const line of output.split('\n').filter((text) => text.trim() !== '')) {
    const file = /^(.+?)\(\d+,\d+\): error /.exec(line)?.[1];
    if (file !== undefined) isOurs = path.resolve(file).startsWith(packages);
    else if (!line.startsWith(' ')) isOurs = false;
    if (!isOurs) lines.push(line);
  }
  return lines;
}
