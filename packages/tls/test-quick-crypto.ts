/**
 * Node's primitives for tests that make handshakes by the thousand: a key is imported once, and an
 * agreement of a group is always the same one. Not here: anything that looks at keys or secrets.
 */

import type { CryptoPrimitives, GroupName, KeyAgreement, PublicKey } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { SimRandom } from '#targets/sim/index';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const publicKeys = new Map<string, PublicKey | null>();
const agreements = new Map<GroupName, KeyAgreement>();

export const quickCrypto: CryptoPrimitives = {
  ...nodeCrypto,
  importPublicKey(spki) {
    const name = hex(spki);
    if (!publicKeys.has(name)) publicKeys.set(name, nodeCrypto.importPublicKey(spki.slice()));
    return publicKeys.get(name)!;
  },
  generateKeyAgreement(group) {
    const known = agreements.get(group);
    if (known !== undefined) return known;
    // Not from the entropy given: what comes out of that must not depend on who came first.
    const made = nodeCrypto.generateKeyAgreement(group, new SimRandom(7_748));
    const secrets = new Map<string, Uint8Array | null>();
    const kept: KeyAgreement = {
      group,
      publicKey: made.publicKey,
      agree(peerKey) {
        const name = hex(peerKey);
        if (!secrets.has(name)) secrets.set(name, made.agree(peerKey));
        return secrets.get(name)?.slice() ?? null;
      },
      destroy() {},
    };
    agreements.set(group, kept);
    return kept;
  },
};
