/** Runs in a browser: its own crypto.subtle, and ours, are asked the same. */

import { nobleCrypto } from '#crypto/noble';
import { SubtleCrypto } from '#crypto/subtle';
import { runSubtleVectors, type SubtleLike, VECTORS } from '#crypto/vectors';
import { runSubtleCases } from '../../../packages/crypto/testing/subtle-cases.ts';

const entropy = {
  fill: (out: Uint8Array) => void crypto.getRandomValues(out as Uint8Array<ArrayBuffer>),
};
const ours = new SubtleCrypto({ crypto: nobleCrypto, entropy, DOMException });

async function ask(subtle: unknown) {
  const cases = await runSubtleCases(subtle as globalThis.SubtleCrypto);
  const { run, failures } = await runSubtleVectors(subtle as SubtleLike, VECTORS);
  return { run, failures: [...cases, ...failures] };
}

Object.assign(globalThis, {
  askAll: async () => ({ own: await ask(crypto.subtle), ours: await ask(ours) }),
});
