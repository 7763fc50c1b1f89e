import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base64url, fromBase64url } from './jwk.ts';

test('base64url › every length up to 70 › as Node writes it, and read again', () => {
  for (let count = 0; count <= 70; count++) {
    const bytes = Uint8Array.from({ length: count }, (_, i) => (i * 251 + count) & 255);
    const text = base64url(bytes);
    assert.equal(text, Buffer.from(bytes).toString('base64url'));
    assert.deepEqual(fromBase64url(text), bytes);
  }
});

test('base64url › padding, other digits, a lone digit, bits that mean nothing › none', () => {
  for (const text of ['AA==', 'A+', 'A/', 'A A', 'A', 'AAAAA', 'AB', 'AAB', 'é']) {
    assert.equal(fromBase64url(text), null, text);
  }
  assert.deepEqual(fromBase64url('AA'), Uint8Array.of(0));
});
