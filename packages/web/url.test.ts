/**
 * Vectors of our own, by section of the URL standard; url-oracle.test.ts compares thousands more
 * with Node's.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalUrl, URL } from './url.ts';

// size-exempt: table
const GOOD: readonly (readonly [input: string, base: string | undefined, href: string])[] = [
  ['http://EXAMPLE.com:80/a/../b?x=1 2#f%g', undefined, 'http://example.com/b?x=1%202#f%g'],
  ['https://user:p%40ss@host:444/', undefined, 'https://user:p%40ss@host:444/'],
  ['https://a@b@host/', undefined, 'https://a%40b@host/'],
  ['  http://h/\t p\n ', undefined, 'http://h/%20p'],
  ['http:\\\\h\\a\\b', undefined, 'http://h/a/b'],
  ['http:h', undefined, 'http://h/'],
  ['http:///h/x', undefined, 'http://h/x'],
  ['http://h', undefined, 'http://h/'],
  ['http://h?q', undefined, 'http://h/?q'],
  ['http://h/a/./b/%2e%2E/c', undefined, 'http://h/a/c'],
  ['http://h/../../x', undefined, 'http://h/x'],
  ['http://h/a/..', undefined, 'http://h/'],
  ['http://h/"<>`{}^|', undefined, 'http://h/%22%3C%3E%60%7B%7D%5E|'],
  ["http://h/?'\"<>#'`", undefined, "http://h/?%27%22%3C%3E#'%60"],
  ["foo://h/?'", undefined, "foo://h/?'"],
  ['http://\u00fcn\u00ef.de/\u00e9', undefined, 'http://xn--n-nga1b.de/%C3%A9'],
  ['http://h/\ud800', undefined, 'http://h/%EF%BF%BD'],
  ['http://%65xample.com/', undefined, 'http://example.com/'],
  ['http://h./', undefined, 'http://h./'],
  ['http://0x7f.1/', undefined, 'http://127.0.0.1/'],
  ['http://010.1/', undefined, 'http://8.0.0.1/'],
  ['http://4294967295/', undefined, 'http://255.255.255.255/'],
  ['http://[0:0:0:1:0:0:0:1]/', undefined, 'http://[::1:0:0:0:1]/'],
  ['http://[::1.2.3.4]:8080/', undefined, 'http://[::102:304]:8080/'],
  ['http://[1::]/', undefined, 'http://[1::]/'],
  ['foo://H%41/../x', undefined, 'foo://H%41/x'],
  ['foo://', undefined, 'foo://'],
  ['foo:/.//x', undefined, 'foo:/.//x'],
  ['mailto:a b@c?s=\u00e9', undefined, 'mailto:a b@c?s=%C3%A9'],
  ['javascript:x #y', undefined, 'javascript:x%20#y'],
  ['file:///C|/a/../..', undefined, 'file:///C:/'],
  ['file://localhost/x', undefined, 'file:///x'],
  ['file:\\\\h\\x', undefined, 'file://h/x'],
  ['ws://h:80/', undefined, 'ws://h/'],
  ['../x?y', 'http://h/a/b/c?q#f', 'http://h/a/x?y'],
  ['', 'http://h/a?q#f', 'http://h/a?q'],
  ['#g', 'http://h/a?q#f', 'http://h/a?q#g'],
  ['?r', 'http://h/a?q#f', 'http://h/a?r'],
  ['//k/x', 'https://h/a', 'https://k/x'],
  ['/x', 'http://u:p@h:81/a/b', 'http://u:p@h:81/x'],
  ['http:x', 'http://h/a/b', 'http://h/a/x'],
  ['#f', 'mailto:x', 'mailto:x#f'],
  ['/y', 'file:///C:/x', 'file:///C:/y'],
  ['D:', 'file:///C:/x', 'd:'],
];

const BAD: readonly (readonly [input: string, base?: string])[] = [
  [''],
  ['/x'],
  ['//h/x'],
  ['http://'],
  ['http://:80/'],
  ['http://u@/'],
  ['http://a b/'],
  ['http://a<b/'],
  ['http://a%zz/'],
  ['http://a%00/'],
  ['http://h:x/'],
  ['http://h:65536/'],
  ['http://h:-1/'],
  ['http://256.1.1.1/'],
  ['http://1.2.3.4.5/'],
  ['http://1..2/'],
  ['http://09.1/'],
  ['http://[::1/'],
  ['http://[1:2]/'],
  ['http://[::1::]/'],
  ['http://[1:2:3:4:5:6:7:8:9]/'],
  ['http://[::1%25en0]/'],
  ['http://[::256.1.1.1]/'],
  ['http://[::01.1.1.1]/'],
  ['http://[g::]/'],
  ['foo://a b/'],
  ['foo://:1/'],
  ['http://\u00ad/'],
  ['x', 'mailto:y'],
  ['?x', 'mailto:y'],
  ['x', 'not a base'],
  ['1http://h/'],
];

test('URL › parse and serialize', () => {
  for (const [input, base, href] of GOOD) {
    const url = new URL(input, base);
    assert.equal(url.href, href);
    // What is serialized is canonical: it parses to itself.
    assert.equal(new URL(href).href, href);
    assert.equal(URL.canParse(input, base), true);
  }
});

test('URL › not a URL › TypeError, canParse false, parse null', () => {
  for (const [input, base] of BAD) {
    assert.throws(() => new URL(input, base), TypeError);
    assert.equal(URL.canParse(input, base), false);
    assert.equal(URL.parse(input, base), null);
    if (base === undefined) assert.equal(canonicalUrl(input), null);
  }
});

test('URL › parts', () => {
  const url = new URL('https://u:p@h:444/a/b?q=1#f');
  assert.equal(url.origin, 'https://h:444');
  assert.equal(url.protocol, 'https:');
  assert.equal(url.username, 'u');
  assert.equal(url.password, 'p');
  assert.equal(url.host, 'h:444');
  assert.equal(url.hostname, 'h');
  assert.equal(url.port, '444');
  assert.equal(url.pathname, '/a/b');
  assert.equal(url.search, '?q=1');
  assert.equal(url.hash, '#f');
  assert.equal(String(url), url.href);
  assert.equal(JSON.stringify(url), '"https://u:p@h:444/a/b?q=1#f"');
  assert.equal(new URL('file:///x').origin, 'null');
  assert.equal(new URL('foo://h/').origin, 'null');
  assert.equal(new URL('blob:https://h/uuid').origin, 'https://h');
  assert.equal(new URL('blob:foo').origin, 'null');
  assert.equal(new URL('http://h/?#').search, '');
  assert.equal(new URL('http://h/?#').hash, '');
});

test('URL › the short way for canonical URLs › as the long one', () => {
  const inputs = [
    'http://localhost:8080/api/items/7?q=1&r=a%20b',
    'http://127.0.0.1:3000/',
    'https://a-b.example/x.y/z~',
    'http://h/a%2fb',
  ];
  for (const input of inputs) {
    assert.equal(new URL(input).href, input);
    assert.equal(canonicalUrl(input), input);
  }
  assert.equal(canonicalUrl('http://localhost:99999/'), null);
  assert.equal(canonicalUrl('http://h/a/%2e%2e/b'), 'http://h/b');
  assert.equal(canonicalUrl('http://h/.'), 'http://h/');
  assert.equal(canonicalUrl('http://h:080/'), 'http://h/');
});

// size-exempt: table
const SETTERS: readonly (readonly [href: string, part: string, value: string, after: string])[] = [
  ['http://h/', 'protocol', 'https', 'https://h/'],
  ['http://h:443/', 'protocol', 'https:x', 'https://h/'],
  ['http://h/', 'protocol', 'foo', 'http://h/'],
  ['http://h/', 'protocol', '1x', 'http://h/'],
  ['foo://h/', 'protocol', 'http', 'foo://h/'],
  ['file:///x', 'protocol', 'http', 'file:///x'],
  ['http://h/', 'username', 'a@b', 'http://a%40b@h/'],
  ['http://h/', 'password', ':', 'http://:%3A@h/'],
  ['file:///x', 'username', 'a', 'file:///x'],
  ['mailto:x', 'password', 'a', 'mailto:x'],
  ['http://h/', 'host', 'K:8080/x', 'http://k:8080/'],
  ['http://h:1/', 'host', 'k', 'http://k:1/'],
  ['http://h/', 'host', '', 'http://h/'],
  ['http://h/', 'host', 'a b', 'http://h/'],
  ['mailto:x', 'host', 'h', 'mailto:x'],
  ['http://h/', 'hostname', 'k:1', 'http://h/'],
  ['http://h/', 'hostname', 'k?x', 'http://k/'],
  ['http://h/', 'hostname', '[::1]', 'http://[::1]/'],
  ['foo://u@h/', 'hostname', '', 'foo://u@h/'],
  ['http://h/', 'port', '80', 'http://h/'],
  ['http://h/', 'port', '8080x', 'http://h:8080/'],
  ['http://h:1/', 'port', '', 'http://h/'],
  ['http://h:1/', 'port', 'x', 'http://h:1/'],
  ['http://h:1/', 'port', '65536', 'http://h:1/'],
  ['http://h/a', 'pathname', 'b/../c?#', 'http://h/c%3F%23'],
  ['mailto:x', 'pathname', 'y', 'mailto:x'],
  ['http://h/?a', 'search', '?b c', 'http://h/?b%20c'],
  ['http://h/?a', 'search', '', 'http://h/'],
  ['http://h/#a', 'hash', 'b c', 'http://h/#b%20c'],
  ['http://h/#a', 'hash', '', 'http://h/'],
  ['http://h/', 'href', 'https://k', 'https://k/'],
];

test('URL › setters', () => {
  for (const [href, part, value, after] of SETTERS) {
    const url = new URL(href);
    Reflect.set(url, part, value);
    assert.equal(`${part}=${value}: ${url.href}`, `${part}=${value}: ${after}`);
  }
  assert.throws(() => {
    new URL('http://h/').href = 'x';
  }, TypeError);
});

test('URL › searchParams › both ways', () => {
  const url = new URL('http://h/?a=1&b=%20');
  assert.equal(url.searchParams.get('b'), ' ');
  url.searchParams.append('c', '&');
  assert.equal(url.href, 'http://h/?a=1&b=+&c=%26');
  url.search = '?z=9';
  assert.deepEqual([...url.searchParams], [['z', '9']]);
  url.searchParams.delete('z');
  assert.equal(url.href, 'http://h/');
  url.href = 'http://h/?k=v';
  assert.equal(url.searchParams.get('k'), 'v');
});
