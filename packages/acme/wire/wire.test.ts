import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hot } from '#core';
import { base64url, fromBase64url } from './base64url.ts';
import { parseTime } from './document.ts';
import { formatProblem, parseProblem } from './problem.ts';
import { isToken, parseDirectory, parseRenewalInfo } from './resources.ts';
import { parseUrl, resolveUrl } from './url.ts';

const json = (value: unknown) => hot.utf8Encode(JSON.stringify(value));

/** RFC 4648 §10, without padding. */
for (const [text, code] of [
  ['', ''],
  ['f', 'Zg'],
  ['fo', 'Zm8'],
  ['foo', 'Zm9v'],
  ['foob', 'Zm9vYg'],
  ['fooba', 'Zm9vYmE'],
  ['foobar', 'Zm9vYmFy'],
] as const) {
  test(`'${text}' › base64url › '${code}', and back`, () => {
    assert.equal(base64url(hot.utf8Encode(text)), code);
    assert.deepEqual(fromBase64url(code), hot.utf8Encode(text));
  });
}

test('every byte › base64url › as Node has it, and back', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  assert.equal(base64url(bytes), Buffer.from(bytes).toString('base64url'));
  assert.deepEqual(fromBase64url(base64url(bytes)), bytes);
});

for (const text of ['Z', 'Zg==', 'Zh', 'Z+', 'Z/', 'Z g', 'Zm9vY', 'Zm9']) {
  test(`'${text}' › from base64url › refused`, () => {
    assert.equal(fromBase64url(text), null);
  });
}

// size-exempt: table
for (const [text, host, port, target] of [
  ['https://ca.example/a/b?c=%2F', 'ca.example', 443, '/a/b?c=%2F'],
  ['https://ca.example', 'ca.example', 443, '/'],
  ['https://127.0.0.1:14000/dir', '127.0.0.1', 14_000, '/dir'],
  ['https://[2001:db8::1]:1/', '2001:db8::1', 1, '/'],
  ['HTTPS://CA.example:65535/~x', 'CA.example', 65_535, '/~x'],
] as const) {
  test(`'${text}' › URL › its parts`, () => {
    const url = parseUrl(text);
    assert.ok(url.ok);
    assert.deepEqual([url.value.host, url.value.port, url.value.target], [host, port, target]);
    assert.equal(url.value.text, text);
  });
}

for (const text of [
  '',
  'ca.example',
  'http://ca.example/',
  'https://',
  'https:///x',
  'https://a@ca.example/',
  'https://ca.example:0/',
  'https://ca.example:65536/',
  'https://ca.example:/',
  'https://ca.example/a b',
  'https://ca.example/a\r\nx: y',
  'https://ca.example/#x',
  'https://ca.example?x',
  'https://ca.example\\x',
  'https://ca.example/ä',
  'https://[::1/',
  `https://ca.example/${'x'.repeat(2_030)}`,
]) {
  test(`${JSON.stringify(text.slice(0, 40))} › URL › refused`, () => {
    assert.equal(parseUrl(text).ok, false);
  });
}

test('a base › redirect › whole URLs and paths, nothing else', () => {
  const base = parseUrl('https://ca.example:14000/dir/x');
  assert.ok(base.ok);
  const to = (location: string) => {
    const url = resolveUrl(base.value, location);
    return url.ok ? url.value.text : null;
  };
  assert.equal(to('/y?z'), 'https://ca.example:14000/y?z');
  assert.equal(to('https://b.example/'), 'https://b.example/');
  for (const location of ['', 'y', '//b.example/', '../y', 'javascript:x']) {
    assert.equal(to(location), null);
  }
});

// size-exempt: table
for (const [text, millis] of [
  ['1971-01-01T00:00:00Z', Date.UTC(1971, 0)],
  ['2021-01-03T00:00:00Z', Date.UTC(2021, 0, 3)],
  ['2016-01-20T14:09:07.99Z', Date.UTC(2016, 0, 20, 14, 9, 7, 990)],
  ['2016-01-20t14:09:07.123456789z', Date.UTC(2016, 0, 20, 14, 9, 7, 123)],
  ['2016-01-20T14:09:07+02:30', Date.UTC(2016, 0, 20, 11, 39, 7)],
  ['2016-01-20T14:09:07-00:01', Date.UTC(2016, 0, 20, 14, 10, 7)],
  ['2024-02-29T23:59:60Z', Date.UTC(2024, 1, 29, 23, 59, 59)],
] as const) {
  test(`'${text}' › time › ${millis}`, () => assert.equal(parseTime(text), millis));
}

