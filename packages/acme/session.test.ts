import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millis, seconds } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { RevocationProcedure } from './revocation.ts';
import { RolloverProcedure } from './rollover.ts';
import { AcmeBench } from './test-bench.ts';
import { answerOf, problem } from './test-server.ts';
import { base64url } from './wire/base64url.ts';

const NAMES = ['a.example'];
const CERTIFICATE = Uint8Array.of(1, 2, 3);

test('terms that aren’t agreed to › order › no account, and where they are', () => {
  const bench = new AcmeBench({ agreesToTerms: false });
  const { error } = bench.fail(bench.order(NAMES));
  assert.deepEqual(error, { kind: 'terms', terms: 'https://ca.example/terms' });
  assert.equal(bench.server.accounts.length, 0);
});

test('no terms › order › none are agreed to', () => {
  const bench = new AcmeBench({ agreesToTerms: false, email: 'a@example.com' });
  bench.server.terms = null;
  bench.succeed(bench.order(NAMES));
  assert.deepEqual(bench.server.accounts[0]!.contact, ['mailto:a@example.com']);
});

test('terms changed (userActionRequired) › order › the reason', () => {
  const bench = new AcmeBench();
  bench.server.twist('POST /new-order', problem('userActionRequired', 403));
  const { error } = bench.fail(bench.order(NAMES));
  assert.ok(error.kind === 'problem' && error.problem.type === 'userActionRequired');
});

test('an external account is wanted › order › bound by its key', () => {
  const hmacKey = Buffer.from('a secret that the authority gave us');
  const bench = new AcmeBench({ externalAccount: { kid: 'kid-1', hmacKey } });
  bench.server.macKeys = { 'kid-1': hmacKey };
  bench.succeed(bench.order(NAMES));
  assert.equal(bench.server.accounts[0]!.bound, 'kid-1');
});

test('an external account is wanted, none is given › order › it fails', () => {
  const bench = new AcmeBench();
  bench.server.macKeys = { 'kid-1': Buffer.from('x') };
  assert.deepEqual(bench.fail(bench.order(NAMES)).error, { kind: 'external account required' });
});

test('an external account with a wrong key › order › refused', () => {
  const externalAccount = { kid: 'kid-1', hmacKey: Buffer.from('wrong') };
  const bench = new AcmeBench({ externalAccount });
  bench.server.macKeys = { 'kid-1': Buffer.from('x') };
  const { error } = bench.fail(bench.order(NAMES));
  assert.ok(error.kind === 'problem' && error.problem.type === 'externalAccountRequired');
});

for (const status of ['deactivated', 'revoked'] as const) {
  test(`an account that is ${status} › order › it fails`, () => {
    const bench = new AcmeBench();
    const location = 'https://ca.example/account/0';
    bench.server.twist('POST /new-account', answerOf(200, { status }, { location }));
    assert.deepEqual(bench.fail(bench.order(NAMES)).error, { kind: 'account', status });
  });
}

test('the account is forgotten › order › registered again, once', () => {
  const bench = new AcmeBench();
  bench.succeed(bench.order(NAMES));
  bench.server.accounts.length = 0;
  bench.succeed(bench.order(NAMES));
  assert.equal(bench.asked('POST /new-account'), 2);
  bench.server.twist('POST /new-order', problem('accountDoesNotExist'), 9);
  const { error } = bench.fail(bench.order(NAMES));
  assert.ok(error.kind === 'problem' && error.problem.type === 'accountDoesNotExist');
});

test('nonces are refused › order › others are taken, up to the bound', () => {
  const bench = new AcmeBench();
  const { badNoncesMax } = bench.limits;
  bench.server.badNonces = badNoncesMax;
  bench.succeed(bench.order(NAMES));
  assert.equal(bench.session.counters.acmeBadNonces, badNoncesMax);
  assert.equal(bench.asked('HEAD'), 1, 'the refusals brought nonces');
  bench.server.badNonces = badNoncesMax + 1;
  const { error } = bench.fail(bench.order(NAMES));
  assert.ok(error.kind === 'problem' && error.problem.type === 'badNonce');
});

