/** How lines of several unikernels look side by side. */

import { printable } from '../printable.ts';
import type { NamedLine } from './messages.ts';

const COLORS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];
const OWN_COLOR = 90;

/**
 * Makes a line of text: "web | listening", the names as wide as the widest. `isTerminal`: in
 * colours unless NO_COLOR is set, and without control characters, which a terminal would obey.
 */
export function lineFormat(
  names: readonly string[],
  isTerminal: boolean,
): (line: NamedLine) => string {
  const width = Math.max(...names.map((name) => name.length));
  const isColored = isTerminal && !process.env.NO_COLOR;
  return ({ name, text }) => {
    const head = `${name.padEnd(width)} |`;
    const index = names.indexOf(name);
    const color = index < 0 ? OWN_COLOR : COLORS[index % COLORS.length]!;
    const shownHead = isColored ? `\x1b[${color}m${head}\x1b[0m` : head;
    return `${shownHead} ${isTerminal ? printable(text) : text}\n`;
  };
}
