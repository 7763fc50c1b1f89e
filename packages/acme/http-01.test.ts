import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Proofs } from './challenge.ts';
import { answerHttp01 } from './http-01.ts';
import { CHALLENGES_MAX } from './limits.ts';

const proof = (token: string, type: 'http-01' | 'tls-alpn-01' = 'http-01') => ({
  type,
  identifier: { type: 'dns', value: 'a.example' } as const,
  token,
  keyAuthorization: `${token}.print`,
});

/** What is answered; null: it was left to others. */
function ask(proofs: Proofs, path: string, method = 'GET'): string | null {
  let answer: string | null = null;
  const exchange = {
    head: { path, method },
    respond(status: number, fields: readonly (readonly string[])[], body: Uint8Array) {
      answer = `${status} ${fields.join()} ${Buffer.from(body)}`;
    },
  };
  const isTaken = answerHttp01(proofs, exchange as never);
  assert.equal(isTaken, answer !== null);
  return answer;
}

test('a proof is to be given › its token › the key authorization, until it is withdrawn', () => {
  const proofs = new Proofs();
  const one = proof('tok_-1');
  assert.equal(ask(proofs, '/.well-known/acme-challenge/tok_-1'), null);
  proofs.present(one);
  const answer = '200 Content-Type,application/octet-stream tok_-1.print';
  assert.equal(ask(proofs, '/.well-known/acme-challenge/tok_-1'), answer);
  assert.equal(ask(proofs, '/.well-known/acme-challenge/tok_-1', 'HEAD'), answer);
  proofs.withdraw(one);
  assert.equal(ask(proofs, '/.well-known/acme-challenge/tok_-1'), null);
});

for (const path of [
  '/',
  '/.well-known/acme-challenge',
  '/.well-known/acme-challenge/',
  '/.well-known/acme-challenge/toke',
  '/.well-known/acme-challenge/token/',
  '/.well-known/acme-challenge/other',
  '/x/.well-known/acme-challenge/token',
]) {
  test(`a proof is to be given › ${path} › left to others`, () => {
    const proofs = new Proofs();
    proofs.present(proof('token'));
    proofs.present(proof('other', 'tls-alpn-01'));
    assert.equal(ask(proofs, path), null);
  });
}

test('a proof is to be given › POST › left to others', () => {
  const proofs = new Proofs();
  proofs.present(proof('token'));
  assert.equal(ask(proofs, '/.well-known/acme-challenge/token', 'POST'), null);
});

test('as many as an order has names › one more › a broken promise', () => {
  const proofs = new Proofs();
  for (let i = 0; i < CHALLENGES_MAX; i++) proofs.present(proof(`${i}`));
  assert.throws(() => proofs.present(proof('x')));
});
