/** The peer's chain of certificates: checked (packages/x509), and a fault of it as an alert. */

import { type WallTime, wallTimeOfMillis } from '#core';
import type { PublicKey } from '#device';
import {
  formatPathFault,
  type PathFaultKind,
  type PathOptions,
  type RevocationList,
  validatePath,
} from '#x509';
import { TICKET_LIFETIME_SECONDS_MAX } from './limits.ts';
import { type Refusal, refuse } from './refusal.ts';
import type { AlertName } from './wire/alert.ts';

/** RFC 8446 §6.2, RFC 5246 §7.2.2. */
function alertOf(kind: PathFaultKind): AlertName {
  switch (kind) {
    case 'malformed':
    case 'bad signature':
    case 'weak key':
    case 'weak signature':
    case 'not a CA':
    case 'CA as leaf':
    case 'path too long':
    case 'name mismatch':
    case 'name constraint':
    case 'too much work':
      return 'bad_certificate';
    case 'unsupported':
    case 'unhandled critical extension':
    case 'wrong key usage':
    case 'wrong purpose':
      return 'unsupported_certificate';
    case 'expired':
    case 'not yet valid':
      return 'certificate_expired';
    case 'unknown issuer':
      return 'unknown_ca';
    case 'revoked':
      return 'certificate_revoked';
    case 'revocation unknown':
      return 'certificate_unknown';
  }
}

interface PeerChainOptions extends Omit<PathOptions, 'revocationLists'> {
  readonly revocationLists: readonly RevocationList[] | null;
}

export interface ProvedChain {
  /** The leaf's. */
  readonly key: PublicKey;
  /**
   * How long sessions may go on from this proof, resumed ones that make new ones included (RFC 8446
   * §4.6.1): while all certificates are valid, and a week.
   */
  readonly until: WallTime;
}

/** What a good chain proves. */
export function checkPeerChain({
  revocationLists,
  ...options
}: PeerChainOptions): ProvedChain | { readonly refusal: Refusal } {
  const path = validatePath(revocationLists === null ? options : { ...options, revocationLists });
  if (path.ok) {
    const { anchor, certificates, publicKey } = path.value;
    const ends = [...certificates, anchor].map(({ notAfter }) => notAfter);
    const week = options.at + TICKET_LIFETIME_SECONDS_MAX * 1_000;
    return { key: publicKey, until: wallTimeOfMillis(Math.min(week, ...ends)) };
  }
  const { error } = path;
  return { refusal: refuse(alertOf(error.kind), formatPathFault(error), error) };
}
