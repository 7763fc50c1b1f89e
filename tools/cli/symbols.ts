/**
 * Names for addresses in the base: of native functions and code in a profile
 * (packages/device/vitals.ts), from what `nm -n` said of the base that an image was linked with.
 */

import { readFileSync } from 'node:fs';
import { baseFile, type ImageTarget } from './base.ts';

export type NameOf = (address: number) => string | null;

/** Of the small base and of the one with Mbed TLS. */
const SYMBOLS: Record<ImageTarget, readonly string[]> = {
  pvh: ['base.sym', 'base-crypto.sym'],
  process: ['process.sym', 'process-crypto.sym'],
};

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

/**
 * Of this package's own bases the one in which the most of `functions` begin, as an image doesn't
 * tell which it stands on; null where no symbols are there.
 */
export function baseSymbols(target: ImageTarget, functions: Iterable<number>): NameOf | null {
  const wanted = new Set(functions);
  let best: string | null = null;
  let most = -1;
  for (const name of SYMBOLS[target]) {
    const file = baseFile(name);
    if (file === null) continue;
    const text = readFileSync(file, 'utf8');
    const found = countStarts(text, wanted);
    if (found > most) [best, most] = [text, found];
  }
  return best === null ? null : symbolNames(best);
}

function countStarts(text: string, wanted: ReadonlySet<number>): number {
  const starts = text.matchAll(/^([0-9a-f]+) [tT] /gm);
  return [...starts].filter(([, address]) => wanted.has(Number.parseInt(address!, 16))).length;
}
