/** What can be wrong with a chain of certificates: a closed list, which TLS maps to alerts. */

export type PathFaultKind =
  /** Not strict DER of a certificate. */
  | 'malformed'
  /** Not version 3, or a key or signature algorithm that we don't have. */
  | 'unsupported'
  | 'unhandled critical extension'
  | 'weak key'
  | 'weak signature'
  | 'expired'
  | 'not yet valid'
  /** Nothing has the issuer's name, or what has doesn't lead to an anchor. */
  | 'unknown issuer'
  | 'bad signature'
  | 'not a CA'
  | 'CA as leaf'
  /** More CA certificates than one above allows. */
  | 'path too long'
  | 'wrong key usage'
  | 'wrong purpose'
  | 'name mismatch'
  | 'name constraint'
  | 'revoked'
  /** No current revocation list that its issuer signed tells of it. */
  | 'revocation unknown'
  /** A bound of limits.ts. */
  | 'too much work';

export interface PathFault {
  readonly kind: PathFaultKind;
  /** Which certificate of the chain as it was given; null: the anchor. */
  readonly certificate: number | null;
}

/** One sentence for people. */
export function formatPathFault({ kind, certificate }: PathFault): string {
  return `${kind} (${certificate === null ? 'trust anchor' : `certificate ${certificate}`})`;
}
