/** Elliptic keys: agreements, scalars, points; and the encodings of keys that are refused. */

import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import type { Vector } from '#crypto/vectors';
import {
  CURVES,
  derBits,
  derElement,
  derInteger,
  emitPkcs8,
  emitSpki,
  TAG_SEQUENCE,
} from '#device';
import { hex } from './known.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'hex');

/** RFC 7748 §5.2 and §6.1: secrets and public keys. */
const X25519_PAIRS = [
  [
    'RFC 7748 §5.2, first',
    'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
    'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
  ],
  [
    'RFC 7748 §5.2, second, whose highest bit is ignored',
    '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
    'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
  ],
  [
    'RFC 7748 §6.1, Alice',
    '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a',
    'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
  ],
  [
    'not canonical: the prime and 9',
    'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
    'f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ],
  [
    'on the twist',
    'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
    '0200000000000000000000000000000000000000000000000000000000000000',
  ],
] as const;

/** Points of an order that divides 8, all their encodings of 255 bits. */
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
] as const;

function agreed25519(secret: string, peer: string): string {
  const privateKey = createPrivateKey({
    key: Buffer.from(emitPkcs8({ type: 'X25519', secret: bytes(secret) })),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = createPublicKey({
    key: Buffer.from(emitSpki({ type: 'X25519', point: bytes(peer) })),
    format: 'der',
    type: 'spki',
  });
  return hex(diffieHellman({ privateKey, publicKey }));
}

export function agreements(): Vector[] {
  const group = 'x25519' as const;
  const [, secret] = X25519_PAIRS[0];
  return [
    ...X25519_PAIRS.map(([name, own, peer]): Vector => {
      return { kind: 'agree', name, group, secret: own, peer, shared: agreed25519(own, peer) };
    }),
    ...LOW_ORDER.flatMap((peer) =>
      [peer, peer.slice(0, 62) + (Number.parseInt(peer.slice(62), 16) | 0x80).toString(16)].map(
        (form): Vector => ({
          kind: 'agree',
          name: `a point of low order, ${form.slice(0, 8)}..${form.slice(-2)}`,
          group,
          secret,
          peer: form,
          shared: null,
        }),
      ),
    ),
    ...nistAgreements(),
  ];
}

const NODE_CURVES = { 'P-256': 'prime256v1', 'P-384': 'secp384r1' } as const;

/** Points that aren't on the curve have, as they are, an order that tells of the secret. */
function nistAgreements(): Vector[] {
  return (['P-256', 'P-384'] as const).flatMap((name) => {
    const curve = CURVES[name];
    const { group } = curve;
    const own = createECDH(NODE_CURVES[name]);
    const peer = createECDH(NODE_CURVES[name]);
    own.setPrivateKey(new Uint8Array(curve.bytes).map((_, i) => i + 1));
    peer.setPrivateKey(new Uint8Array(curve.bytes).map((_, i) => 200 - i));
    const secret = hex(own.getPrivateKey());
    const point = hex(peer.getPublicKey());
    const shared = hex(own.computeSecret(peer.getPublicKey()));
    const coordinate = (value: number) => value.toString(16).padStart(2 * curve.bytes, '0');
    const bad = (what: string, form: string): Vector => ({
      kind: 'agree',
      name: `${name}, ${what}`,
      group,
      secret,
      peer: form,
      shared: null,
    });
    const one = coordinate(1);
    const highest = derOrder(curve.order, -1n);
    return [
      { kind: 'agree', name: `${name}, two keys`, group, secret, peer: point, shared },
      ...(['1', '2', '-1'] as const).map((scalar): Vector => {
        const small = scalar === '-1' ? highest : coordinate(Number(scalar));
        const key = createECDH(NODE_CURVES[name]);
        key.setPrivateKey(bytes(small));
        const what = `${name}, the secret ${scalar}`;
        return {
          kind: 'agree',
          name: what,
          group,
          secret: small,
          peer: point,
          shared: hex(key.computeSecret(peer.getPublicKey())),
        };
      }),
      bad('the origin', `04${coordinate(0)}${coordinate(0)}`),
      bad('one and one', `04${one}${one}`),
      bad('x of the curve with y of nothing', `04${point.slice(2, 2 + 2 * curve.bytes)}${one}`),
      bad('a point of the other curve’s size', `04${'11'.repeat(name === 'P-256' ? 96 : 64)}`),
    ];
  });
}

const derOrder = (order: Uint8Array, offset: bigint): string =>
  (BigInt(`0x${hex(order)}`) + offset).toString(16).padStart(2 * order.length, '0');

export function secrets(): Vector[] {
  return (['P-256', 'P-384'] as const).flatMap((name): Vector[] => {
    const { group, order, bytes: count } = CURVES[name];
    const refused = (what: string, secret: string): Vector => ({
      kind: 'secret',
      name: `${name}, ${what}`,
      group,
      secret,
      publicKey: null,
    });
    const drawn = '7f'.repeat(count);
    const key = createECDH(NODE_CURVES[name]);
    key.setPrivateKey(bytes(drawn));
    const point = hex(key.getPublicKey());
    return [
      { kind: 'secret', name, group, secret: drawn, publicKey: point },
      refused('zero', '00'.repeat(count)),
      refused('the order', derOrder(order, 0n)),
      refused('above the order', derOrder(order, 1n)),
      refused('ones', 'ff'.repeat(count)),
      refused('nothing', ''),
      refused('shorter', drawn.slice(2)),
      refused('longer', `00${drawn}`),
      { kind: 'generate', name: 'the first draw', type: group, entropy: drawn, publicKey: point },
      {
        kind: 'generate',
        name: 'a third draw, after two out of range',
        type: group,
        entropy: '00'.repeat(count) + derOrder(order, 0n) + drawn,
        publicKey: point,
      },
      {
        kind: 'generate',
        name: 'a key that signs',
        type: name,
        entropy: drawn,
        publicKey: hex(emitSpki({ type: 'EC', curve: CURVES[name], point: bytes(point) })),
      },
    ];
  });
}

/** What is wrong with a public key of any type. */
function misencoded(name: string, spki: Uint8Array): Vector[] {
  const bad = (what: string, form: Uint8Array): Vector => ({
    kind: 'spki',
    name: `${name}, ${what}`,
    spki: hex(form),
    valid: false,
  });
  const unused = spki.slice();
  const bitsAt = spki.indexOf(3, spki[1]! < 0x80 ? 4 + spki[3]! : 6 + spki[5]!);
  unused[bitsAt + (spki[bitsAt + 1]! < 0x80 ? 2 : spki[bitsAt + 1] === 0x81 ? 3 : 4)] = 1;
  return [
    { kind: 'spki', name, spki: hex(spki), valid: true },
    bad('nothing', new Uint8Array(0)),
    bad('a byte behind', Uint8Array.of(...spki, 0)),
    bad('cut by one', spki.subarray(0, -1)),
    bad('cut in half', spki.subarray(0, spki.length >> 1)),
    bad('unused bits', unused),
    bad('a set', Uint8Array.of(0x31, ...spki.subarray(1))),
  ];
}

const sequence = (...parts: readonly Uint8Array[]) => derElement(TAG_SEQUENCE, ...parts);
const RSA = bytes('300d06092a864886f70d0101010500');

function ecKeys(): Vector[] {
  return (['P-256', 'P-384'] as const).flatMap((name) => {
    const curve = CURVES[name];
    const key = createECDH(NODE_CURVES[name]);
    key.setPrivateKey(new Uint8Array(curve.bytes).fill(0x35));
    const point = new Uint8Array(key.getPublicKey());
    const spki = (form: Uint8Array) => emitSpki({ type: 'EC', curve, point: form });
    const x = point.subarray(1, 1 + curve.bytes);
    const beside = point.slice();
    beside[beside.length - 1]! ^= 1;
    const bad = (what: string, form: Uint8Array): Vector => ({
      kind: 'spki',
      name: `${name}, ${what}`,
      spki: hex(form),
      valid: false,
    });
    const algorithm = (...parts: readonly string[]) =>
      sequence(sequence(...parts.map(bytes)), derBits(point));
    const oid = hex(curve.oid);
    return [
      ...misencoded(name, spki(point)),
      bad('compressed', spki(Uint8Array.of(2 + (point.at(-1)! & 1), ...x))),
      bad('hybrid', spki(Uint8Array.of(6 + (point.at(-1)! & 1), ...point.subarray(1)))),
      bad('at infinity', spki(Uint8Array.of(0))),
      bad('beside the curve', spki(beside)),
      bad('zeros', spki(Uint8Array.of(4, ...new Uint8Array(2 * curve.bytes)))),
      bad('no curve', algorithm('06072a8648ce3d0201')),
      bad('NULL for a curve', algorithm('06072a8648ce3d0201', '0500')),
      bad('a curve and NULL', algorithm('06072a8648ce3d0201', oid, '0500')),
      bad('the unknown curve secp256k1', algorithm('06072a8648ce3d0201', '06052b8104000a')),
      bad('the algorithm ecDH', algorithm('06052b8104010c', oid)),
    ];
  });
}

function numbersOf(key: KeyObject) {
  const { n, e, d, p, q, dp, dq, qi } = key.export({ format: 'jwk' });
  const part = (text: string | undefined) => new Uint8Array(Buffer.from(text ?? '', 'base64url'));
  return {
    n: part(n),
    e: part(e),
    d: part(d),
    p: part(p),
    q: part(q),
    dp: part(dp),
    dq: part(dq),
    qi: part(qi),
  };
}

function rsaKeys(key: KeyObject): Vector[] {
  const { n, e } = numbersOf(key);
  const rsa = (modulus: Uint8Array, exponent: Uint8Array, algorithm: Uint8Array = RSA) =>
    sequence(algorithm, derBits(sequence(derInteger(modulus), derInteger(exponent))));
  const bad = (what: string, spki: Uint8Array): Vector => ({
    kind: 'spki',
    name: `RSA, ${what}`,
    spki: hex(spki),
    valid: false,
  });
  const good = (what: string, spki: Uint8Array): Vector => ({
    kind: 'spki',
    name: `RSA, ${what}`,
    spki: hex(spki),
    valid: true,
  });
  const even = n.slice();
  even[even.length - 1]! &= 254;
  const odd = (count: number, first = 0x80) =>
    new Uint8Array(count).fill(0x55).map((byte, i) => (i === 0 ? first : byte | 1));
  const raw = (digits: Uint8Array) => derElement(2, digits);
  return [
    ...misencoded('RSA', rsa(n, e)),
    good('1024 bits', rsa(odd(128), e)),
    bad('1023 bits', rsa(odd(128, 0x7f), e)),
    bad('512 bits', rsa(odd(64), e)),
    good('8192 bits', rsa(odd(1_024), e)),
    bad('8193 bits', rsa(odd(1_025, 1), e)),
    good('2047 bits', rsa(odd(256, 0x7f), e)),
    good('exponent 3', rsa(n, Uint8Array.of(3))),
    good('exponent 2^32-1', rsa(n, Uint8Array.of(255, 255, 255, 255))),
    bad('exponent 2^32+1', rsa(n, Uint8Array.of(1, 0, 0, 0, 1))),
    bad('exponent 0', rsa(n, Uint8Array.of(0))),
    bad('exponent 1', rsa(n, Uint8Array.of(1))),
    bad('exponent 2', rsa(n, Uint8Array.of(2))),
    bad('exponent 65536', rsa(n, Uint8Array.of(1, 0, 0))),
    bad('an even modulus', rsa(even, e)),
    bad('modulus 0', rsa(Uint8Array.of(0), e)),
    bad('a negative modulus', sequence(RSA, derBits(sequence(raw(n), derInteger(e))))),
    bad(
      'a leading zero in the modulus',
      sequence(RSA, derBits(sequence(raw(Uint8Array.of(0, 0, ...n)), derInteger(e)))),
    ),
    bad('a third number', sequence(RSA, derBits(sequence(derInteger(n), derInteger(e), raw(e))))),
    bad('no NULL', rsa(n, e, bytes('300b06092a864886f70d010101'))),
    bad('id-RSAES-OAEP', rsa(n, e, bytes('300b06092a864886f70d010107'))),
    good('only for PSS', rsa(n, e, bytes('300b06092a864886f70d01010a'))),
    bad('only for PSS with NULL', rsa(n, e, bytes('300d06092a864886f70d01010a0500'))),
    bad('only for PSS with SHA-1', rsa(n, e, bytes('300d06092a864886f70d01010a3000'))),
  ];
}

/** Of an order that divides 8, as they are written, and as they must not be. */
const ED25519_WEAK = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
] as const;

function ed25519Keys(): Vector[] {
  const point = bytes('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  const spki = emitSpki({ type: 'Ed25519', point });
  const of = (algorithm: string, key: Uint8Array) => sequence(bytes(algorithm), derBits(key));
  const bad = (what: string, form: Uint8Array): Vector => ({
    kind: 'spki',
    name: `Ed25519, ${what}`,
    spki: hex(form),
    valid: false,
  });
  return [
    ...misencoded('Ed25519', spki),
    bad('31 bytes', of('300506032b6570', point.subarray(1))),
    bad('33 bytes', of('300506032b6570', Uint8Array.of(...point, 0))),
    bad('with NULL', of('300706032b65700500', point)),
    bad('a key of X25519', of('300506032b656e', point)),
    bad('a key of Ed448', of('300506032b6571', point)),
    ...ED25519_WEAK.map((text) => bad(`small order, ${text}`, of('300506032b6570', bytes(text)))),
  ];
}

export function publicKeys(rsa: KeyObject): Vector[] {
  return [...ecKeys(), ...rsaKeys(rsa), ...ed25519Keys()];
}

function ecPrivateKeys(): Vector[] {
  return (['P-256', 'P-384'] as const).flatMap((name) => {
    const curve = CURVES[name];
    const oid = hex(curve.oid);
    const scalar = hex(new Uint8Array(curve.bytes).fill(0x35));
    const key = createECDH(NODE_CURVES[name]);
    key.setPrivateKey(bytes(scalar));
    const point = new Uint8Array(key.getPublicKey());
    const spki = hex(emitSpki({ type: 'EC', curve, point }));
    const tagged = (at: number, content: Uint8Array) => derElement(0xa0 + at, content);
    const one = derInteger(Uint8Array.of(1));
    const algorithm = sequence(bytes('06072a8648ce3d0201'), curve.oid);
    const info = (secret: Uint8Array, version = 0, ...tail: readonly Uint8Array[]) =>
      sequence(derInteger(Uint8Array.of(version)), algorithm, derElement(4, secret), ...tail);
    const ec = (digits: string, ...tail: readonly Uint8Array[]) =>
      sequence(one, derElement(4, bytes(digits)), ...tail);
    const vector = (what: string, form: Uint8Array, good = false): Vector => ({
      kind: 'pkcs8',
      name: `${name}, ${what}`,
      pkcs8: hex(form),
      spki: good ? spki : null,
    });
    const beside = point.slice();
    beside[5]! ^= 1;
    const other = createECDH(NODE_CURVES[name]);
    other.setPrivateKey(new Uint8Array(curve.bytes).fill(0x36));
    const whole = info(ec(scalar, tagged(1, derBits(point))));
    return [
      vector('alone', info(ec(scalar)), true),
      vector('with its public key', whole, true),
      vector('with its curve', info(ec(scalar, tagged(0, bytes(oid)))), true),
      vector('with attributes', info(ec(scalar), 0, tagged(0, bytes('3000'))), true),
      vector('with another public key', info(ec(scalar, tagged(1, derBits(other.getPublicKey()))))),
      vector('with no point', info(ec(scalar, tagged(1, derBits(beside))))),
      vector('with another curve', info(ec(scalar, tagged(0, bytes('06052b8104000a'))))),
      vector('zero', info(ec('00'.repeat(curve.bytes)))),
      vector('the order', info(ec(hex(curve.order)))),
      vector('shorter', info(ec(scalar.slice(2)))),
      vector('longer', info(ec(`00${scalar}`))),
      vector('version 2', info(ec(scalar), 2)),
      vector('a byte behind', Uint8Array.of(...whole, 0)),
      vector('cut', whole.subarray(0, -1)),
      vector('nothing', new Uint8Array(0)),
    ];
  });
}

function rsaPrivateKeys(key: KeyObject, publicKey: KeyObject): Vector[] {
  const numbers = numbersOf(key);
  const spki = hex(publicKey.export({ format: 'der', type: 'spki' }));
  const info = (changed: Partial<typeof numbers> = {}, version = 0) => {
    const { n, e, d, p, q, dp, dq, qi } = { ...numbers, ...changed };
    const parts = [Uint8Array.of(version), n, e, d, p, q, dp, dq, qi].map(derInteger);
    return sequence(derInteger(Uint8Array.of(0)), RSA, derElement(4, sequence(...parts)));
  };
  const vector = (what: string, form: Uint8Array, good = false): Vector => ({
    kind: 'pkcs8',
    name: `RSA, ${what}`,
    pkcs8: hex(form),
    spki: good ? spki : null,
  });
  const plusTwo = (number: Uint8Array) => {
    const more = number.slice();
    more[more.length - 1]! ^= 2;
    return more;
  };
  const { p, q, dp, dq } = numbers;
  return [
    vector('as OpenSSL writes it', key.export({ format: 'der', type: 'pkcs8' }), true),
    vector('as we write it', info(), true),
    vector('another private exponent', info({ d: plusTwo(numbers.d) })),
    vector('another prime', info({ p: plusTwo(p) })),
    vector('swapped primes', info({ p: q, q: p, dp: dq, dq: dp })),
    vector('another modulus', info({ n: plusTwo(numbers.n) })),
    vector('another exponent', info({ e: Uint8Array.of(3) })),
    vector('another dp', info({ dp: plusTwo(dp) })),
    vector('another dq', info({ dq: plusTwo(dq) })),
    vector('another inverse', info({ qi: plusTwo(numbers.qi) })),
    vector('more than two primes', info({}, 1)),
  ];
}

function ed25519PrivateKeys(): Vector[] {
  const secret = bytes('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60');
  const key = createPrivateKey({
    key: Buffer.from(emitPkcs8({ type: 'Ed25519', secret })),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const algorithm = bytes('300506032b6570');
  const info = (version: number, octets: Uint8Array, ...tail: readonly Uint8Array[]) =>
    sequence(derInteger(Uint8Array.of(version)), algorithm, derElement(4, octets), ...tail);
  const vector = (what: string, form: Uint8Array, good = false): Vector => ({
    kind: 'pkcs8',
    name: `Ed25519, ${what}`,
    pkcs8: hex(form),
    spki: good ? hex(spki) : null,
  });
  const inner = derElement(4, secret);
  const half = derElement(0x81, Uint8Array.of(0), spki.subarray(-32));
  return [
    vector('RFC 8032 §7.1, first', info(0, inner), true),
    vector('with its public key', info(1, inner, half), true),
    vector('version 0 with a public key', info(0, inner, half)),
    vector('31 bytes', info(0, derElement(4, secret.subarray(1)))),
    vector('not wrapped', info(0, secret)),
    vector('a byte behind', Uint8Array.of(...info(0, inner), 0)),
    {
      kind: 'generate',
      name: 'a key of Ed25519',
      type: 'Ed25519',
      entropy: hex(secret),
      publicKey: hex(spki),
    },
  ];
}

export function privateKeys(rsa: KeyObject, publicRsa: KeyObject): Vector[] {
  return [...ecPrivateKeys(), ...rsaPrivateKeys(rsa, publicRsa), ...ed25519PrivateKeys()];
}

export const makeRsa = (publicExponent: number) =>
  generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent });
