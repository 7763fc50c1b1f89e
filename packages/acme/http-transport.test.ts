import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err, instantOfMicros, ok, type Result, Timer, TimerQueue } from '#core';
import type { ConnectSecure, Endpoint, Flow, FlowHandler } from '#device';
import type { TransportError } from './error.ts';
import { HttpTransport } from './http-transport.ts';
import { textOfBytes, urlOf } from './test-bench.ts';
import type { AcmeAnswer, AcmeRequest } from './transport.ts';

const NOWHERE: Endpoint = { address: '192.0.2.1', port: 443 };
const url = urlOf('https://[2001:db8::1]:14000/a?b');
const POST: AcmeRequest = {
  method: 'POST',
  url,
  accept: 'application/pem-certificate-chain',
  body: Uint8Array.of(0x7b, 0x7d),
  bodyBytesMax: 10,
};

/** A transport to a server that answers `response` to its first request. */
function ask(request: AcmeRequest, response: string | 'refused' | 'distrusted' | null) {
  const timers = new TimerQueue(instantOfMicros(0));
  let sent = '';
  let aborted = 0;
  let place = '';
  const connect: ConnectSecure = (host, port, opened) => {
    place = `${host} ${port}`;
    let handler: FlowHandler | null = null;
    const flow: Flow = {
      local: NOWHERE,
      remote: NOWHERE,
      queuedBytes: 0,
      lowWaterBytes: 65_536,
      noDelay: false,
      attach: (attached) => {
        handler = attached;
      },
      write(bytes) {
        sent += textOfBytes(bytes);
        if (response === null) return;
        const bytesBack = Buffer.from(response);
        timers.arm(new Timer(() => handler?.data(bytesBack)), timers.now);
      },
      shutdown() {},
      abort() {
        aborted += 1;
      },
      askIfAlive() {},
      pause() {},
      resume() {},
    };
    const distrusted = { kind: 'tls', fault: 'unknown issuer', alert: 'unknown_ca' } as const;
    const result =
      response === 'refused'
        ? err({ kind: 'refused' } as const)
        : response === 'distrusted'
          ? err(distrusted)
          : ok(flow);
    timers.arm(new Timer(() => opened(result)), timers.now);
    return { cancel() {} };
  };
  const results: Result<AcmeAnswer, TransportError>[] = [];
  const sending = new HttpTransport(connect, timers).send(request, (result) => {
    results.push(result);
  });
  assert.equal(results.length, 0, 'nothing within the call');
  const pass = (micros: number) => timers.run(instantOfMicros(timers.now + micros));
  pass(1_000);
  return { results, sending, pass, place: () => place, sent: () => sent, aborted: () => aborted };
}

test('a request › HTTP › head and body as the RFC wants them', () => {
  const { sent, place } = ask(POST, null);
  assert.equal(place(), '2001:db8::1 14000');
  const [head, body] = sent().split('\r\n\r\n') as [string, string];
  assert.equal(body, '{}');
  const lines = head.toLowerCase().split('\r\n');
  assert.equal(lines[0], 'post /a?b http/1.1');
  for (const line of [
    'host: [2001:db8::1]:14000',
    'content-type: application/jose+json',
    'accept: application/pem-certificate-chain',
    'accept-language: en',
    'user-agent: morgana',
    'content-length: 2',
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

test('an answer › HTTP › status, fields in lower case, body', () => {
  const response = 'HTTP/1.1 201 x\r\nReplay-Nonce: n\r\nContent-Length: 10\r\n\r\n0123456789';
  const { results } = ask(POST, response);
  const [result] = results;
  assert.ok(results.length === 1 && result?.ok);
  assert.equal(result.value.status, 201);
  assert.equal(result.value.fields.get('replay-nonce'), 'n');
  assert.equal(textOfBytes(result.value.body), '0123456789');
});

for (const framing of [
  'Content-Length: 11\r\n\r\n01234567890',
  'Transfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n5\r\n67890\r\n0\r\n\r\n',
]) {
  test(`a byte too much (${framing.slice(0, 17)}) › HTTP › too long, told once`, () => {
    const { results, aborted } = ask(POST, `HTTP/1.1 200 OK\r\n${framing}`);
    assert.deepEqual(results, [{ ok: false, error: { kind: 'too long' } }]);
    assert.ok(aborted() <= 1);
  });
}

for (const [response, text] of [
  ['refused', 'no connection: refused'],
  ['distrusted', 'no connection: TLS: unknown issuer'],
  ['220 smtp.example\r\n', 'what came is no HTTP/1.1 response'],
] as const) {
  test(`${JSON.stringify(response)} › HTTP › ${text}`, () => {
    const { results } = ask(POST, response);
    assert.deepEqual(results, [{ ok: false, error: { kind: 'connection', text } }]);
  });
}

test('given up › HTTP › nothing is told', () => {
  const { results, sending, pass } = ask(POST, null);
  sending.cancel();
  sending.cancel();
  pass(1e9);
  assert.deepEqual(results, []);
});

test('HEAD › HTTP › no body, no type', () => {
  const head: AcmeRequest = { ...POST, method: 'HEAD', accept: null, body: null };
  const { results, sent } = ask(head, 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n');
  assert.ok(results[0]?.ok && results[0].value.body.length === 0);
  assert.ok(!sent().includes('content-type'));
});
