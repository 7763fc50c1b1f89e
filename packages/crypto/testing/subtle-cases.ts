/**
 * What a program may expect of `crypto.subtle`, wherever it runs: the standard's rules for keys,
 * usages, formats and errors. Run on a browser's own, on Node's and on ours (tests/crypto), so that
 * a case that ours alone would pass is found. Not here: the mathematics (vectors/).
 */

import { KEY_PAIR_CASES } from './key-pair-cases.ts';
import { SECRET_KEY_CASES } from './secret-key-cases.ts';
import {
  adderTo,
  aesKey,
  ES256,
  HMAC,
  NONCE,
  of,
  refused,
  type Subtle,
  type SubtleCase,
  same,
  TEXT,
} from './subtle-case.ts';

export { FORM_OF_OTHER_HALF } from './key-pair-cases.ts';

/** Of every kind of key. */
const KEY_CASES: SubtleCase[] = [];
const add = adderTo(KEY_CASES);

add('keys › wrapped and unwrapped', async (subtle) => {
  const wrapping = await aesKey(subtle, ['wrapKey', 'unwrapKey']);
  const algorithm = { name: 'AES-GCM', iv: NONCE };
  const secret = await subtle.importKey('raw', of(32), HMAC, true, ['sign', 'verify']);
  for (const format of ['raw', 'jwk'] as const) {
    const wrapped = await subtle.wrapKey(format, secret, wrapping, algorithm);
    const key = await subtle.unwrapKey(format, wrapped, wrapping, algorithm, HMAC, true, ['sign']);
    same(await subtle.exportKey('raw', key), of(32), format);
    const changed = new Uint8Array(wrapped);
    changed[0]! ^= 1;
    const promise = subtle.unwrapKey(format, changed, wrapping, algorithm, HMAC, true, ['sign']);
    await refused(promise, 'OperationError', 'changed');
  }
  const pair = await subtle.generateKey(ES256, true, ['sign', 'verify']);
  const wrapped = await subtle.wrapKey('pkcs8', pair.privateKey, wrapping, algorithm);
  const own = await subtle.unwrapKey('pkcs8', wrapped, wrapping, algorithm, ES256, true, ['sign']);
  same(
    await subtle.exportKey('pkcs8', own),
    await subtle.exportKey('pkcs8', pair.privateKey),
    'PKCS #8',
  );
  const kept = await subtle.importKey('raw', of(32), HMAC, false, ['sign']);
  await refused(subtle.wrapKey('raw', kept, wrapping, algorithm), 'InvalidAccessError', 'kept');
  await refused(subtle.encrypt(algorithm, wrapping, TEXT), 'InvalidAccessError', 'not to encrypt');
  const other = await aesKey(subtle);
  await refused(
    subtle.wrapKey('raw', secret, other, algorithm),
    'InvalidAccessError',
    'not to wrap',
  );
});

add('a CryptoKey › shows nothing, and can’t be made', async (subtle) => {
  const key = await subtle.importKey('raw', of(32), HMAC, true, ['sign']);
  same(Object.prototype.toString.call(key), '[object CryptoKey]', 'toString');
  same(JSON.stringify(key).includes(String([...of(4)])), false, 'JSON');
  same(Object.keys(key), [], 'own members');
  const Class = key.constructor as new () => object;
  let made = 'nothing';
  try {
    made = String(new Class());
  } catch (error) {
    made = (error as Error).name;
  }
  same(made, 'TypeError', 'new CryptoKey()');
  await refused(subtle.exportKey('raw', {} as never), 'TypeError', 'no key');
  await refused(subtle.exportKey('smoke signals' as never, key as never), 'TypeError', 'no format');
});

add('what isn’t there › NotSupportedError', async (subtle) => {
  await refused(
    subtle.generateKey({ name: 'Enigma' }, true, ['encrypt']),
    'NotSupportedError',
    'unknown',
  );
  await refused(
    subtle.importKey('raw', of(16), 'SHA-256', true, ['encrypt']),
    'NotSupportedError',
    'a hash',
  );
  const key = await aesKey(subtle);
  await refused(subtle.sign('AES-GCM', key, TEXT), 'NotSupportedError', 'AES-GCM signs nothing');
});

export const SUBTLE_CASES: readonly SubtleCase[] = [
  ...SECRET_KEY_CASES,
  ...KEY_PAIR_CASES,
  ...KEY_CASES,
];

/** Runs all; one line for each that fails. */
export async function runSubtleCases(
  subtle: Subtle,
  except: readonly string[] = [],
): Promise<string[]> {
  const failures: string[] = [];
  for (const { name, run } of SUBTLE_CASES.filter((one) => !except.includes(one.name))) {
    await run(subtle).catch((error: unknown) => failures.push(`${name}: ${error}`));
  }
  return failures;
}
