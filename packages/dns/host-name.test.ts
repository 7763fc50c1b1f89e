import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from './limits.ts';
import {
  a,
  aaaa,
  addresses,
  answers,
  DnsBench,
  errorOf,
  NS,
  reply,
  type Server,
  silent,
} from './test-server.ts';
import { dnsCode, lowerName } from './wire/index.ts';

test('search list › by the number of dots; the absolute name has none', () => {
  const server: Server = ({ query }) => {
    const { name } = query.questions[0]!;
    return lowerName(name) === 'www.lan.example'
      ? reply(query, { answers: [a(name, '192.0.2.1')] })
      : reply(query, { code: dnsCode.nameError });
  };
  const names = (bench: DnsBench) =>
    bench.asked.map(({ query }) => lowerName(query.questions[0]!.name));
  const search = ['example', '.Lan.example.'];
  const bench = new DnsBench({ [NS]: server });
  bench.configure([NS], search);
  assert.deepEqual(addresses(bench.ask('www')), ['192.0.2.1']);
  assert.deepEqual(names(bench), ['www.example', 'www.lan.example']);
  const dotted = new DnsBench({ [NS]: server });
  dotted.configure([NS], search);
  assert.equal(errorOf(dotted.ask('a.b')), 'name not found');
  assert.deepEqual(names(dotted), ['a.b', 'a.b.example', 'a.b.lan.example']);
  const absolute = new DnsBench({ [NS]: server });
  absolute.configure([NS], search);
  assert.equal(errorOf(absolute.ask('www.')), 'name not found');
  assert.deepEqual(names(absolute), ['www']);
  const ndots = new DnsBench({ [NS]: server });
  ndots.configure([NS], search, 2);
  ndots.ask('a.b');
  assert.deepEqual(names(ndots), ['a.b.example', 'a.b.lan.example', 'a.b']);
});

test('search list › a name that exists without the record › said at the end', () => {
  const server: Server = ({ query }) =>
    reply(query, lowerName(query.questions[0]!.name) === 'www.example' ? {} : { code: 3 });
  const bench = new DnsBench({ [NS]: server });
  bench.configure([NS], ['example']);
  assert.equal(errorOf(bench.ask('www')), 'no such record');
  assert.equal(bench.asked.length, 2);
});

test('search list › silence › ends it', () => {
  const bench = new DnsBench({ [NS]: silent });
  bench.configure([NS], ['example', 'lan.example']);
  assert.equal(errorOf(bench.ask('www')), 'name servers silent');
  assert.equal(bench.asked.length, DEFAULT_LIMITS.roundsMax);
});

test('names that DNS is not asked for › known, or refused', () => {
  const bench = new DnsBench({ [NS]: answers('192.0.2.1') });
  for (const [name, error] of [
    ['a.invalid', 'name not found'],
    ['INVALID.', 'name not found'],
    ['x.onion', 'name not found'],
    ['', 'bad name'],
    ['.', 'bad name'],
    ['a..b', 'bad name'],
    ['-a.example', 'bad name'],
    ['a-.example', 'bad name'],
    ['a b', 'bad name'],
    ['bücher.example', 'bad name'],
    ['1.2.3', 'bad name'],
    ['10.0.0.1', 'bad name'],
    ['0x7f.0x1', 'bad name'],
    [`${'a'.repeat(64)}.example`, 'bad name'],
    [`${'a'.repeat(63)}.`.repeat(4), 'bad name'],
    ['::1', 'bad name'],
  ]) {
    assert.equal(errorOf(bench.ask(name!)), error, name);
  }
  assert.equal(bench.asked.length, 0);
  assert.deepEqual(addresses(bench.ask(`${'a'.repeat(63)}.${'b'.repeat(63)}.example`)), [
    '192.0.2.1',
  ]);
  assert.deepEqual(addresses(bench.ask('_srv.example')), ['192.0.2.1']);
});

test('addresses › numeric and localhost › without a query; by family', () => {
  const bench = new DnsBench({
    [NS]: ({ query }) => {
      const { name, type } = query.questions[0]!;
      return reply(query, {
        answers: [type === 1 ? a(name, '192.0.2.1') : aaaa(name, '2001:db8::1')],
      });
    },
  });
  const found: unknown[] = [];
  const ask = (name: string, family: 'ipv4' | 'ipv6') =>
    bench.resolver.addresses(name, family, (one) =>
      found.push(one.ok ? one.value : one.error.kind),
    );
  ask('192.0.2.9', 'ipv4');
  ask('192.0.2.9', 'ipv6');
  ask('fe80::1%eth0', 'ipv6');
  ask('LocalHost', 'ipv4');
  ask('www.localhost.', 'ipv6');
  bench.pass(0.001);
  assert.equal(bench.asked.length, 0);
  const kinds = [['192.0.2.9'], 'no such record', ['fe80::1%eth0'], ['127.0.0.1'], ['::1']];
  assert.deepEqual(found, kinds);
  ask('a.example', 'ipv4');
  ask('a.example', 'ipv6');
  bench.pass(1);
  assert.deepEqual(found.slice(5), [['192.0.2.1'], ['2001:db8::1']]);
});
