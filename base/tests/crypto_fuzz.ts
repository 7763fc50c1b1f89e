/**
 * Random and hostile calls of the base's cryptography. `fuzzAeads` makes the same calls from the
 * same seed on every CryptoPrimitives, so that an image's answers can be compared with Node's;
 * `misuse` calls `__base.crypto` itself with what no contract allows. Runs in an image and on Node;
 * crypto.test.ts compares.
 */
import { SeededRandom } from '#core';
import type { Aead, CryptoPrimitives } from '#device';
import type { NativeCrypto, NativeKey, NativeRsa } from '#targets/base/crypto-native';

export const FUZZ_SEED = 20_261_126;
export const FUZZ_ROUNDS = 400;
const ARRAY_BYTES = 700;
const STRANGE = [-1, -2147483648, 2147483647, 4294967295, 2 ** 53, Infinity, NaN];
const NAMES = ['AES-128-GCM', 'AES-256-GCM', 'CHACHA20-POLY1305'] as const;

/** The place of a round, and what it gave: "refused", or the bytes and the answer. */
export function fuzzAeads(crypto: CryptoPrimitives, seed: number, rounds: number): string {
  const random = new SeededRandom(seed);
  const bytes = (count: number) => Uint8Array.from({ length: count }, () => random.below(256));
  const index = (): number => {
    const kind = random.below(30);
    if (kind === 0) return STRANGE[random.below(STRANGE.length)]!;
    return kind < 20 ? random.below(300) : random.below(ARRAY_BYTES + 30);
  };
  let sum = 0;
  let returned = 0;
  for (let round = 0; round < rounds; round++) {
    const name = NAMES[random.below(3)]!;
    const key = crypto.aead(name, bytes(name === 'AES-128-GCM' ? 16 : 32));
    const nonce = bytes(random.below(12) === 0 ? random.below(20) : 12);
    const additional = bytes(random.below(40));
    const input = bytes(ARRAY_BYTES);
    const inPlace = random.below(2) === 0;
    const out = inPlace ? input : bytes(ARRAY_BYTES);
    const inAt = index();
    const count = index();
    const outAt = inPlace ? inAt : index();
    let text = 'refused';
    try {
      key.seal(nonce, additional, input, inAt, count, out, outAt);
      text = `${out}`;
      if (random.below(2) === 0) out[(outAt + random.below(count + 16)) % out.length]! ^= 1;
      const sealed = out.slice();
      const opened = key.open(nonce, additional, out, outAt, count + 16, out, outAt);
      // Of what doesn't open there are zeros, or what was there.
      if (!opened && out.every((byte, i) => byte === 0 || byte === sealed[i])) out.set(sealed);
      text += `${opened}${out}`;
      returned++;
    } catch {}
    for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) | 0;
  }
  return `${returned} ${sum}`;
}

/** Values of no use as an argument. */
function strangeValues(): Record<string, unknown> {
  const good = new Uint8Array(64);
  return {
    int8: new Int8Array(64),
    clamped: new Uint8ClampedArray(64),
    words: new Uint16Array(64),
    floats: new Float64Array(8),
    view: new DataView(new ArrayBuffer(64)),
    buffer: new ArrayBuffer(64),
    proxy: new Proxy(good, {}),
    heir: Object.create(good),
    array: [1, 2, 3],
    shape: { length: 64, buffer: good.buffer, byteOffset: 0 },
    text: 'text',
    nothing: undefined,
    null: null,
    number: 64,
    huge: 2 ** 40,
    negative: -1,
    fraction: 1.5,
    bigint: 3n,
    symbol: Symbol.iterator,
    function: () => 1,
  };
}

interface Objects {
  readonly hash: ReturnType<NativeCrypto['hash']>;
  readonly aead: Aead;
  readonly x25519: NativeKey;
  readonly privateKey: NativeKey;
  readonly publicKey: NativeKey;
  readonly rsa: NativeRsa;
}

const seedBytes = (): Uint8Array => new Uint8Array(32).fill(3);

function makeObjects(native: NativeCrypto, rsa: NativeRsa): Objects {
  const privateKey = native.privateKey(1, new Uint8Array(32).fill(5))!;
  return {
    hash: native.hash(1),
    aead: native.aead(0, new Uint8Array(16)),
    x25519: native.privateKey(0, new Uint8Array(32).fill(5))!,
    privateKey,
    publicKey: native.publicKey(1, privateKey.point())!,
    rsa,
  };
}

type Call = readonly [unknown, string, readonly unknown[]];

