import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { primitives } from '#crypto/platform';
import { webDefines } from '../../packages/web/bundle.ts';
import { buildNodeModule } from '../../targets/node/build.ts';

const link = (text: string, define = {}, inject: readonly string[] = []) =>
  buildNodeModule({
    entry: { text, resolveDir: import.meta.dirname, name: 'main.ts' },
    alias: {},
    define,
    inject,
  });

test('a program that uses the platform’s primitives › linked › has Node’s', async () => {
  const text = `import { primitives } from '#crypto/platform';
    export const { name } = primitives;
    export const digest = primitives.digest('SHA-256', new Uint8Array(0))[0];`;
  const built = await link(text);
  assert(built.ok);
  const module = await import(`data:text/javascript,${encodeURIComponent(built.value.text)}`);
  assert.equal(module.name, 'node');
  assert.equal(module.digest, 0xe3);
});

test('a program that uses none › linked › has none', async () => {
  const built = await link(`import '#crypto/platform'; import '#device'; export default 1;`);
  assert(built.ok);
  assert(!built.value.text.includes('createCipheriv'));
});

test('the platform’s primitives › not linked › say so', () => {
  assert.throws(() => primitives.name, /no target was linked: #crypto\/platform/);
});

test('a program that uses crypto.subtle › linked for Node › has ours', async () => {
  const text = `export const { name } = crypto.subtle.constructor;
    export const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(0));`;
  const inject = path.join(import.meta.dirname, '../../packages/web/inject.ts');
  const built = await link(text, webDefines(), [inject]);
  assert(built.ok);
  const module = await import(`data:text/javascript,${encodeURIComponent(built.value.text)}`);
  assert.match(module.name, /SubtleCrypto/);
  assert.equal(module.digest.byteLength, 32);
  assert(built.value.text.includes('linked.subtle = cryptoSubtle'));
});
