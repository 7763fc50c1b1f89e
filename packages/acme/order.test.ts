import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seconds } from '#core';
import { AcmeBench, textOfBytes } from './test-bench.ts';
import { answerOf, problem } from './test-server.ts';

const NAMES = ['a.example', 'b.example'];

test('nothing known › order › account, proofs, certificate, and each asked for once', () => {
  const bench = new AcmeBench();
  const order = bench.order(NAMES);
  bench.succeed(order);
  assert.equal(textOfBytes(order.chain![0]!), 'a chain');
  assert.equal(bench.proofs.size, 0);
  const { log } = bench.server;
  assert.deepEqual(log.slice(0, 8), [
    'GET /directory',
    'HEAD /new-nonce',
    'POST /new-account',
    'POST /new-order',
    'POST /authorization/0',
    'POST /authorization/1',
    'POST /challenge/0/http-01',
    'POST /challenge/1/http-01',
  ]);
  assert.equal(bench.asked('HEAD'), 1);
  assert.equal(bench.asked('POST /finalize'), 1);
  assert.deepEqual(
    bench.server.orders[0]!.identifiers.map(({ value }) => value),
    NAMES,
  );
});

test('an account › a second order › no other account', () => {
  const bench = new AcmeBench();
  bench.succeed(bench.order(NAMES));
  bench.succeed(bench.order(NAMES));
  assert.equal(bench.asked('POST /new-account'), 1);
  assert.equal(bench.server.accounts.length, 1);
});

test('a key with an account › order › the account is found', () => {
  const first = new AcmeBench();
  first.succeed(first.order(NAMES));
  const second = new AcmeBench({ accountKey: first.accountKey });
  second.server.accounts.push(...first.server.accounts);
  second.succeed(second.order(NAMES));
  assert.equal(second.server.accounts.length, 1);
});

test('the best kind of proof isn’t offered › order › the next one', () => {
  const bench = new AcmeBench();
  bench.server.challengeTypes = ['dns-01', 'tls-alpn-01'];
  bench.succeed(bench.order(NAMES, { challenges: () => ['http-01', 'tls-alpn-01'] }));
  assert.equal(bench.asked('POST /challenge/0/tls-alpn-01'), 1);
});

test('no kind of proof fits › order › it fails for that name', () => {
  const bench = new AcmeBench();
  bench.server.challengeTypes = ['dns-01', 'x'];
  const { error } = bench.fail(bench.order(NAMES));
  assert.deepEqual(error, { kind: 'no challenge', name: 'a.example' });
});

for (const token of ['', '../secret', 'a b', 'x'.repeat(257)]) {
  test(`a token that is no part of a path, ${JSON.stringify(token.slice(0, 9))} › order › not taken`, () => {
    const bench = new AcmeBench();
    const identifier = { type: 'dns', value: 'a.example' };
    const url = 'https://ca.example/challenge/0/http-01';
    const challenge = { type: 'http-01', url, status: 'pending', token };
    const document = { status: 'pending', identifier, challenges: [challenge] };
    bench.server.twist('POST /authorization', answerOf(200, document));
    // Without a nonce in the answer the next one is asked for: this isn't what is tested.
    const { error } = bench.fail(bench.order(['a.example']));
    assert.equal(error.kind, 'no challenge');
  });
}

test('a wrong proof › order › it fails and says why', () => {
  const bench = new AcmeBench();
  bench.server.validate = () => 'something else';
  const { error } = bench.fail(bench.order(NAMES));
  assert.ok(error.kind === 'authorization');
  assert.equal(error.status, 'invalid');
  assert.equal(error.problem?.type, 'incorrectResponse');
});

for (const status of ['expired', 'revoked', 'deactivated']) {
  test(`an authorization that is ${status} › order › it fails`, () => {
    const bench = new AcmeBench();
    const identifier = { type: 'dns', value: 'a.example' };
    bench.server.twist(
      'POST /authorization/0',
      answerOf(200, { status, identifier, challenges: [] }),
    );
    const { error } = bench.fail(bench.order(NAMES));
    assert.deepEqual(error, { kind: 'authorization', name: 'a.example', status, problem: null });
  });
}

test('valid authorizations from before › order › no proof is given', () => {
  const bench = new AcmeBench();
  const identifier = { type: 'dns', value: 'a.example' };
  bench.server.twist('POST /authorization', (_answer, request) => {
    const at = Number(request.url.target.split('/').at(-1));
    bench.server.authorizations[at]!.status = 'valid';
    return answerOf(200, { status: 'valid', identifier, challenges: [] });
  });
  bench.succeed(bench.order(['a.example']));
  assert.equal(bench.asked('POST /challenge'), 0);
});

test('a slow authority › order › looked at more and more rarely', () => {
  const bench = new AcmeBench();
  bench.server.slowness = 12;
  bench.succeed(bench.order(['a.example']));
  const seconds = bench.timers.now / 1e6;
  assert.ok(seconds > 100 && seconds < 400, `${seconds} s`);
});

test('Retry-After while it works › order › not looked at before', () => {
  const bench = new AcmeBench();
  bench.server.slowness = 2;
  let asked = 0;
  bench.server.twist(
    'POST /authorization',
    (answer) => {
      asked += 1;
      return { ...answer, fields: new Map([...answer.fields, ['retry-after', '40']]) };
    },
    3,
  );
  bench.succeed(bench.order(['a.example']));
  assert.ok(asked === 3 && bench.timers.now > 40e6);
});

test('an authority that never ends › order › it fails in bounded time and requests', () => {
  const bench = new AcmeBench();
  bench.server.slowness = Number.POSITIVE_INFINITY;
  const { error } = bench.fail(bench.order(['a.example']));
  assert.deepEqual(error, { kind: 'endless' });
  assert.ok(bench.timers.now <= bench.limits.procedureTimeMax + 1);
  assert.ok(bench.server.log.length < 100);
});

test('requests without end › order › bounded', () => {
  const bench = new AcmeBench({}, { requestsMax: 20, pollMax: seconds(1) });
  bench.server.slowness = 1_000;
  const { error } = bench.fail(bench.order(['a.example']));
  assert.deepEqual(error, { kind: 'endless' });
  assert.equal(bench.server.log.length, 20);
});

const ORDER = {
  status: 'pending',
  identifiers: [{ type: 'dns', value: 'a.example' }],
  authorizations: ['https://ca.example/authorization/0'],
  finalize: 'https://ca.example/finalize/0',
};
const AT = { location: 'https://ca.example/order/0' };

// size-exempt: table
for (const [what, document, fault] of [
  ['no JSON', '{"status": ', { kind: 'not JSON' }],
  ['a list', [ORDER], { kind: 'not JSON' }],
  ['deep', '['.repeat(30_000), { kind: 'not JSON' }],
  ['no status', { ...ORDER, status: undefined }, { kind: 'member', path: 'status' }],
  ['an unknown status', { ...ORDER, status: 'fine' }, { kind: 'member', path: 'status' }],
  ['no finalize', { ...ORDER, finalize: undefined }, { kind: 'member', path: 'finalize' }],
  [
    'plain HTTP',
    { ...ORDER, finalize: 'http://ca.example/f' },
    { kind: 'member', path: 'finalize' },
  ],
  [
    'credentials',
    { ...ORDER, finalize: 'https://a@ca.example/' },
    { kind: 'member', path: 'finalize' },
  ],
  ['no URL', { ...ORDER, authorizations: [7] }, { kind: 'member', path: 'authorizations' }],
  ['no list', { ...ORDER, authorizations: {} }, { kind: 'member', path: 'authorizations' }],
  [
    'too many',
    { ...ORDER, authorizations: new Array(129).fill(ORDER.finalize) },
    { kind: 'member', path: 'authorizations' },
  ],
  ['no time', { ...ORDER, expires: 'tomorrow' }, { kind: 'member', path: 'expires' }],
  [
    'a name of another type',
    { ...ORDER, identifiers: [{ type: 'email', value: 'a' }] },
    { kind: 'member', path: 'identifiers.0.type' },
  ],
  [
    'other names',
    { ...ORDER, identifiers: [{ type: 'dns', value: 'evil.example' }] },
    { kind: 'order', what: 'other names' },
  ],
  [
    'one name more',
    { ...ORDER, identifiers: [...ORDER.identifiers, { type: 'dns', value: 'b.example' }] },
    { kind: 'order', what: 'other names' },
  ],
  [
    'valid without certificate',
    { ...ORDER, status: 'valid' },
    { kind: 'order', what: 'no certificate' },
  ],
] as const) {
  test(`an order that is malformed (${what}) › order › it fails`, () => {
    const bench = new AcmeBench();
    bench.server.twist('POST /new-order', answerOf(201, document, AT));
    const { error } = bench.fail(bench.order(['a.example']));
    assert.deepEqual(error, { kind: 'malformed', url: 'https://ca.example/new-order', fault });
  });
}

