import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from './limits.ts';
import type { Outcome } from './response.ts';
import {
  a,
  addresses,
  answers,
  DnsBench,
  errorOf,
  NS,
  OTHER,
  reply,
  type Server,
  says,
  soa,
} from './test-server.ts';
import { dnsCode, dnsType, type RecordData } from './wire/index.ts';

test('cache › within the time to live › no query; after it › one', () => {
  const bench = new DnsBench({ [NS]: answers('192.0.2.1', 30) });
  bench.ask('a.example');
  bench.pass(29);
  bench.ask('A.EXAMPLE');
  assert.equal(bench.asked.length, 1);
  bench.pass(2);
  bench.ask('a.example');
  assert.equal(bench.asked.length, 2);
  assert.equal(bench.resolver.counters().dnsCacheHits, 1);
});

test('times to live › 0, huge, negative › within the bounds', () => {
  const limits = { ttlSecondsMin: 2, ttlSecondsMax: 100, negativeTtlSecondsMax: 50 };
  for (const [said, kept] of [
    [0, 2],
    [1, 2],
    [0x7fffffff, 100],
    [0xffffffff, 2],
  ] as const) {
    const bench = new DnsBench({ [NS]: answers('192.0.2.1', said) }, limits);
    bench.ask('a.example');
    bench.pass(kept - 0.1);
    bench.ask('a.example');
    assert.equal(bench.asked.length, 1, `${said} is kept for ${kept} s`);
    bench.pass(0.2);
    bench.ask('a.example');
    assert.equal(bench.asked.length, 2, `${said} is kept no longer`);
  }
});

test('cache › at its bound and one past it › the least used entry leaves', () => {
  const bench = new DnsBench({ [NS]: answers('192.0.2.1') }, { cacheEntriesMax: 2 });
  for (const name of ['a', 'b', 'a', 'c', 'a']) bench.ask(`${name}.example`);
  assert.equal(bench.asked.length, 3, 'a was used after b');
  assert.equal(bench.resolver.counters().dnsCacheEvicted, 1);
  bench.ask('b.example');
  assert.equal(bench.asked.length, 4);
});

test('negative answers › NXDOMAIN and NODATA with SOA › kept as RFC 2308 says', () => {
  for (const [code, kind] of [
    [dnsCode.nameError, 'name not found'],
    [dnsCode.noError, 'no such record'],
  ] as const) {
    const server: Server = ({ query }) => reply(query, { code, authorities: [soa('example', 20)] });
    const bench = new DnsBench({ [NS]: server });
    assert.equal(errorOf(bench.ask('a.example')), kind);
    bench.pass(19);
    assert.equal(errorOf(bench.ask('a.example')), kind);
    assert.equal(bench.asked.length, 1, "the lesser of the SOA's TTL and minimum");
    bench.pass(2);
    bench.ask('a.example');
    assert.equal(bench.asked.length, 2);
  }
});

test('negative answers › without SOA, of another zone › not kept', () => {
  const servers: Server[] = [
    says(dnsCode.nameError),
    ({ query }) =>
      reply(query, { code: dnsCode.nameError, authorities: [soa('other.example', 3_600)] }),
  ];
  for (const server of servers) {
    const bench = new DnsBench({ [NS]: server });
    for (let i = 0; i < 2; i++) assert.equal(errorOf(bench.ask('a.example')), 'name not found');
    assert.equal(bench.asked.length, 2);
  }
});

test('negative answers › a huge SOA › kept for 15 minutes at most', () => {
  const server: Server = ({ query }) =>
    reply(query, {
      code: dnsCode.nameError,
      authorities: [soa('example', 0x7fffffff, 0x7fffffff)],
    });
  const bench = new DnsBench({ [NS]: server });
  bench.ask('a.example');
  bench.pass(899);
  bench.ask('a.example');
  bench.pass(2);
  bench.ask('a.example');
  assert.equal(bench.asked.length, 2);
});

test('a failure › asked again within a second › told without a query', () => {
  const bench = new DnsBench({ [NS]: says(dnsCode.serverFailure) });
  bench.ask('a.example');
  bench.ask('a.example');
  assert.equal(bench.asked.length, 1);
  bench.pass(1.1);
  bench.ask('a.example');
  assert.equal(bench.asked.length, 2);
});

test('another network › what was known is forgotten, also what is still on its way', () => {
  const bench = new DnsBench({ [NS]: answers('192.0.2.1') });
  bench.ask('a.example');
  const outcomes: Outcome[] = [];
  bench.resolver.resolve('b.example', 1, (outcome) => outcomes.push(outcome));
  bench.servers.set(OTHER, answers('192.0.2.2'));
  bench.configure([OTHER]);
  bench.pass(1);
  assert.deepEqual(addresses(outcomes[0]!), ['192.0.2.1'], 'answered by its own server');
  assert.deepEqual(addresses(bench.ask('a.example')), ['192.0.2.2']);
  assert.deepEqual(addresses(bench.ask('b.example')), ['192.0.2.2']);
});

test('a long answer › records at the bound; too many bytes › told, not kept', () => {
  const many: Server = ({ query }) => {
    const { name } = query.questions[0]!;
    return reply(query, {
      answers: Array.from({ length: 40 }, (_, i) => a(name, `192.0.2.${i}`)),
    });
  };
  const bench = new DnsBench({ [NS]: many });
  assert.equal(addresses(bench.ask('a.example')).length, DEFAULT_LIMITS.answerRecordsMax);
  const long: Server = ({ query }) => {
    const { name } = query.questions[0]!;
    const texts = Array.from({ length: 20 }, () => new Uint8Array(255));
    const data: RecordData = { kind: 'txt', texts };
    return reply(query, {
      answers: [{ name, type: dnsType.txt, class: 1, ttlSeconds: 60, data }],
    });
  };
  const other = new DnsBench({ [NS]: long });
  for (let i = 0; i < 2; i++) assert.ok(other.ask('a.example', dnsType.txt).ok);
  assert.equal(other.asked.length, 2);
});
