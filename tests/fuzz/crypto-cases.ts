/** Keys and signatures, which have one encoding each: what is read is written the same. */

import { err, ok, type Result, type WireFault } from '#core';
import { fromHex, VECTORS, type Vector } from '#crypto/vectors';
import {
  CURVES,
  ecdsaFromDer,
  ecdsaToDer,
  emitPkcs8,
  emitSpki,
  parsePkcs8,
  parseSpki,
} from '#device';
import { type WireCase, wireCase } from './wire-case.ts';

const orFault = <T>(repr: T | null): Result<T, WireFault> =>
  repr === null ? err({ kind: 'field', offset: 0, value: 0 }) : ok(repr);

function write(to: Uint8Array, bytes: Uint8Array): number {
  to.set(bytes);
  return bytes.length;
}

const bytesOf = (choose: (vector: Vector) => string | null): Uint8Array[] =>
  VECTORS.map(choose)
    .filter((text) => text !== null)
    .map(fromHex);

export const cryptoCases: readonly WireCase[] = [
  wireCase({
    name: 'public key',
    parse: (b) => orFault(parseSpki(b)),
    emit: (to, repr) => write(to, emitSpki(repr)),
    seeds: () => bytesOf((vector) => (vector.kind === 'spki' && vector.valid ? vector.spki : null)),
  }),
  wireCase({
    name: 'private key',
    parse: (b) => orFault(parsePkcs8(b)),
    emit: (to, repr) => write(to, emitPkcs8(repr)),
    seeds: () =>
      bytesOf((vector) => (vector.kind === 'pkcs8' && vector.spki !== null ? vector.pkcs8 : null)),
  }),
  wireCase({
    name: 'ECDSA signature',
    parse: (b) => orFault(ecdsaFromDer(CURVES['P-256'], b)),
    emit: (to, repr) => write(to, ecdsaToDer(CURVES['P-256'], repr)),
    seeds: () =>
      bytesOf((vector) =>
        vector.kind === 'verify' && vector.valid && /^30[0-6]/.test(vector.signature)
          ? vector.signature
          : null,
      ).filter((der) => ecdsaFromDer(CURVES['P-256'], der) !== null),
  }),
];
