/**
 * The target's own primitives, for whoever joins a real program (packages/morgana, packages/web).
 * Import it as `#crypto/platform`: a build puts the target's module in this one's place
 * (targets/base/crypto.ts, targets/node/crypto.ts). Protocols and tests take a CryptoPrimitives as
 * an argument instead.
 */

import type { CryptoPrimitives } from '#device';

const explain = (): never => {
  throw new Error(
    'no target was linked: #crypto/platform has primitives in a built program only; ' +
      'elsewhere pass nodeCrypto (#targets/node/crypto) to what needs them',
  );
};

export const primitives: CryptoPrimitives = new Proxy({} as CryptoPrimitives, { get: explain });
