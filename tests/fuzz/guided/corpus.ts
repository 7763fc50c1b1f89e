/**
 * Corpora as they are kept, so that a person can read a change: `corpus/TARGET.hex` is what the
 * fuzzer keeps, `corpus/TARGET-found.hex` what it found once, now fixed. Inputs are separated by
 * empty lines, a line is a record in hexadecimal, `#` begins a comment.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Input } from './engine.ts';

const pathOf = (name: string): string => new URL(`../corpus/${name}.hex`, import.meta.url).pathname;

export const formatInput = (input: Input): string =>
  `${input.map((record) => Buffer.from(record).toString('hex')).join('\n')}\n`;

export function parseInput(text: string): Input {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => Uint8Array.from(Buffer.from(line, 'hex')));
}

export interface Kept {
  /** Where it stands: the file, and the input's number or its first comment. */
  readonly name: string;
  readonly input: Input;
}

/** All of a target's corpus, in order, with what was found. */
export function readCorpus(target: string): Kept[] {
  return [target, `${target}-found`].flatMap((file) => {
    if (!existsSync(pathOf(file))) return [];
    return readFileSync(pathOf(file), 'utf8')
      .split(/\n\n+/)
      .map((text, i) => ({
        name: `${file}: ${/^# *(.*)/.exec(text)?.[1] ?? i}`,
        input: parseInput(text),
      }))
      .filter(({ input }) => input.length > 0);
  });
}

/** Replaces what the fuzzer keeps. */
export function writeCorpus(target: string, inputs: readonly Input[]): void {
  writeFileSync(pathOf(target), inputs.map(formatInput).sort().join('\n'));
}
