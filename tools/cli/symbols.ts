/**
 * Names for addresses in the base: of native functions and code in a profile
 * (packages/device/vitals.ts), from what `nm -n` said of the base that an image was linked with.
 */

import { readFileSync } from 'node:fs';
import { baseFile, type ImageTarget } from './base.ts';

export type NameOf = (address: number) => string | null;

const SYMBOLS: Record<ImageTarget, string> = { pvh: 'base.sym', process: 'process.sym' };

/** By the text of a .sym file: the function that an address is in. */
export function symbolNames(text: string): NameOf {
  const symbols: { readonly address: number; readonly name: string }[] = [];
  for (const [, address, name] of text.matchAll(/^([0-9a-f]+) [tTwW] (\S+)$/gm)) {
    symbols.push({ address: Number.parseInt(address!, 16), name: name! });
  }
  return (address) => {
    let low = 0;
    let high = symbols.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (symbols[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    return symbols[low - 1]?.name ?? null;
  };
}

/** Of this package's own base; null where its symbols aren't there. */
export function baseSymbols(target: ImageTarget): NameOf | null {
  const file = baseFile(SYMBOLS[target]);
  return file === null ? null : symbolNames(readFileSync(file, 'utf8'));
}
