/**
 * What a bundle reaches: bytes and lines per package, and what it reaches that an image doesn't
 * have, with the chain of imports that leads there. Works on what esbuild reports; pure but for
 * counting lines.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Metafile } from 'esbuild';
import { packageRoot } from './places.ts';

export interface PackageCost {
  /** "app", "morgana/net", "npm:hono". */
  readonly name: string;
  /** Bytes in the bundle, minified. */
  readonly bytes: number;
  /** Lines of the source files that it was linked from. */
  readonly lines: number;
  readonly files: number;
}

/** Which package a file belongs to; `file` is absolute. */
export function packageOf(file: string, root: string = packageRoot): string {
  const npm = file.lastIndexOf('/node_modules/');
  const relative = path.relative(root, file);
  if (/^(packages|targets)[\\/]/.test(relative)) {
    const [room, name] = relative.split(path.sep);
    return room === 'packages' ? `morgana/${name}` : `morgana/targets/${name}`;
  }
  if (npm < 0) return 'app';
  const parts = file.slice(npm + '/node_modules/'.length).split('/');
  return `npm:${parts.slice(0, parts[0]!.startsWith('@') ? 2 : 1).join('/')}`;
}

/**
 * Costs of all packages in the only output of `metafile`, biggest first. `base`: what its paths
 * count from.
 */
export function packageCosts(metafile: Metafile, base: string): PackageCost[] {
  const costs = new Map<string, { bytes: number; lines: number; files: number }>();
  for (const [input, { bytesInOutput }] of Object.entries(onlyOutput(metafile).inputs)) {
    const file = path.resolve(base, input);
    const name = isGenerated(input) ? 'morgana/entry' : packageOf(file);
    const cost = costs.get(name) ?? { bytes: 0, lines: 0, files: 0 };
    cost.bytes += bytesInOutput;
    cost.lines += isGenerated(input) ? 0 : countLines(file);
    cost.files += 1;
    costs.set(name, cost);
  }
  return [...costs]
    .map(([name, cost]) => ({ name, ...cost }))
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
}

/** The name of the generated entry among a bundle's inputs. */
export const ENTRY_NAME = 'morgana-entry.ts';
const isGenerated = (input: string): boolean => path.basename(input) === ENTRY_NAME;

function countLines(file: string): number {
  try {
    return readFileSync(file, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}

function onlyOutput(metafile: Metafile): Metafile['outputs'][string] {
  const code = Object.entries(metafile.outputs).find(([name]) => !name.endsWith('.map'));
  if (code === undefined) throw new Error('a bundle without output');
  return code[1];
}

/** A global that a bundle uses and an image lacks. */
export interface MissingGlobal {
  readonly name: string;
  /** Inputs from the application's module to the one that uses it. */
  readonly chain: readonly string[];
}

/**
 * The shortest way from the application's side to an input that `isEnd`, both included and without
 * the generated entry; empty when there is none.
 */
export function chainTo(metafile: Metafile, isEnd: (input: string) => boolean): string[] {
  const entry = onlyOutput(metafile).entryPoint;
  if (entry === undefined) return [];
  const from = new Map<string, string | null>([[entry, null]]);
  for (const input of from.keys()) {
    if (isEnd(input)) return wayBack(from, input).filter((step) => !isGenerated(step));
    for (const use of metafile.inputs[input]?.imports ?? []) {
      if (!use.external && !from.has(use.path) && metafile.inputs[use.path]) {
        from.set(use.path, input);
      }
    }
  }
  return [];
}

function wayBack(from: ReadonlyMap<string, string | null>, end: string): string[] {
  const way: string[] = [];
  for (let at: string | null = end; at !== null; at = from.get(at) ?? null) way.unshift(at);
  return way;
}

/** Names that other environments have as globals and an image has not. */
const FOREIGN_GLOBALS = [
  ...['process', 'Buffer', 'global', 'require', '__dirname', '__filename', 'setImmediate'],
  ...['window', 'document', 'localStorage', 'sessionStorage', 'indexedDB', 'location', 'caches'],
  ...['XMLHttpRequest', 'WebSocket', 'EventSource', 'Worker', 'SharedWorker', 'BroadcastChannel'],
  ...['fetch', 'WebAssembly', 'Intl', 'Deno', 'Bun', 'alert', 'importScripts', 'FileReader'],
] as const;

const MARK = '__morgana_missing_';

/**
 * For esbuild's `define`: marks uses of globals that an image lacks. `present`: those that it has
 * after all.
 */
export function missingGlobalMarks(present: ReadonlySet<string>): Record<string, string> {
  const missing = FOREIGN_GLOBALS.filter((name) => !present.has(name));
  return Object.fromEntries(missing.map((name) => [name, `${MARK}${name}`]));
}

/**
 * Uses of missing globals in a bundle that was built with the marks, unminified (each module under
 * a comment with its path). A module that asks `typeof name` first can do without, and is not
 * reported.
 */
export function missingGlobals(code: string, metafile: Metafile): MissingGlobal[] {
  const found = new Map<string, string>();
  for (const { input, text } of modulesIn(code, metafile)) {
    for (const [, name] of text.matchAll(/\b__morgana_missing_(\w+)/g)) {
      const isAsked = text.includes(`typeof ${MARK}${name}`);
      if (!isAsked && !found.has(name!)) found.set(name!, input);
    }
  }
  return [...found].sort().map(([name, input]) => ({
    name,
    chain: chainTo(metafile, (at) => at === input),
  }));
}

/** The code as it would be without the marks. */
export const unmarked = (code: string): string => code.replaceAll(MARK, '');

function modulesIn(code: string, metafile: Metafile): { input: string; text: string }[] {
  const modules: { input: string; text: string }[] = [];
  for (const line of code.split('\n')) {
    const input = /^\s*\/\/ (.+)$/.exec(line)?.[1];
    if (input !== undefined && Object.hasOwn(metafile.inputs, input)) {
      modules.push({ input, text: '' });
    } else {
      const last = modules.at(-1);
      if (last !== undefined) last.text += `${line}\n`;
    }
  }
  return modules;
}
