/** What bench/crypto.ts measures, on any implementation of the primitives; images run it too. */
import type { AeadName, CryptoPrimitives, Entropy, PrivateKeyType, SignatureScheme } from '#device';

/** The least that one thing is done for, so that clocks count. */
const LEAST_MICROS = 60_000;

export interface Work {
  readonly what: string;
  readonly run: () => void;
}

export function work(crypto: CryptoPrimitives, entropy: Entropy): Work[] {
  return [
    ...aead(crypto, 'AES-128-GCM', 16_384),
    ...aead(crypto, 'AES-128-GCM', 64),
    ...aead(crypto, 'CHACHA20-POLY1305', 16_384),
    hashing(crypto, 16_384),
    ...(['x25519', 'secp256r1', 'secp384r1'] as const).flatMap((group) => {
      const ours = crypto.generateKeyAgreement(group, entropy);
      const { publicKey } = crypto.generateKeyAgreement(group, entropy);
      return [
        { what: `${group} key`, run: () => crypto.generateKeyAgreement(group, entropy).destroy() },
        { what: `${group} agree`, run: () => void ours.agree(publicKey) },
      ];
    }),
    ...signing(crypto, entropy, 'P-256', 'ecdsa_secp256r1_sha256'),
    ...signing(crypto, entropy, 'P-384', 'ecdsa_secp384r1_sha384'),
    ...signing(crypto, entropy, 'RSA-2048', 'rsa_pss_rsae_sha256'),
  ];
}

/** In place, as records are. */
function aead(crypto: CryptoPrimitives, name: AeadName, bytes: number): Work[] {
  const key = crypto.aead(name, new Uint8Array(name === 'AES-128-GCM' ? 16 : 32));
  const nonce = new Uint8Array(12);
  const head = new Uint8Array(5);
  const record = new Uint8Array(bytes + 16);
  const sealed = new Uint8Array(bytes + 16);
  const opened = new Uint8Array(bytes);
  key.seal(nonce, head, opened, 0, bytes, sealed, 0);
  return [
    {
      what: `${name} seal ${bytes} B`,
      run: () => key.seal(nonce, head, record, 0, bytes, record, 0),
    },
    {
      what: `${name} open ${bytes} B`,
      run: () => void key.open(nonce, head, sealed, 0, bytes + 16, opened, 0),
    },
  ];
}

function hashing(crypto: CryptoPrimitives, bytes: number): Work {
  const data = new Uint8Array(bytes);
  return { what: `SHA-256 ${bytes} B`, run: () => void crypto.digest('SHA-256', data) };
}

function signing(
  crypto: CryptoPrimitives,
  entropy: Entropy,
  type: PrivateKeyType,
  scheme: SignatureScheme,
): Work[] {
  const key = crypto.generatePrivateKey(type, entropy);
  const data = new Uint8Array(130);
  const signature = key.sign(scheme, data, entropy);
  const other = crypto.importPublicKey(key.spki)!;
  return [
    { what: `${type} sign`, run: () => void key.sign(scheme, data, entropy) },
    { what: `${type} verify`, run: () => void other.verify(scheme, data, signature) },
  ];
}

/** Microseconds that one takes, the least of several rounds. */
export function measure(run: () => void, nowMicros: () => number): number {
  run();
  let times = 1;
  let least = Infinity;
  for (let round = 0; round < 3; ) {
    const start = nowMicros();
    for (let i = 0; i < times; i++) run();
    const took = nowMicros() - start;
    if (took < LEAST_MICROS && times < 1e7) {
      times *= 2;
      continue;
    }
    least = Math.min(least, took / times);
    round++;
  }
  return least;
}
