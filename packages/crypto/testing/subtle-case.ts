/** What the cases of `crypto.subtle` share: algorithms, bytes, and how to tell that one is wrong. */

export interface SubtleCase {
  readonly name: string;
  run(subtle: Subtle): Promise<void>;
}

export type Subtle = globalThis.SubtleCrypto;
type Bytes = Uint8Array<ArrayBuffer>;

export const of = (count: number, first = 1): Bytes =>
  new Uint8Array(count).map((_, i) => (first + i * 7) & 255);
export const TEXT = of(50, 9);
export const NONCE = of(12);

export function same(found: unknown, wanted: unknown, what: string): void {
  const [a, b] = [show(found), show(wanted)];
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
}

function show(value: unknown): string {
  if (value instanceof ArrayBuffer) return `bytes ${[...new Uint8Array(value)]}`;
  if (ArrayBuffer.isView(value)) return show(value.buffer.slice(value.byteOffset));
  return JSON.stringify(value);
}

/** Rejects with an error of this name. */
export async function refused(
  promise: Promise<unknown>,
  name: string,
  what: string,
): Promise<void> {
  const found = await promise.then(
    () => 'nothing',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  );
  if (found !== name) throw new Error(`${what}: ${found}, not ${name}`);
}

export const AES = { name: 'AES-GCM', length: 128 } as const;
export const HMAC = { name: 'HMAC', hash: 'SHA-256' } as const;
export const ES256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const DH256 = { name: 'ECDH', namedCurve: 'P-256' } as const;
export const PSS = { name: 'RSA-PSS', hash: 'SHA-256' } as const;
export const PKCS1 = { name: 'RSASSA-PKCS1-v1_5', hash: { name: 'SHA-256' } } as const;
export const aesKey = (
  subtle: Subtle,
  usages: KeyUsage[] = ['encrypt', 'decrypt'],
  extractable = true,
) => subtle.generateKey(AES, extractable, usages);

/** What adds to `cases`. */
export const adderTo =
  (cases: SubtleCase[]) =>
  (name: string, run: SubtleCase['run']): void =>
    void cases.push({ name, run });
