/** base64url without padding (RFC 4648 §5, RFC 7515 §2). */

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const NO_DIGIT = /[^A-Za-z0-9_-]/;

export function base64url(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const a = bytes[i]!;
    const b = bytes[i + 1] ?? 0;
    const c = bytes[i + 2] ?? 0;
    text += DIGITS[a >> 2]! + DIGITS[((a & 3) << 4) | (b >> 4)]!;
    if (i + 1 < bytes.length) text += DIGITS[((b & 15) << 2) | (c >> 6)]!;
    if (i + 2 < bytes.length) text += DIGITS[c & 63]!;
  }
  return text;
}

/** Null for what `base64url` doesn't write: other characters, padding, bits that belong to no byte. */
export function fromBase64url(text: string): Uint8Array | null {
  if (NO_DIGIT.test(text) || text.length % 4 === 1) return null;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let at = 0;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < text.length; i++) {
    bits = ((bits << 6) | DIGITS.indexOf(text[i]!)) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes[at++] = bits >> held;
  }
  return (bits & ((1 << held) - 1)) === 0 ? bytes : null;
}
