/**
 * Which refs of one repository become which of another: "+refs/heads/*:refs/remotes/origin/*". Read
 * first: git-fetch(1), "<refspec>". Not here: negative ones ("^refs/heads/x"), ids in a name's
 * place.
 */

import { err, ok, type Result } from '#core';
import { isRefName } from '../ref-name.ts';

export interface Refspec {
  /** "+": history may be lost. */
  readonly force: boolean;
  /** A ref, or a pattern with one "*"; '' in a push that deletes. */
  readonly from: string;
  /** Null: nothing is kept of it under a name. A pattern when `from` is one. */
  readonly to: string | null;
}

export type RefspecFault = { readonly kind: 'bad refspec'; readonly text: string };

/** Short names are branches: "main" is "refs/heads/main". */
export function parseRefspec(text: string): Result<Refspec, RefspecFault> {
  const fault = err<RefspecFault>({ kind: 'bad refspec', text });
  const force = text.startsWith('+');
  const parts = text.slice(force ? 1 : 0).split(':');
  const [from = '', to] = parts;
  if (parts.length > 2 || (from === '' && (to ?? '') === '')) return fault;
  const spec = { force, from: fullName(from), to: to === undefined ? null : fullName(to) };
  if (spec.to === '') return fault;
  const isPattern = spec.from.includes('*');
  const isSame = spec.to === null || isPattern === spec.to.includes('*');
  return isSame && isSide(spec.from) && (spec.to === null || isSide(spec.to)) ? ok(spec) : fault;
}

const fullName = (name: string): string =>
  name === '' || name === 'HEAD' || name.startsWith('refs/') ? name : `refs/heads/${name}`;

function isSide(name: string): boolean {
  if (name === '' || name === 'HEAD') return true;
  const star = name.indexOf('*');
  return isRefName(star < 0 ? name : `${name.slice(0, star)}x${name.slice(star + 1)}`);
}

/** What `name` becomes; null when it isn't meant. */
export function mapRef({ from, to }: Refspec, name: string): string | null {
  return to === null ? null : mapName(from, to, name);
}

/** The name that becomes `name`; null when none does. */
export function unmapRef({ from, to }: Refspec, name: string): string | null {
  return to === null ? null : mapName(to, from, name);
}

/** Whether `name` is meant. */
export const matchesRef = ({ from }: Refspec, name: string): boolean =>
  mapName(from, from, name) !== null;

function mapName(pattern: string, result: string, name: string): string | null {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === name ? result : null;
  const head = pattern.slice(0, star);
  const tail = pattern.slice(star + 1);
  const isLong = name.length >= head.length + tail.length;
  if (!isLong || !name.startsWith(head) || !name.endsWith(tail)) return null;
  return result.replace('*', () => name.slice(head.length, name.length - tail.length));
}
