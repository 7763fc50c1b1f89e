/** What must be refused, made from what is right. */

import {
  CURVES,
  curveOf,
  derElement,
  derInteger,
  ecdsaFromDer,
  type GroupName,
  type KeyInfo,
  TAG_SEQUENCE,
} from '#device';

export interface Spoiled {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const join = (...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

/** Public keys of an agreement that aren't points in the one form, or none at all. */
export function spoiledPeers(group: GroupName, peer: Uint8Array): Spoiled[] {
  const common = [
    { name: 'nothing', bytes: new Uint8Array(0) },
    { name: 'a shorter key', bytes: peer.subarray(0, peer.length - 1) },
    { name: 'a longer key', bytes: join(peer, [0]) },
    { name: 'zeros', bytes: new Uint8Array(peer.length) },
  ];
  const curve = curveOf(group);
  if (curve === null) return common;
  const x = peer.subarray(1, 1 + curve.bytes);
  const y = peer.subarray(1 + curve.bytes);
  const parity = y.at(-1)! & 1;
  return [
    ...common,
    { name: 'the point at infinity', bytes: Uint8Array.of(0) },
    { name: 'a compressed point', bytes: join([2 + parity], x) },
    { name: 'a hybrid point', bytes: join([6 + parity], x, y) },
    { name: 'a point without its form', bytes: join(x, y) },
    { name: 'a point beside the curve', bytes: join([4], x, y.slice(0, -1), [y.at(-1)! ^ 1]) },
    { name: 'swapped coordinates', bytes: join([4], y, x) },
    {
      name: 'coordinates above the prime',
      bytes: join([4], new Uint8Array(peer.length - 1).fill(255)),
    },
  ];
}

/** Signatures that another byte, form or range makes wrong. */
export function spoiledSignatures(key: KeyInfo, signature: Uint8Array): Spoiled[] {
  const last = signature.length - 1;
  const common = [
    { name: 'nothing', bytes: new Uint8Array(0) },
    { name: 'a shorter signature', bytes: signature.subarray(0, last) },
    { name: 'a longer signature', bytes: join(signature, [0]) },
    { name: 'a signature after a zero', bytes: join([0], signature) },
    { name: 'zeros', bytes: new Uint8Array(signature.length) },
    { name: 'ones', bytes: new Uint8Array(signature.length).fill(255) },
    { name: 'a changed end', bytes: join(signature.subarray(0, last), [signature[last]! ^ 1]) },
    { name: 'a changed begin', bytes: join([signature[0]! ^ 1], signature.subarray(1)) },
  ];
  return key.curve === null ? common : [...common, ...spoiledEcdsa(key.curve, signature)];
}

function spoiledEcdsa(name: 'P-256' | 'P-384', signature: Uint8Array): Spoiled[] {
  const curve = CURVES[name];
  const halves = ecdsaFromDer(curve, signature);
  if (halves === null) return [];
  const r = halves.subarray(0, curve.bytes);
  const s = halves.subarray(curve.bytes);
  const zero = Uint8Array.of(0);
  const pair = (a: Uint8Array, b: Uint8Array) => derElement(TAG_SEQUENCE, a, b);
  const int = derInteger;
  const raw = (...digits: readonly number[]) => Uint8Array.of(2, digits.length, ...digits);
  const content = signature.subarray(2);
  const shifted = join([1], new Uint8Array(curve.bytes));
  return [
    { name: 'IEEE P1363', bytes: halves },
    { name: 'r = 0', bytes: pair(int(zero), int(s)) },
    { name: 's = 0', bytes: pair(int(r), int(zero)) },
    { name: 'both 0', bytes: pair(int(zero), int(zero)) },
    { name: 'both 1', bytes: pair(int(Uint8Array.of(1)), int(Uint8Array.of(1))) },
    { name: 'r = n', bytes: pair(int(curve.order), int(s)) },
    { name: 's = n', bytes: pair(int(r), int(curve.order)) },
    { name: 'r + n', bytes: pair(int(sum(r, curve.order)), int(s)) },
    { name: 's + n', bytes: pair(int(r), int(sum(s, curve.order))) },
    { name: '-r', bytes: pair(raw(...negated(r)), int(s)) },
    { name: 'an oversized r', bytes: pair(int(join(shifted, r)), int(s)) },
    { name: 'a leading zero in r', bytes: pair(raw(0, 0, ...r), int(s)) },
    { name: 'a leading zero in s', bytes: pair(int(r), raw(0, 0, ...s)) },
    { name: 'an empty r', bytes: pair(raw(), int(s)) },
    { name: 'no s', bytes: derElement(TAG_SEQUENCE, int(r)) },
    { name: 'a third number', bytes: derElement(TAG_SEQUENCE, int(r), int(s), int(zero)) },
    { name: 'a long length', bytes: join([0x30, 0x81, content.length], content) },
    { name: 'a longer length', bytes: join([0x30, 0x82, 0, content.length], content) },
    { name: 'an indefinite length', bytes: join([0x30, 0x80], content, [0, 0]) },
    { name: 'a wrong length', bytes: join([0x30, content.length + 1], content) },
    { name: 'a set', bytes: join([0x31, content.length], content) },
    { name: 'no sequence', bytes: content },
  ];
}

/** Big-endian a + b, one byte longer. */
function sum(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + 1);
  let carry = 0;
  for (let i = a.length - 1; i >= 0; i--) {
    carry += a[i]! + b[i]!;
    out[i + 1] = carry & 255;
    carry >>= 8;
  }
  out[0] = carry;
  return out;
}

/** Two's complement of -a, one byte longer. */
function negated(a: Uint8Array): Uint8Array {
  const inverted = join(
    [255],
    a.map((byte) => ~byte & 255),
  );
  return sum(inverted, join(new Uint8Array(a.length), [1])).subarray(1);
}
