/** Revoking a certificate (RFC 8555 §7.6), as our account or with the certificate's own key. */

import type { PrivateKey } from '#device';
import type { AcmeError } from './error.ts';
import { jwkOf, type Signer } from './jose.ts';
import type { Known, Procedure, Step } from './session.ts';
import { base64url } from './wire/base64url.ts';
import type { Problem } from './wire/problem.ts';

/** RFC 5280 §5.3.1, those that a subscriber may say. */
export const REVOCATION_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
} as const;
export type RevocationReason = keyof typeof REVOCATION_REASONS;

export class RevocationProcedure implements Procedure {
  private readonly payload: object;
  private readonly signer: Signer | null;
  private isDone = false;

  /** `certificate`: DER. `key`: the certificate's, of P-256; null: our account asks for it. */
  constructor(certificate: Uint8Array, reason: RevocationReason, key: PrivateKey | null) {
    this.payload = { certificate: base64url(certificate), reason: REVOCATION_REASONS[reason] };
    this.signer = key === null ? null : { key, as: { jwk: jwkOf(key) } };
  }

  next({ directory }: Known): Step {
    if (this.isDone) return { kind: 'over', error: null };
    const url = directory.revokeCert;
    if (url === null) return { kind: 'over', error: { kind: 'not offered', what: 'revocation' } };
    return { kind: 'post', url, payload: this.payload, accept: null, signer: this.signer };
  }

  answered(): AcmeError | null {
    this.isDone = true;
    return null;
  }

  /** An answer that was lost, as a rule. */
  refused(problem: Problem): boolean {
    this.isDone = problem.type === 'alreadyRevoked';
    return this.isDone;
  }

  ended(): void {}
}