test('nonces are refused again and again, with successes between › order › it succeeds', () => {
  const bench = new AcmeBench();
  const { badNoncesMax } = bench.limits;
  for (const what of ['new-account', 'new-order', 'authorization', 'challenge', 'finalize']) {
    bench.server.twist(`POST /${what}`, problem('badNonce'), badNoncesMax);
  }
  bench.succeed(bench.order(NAMES));
  assert.equal(bench.session.counters.acmeBadNonces, 5 * badNoncesMax);
});

for (const nonce of ['', 'no base64url!', 'x'.repeat(513)]) {
  test(`a nonce that is none, ${JSON.stringify(nonce.slice(0, 20))} › order › asked for anew`, () => {
    const bench = new AcmeBench();
    bench.server.twist('POST /new-account', (answer) => ({
      ...answer,
      fields: new Map([...answer.fields, ['replay-nonce', nonce]]),
    }));
    bench.succeed(bench.order(NAMES));
    assert.equal(bench.asked('HEAD'), 2);
  });
}

test('new-nonce without a nonce › order › it fails', () => {
  const bench = new AcmeBench();
  bench.server.twist('HEAD', (answer) => ({ ...answer, fields: new Map() }));
  const { error } = bench.fail(bench.order(NAMES));
  assert.ok(error.kind === 'malformed' && error.fault.kind === 'no nonce');
});

// size-exempt: table
for (const [what, answer, fault] of [
  ['HTML', answerOf(200, '<html>', { 'content-type': 'text/html' }), 'content type'],
  ['no type', answerOf(200, '{}', { 'content-type': '' }), 'content type'],
  ['no JSON', answerOf(200, 'x'), 'not JSON'],
  ['null', answerOf(200, 'null'), 'not JSON'],
  ['no UTF-8', { ...answerOf(200, ''), body: Uint8Array.of(0x22, 0xff, 0x22) }, 'not JSON'],
  ['an empty object', answerOf(200, {}), 'member'],
  ['plain HTTP', answerOf(200, { newNonce: 'http://ca.example/' }), 'member'],
] as const) {
  test(`a directory that is ${what} › order › it fails`, () => {
    const bench = new AcmeBench();
    bench.server.twist('GET /directory', answer);
    const { error } = bench.fail(bench.order(NAMES));
    assert.ok(error.kind === 'malformed');
    assert.equal(error.fault.kind, fault);
  });
}

test('a type with parameters, in capitals › order › it is the same type', () => {
  const bench = new AcmeBench();
  bench.server.twist('GET /directory', (answer) => ({
    ...answer,
    fields: new Map([['content-type', 'Application/JSON; charset=utf-8']]),
  }));
  bench.succeed(bench.order(NAMES));
});

test('redirects of the directory › order › followed, up to the bound', () => {
  const bench = new AcmeBench();
  const { redirectsMax } = bench.limits;
  const moved = answerOf(307, '', { location: '/directory' });
  bench.server.twist('GET /directory', moved, redirectsMax);
  bench.succeed(bench.order(NAMES));
  bench.server.twist('GET /directory', moved, redirectsMax + 1);
  const { error } = bench.fail(bench.order(NAMES));
  assert.ok(error.kind === 'malformed' && error.fault.kind === 'redirect');
});

for (const location of ['', 'http://ca.example/directory', '//evil.example/', 'ftp://x/', 'x y']) {
  test(`a redirect to '${location}' › order › it fails`, () => {
    const bench = new AcmeBench();
    bench.server.twist('GET /directory', answerOf(302, '', { location }));
    const { error } = bench.fail(bench.order(NAMES));
    assert.ok(error.kind === 'malformed' && error.fault.kind === 'redirect');
  });
}

test('a redirect of a signed request › order › not followed', () => {
  const bench = new AcmeBench();
  const moved = answerOf(308, '', { location: 'https://evil.example/' });
  bench.server.twist('POST /new-account', moved);
  const { error } = bench.fail(bench.order(NAMES));
  assert.deepEqual(error, {
    kind: 'status',
    url: 'https://ca.example/new-account',
    status: 308,
  });
});

test('503 with Retry-After › order › the same again, after that long', () => {
  const bench = new AcmeBench();
  bench.server.twist('POST /new-order', problem('serverInternal', 503, { 'retry-after': '30' }));
  bench.succeed(bench.order(NAMES));
  assert.ok(bench.timers.now > 30e6 && bench.timers.now < 60e6);
});