/** A good call of every function, to be spoiled one argument at a time. */
function goodCalls(native: NativeCrypto, objects: Objects): Call[] {
  const bytes = new Uint8Array(64);
  const digest = new Uint8Array(32);
  const { hash, aead, x25519, privateKey, publicKey, rsa } = objects;
  const [modulus, exponent, , p, q] = rsa.numbers();
  const nonce = new Uint8Array(12);
  return [
    [native, 'hash', [1]],
    [native, 'digest', [1, bytes]],
    [native, 'hmac', [1, bytes, bytes]],
    [native, 'hkdfExpand', [1, bytes, bytes, 32]],
    [native, 'aead', [0, new Uint8Array(16)]],
    [native, 'aead', [2, new Uint8Array(32)]],
    [native, 'privateKey', [0, new Uint8Array(32)]],
    [native, 'privateKey', [1, digest]],
    [native, 'privateKey', [2, new Uint8Array(48)]],
    [native, 'publicKey', [1, new Uint8Array(65)]],
    [native, 'rsaKey', [modulus, exponent, p, q]],
    [hash, 'update', [bytes]],
    [hash, 'copy', []],
    [hash, 'digest', []],
    [aead, 'seal', [nonce, bytes, new Uint8Array(8), 0, 8, new Uint8Array(24), 0]],
    [aead, 'open', [nonce, bytes, new Uint8Array(24), 0, 24, new Uint8Array(8), 0]],
    [x25519, 'point', []],
    [x25519, 'scalar', []],
    [x25519, 'agree', [new Uint8Array(32).fill(9)]],
    [privateKey, 'agree', [publicKey.point()]],
    [privateKey, 'sign', [digest, seedBytes()]],
    [publicKey, 'verify', [digest, bytes]],
    [rsa, 'sign', [1, digest, 32, seedBytes()]],
    [rsa, 'sign', [1, digest, undefined, seedBytes()]],
    [rsa, 'verify', [1, digest, 32, new Uint8Array(128)]],
    [rsa, 'numbers', []],
  ];
}

/** Calls that must be refused, by a RangeError, a TypeError, null or false; those that aren't. */
export function misuse(native: NativeCrypto): string {
  const rsa = native.rsaGenerate(1024, seedBytes());
  const objects = makeObjects(native, rsa);
  const strange = strangeValues();
  let accepted = '';
  const expectRefusal = (what: string, run: () => unknown): void => {
    try {
      const result = run();
      if (result !== null && result !== false) accepted += `${what} gave ${String(result)}\n`;
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof TypeError))
        accepted += `${what} ${error}\n`;
    }
  };
  const calls = goodCalls(native, objects);
  for (const [self, name, args] of calls) {
    const method = (self as Record<string, (...args: unknown[]) => unknown>)[name]!;
    method.apply(self, [...args]); // As it is it must not throw.
    for (const [kind, value] of Object.entries(strange)) {
      // A method of another object's, or of none's.
      if (self !== native)
        expectRefusal(`${name} of ${kind}`, () => method.apply(value, [...args]));
      args.forEach((good, i) => {
        if (isFine(name, good, value)) return;
        expectRefusal(`${name}: ${kind} as argument ${i}`, () =>
          method.apply(self, args.with(i, value)),
        );
      });
    }
    for (const other of Object.values(objects)) {
      const isOwn = Object.getPrototypeOf(other) === Object.getPrototypeOf(self);
      if (self !== native && !isOwn) {
        expectRefusal(`${name} of another class`, () => method.apply(other, [...args]));
      }
    }
    if (args.length > 0) expectRefusal(`${name} of nothing`, () => method.apply(self, []));
  }
  for (const [what, run] of Object.entries(outOfRange(native, objects))) expectRefusal(what, run);
  accepted += sharedNonces(native);
  useAfterDestroy(calls, objects, expectRefusal);
  return accepted;
}

/**
 * Groups whose keys draw one nonce for two digests when the entropy repeats itself: a zero at the
 * end makes another number of a digest that is shorter than the order, and gives the key away.
 */
function sharedNonces(native: NativeCrypto): string {
  let shared = '';
  for (const [group, bytes] of [
    [1, 32],
    [2, 48],
  ] as const) {
    const key = native.privateKey(group, new Uint8Array(bytes).fill(5))!;
    const halves = [20, 21].map((count) => {
      const digest = new Uint8Array(count).fill(7, 0, 20);
      return key.sign(digest, seedBytes()).subarray(0, bytes).join();
    });
    if (halves[0] === halves[1]) shared += `group ${group}: one nonce for two digests\n`;
  }
  return shared;
}

/** Numbers, and "no salt" and "no factor", that some parameters do take. */
function isFine(name: string, good: unknown, value: unknown): boolean {
  if (good === undefined) return value === undefined || value === 64;
  if (name === 'rsaKey' && value === undefined) return true;
  return typeof good === 'number' && (value === 64 || value === undefined) && good >= 8;
}

