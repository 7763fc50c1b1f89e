/** What somebody meant who wrote another name. */

const NEAR_NAMES_MAX = 3;
/** Letters that differ. */
const DISTANCE_MAX = 2;

/** Names that differ from `word` by little, or that one of them begins with; the nearest first. */
export function nearNames(word: string, names: readonly string[]): string[] {
  const near: { name: string; far: number }[] = [];
  for (const name of names) {
    const isPart = word.length > 1 && (name.startsWith(word) || word.startsWith(name));
    const far = isPart ? 1 : distance(word.toLowerCase(), name.toLowerCase());
    if (far <= DISTANCE_MAX && far < Math.max(word.length, name.length) - 1)
      near.push({ name, far });
  }
  near.sort((a, b) => a.far - b.far);
  return near.slice(0, NEAR_NAMES_MAX).map(({ name }) => name);
}

/** Letters to put in, take out or change (Levenshtein). O(lengths multiplied). */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > DISTANCE_MAX) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
