/** Runs in an image: all vectors, and every length of a message, on the base's cryptography. */
import { primitives } from '#crypto/platform';
import { runVectors, VECTORS } from '#crypto/vectors';
import type { AeadName } from '#device';

declare const __base: import('#targets/base/base').Base;

/** Three chunks of the eight blocks that the base's AES-GCM takes at once, and some. */
const BYTES_MAX = 3 * 128 + 17;

/** The lengths at which what was sealed doesn't open as it was, or opens with a bit changed. */
function wrongLengths(name: AeadName): number[] {
  const key = primitives.aead(name, new Uint8Array(name === 'AES-128-GCM' ? 16 : 32).fill(7));
  const nonce = new Uint8Array(12);
  const plain = Uint8Array.from({ length: BYTES_MAX }, (_, i) => (i * 31) & 0xff);
  const wrong: number[] = [];
  for (let count = 0; count <= BYTES_MAX; count++) {
    const additional = plain.subarray(0, count % 40);
    const sealed = new Uint8Array(count + 16);
    const opened = new Uint8Array(count);
    key.seal(nonce, additional, plain, 0, count, sealed, 0);
    const opens = key.open(nonce, additional, sealed, 0, count + 16, opened, 0);
    if (!opens || opened.some((byte, i) => byte !== plain[i])) wrong.push(count);
    sealed[(count * 7) % sealed.length]! ^= 0x10;
    if (key.open(nonce, additional, sealed, 0, count + 16, opened, 0)) wrong.push(count);
    if (opened.some((byte) => byte !== 0)) wrong.push(count);
  }
  return wrong;
}

const { run, skipped, failures } = runVectors(primitives, VECTORS);
let text = failures.map((line) => `${line}\n`).join('');
for (const name of ['AES-128-GCM', 'AES-256-GCM', 'CHACHA20-POLY1305'] as const) {
  const wrong = wrongLengths(name);
  if (wrong.length > 0) text += `${name}: wrong with ${wrong.join(', ')} bytes\n`;
}
__base.consoleWrite(`${text}${primitives.name}: ${run} run, ${skipped} skipped\n`);
