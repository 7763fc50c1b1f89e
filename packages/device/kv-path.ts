/** Paths of key-value devices: kv.ts says which there are. */

/**
 * The path of a device that `text` means, as archives write it ("./a/b"); null when it leads out,
 * or names no file.
 */
export function kvPathOf(text: string): string | null {
  const path = text.startsWith('./') ? text.slice(2) : text;
  return isKvPath(path) ? path : null;
}

/** '/'-separated, no empty, '.' or '..' segments, nothing that can't be UTF-8. */
export function isKvPath(path: string): boolean {
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.' || segment === '..') return false;
  }
  return path.isWellFormed() && !path.includes('\0');
}

/** False of what a directory of files keeps to itself: a name that begins with a dot. */
export const isShownPath = (path: string): boolean => !/(^|\/)\.(?!well-known(\/|$))/.test(path);

/** UTF-8's order is that of code points: UTF-16's, but for surrogates, which stand above all. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    const [isHighX, isHighY] = [isSurrogate(x), isSurrogate(y)];
    return isHighX === isHighY ? x - y : isHighX ? 1 : -1;
  }
  return a.length - b.length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;