function outOfRange(native: NativeCrypto, o: Objects): Record<string, () => unknown> {
  const bytes = (count: number) => new Uint8Array(count);
  const [modulus, exponent, , p, q] = o.rsa.numbers() as [
    Uint8Array,
    Uint8Array,
    null,
    Uint8Array,
    Uint8Array,
  ];
  const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
  return {
    'hash 4': () => native.hash(4),
    'aead 3': () => native.aead(3, bytes(32)),
    'long key': () => native.aead(0, bytes(32)),
    'short key': () => native.aead(1, bytes(16)),
    'group 3': () => native.privateKey(3, bytes(32)),
    'x25519 as a curve': () => native.publicKey(0, bytes(32)),
    'scalar 0': () => native.privateKey(1, bytes(32)),
    'scalar n': () =>
      native.privateKey(
        1,
        Uint8Array.from(order.match(/../g)!, (two) => Number.parseInt(two, 16)),
      ),
    'scalar of ones': () => native.privateKey(2, bytes(48).fill(255)),
    'short scalar': () => native.privateKey(1, bytes(31)),
    'point of zeros': () => native.publicKey(1, bytes(65)),
    'point 4 of zeros': () => native.publicKey(2, bytes(97).fill(4, 0, 1)),
    'point of p': () => native.publicKey(1, bytes(65).fill(255).fill(4, 0, 1)),
    'compressed point': () => native.publicKey(1, o.publicKey.point().fill(2, 0, 1)),
    'zeros agree': () => o.x25519.agree(bytes(32)),
    'short digests': () => native.hkdfExpand(0, bytes(1), bytes(1), 255 * 20 + 1),
    'long digest': () => o.privateKey.sign(bytes(65), seedBytes()),
    'long seed': () => o.privateKey.sign(bytes(32), bytes(33)),
    'x25519 signs': () => o.x25519.sign(bytes(32), seedBytes()),
    'x25519 verifies': () => o.x25519.verify(bytes(32), bytes(64)),
    'public key signs': () => o.publicKey.sign(bytes(32), seedBytes()),
    'public key agrees': () => o.publicKey.agree(o.publicKey.point()),
    'public key’s scalar': () => o.publicKey.scalar(),
    'short modulus': () => native.rsaKey(bytes(127).fill(255), exponent),
    'long modulus': () => native.rsaKey(bytes(1025).fill(255), exponent),
    'even modulus': () => native.rsaKey(bytes(128).fill(254), exponent),
    'long exponent': () => native.rsaKey(modulus, bytes(5).fill(255)),
    'exponent 1': () => native.rsaKey(modulus, Uint8Array.of(1)),
    'even exponent': () => native.rsaKey(modulus, Uint8Array.of(4)),
    'long factors': () => native.rsaKey(modulus, exponent, bytes(129), q),
    'one factor': () => native.rsaKey(modulus, exponent, p),
    'same factors': () => native.rsaKey(modulus, exponent, p, p),
    'factors 0': () => native.rsaKey(modulus, exponent, bytes(64), bytes(64)),
    'factors of another': () => native.rsaKey(modulus, exponent, p, q.with(q.length - 1, 1)),
    'tiny RSA': () => native.rsaGenerate(512, seedBytes()),
    'huge RSA': () => native.rsaGenerate(4224, seedBytes()),
    'odd RSA': () => native.rsaGenerate(2047, seedBytes()),
    'digest of another hash': () => o.rsa.sign(1, bytes(20), 32, seedBytes()),
    'no room for the salt': () => o.rsa.sign(1, bytes(32), 95, seedBytes()),
    'salt without end': () => o.rsa.verify(1, bytes(32), 2 ** 31, bytes(128)),
    'public RSA signs': () => native.rsaKey(modulus, exponent)!.sign(1, bytes(32), 32, seedBytes()),
    'signature above the modulus': () => o.rsa.verify(1, bytes(32), 32, bytes(128).fill(255)),
    overlap: () => o.aead.seal(bytes(12), bytes(0), modulus, 0, 32, modulus, 16),
    'overlap of views': () =>
      o.aead.seal(bytes(12), bytes(0), modulus.subarray(4), 0, 32, modulus, 0),
    'no room for the tag': () => o.aead.seal(bytes(12), bytes(0), bytes(16), 0, 16, bytes(31), 0),
    'short nonce': () => o.aead.seal(bytes(11), bytes(0), bytes(16), 0, 16, bytes(32), 0),
    'shorter than a tag': () => o.aead.open(bytes(12), bytes(0), bytes(15), 0, 15, bytes(0), 0),
  };
}

function useAfterDestroy(
  calls: readonly Call[],
  { aead, x25519, privateKey, publicKey, rsa }: Objects,
  expectRefusal: (what: string, run: () => unknown) => void,
): void {
  const destroyed: unknown[] = [aead, x25519, privateKey, publicKey, rsa];
  for (let twice = 0; twice < 2; twice++) {
    for (const one of destroyed) (one as { destroy(): void }).destroy();
  }
  for (const [self, name, args] of calls) {
    if (!destroyed.includes(self)) continue;
    const method = (self as Record<string, (...args: unknown[]) => unknown>)[name]!;
    expectRefusal(`${name} after destroy`, () => method.apply(self, [...args]));
  }
}
