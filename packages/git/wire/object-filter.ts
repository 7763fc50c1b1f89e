/**
 * What a partial clone does without: `--filter` of git clone (git-rev-list(1)). Those that tell by
 * an object itself; not the ones that need paths or depths (sparse:oid, tree:1, combine).
 */

export type ObjectFilter =
  /** Without blobs that are as long as this, or longer; 0: without any ("blob:none"). */
  | { readonly kind: 'blobs'; readonly bytesMin: number }
  /** Without trees and blobs ("tree:0"). */
  | { readonly kind: 'trees' };

const FACTORS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Null: none that is known. */
export function objectFilterOf(text: string): ObjectFilter | null {
  if (text === 'tree:0') return { kind: 'trees' };
  if (text === 'blob:none') return { kind: 'blobs', bytesMin: 0 };
  const [, digits, unit = ''] = /^blob:limit=(\d{1,15})([kmg]?)$/i.exec(text) ?? [];
  if (digits === undefined) return null;
  const bytesMin = Number(digits) * FACTORS[unit.toLowerCase()]!;
  return Number.isSafeInteger(bytesMin) ? { kind: 'blobs', bytesMin } : null;
}

export function formatObjectFilter(filter: ObjectFilter): string {
  if (filter.kind === 'trees') return 'tree:0';
  return filter.bytesMin === 0 ? 'blob:none' : `blob:limit=${filter.bytesMin}`;
}
