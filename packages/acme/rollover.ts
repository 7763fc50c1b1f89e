/**
 * Another key for our account (RFC 8555 §7.3.5): the new key signs that it takes over, and the old
 * one signs that it agrees. When it is over, give the session the new key (`replaceKey`).
 */

import { assert } from '#core';
import type { Entropy, PrivateKey } from '#device';
import type { AcmeError } from './error.ts';
import { jwkOf, signJws } from './jose.ts';
import type { Known, Procedure, Step } from './session.ts';

export class RolloverProcedure implements Procedure {
  private readonly entropy: Entropy;
  private readonly key: PrivateKey;
  private isDone = false;

  constructor(entropy: Entropy, key: PrivateKey) {
    assert(key.curve === 'P-256');
    this.entropy = entropy;
    this.key = key;
  }

  next({ directory, accountUrl, accountKey }: Known): Step {
    if (this.isDone) return { kind: 'over', error: null };
    const url = directory.keyChange;
    if (url === null) return { kind: 'over', error: { kind: 'not offered', what: 'key change' } };
    const { entropy, key } = this;
    const signer = { key, as: { jwk: jwkOf(key) } };
    // Without an account yet, the session asks for it first, and then for this again.
    const claim = { account: accountUrl?.text ?? '', oldKey: jwkOf(accountKey) };
    // The inner one has no nonce of its own.
    const payload = signJws(entropy, signer, url.text, null, claim);
    return { kind: 'post', url, payload, accept: null, signer: null };
  }

  answered(): AcmeError | null {
    this.isDone = true;
    return null;
  }

  refused(): boolean {
    return false;
  }

  ended(): void {}
}
