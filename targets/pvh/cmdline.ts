/**
 * The kernel command line. Words before a lone `--` are for the machine (ours and the virtual
 * machine monitor's); words after it are the program's boot arguments.
 *
 * Words are separated by spaces. Within a word "..." keeps spaces, and inside quotes \" and \\
 * stand for one character; quotes may begin anywhere (`--name="a b"`). An unquoted word that begins
 * with `virtio_mmio.device=` is always the machine's, since QEMU appends it at the end of the line.
 */

import { err, ok, type Result } from '#core';
import type { MmioWindow } from './virtio/transport-mmio.ts';

export interface CommandLine {
  readonly bootArguments: readonly string[];
  readonly mmioWindows: readonly MmioWindow[];
}

export type CommandLineFault = { readonly kind: 'virtio_mmio.device'; readonly word: string };

const MMIO_WORD = 'virtio_mmio.device=';
/** More devices than wake-up bits can't be told apart. */
export const MMIO_WINDOWS_MAX = 31;

export function parseCommandLine(line: string): Result<CommandLine, CommandLineFault> {
  const bootArguments: string[] = [];
  const mmioWindows: MmioWindow[] = [];
  let forProgram = false;
  for (const { text, quoted } of splitWords(line)) {
    if (!quoted && text.startsWith(MMIO_WORD)) {
      const window = parseMmioWindow(text.slice(MMIO_WORD.length));
      if (window === null || mmioWindows.length === MMIO_WINDOWS_MAX) {
        return err({ kind: 'virtio_mmio.device', word: text });
      }
      mmioWindows.push(window);
    } else if (forProgram) bootArguments.push(text);
    else if (text === '--' && !quoted) forProgram = true;
  }
  return ok({ bootArguments, mmioWindows });
}

interface Word {
  readonly text: string;
  /** It began with a quote. */
  readonly quoted: boolean;
}

function splitWords(line: string): Word[] {
  const words: Word[] = [];
  let i = 0;
  for (;;) {
    while (line[i] === ' ') i++;
    if (i >= line.length) return words;
    const quoted = line[i] === '"';
    let text = '';
    let inside = false;
    for (; i < line.length && (inside || line[i] !== ' '); i++) {
      const char = line[i]!;
      const next = line[i + 1];
      if (char === '"') inside = !inside;
      else if (inside && char === '\\' && (next === '"' || next === '\\')) text += line[++i]!;
      else text += char;
    }
    words.push({ text, quoted });
  }
}

/** SIZE@ADDRESS:IRQ, as Linux documents it; SIZE may end in K or M, numbers may be hexadecimal. */
function parseMmioWindow(text: string): MmioWindow | null {
  const match = /^(0x[0-9a-f]+|[0-9]+)([KM]?)@(0x[0-9a-f]+|[0-9]+):([0-9]+)(:[0-9]+)?$/i.exec(text);
  if (match === null) return null;
  const unit = match[2]!.toUpperCase();
  const bytes = Number(match[1]) * (unit === 'K' ? 1024 : unit === 'M' ? 1048576 : 1);
  const address = Number(match[3]);
  const gsi = Number(match[4]);
  if (bytes > 0x100000 || address + bytes > 2 ** 52 || gsi > 255) return null;
  return { bytes, address, gsi };
}

/** The inverse of the splitting above: one word of a command line that reads back as `text`. */
export function quoteWord(text: string): string {
  if (text !== '' && text !== '--' && !/[ "]/.test(text) && !text.startsWith(MMIO_WORD))
    return text;
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