test('an order without a place › order › it fails', () => {
  const bench = new AcmeBench();
  bench.server.twist('POST /new-order', answerOf(201, ORDER));
  const { error } = bench.fail(bench.order(['a.example']));
  assert.ok(error.kind === 'malformed' && error.fault.kind === 'no location');
});

for (const [what, first, second] of [
  ['processing to ready', 'processing', 'ready'],
  ['ready to pending', 'ready', 'pending'],
  ['valid to pending', 'processing', 'pending'],
] as const) {
  test(`an order that goes back, ${what} › order › it fails`, () => {
    const bench = new AcmeBench();
    bench.server.twist('POST /new-order', answerOf(201, { ...ORDER, status: first }, AT));
    bench.server.twist('POST /finalize', answerOf(200, { ...ORDER, status: second }, AT));
    bench.server.twist('POST /order/0', answerOf(200, { ...ORDER, status: second }));
    const { error } = bench.fail(bench.order(['a.example']));
    assert.ok(error.kind === 'malformed');
    assert.deepEqual(error.fault, { kind: 'order', what: 'went back' });
  });
}

test('an order that becomes invalid › order › it fails with the reason', () => {
  const bench = new AcmeBench();
  const type = 'urn:ietf:params:acme:error:badCSR';
  const invalid = { ...ORDER, status: 'invalid', error: { type, detail: 'no' } };
  bench.server.twist('POST /finalize', answerOf(200, invalid));
  const { error } = bench.fail(bench.order(['a.example']));
  assert.ok(error.kind === 'order' && error.problem?.type === 'badCSR');
});

test('an order that has expired › order › it fails', () => {
  const bench = new AcmeBench();
  const expired = { ...ORDER, expires: '2026-11-26T11:59:59Z' };
  bench.server.twist('POST /new-order', answerOf(201, expired, AT));
  assert.deepEqual(bench.fail(bench.order(['a.example'])).error, { kind: 'order expired' });
});

test('an order that isn’t ready when it said so › finalize › looked at, and finalized again', () => {
  const bench = new AcmeBench();
  bench.server.twist('POST /finalize', problem('orderNotReady', 403));
  const order = bench.order(['a.example']);
  const failure = bench.run(order);
  assert.equal(failure, null);
  assert.equal(bench.asked('POST /finalize'), 2);
});

test('a chain of another type › order › it fails', () => {
  const bench = new AcmeBench();
  bench.server.twist('POST /certificate', answerOf(200, 'a chain'));
  const { error } = bench.fail(bench.order(['a.example']));
  assert.ok(error.kind === 'malformed');
  assert.deepEqual(error.fault, { kind: 'content type', type: 'application/json' });
});

test('a chain that isn’t taken › order › it fails with the reason', () => {
  const bench = new AcmeBench();
  const { error } = bench.fail(bench.order(['a.example'], { readChain: () => 'another key' }));
  assert.deepEqual(error, { kind: 'certificate', fault: 'another key' });
});

test('a certificate that is replaced › order › named; and not, where the authority refuses', () => {
  const bench = new AcmeBench();
  bench.succeed(bench.order(['a.example'], { replaces: 'abc.def' }));
  assert.equal(bench.server.orders[0]!.replaces, 'abc.def');
  bench.server.twist('POST /new-order', problem('alreadyReplaced', 409));
  bench.succeed(bench.order(['a.example'], { replaces: 'abc.def' }));
  assert.equal(bench.server.orders.at(-1)!.replaces, undefined);
});
