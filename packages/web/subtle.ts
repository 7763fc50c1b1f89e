/**
 * crypto.subtle over the target's own primitives. bundle.ts has esbuild put `cryptoSubtle` wherever
 * a program says crypto.subtle: one that doesn't links nothing of it, and an image's base has no
 * cryptography then.
 */

import { primitives } from '#crypto/platform';
import { SubtleCrypto } from '#crypto/subtle';
import { linked } from './crypto.ts';
import { DOMException } from './dom-exception.ts';
import { platform } from './platform.ts';

export { CryptoKey, SubtleCrypto } from '#crypto/subtle';

export const cryptoSubtle: SubtleCrypto = new SubtleCrypto({
  crypto: primitives,
  entropy: { fill: (out) => platform().entropy.fill(out) },
  DOMException,
});

linked.subtle = cryptoSubtle;
