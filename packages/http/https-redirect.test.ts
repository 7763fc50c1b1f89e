import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exchange } from './exchange.ts';
import { HttpsRedirect } from './https-redirect.ts';
import { Bench } from './test-flow.ts';
import { bytesOf, echoPath, Recorder, statusOf } from './test-handlers.ts';

const ask = (text: string, port = 443, host: string | null = null): string => {
  const flow = new Bench(new HttpsRedirect({ port, host: () => host })).connect();
  flow.send(text);
  return flow.takeText();
};
const locationOf = (response: string): string | undefined =>
  /^Location: (.*)\r$/m.exec(response)?.[1];
const get = (target: string, host: string): string =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

// size-exempt: table
for (const [what, request, location] of [
  ['a path', get('/', 'a.example'), 'https://a.example/'],
  ['path and query', get('/x/y?z=%2F&', 'a.example'), 'https://a.example/x/y?z=%2F&'],
  ['a port', get('/', 'a.example:8080'), 'https://a.example/'],
  ['an empty port', get('/', 'a.example:'), 'https://a.example/'],
  ['IPv4', get('/', '192.0.2.1:80'), 'https://192.0.2.1/'],
  ['IPv6', get('/', '[2001:db8::1]:80'), 'https://[2001:db8::1]/'],
  ['two slashes', get('//evil.example/x', 'a.example'), 'https://a.example//evil.example/x'],
  ['a backslash', get('/\\evil.example', 'a.example'), 'https://a.example/\\evil.example'],
  ['absolute-form', get('http://b.example:81/x?y', 'a.example'), 'https://b.example/x?y'],
  ['absolute-form, no path', get('http://b.example', 'a.example'), 'https://b.example/'],
  ['well-known', get('/.well-known/x', 'a.example'), 'https://a.example/.well-known/x'],
  ['HTTP/1.0 without Host', 'GET /x HTTP/1.0\r\n\r\n', 'https://192.0.2.1/x'],
  ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n', 'https://a.example'],
  [
    'POST',
    'POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi',
    'https://a.example/x',
  ],
] as const) {
  test(`${what} › 308 to the same place over TLS`, () => {
    const response = ask(request);
    assert.equal(statusOf(response), '308');
    assert.equal(locationOf(response), location);
  });
}

test('another port › named; the name of who names none', () => {
  assert.equal(locationOf(ask(get('/x', 'a.example:80'), 8443)), 'https://a.example:8443/x');
  assert.equal(locationOf(ask(get('/', '[::1]:80'), 8443)), 'https://[::1]:8443/');
  assert.equal(
    locationOf(ask('GET /x HTTP/1.0\r\n\r\n', 443, 'own.example')),
    'https://own.example/x',
  );
});

for (const host of [
  'a b',
  'a,b',
  'user:x',
  'a.example:80:90',
  '[::1',
  '%61.example',
  'a;b',
  "a'b",
]) {
  test(`Host ${host} › 400, and nowhere to go`, () => {
    const response = ask(get('/', host));
    assert.equal(statusOf(response), '400');
    assert.equal(locationOf(response), undefined);
  });
}

test('a target that would end the line › never comes back', () => {
  const response = ask('GET /x%0d%0aSet-Cookie:a=b HTTP/1.1\r\nHost: a.example\r\n\r\n');
  assert.equal(locationOf(response), 'https://a.example/x%0d%0aSet-Cookie:a=b');
  assert.equal(statusOf(ask('GET /x\rSet-Cookie:a HTTP/1.1\r\nHost: a.example\r\n\r\n')), '400');
});

test('HEAD › the length of the text, not the text', () => {
  const response = ask('HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n');
  assert.match(response, /Content-Length: 23\r\n/);
  assert.match(response, /\r\n\r\n$/);
});

test('an exception › answered in place of a redirect, each time anew', () => {
  const asked: string[] = [];
  const except = (exchange: Exchange): boolean => {
    asked.push(exchange.head.path);
    if (exchange.head.path !== '/.well-known/acme-challenge/t') return false;
    exchange.respond(200, [], bytesOf(`key ${asked.length}`));
    return true;
  };
  const handler = new HttpsRedirect({ port: 443, host: () => null, except });
  const flow = new Bench(handler).connect();
  for (const text of ['key 1', 'key 2']) {
    flow.send(get('/.well-known/acme-challenge/t', 'a.example'));
    assert.ok(flow.takeText().endsWith(text));
  }
  flow.send(get('/.well-known/acme-challenge/other', 'a.example'));
  assert.equal(statusOf(flow.takeText()), '308');
  flow.send(get('/', 'a.example'));
  assert.equal(asked.length, 3, 'nothing else is asked');
});

test('fields of every response › prepared, with a Date of its own, errors; once', () => {
  const recorder = new Recorder();
  const fields = [['Strict-Transport-Security', 'max-age=60']] as const;
  const flow = new Bench(recorder, {}, fields).connect();
  const count = (): number =>
    flow.takeText().match(/Strict-Transport-Security: max-age=60\r\n/gi)?.length ?? 0;
  recorder.onRequest = echoPath;
  flow.send(get('/', 'h'));
  assert.equal(count(), 1);
  recorder.onRequest = (exchange) =>
    exchange.respond(
      200,
      [
        ['date', 'x'],
        ['strict-transport-security', 'max-age=1'],
      ],
      bytesOf(''),
    );
  flow.send(get('/', 'h'));
  const text = flow.takeText();
  assert.equal(text.match(/max-age/g)?.length, 1);
  assert.match(text, /max-age=60/);
  flow.send('nonsense\r\n\r\n');
  assert.equal(count(), 1);
});