test('503 with a date › order › the same again, then', () => {
  const bench = new AcmeBench();
  const date = 'Thu, 26 Nov 2026 12:00:45 GMT';
  bench.server.twist('GET /directory', answerOf(503, 'busy', { 'retry-after': date }));
  bench.succeed(bench.order(NAMES));
  assert.ok(bench.timers.now > 45e6 && bench.timers.now < 75e6);
});

for (const [text, wait] of [
  ['3600', seconds(3_600)],
  ['999999999999999', seconds(31_536_000)],
  ['Thu, 26 Nov 2099 12:00:45 GMT', seconds(31_536_000)],
] as const) {
  test(`503 with Retry-After: ${text} › order › over, and when to come back`, () => {
    const bench = new AcmeBench();
    bench.server.twist('POST /new-order', answerOf(503, '', { 'retry-after': text }));
    const failure = bench.fail(bench.order(NAMES));
    assert.deepEqual(failure.error, {
      kind: 'status',
      url: 'https://ca.example/new-order',
      status: 503,
    });
    assert.equal(failure.retryAfter, wait);
  });
}

for (const text of ['soon', '-5', '1e3', '']) {
  test(`503 with Retry-After: '${text}' › order › as without`, () => {
    const bench = new AcmeBench();
    bench.server.twist('POST /new-order', answerOf(503, '', { 'retry-after': text }));
    bench.succeed(bench.order(NAMES));
    assert.ok(bench.timers.now < 20e6);
  });
}

test('server errors › order › tried again with growing waits, up to the bound', () => {
  const bench = new AcmeBench();
  const { retriesMax } = bench.limits;
  bench.server.twist('POST /new-order', answerOf(500, 'x'), retriesMax);
  bench.succeed(bench.order(NAMES));
  assert.ok(bench.timers.now > 15e6, `${bench.timers.now}`);
  bench.server.twist('POST /new-order', answerOf(500, 'x'), retriesMax + 1);
  const { error } = bench.fail(bench.order(NAMES));
  assert.equal(error.kind, 'status');
});

test('a limit of rate without a time › order › over at once', () => {
  const bench = new AcmeBench();
  bench.server.twist('POST /new-order', problem('rateLimited', 429));
  const { error, retryAfter } = bench.fail(bench.order(NAMES));
  assert.ok(error.kind === 'problem' && error.problem.type === 'rateLimited');
  assert.equal(retryAfter, null);
  assert.equal(bench.asked('POST /new-order'), 1);
});

test('a limit of rate for a moment › order › waited for', () => {
  const bench = new AcmeBench();
  bench.server.twist('POST /new-order', problem('rateLimited', 429, { 'retry-after': '5' }));
  bench.succeed(bench.order(NAMES));
  assert.ok(bench.timers.now > 5e6);
});

test('a refusal › order › over at once, with the problem', () => {
  const bench = new AcmeBench();
  bench.server.twist('POST /new-order', problem('rejectedIdentifier', 400));
  const { error } = bench.fail(bench.order(NAMES));
  assert.ok(error.kind === 'problem' && error.problem.type === 'rejectedIdentifier');
  assert.equal(error.problem.detail, 'it is rejectedIdentifier');
});

test('connections that break › order › tried again with a fresh nonce, up to the bound', () => {
  const bench = new AcmeBench();
  const { retriesMax } = bench.limits;
  const broken = () => ({ kind: 'connection', text: 'no connection: refused' }) as const;
  bench.server.twist('POST /finalize', broken, 1);
  bench.server.twist('GET /directory', broken, retriesMax);
  bench.succeed(bench.order(NAMES));
  assert.equal(bench.asked('HEAD'), 2);
  bench.server.twist('GET /directory', broken, retriesMax + 1);
  const { error } = bench.fail(bench.order(NAMES));
  assert.deepEqual(error, {
    kind: 'transport',
    url: 'https://ca.example/directory',
    error: { kind: 'connection', text: 'no connection: refused' },
  });
});

