/**
 * Makes packages/crypto/vectors/*.json anew, with new RSA keys. The answers are OpenSSL's; what
 * must be refused is known by what was changed.
 */

import { writeFileSync } from 'node:fs';
import type { Vector } from '#crypto/vectors';
import { agreements, makeRsa, privateKeys, publicKeys, secrets } from './keys.ts';
import { aeads, derivations, digests, macs } from './known.ts';
import { ecSignatures, ed25519Signatures, rsaSignatures } from './signatures.ts';

function write(file: string, vectors: readonly Vector[]): void {
  const lines = vectors.map((vector) => JSON.stringify(vector)).join(',\n');
  const url = new URL(`../../../packages/crypto/vectors/${file}.json`, import.meta.url);
  writeFileSync(url, `[\n${lines}\n]\n`);
  process.stdout.write(`${file}: ${vectors.length} vectors, ${lines.length} bytes\n`);
}

const pair = makeRsa(65_537);
write('hashes', [...digests(), ...macs(), ...derivations()]);
write('aeads', aeads());
write('agreements', [...agreements(), ...secrets()]);
write('keys', [...publicKeys(pair.publicKey), ...privateKeys(pair.privateKey, pair.publicKey)]);
write('signatures', [
  ...rsaSignatures(pair, makeRsa(3)),
  ...ecSignatures(),
  ...ed25519Signatures(),
]);
