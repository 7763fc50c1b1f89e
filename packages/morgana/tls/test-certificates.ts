/** Certificates for tests, made when asked for, and sessions between two ends in memory. */

import { instantOfMicros, TimerQueue, type WallTime, wallTimeOfMillis } from '#core';
import type { PrivateKeyType } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { SimRandom } from '#targets/sim/index';
import { CertificateAuthority, pemEncode, privateKeyToPem } from '#x509';

export const NOW = wallTimeOfMillis(Date.UTC(2026, 10, 26, 12));
const DAY_MS = 86_400_000;
export const days = (count: number): WallTime => wallTimeOfMillis(NOW + count * DAY_MS);

export const entropy = new SimRandom(8_446);
const tools = { crypto: nodeCrypto, entropy };

export const root = CertificateAuthority.create(tools, {
  name: 'Test root',
  notBefore: days(-1),
  notAfter: days(90),
});

export interface TestPair {
  /** The certificate, PEM. */
  readonly certificate: string;
  /** Its key, PEM. */
  readonly key: string;
  readonly der: Uint8Array;
  readonly keyDer: Uint8Array;
}

export function makePair(
  names: readonly string[],
  keyType: PrivateKeyType = 'P-256',
  validity = { notBefore: days(-1), notAfter: days(30) },
  purpose: 'serverAuth' | 'clientAuth' = 'serverAuth',
): TestPair {
  const key = nodeCrypto.generatePrivateKey(keyType, entropy);
  const der = root.issue({ names, spki: key.spki, purposes: [purpose], ...validity });
  return {
    certificate: pemEncode('CERTIFICATE', der),
    key: privateKeyToPem(key),
    der,
    keyDer: key.pkcs8(),
  };
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export function makeEnvironment() {
  const timers = new TimerQueue(instantOfMicros(0));
  const clock = { wall: () => wallTimeOfMillis(NOW + Math.floor(timers.now / 1_000)) };
  return { crypto: nodeCrypto, entropy, clock, timers };
}