test('an answer that never comes › order › given up, and asked again', () => {
  const bench = new AcmeBench();
  bench.server.twist('POST /new-order', () => 'silence');
  bench.succeed(bench.order(NAMES));
  assert.ok(bench.timers.now > 30e6);
  bench.server.twist('GET /directory', () => 'silence', 99);
  const { error } = bench.fail(bench.order(NAMES));
  assert.ok(error.kind === 'transport' && error.error.kind === 'timeout');
});

test('an answer that is too long › order › over: it would come again', () => {
  const bench = new AcmeBench({}, { bodyBytesMax: 2_048 });
  bench.server.directory = { more: 'x'.repeat(2_048) };
  const { error } = bench.fail(bench.order(NAMES));
  assert.ok(error.kind === 'transport' && error.error.kind === 'too long');
  assert.equal(bench.asked('GET'), 1);
});

test('one that fails › another › it starts afresh', () => {
  const bench = new AcmeBench();
  bench.server.twist('POST /new-order', problem('malformed'));
  bench.fail(bench.order(NAMES));
  bench.succeed(bench.order(NAMES));
});

test('time that is up while waiting › order › over', () => {
  const bench = new AcmeBench({}, { procedureTimeMax: seconds(70), retryFirst: seconds(50) });
  bench.server.twist('POST /new-order', answerOf(500, 'x'), 3);
  assert.deepEqual(bench.fail(bench.order(NAMES)).error, { kind: 'endless' });
  assert.ok(bench.timers.now <= seconds(70) + millis(1));
});

test('a certificate › revocation › by the account, or by its own key without one', () => {
  const bench = new AcmeBench();
  bench.succeed(new RevocationProcedure(CERTIFICATE, 'superseded', null));
  assert.deepEqual(bench.server.revoked, [{ certificate: base64url(CERTIFICATE), reason: 4 }]);
  const other = new AcmeBench();
  const key = nodeCrypto.generatePrivateKey('P-256', other.random);
  other.succeed(new RevocationProcedure(CERTIFICATE, 'keyCompromise', key));
  assert.equal(other.server.accounts.length, 0);
  assert.equal(other.server.revoked[0]!.reason, 1);
});

test('a certificate that is revoked › revocation › done all the same', () => {
  const bench = new AcmeBench();
  bench.succeed(new RevocationProcedure(CERTIFICATE, 'superseded', null));
  bench.succeed(new RevocationProcedure(CERTIFICATE, 'superseded', null));
  assert.equal(bench.server.revoked.length, 1);
});

test('revocation is refused, or not offered › revocation › it fails', () => {
  const bench = new AcmeBench();
  bench.server.twist('POST /revoke', problem('unauthorized', 403));
  const { error } = bench.fail(new RevocationProcedure(CERTIFICATE, 'superseded', null));
  assert.ok(error.kind === 'problem' && error.problem.type === 'unauthorized');
  bench.server.directory = { revokeCert: null };
  const failure = bench.fail(new RevocationProcedure(CERTIFICATE, 'superseded', null));
  assert.deepEqual(failure.error, { kind: 'not offered', what: 'revocation' });
});

test('an account › another key › orders are signed with it', () => {
  const bench = new AcmeBench();
  bench.succeed(bench.order(NAMES));
  const key = nodeCrypto.generatePrivateKey('P-256', bench.random);
  bench.succeed(new RolloverProcedure(bench.random, key));
  bench.session.replaceKey(key);
  bench.succeed(bench.order(NAMES));
  assert.equal(bench.server.accounts.length, 1);
});

test('no account yet › another key › one is made first', () => {
  const bench = new AcmeBench();
  const key = nodeCrypto.generatePrivateKey('P-256', bench.random);
  bench.succeed(new RolloverProcedure(bench.random, key));
  assert.equal(bench.server.accounts.length, 1);
  bench.server.directory = { keyChange: null };
  const { error } = bench.fail(new RolloverProcedure(bench.random, bench.accountKey));
  assert.deepEqual(error, { kind: 'not offered', what: 'key change' });
});

test('another key that is refused › another key › the old one stays', () => {
  const bench = new AcmeBench();
  bench.succeed(bench.order(NAMES));
  bench.server.twist('POST /key-change', problem('malformed', 409));
  const key = nodeCrypto.generatePrivateKey('P-256', bench.random);
  bench.fail(new RolloverProcedure(bench.random, key));
  bench.succeed(bench.order(NAMES));
});
