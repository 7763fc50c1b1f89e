/**
 * Whether a certificate names a host, RFC 9525 §6: by subjectAltName only, never by the common
 * name; internationalised names as A-labels on both sides. Not here: name constraints
 * (name-constraints.ts).
 */

import { parseIpv4Text, parseIpv6Text } from '#device';
import { sameBytes } from './bytes.ts';
import type { GeneralName } from './general-name.ts';

/** 255 bytes on the wire (RFC 1035 §3.1). */
const NAME_CHARACTERS_MAX = 253;
/** Letters, digits, '-' and, as in practice, '_'; A-labels are that too. */
const LABEL = /^(?!-)[a-zA-Z0-9_-]{1,63}(?<!-)$/;
/** More than "*" and a name of one label: what is below "*.com" belongs to many. */
const WILDCARD_LABELS_MIN = 3;

/** The lower-case labels of a name without a dot at its end; null when it is none. */
export function labelsOf(name: string): readonly string[] | null {
  if (name.length > NAME_CHARACTERS_MAX) return null;
  const labels = name.split('.');
  // Before letters are lowered: the Kelvin sign's small letter is k.
  if (!labels.every((label) => LABEL.test(label))) return null;
  return labels.map((label) => label.toLowerCase());
}

/**
 * The labels of a name in a certificate: as `labelsOf`, and '*' may stand for the whole first one
 * (RFC 9525 §6.3).
 */
export function presentedLabels(name: string): readonly string[] | null {
  if (!name.startsWith('*.')) return labelsOf(name);
  const rest = labelsOf(name.slice(2));
  return rest === null || rest.length + 1 < WILDCARD_LABELS_MIN ? null : ['*', ...rest];
}

/** Four or sixteen bytes of an address as text; null when `text` is none. */
export const addressOf = (text: string): Uint8Array | null =>
  parseIpv4Text(text) ?? parseIpv6Text(text);

/**
 * Whether one of `names` is `host`: a name, which may end in a dot, or an address as text.
 * Addresses are compared as bytes, and only with addresses (RFC 9525 §6.4).
 */
export function matchesHost(names: readonly GeneralName[], host: string): boolean {
  const address = addressOf(host);
  if (address !== null) {
    return names.some((name) => name.kind === 'ip' && sameBytes(name.bytes, address));
  }
  const wanted = labelsOf(host.endsWith('.') ? host.slice(0, -1) : host);
  if (wanted === null) return false;
  return names.some((name) => name.kind === 'dns' && matchesLabels(name.text, wanted));
}

function matchesLabels(presented: string, wanted: readonly string[]): boolean {
  const labels = presentedLabels(presented);
  if (labels?.length !== wanted.length) return false;
  return labels.every((label, i) => label === wanted[i] || (i === 0 && label === '*'));
}
