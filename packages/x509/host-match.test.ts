import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GeneralName } from './general-name.ts';
import { addressOf, matchesHost } from './host-match.ts';

const dns = (text: string): GeneralName => ({ kind: 'dns', text });
const ip = (text: string): GeneralName => ({ kind: 'ip', bytes: addressOf(text)! });

const matches: readonly (readonly [string, GeneralName])[] = [
  ['example.com', dns('example.com')],
  ['EXAMPLE.com', dns('example.COM')],
  ['example.com.', dns('example.com')],
  ['localhost', dns('localhost')],
  ['a.example.com', dns('*.example.com')],
  ['xn--bcher-kva.example.com', dns('*.example.com')],
  ['xn--bcher-kva.example', dns('xn--bcher-kva.example')],
  ['under_score.example.com', dns('under_score.example.com')],
  ['192.0.2.1', ip('192.0.2.1')],
  ['2001:db8::1', ip('2001:DB8:0:0:0:0:0:1')],
  ['::ffff:192.0.2.1', ip('::ffff:192.0.2.1')],
];

const mismatches: readonly (readonly [string, GeneralName])[] = [
  ['example.com', dns('example.org')],
  ['example.com', dns('www.example.com')],
  ['www.example.com', dns('example.com')],
  ['example.com', dns('*.example.com')],
  ['a.b.example.com', dns('*.example.com')],
  ['.example.com', dns('*.example.com')],
  ['a.example.com', dns('*.*.com')],
  ['a.example.com', dns('a.*.com')],
  ['abc.example.com', dns('a*.example.com')],
  ['abc.example.com', dns('*c.example.com')],
  ['abc.example.com', dns('a*c.example.com')],
  ['example.com', dns('*.com')],
  ['com', dns('*')],
  ['a.example.com', dns('*example.com')],
  ['*.example.com', dns('*.example.com')],
  ['a.example.com', dns('*.example.com.')],
  ['example.com', dns('example.com.')],
  ['example.com..', dns('example.com')],
  ['', dns('')],
  ['.', dns('')],
  ['example.com', dns('example.com\0.evil.org')],
  ['example.com\0', dns('example.com\0')],
  ['exam ple.com', dns('exam ple.com')],
  ['-a.example.com', dns('-a.example.com')],
  ['a-.example.com', dns('a-.example.com')],
  ['bücher.example', dns('xn--bcher-kva.example')],
  ['bücher.example', dns('bücher.example')],
  ['KELVIN.example'.replace('K', '\u212a'), dns('kelvin.example')],
  [`${'a'.repeat(64)}.example`, dns(`${'a'.repeat(64)}.example`)],
  ['192.0.2.1', dns('192.0.2.1')],
  ['192.0.2.1', dns('*.0.2.1')],
  ['192.0.2.1', ip('192.0.2.2')],
  ['192.0.2.1', ip('::ffff:192.0.2.1')],
  ['::ffff:192.0.2.1', ip('192.0.2.1')],
  ['192.0.2.1.', ip('192.0.2.1')],
  ['192.0.2.01', ip('192.0.2.1')],
  ['[::1]', ip('::1')],
  ['fe80::1%eth0', ip('fe80::1')],
  ['user@example.com', { kind: 'email', text: 'user@example.com' }],
  ['example.com', { kind: 'uri', text: 'https://example.com/' }],
];

describe('a host', () => {
  for (const [host, name] of matches) {
    test(`${host} › ${JSON.stringify(name)} › is named`, () => {
      assert.ok(matchesHost([dns('other.example'), name], host));
    });
  }
  for (const [host, name] of mismatches) {
    test(`${JSON.stringify(host)} › ${JSON.stringify(name)} › isn't`, () => {
      assert.ok(!matchesHost([name], host));
    });
  }
  test('a name of 253 characters › named; of 254 › not', () => {
    const long = `${'a.'.repeat(125)}abc`;
    assert.equal(long.length, 253);
    assert.ok(matchesHost([dns(long)], long));
    assert.ok(!matchesHost([dns(`a${long}`)], `a${long}`));
  });
});

test('a name that is the beginning of another, or its end › neither matches', () => {
  for (const presented of ['www.example', 'www', '*.example.com', 'example.com.de']) {
    assert.ok(!matchesHost([dns(presented)], 'www.example.com.de'), presented);
  }
  assert.ok(!matchesHost([dns('www.example.com.de')], 'www.example.com'));
});