for (const text of [
  '',
  '2021-01-03',
  '2021-01-03T00:00:00',
  '2021-13-03T00:00:00Z',
  '2021-02-29T00:00:00Z',
  '2021-01-00T00:00:00Z',
  '2021-01-01T24:00:00Z',
  '2021-01-01T00:60:00Z',
  '0021-01-01T00:00:00Z',
  '1970-12-31T23:59:59Z',
  '9999-01-01T00:00:00Z',
  '2021-01-01 00:00:00',
  'x2021-01-01T00:00:00Z',
]) {
  test(`'${text}' › time › refused`, () => assert.equal(parseTime(text), null));
}

test('RFC 8555 §6.7.1’s example › problem › both problems within it', () => {
  const urn = 'urn:ietf:params:acme:error:';
  const parsed = parseProblem(
    json({
      type: `${urn}malformed`,
      detail: 'Some of the identifiers requested were rejected',
      subproblems: [
        {
          type: `${urn}malformed`,
          detail: 'Invalid underscore in DNS name "_example.org"',
          identifier: { type: 'dns', value: '_example.org' },
        },
        {
          type: `${urn}rejectedIdentifier`,
          detail: 'This CA will not issue for "example.net"',
          identifier: { type: 'dns', value: 'example.net' },
        },
      ],
    }),
  );
  assert.ok(parsed.ok);
  assert.equal(parsed.value.type, 'malformed');
  assert.deepEqual(
    parsed.value.subproblems.map(({ type, identifier }) => [type, identifier]),
    [
      ['malformed', '_example.org'],
      ['rejectedIdentifier', 'example.net'],
    ],
  );
  assert.match(
    formatProblem(parsed.value),
    /^malformed: Some .*; rejectedIdentifier \(example.net\)/,
  );
});

test('members of other types, unknown types › problem › as if absent', () => {
  const parsed = parseProblem(
    json({ type: 7, detail: ['x'], identifier: 'x', instance: 1, subproblems: [null, 7, 'x'] }),
  );
  assert.deepEqual(parsed, {
    ok: true,
    value: { type: 'other', detail: '', identifier: null, instance: null, subproblems: [] },
  });
});

test('a text for terminals › problem › nothing of it but printable characters', () => {
  const detail = `a\u001b[2Jb\r\nerror: c\u202e\u2028${'x'.repeat(1_000)}`;
  const parsed = parseProblem(json({ type: 'about:blank', detail }));
  assert.ok(parsed.ok);
  assert.match(parsed.value.detail, /^a \[2Jb {2}error: c {2}x+$/);
  assert.ok(parsed.value.detail.length <= 300);
  assert.equal(formatProblem(parsed.value).split('\n').length, 1);
});

test('more problems within than the bound › problem › the first of them', () => {
  const parsed = parseProblem(json({ subproblems: new Array(17).fill({ subproblems: [{}] }) }));
  assert.ok(parsed.ok);
  assert.equal(parsed.value.subproblems.length, 16);
  assert.equal(parsed.value.subproblems[0]!.subproblems.length, 0);
});

test('RFC 8555 §7.1.1’s example › directory › its URLs', () => {
  const parsed = parseDirectory(
    json({
      newNonce: 'https://example.com/acme/new-nonce',
      newAccount: 'https://example.com/acme/new-account',
      newOrder: 'https://example.com/acme/new-order',
      newAuthz: 'https://example.com/acme/new-authz',
      revokeCert: 'https://example.com/acme/revoke-cert',
      keyChange: 'https://example.com/acme/key-change',
      meta: {
        termsOfService: 'https://example.com/acme/terms/2017-5-30',
        website: 'https://www.example.com/',
        caaIdentities: ['example.com'],
        externalAccountRequired: false,
      },
    }),
  );
  assert.ok(parsed.ok);
  assert.equal(parsed.value.newOrder.target, '/acme/new-order');
  assert.equal(parsed.value.termsOfService, 'https://example.com/acme/terms/2017-5-30');
  assert.equal(parsed.value.renewalInfo, null);
});

test('RFC 9773 §4.2’s example › renewal info › its window; and none that ends before it begins', () => {
  const suggestedWindow = { start: '2025-01-02T04:00:00Z', end: '2025-01-03T04:00:00Z' };
  const parsed = parseRenewalInfo(json({ suggestedWindow }));
  assert.ok(parsed.ok);
  assert.equal(parsed.value.end - parsed.value.start, 86_400_000);
  const { start } = suggestedWindow;
  assert.equal(parseRenewalInfo(json({ suggestedWindow: { start, end: start } })).ok, false);
  assert.equal(parseRenewalInfo(json({ suggestedWindow: { start } })).ok, false);
});

test('tokens › isToken › base64url of bounded length', () => {
  assert.ok(isToken('DGyRejmCefe7v4NfDGDKfA'));
  for (const token of ['', 'a.b', 'a/b', '..', 'a=', 'x'.repeat(257)]) assert.ok(!isToken(token));
});
