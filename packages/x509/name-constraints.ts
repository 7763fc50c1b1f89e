/**
 * Name constraints, RFC 5280 §4.2.1.10, §6.1.3 (b), (c): DNS names, IP addresses, directory names.
 * Constraints on other forms aren't understood: then no name of that form is allowed.
 */

import type { Certificate } from './certificate.ts';
import type { NameConstraints } from './extensions.ts';
import type { GeneralName } from './general-name.ts';
import { labelsOf, presentedLabels } from './host-match.ts';
import { isEmptyName, nameHas, nameWithin } from './name.ts';
import { oid } from './oid.ts';

/** Asked before each comparison of a name with a constraint; false: that is enough. */
export type Budget = () => boolean;

/** Whether all names of `certificate` are allowed; false as well when the budget is spent. */
export function allowsNames(
  constraints: NameConstraints,
  certificate: Certificate,
  budget: Budget,
): boolean {
  return namesOf(certificate).every((name) => {
    const ofForm = (one: GeneralName): boolean => one.kind === name.kind;
    const permitted = constraints.permitted.filter(ofForm);
    const excluded = constraints.excluded.filter(ofForm);
    if (permitted.length + excluded.length === 0) return true;
    const isExcluded = excluded.some((base) => !budget() || isWithin(name, base, 'excluded'));
    if (isExcluded) return false;
    if (permitted.length === 0) return true;
    return permitted.some((base) => budget() && isWithin(name, base, 'permitted'));
  });
}

/** What constraints are about, §4.2.1.10: the subject too, and an e-mail address in it. */
function namesOf({ subject, extensions }: Certificate): readonly GeneralName[] {
  const names = [...(extensions.subjectAltNames ?? [])];
  if (!isEmptyName(subject)) names.push({ kind: 'directory', name: subject });
  if (extensions.subjectAltNames === null && nameHas(subject, oid.emailAddress)) {
    names.push({ kind: 'email', text: '' });
  }
  return names;
}

/**
 * Whether `name` is in the subtree of `base`, which is of the same form. A name that can't be
 * judged is in every excluded subtree and in no permitted one.
 */
function isWithin(name: GeneralName, base: GeneralName, list: 'permitted' | 'excluded'): boolean {
  if (name.kind === 'directory' && base.kind === 'directory') {
    return nameWithin(name.name, base.name);
  }
  if (name.kind === 'ip' && base.kind === 'ip') return isAddressWithin(name.bytes, base.bytes);
  if (name.kind === 'dns' && base.kind === 'dns') return isDnsWithin(name.text, base.text, list);
  return list === 'excluded';
}

/** `base` is an address and a mask; one family isn't in a range of the other. */
function isAddressWithin(address: Uint8Array, base: Uint8Array): boolean {
  if (2 * address.length !== base.length) return false;
  return address.every((byte, i) => ((byte ^ base[i]!) & base[address.length + i]!) === 0);
}

/**
 * A subtree is its name and all below it. Deviates: CAs write ".example.com", which the RFC has for
 * URIs only, for what is below example.com: it permits that, and excludes example.com as well.
 */
function isDnsWithin(name: string, base: string, list: 'permitted' | 'excluded'): boolean {
  const labels = presentedLabels(name);
  const isBelowOnly = base.startsWith('.') && list === 'permitted';
  const baseLabels = base === '' ? [] : labelsOf(base.startsWith('.') ? base.slice(1) : base);
  if (labels === null || baseLabels === null) return list === 'excluded';
  const extra = labels.length - baseLabels.length;
  if (isEnd(labels, baseLabels)) return extra > 0 || !isBelowOnly;
  // "*.example.com" is also the name foo.example.com, which may be excluded.
  const isWild = labels[0] === '*' && list === 'excluded' && extra === 0;
  return isWild && isEnd(baseLabels, labels.slice(1));
}

function isEnd(labels: readonly string[], end: readonly string[]): boolean {
  const extra = labels.length - end.length;
  return extra >= 0 && end.every((label, i) => label === labels[extra + i]);
}
