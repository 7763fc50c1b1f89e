/** The console object, Console standard: lines on the machine's console. */

import { formatArguments, inspect } from './inspect.ts';
import { platform } from './platform.ts';

const counts = new Map<string, number>();
const starts = new Map<string, number>();
let indent = '';

/** Writes a text that may have several lines. */
function print(text: string): void {
  const { console: out } = platform();
  for (const line of text.split('\n')) out.writeLine(indent + line);
}

const log = (...args: unknown[]): void => print(formatArguments(args));

function elapsed(label: string): string | null {
  const start = starts.get(label);
  if (start === undefined) return null;
  return `${label}: ${((platform().timers.now - start) / 1_000).toFixed(3)} ms`;
}

function timeLog(label = 'default', ...args: unknown[]): void {
  const text = elapsed(label);
  if (text === null) print(`console.time("${label}") was not called`);
  else print(args.length === 0 ? text : `${text} ${formatArguments(args)}`);
}

function group(...args: unknown[]): void {
  if (args.length > 0) log(...args);
  indent += '  ';
}

/** Rows of `data` with a column per property. */
function table(data: unknown): void {
  if (typeof data !== 'object' || data === null) {
    log(data);
    return;
  }
  const rows = data instanceof Map ? [...data] : Object.entries(data);
  const columns = new Set<string>();
  const cells = rows.map(([index, row]) => {
    const isObject = typeof row === 'object' && row !== null;
    const fields: Record<string, unknown> = isObject ? { ...row } : { Values: row };
    for (const name of Object.keys(fields)) columns.add(name);
    return { index: String(index), fields };
  });
  const lines = [['(index)', ...columns]];
  for (const { index, fields } of cells) {
    lines.push([
      index,
      ...[...columns].map((name) => (name in fields ? inspect(fields[name]) : '')),
    ]);
  }
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  for (const line of lines) {
    print(
      line
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    );
  }
}

export const console = {
  log,
  info: log,
  debug: log,
  warn: log,
  error: log,
  dir: (value: unknown): void => print(inspect(value)),
  dirxml: log,
  table,
  group,
  groupCollapsed: group,
  groupEnd(): void {
    indent = indent.slice(2);
  },
  trace: (...args: unknown[]): void =>
    print(`Trace: ${formatArguments(args)}\n${(new Error().stack ?? '').trimEnd()}`),
  assert(condition?: unknown, ...args: unknown[]): void {
    if (!condition)
      print(args.length === 0 ? 'Assertion failed' : `Assertion failed: ${formatArguments(args)}`);
  },
  count(label = 'default'): void {
    const count = (counts.get(label) ?? 0) + 1;
    counts.set(label, count);
    print(`${label}: ${count}`);
  },
  countReset(label = 'default'): void {
    counts.delete(label);
  },
  time(label = 'default'): void {
    starts.set(label, platform().timers.now);
  },
  timeLog,
  timeEnd(label = 'default'): void {
    timeLog(label);
    starts.delete(label);
  },
  /** There is no screen to clear. */
  clear(): void {},
};
