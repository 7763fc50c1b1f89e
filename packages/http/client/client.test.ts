import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hot } from '#core';
import type { ClientRequest } from './exchange.ts';
import { DEFAULT_CLIENT_LIMITS } from './limits.ts';
import { ClientBench, OK } from './test-client.ts';

test('a request › written as RFC 9112 has it; its response read', () => {
  const bench = new ClientBench();
  const told = bench.ask();
  bench.pass(0.01);
  assert.equal(
    bench.flow.takeText(),
    'GET /x?y HTTP/1.1\r\nhost: a.example\r\naccept: */*\r\n\r\n',
  );
  bench.flow.send(OK);
  assert.deepEqual([told.log, told.body], [['response 200', 'end'], 'hi']);
});

test('a response in every pair of pieces › the same', () => {
  for (const response of [
    OK,
    'HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1\r\nh\r\n1;x\r\ni\r\n0\r\nt: v\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 200\r\ncontent-length: 2\r\n\r\nhi',
    'HTTP/1.1 200 OK\r\nx: a\r\n  folded\r\ncontent-length: 2, 2\r\n\r\nhi',
  ]) {
    for (let cut = 1; cut < response.length; cut++) {
      const bench = new ClientBench();
      const told = bench.ask();
      bench.pass(0.01);
      bench.flow.send(response.slice(0, cut));
      bench.flow.send(response.slice(cut));
      assert.deepEqual([told.log, told.body], [['response 200', 'end'], 'hi'], `${cut}`);
      bench.ask();
      assert.equal(bench.places.length, 1, 'the connection is used again');
    }
  }
});

test('a body until the end of the connection › complete; broken off › failed', () => {
  for (const how of ['end', 'reset'] as const) {
    const bench = new ClientBench();
    const told = bench.ask();
    bench.pass(0.01);
    bench.flow.send('HTTP/1.0 200 OK\r\n\r\nhi');
    if (how === 'end') bench.flow.end();
    else bench.flow.close('reset');
    const outcome = how === 'end' ? 'end' : 'failed closed';
    assert.deepEqual([told.log, told.body], [['response 200', outcome], 'hi']);
    bench.ask();
    assert.equal(bench.places.length, 2);
  }
});

for (const [what, method, response] of [
  ['HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n'],
  ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['304 with a length', 'GET', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n'],
  ['a length of 0', 'GET', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
] as const) {
  test(`${what} › no body, and the connection stays`, () => {
    const bench = new ClientBench();
    const told = bench.ask({ method });
    bench.pass(0.01);
    bench.flow.send(response);
    assert.equal(told.log.at(-1), 'end');
    bench.ask();
    assert.equal(bench.places.length, 1);
  });
}

for (const [what, response] of [
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['another version', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi'],
  ['a list of two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nhi'],
  ['a length with a sign', 'HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nhi'],
  [
    'a length and chunks',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nhi',
  ],
  ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['another coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  [
    'chunked twice',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['a space before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nhi'],
  ['a fold before the first field', 'HTTP/1.1 200 OK\r\n x: y\r\n\r\n'],
  ['a bare LF among the fields', 'HTTP/1.1 200 OK\r\na: b\ncontent-length: 2\r\n\r\nhi'],
  ['a bad chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n'],
  ['101', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
] as const) {
  test(`${what} › malformed, and the connection is gone`, () => {
    const bench = new ClientBench();
    const told = bench.ask();
    bench.pass(0.01);
    bench.flow.send(response);
    assert.equal(told.log.at(-1), 'failed malformed');
    assert.ok(bench.flow.isAborted);
    bench.client.checkInvariants();
  });
}

test('heads, fields, interim responses › at the bound and one past it', () => {
  const limits = { headBytesMax: 100, fieldsMax: 3, interimMax: 2 };
  const outcome = (response: string): string => {
    const bench = new ClientBench(limits);
    const told = bench.ask();
    bench.pass(0.01);
    for (const byte of response) if (!bench.flow.isAborted) bench.flow.send(byte);
    return told.log.at(-1)!;
  };
  const head = (bytes: number) => `HTTP/1.1 204 X\r\nx: ${'y'.repeat(bytes - 23)}\r\n\r\n`;
  assert.equal(head(100).length, 100);
  assert.equal(outcome(head(100)), 'end');
  assert.equal(outcome(head(101)), 'failed malformed');
  const fields = (count: number) => `HTTP/1.1 204 X\r\n${'x: y\r\n'.repeat(count)}\r\n`;
  assert.equal(outcome(fields(3)), 'end');
  assert.equal(outcome(fields(4)), 'failed malformed');
  const interim = (count: number) => `${'HTTP/1.1 100 X\r\n\r\n'.repeat(count)}${fields(1)}`;
  assert.equal(outcome(interim(2)), 'end');
  assert.equal(outcome(interim(3)), 'failed malformed');
});

test('bodies › of bytes, of a known length, in chunks, none', () => {
  const sent = (request: Partial<ClientRequest>, pieces: string[] = []): string => {
    const bench = new ClientBench();
    const { exchange } = bench.ask({ ...request, fields: [] });
    const half = Math.floor(pieces.length / 2);
    for (const piece of pieces.slice(0, half)) exchange.write(hot.utf8Encode(piece));
    bench.pass(0.01);
    for (const piece of pieces.slice(half)) exchange.write(hot.utf8Encode(piece));
    exchange.finish();
    exchange.finish();
    exchange.write(hot.utf8Encode('late'));
    return bench.flow.takeText().replace(/^.*\r\nhost: .*\r\n/, '');
  };
  assert.equal(
    sent({ method: 'POST', body: hot.utf8Encode('hey') }),
    'content-length: 3\r\n\r\nhey',
  );
  const long = 'x'.repeat(5_000);
  assert.equal(
    sent({ method: 'PUT', body: hot.utf8Encode(long) }),
    `content-length: 5000\r\n\r\n${long}`,
  );
  assert.equal(sent({ method: 'POST' }), 'content-length: 0\r\n\r\n');
  assert.equal(sent({ method: 'DELETE' }), '\r\n');
  assert.equal(
    sent({ method: 'POST', body: { lengthBytes: 4 } }, ['ab', 'cd']),
    'content-length: 4\r\n\r\nabcd',
  );
  assert.equal(
    sent({ method: 'POST', body: { lengthBytes: null } }, ['ab', '', 'c'.repeat(16)]),
    `transfer-encoding: chunked\r\n\r\n2\r\nab\r\n10\r\n${'c'.repeat(16)}\r\n0\r\n\r\n`,
  );
});

test('a streamed body › longer or shorter than announced › the request fails', () => {
  for (const pieces of [['abc'], ['a']]) {
    const bench = new ClientBench();
    const told = bench.ask({ method: 'POST', body: { lengthBytes: 2 } });
    bench.pass(0.01);
    for (const piece of pieces) told.exchange.write(hot.utf8Encode(piece));
    told.exchange.finish();
    assert.deepEqual(told.log, ['failed closed']);
    assert.ok(bench.flow.isAborted);
  }
});

test('a streamed body › more than the server takes › drained says when to go on', () => {
  const bench = new ClientBench();
  const told = bench.ask({ method: 'POST', body: { lengthBytes: null } });
  told.exchange.write(new Uint8Array(100_000));
  assert.ok(told.exchange.isFull, 'also before there is a connection');
  bench.pass(0.01);
  assert.deepEqual(told.log, ['drained'], 'the flow took all of it at once');
  bench.flow.isReading = false;
  told.exchange.write(new Uint8Array(100_000));
  assert.ok(told.exchange.isFull);
  bench.flow.acknowledge(90_000);
  assert.deepEqual(told.log, ['drained', 'drained']);
});

test('a response before the end of the request › complete, and the connection is gone', () => {
  const bench = new ClientBench();
  const told = bench.ask({ method: 'POST', body: { lengthBytes: null } });
  bench.pass(0.01);
  bench.flow.send(OK);
  assert.deepEqual(told.log, ['response 200', 'end']);
  assert.ok(bench.flow.isAborted);
  told.exchange.write(new Uint8Array(1));
  told.exchange.finish();
});

test('pause and resume › hold the flow; it is open again for the next request', () => {
  const bench = new ClientBench();
  const told = bench.ask();
  bench.pass(0.01);
  bench.flow.send('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab');
  told.exchange.pause();
  assert.ok(bench.flow.isPaused);
  told.exchange.resume();
  told.onData = () => told.exchange.pause();
  bench.flow.send('cd');
  assert.deepEqual(told.log, ['response 200', 'end']);
  assert.ok(!bench.flow.isPaused);
  told.exchange.pause();
  assert.ok(!bench.flow.isPaused, 'an exchange that is over has no say');
});

test('abort › waiting, connecting, in the head, in the body › nothing is told any more', () => {
  const waiting = new ClientBench({ originConnectionsMax: 1 });
  waiting.ask();
  const second = waiting.ask();
  second.exchange.abort();
  second.exchange.abort();
  waiting.pass(0.01);
  waiting.flow.send(OK);
  assert.equal(waiting.flow.takeText().split('GET ').length, 2, 'only the first was sent');
  const connecting = new ClientBench();
  connecting.ask().exchange.abort();
  connecting.pass(1);
  assert.deepEqual([connecting.cancelled, connecting.flows.length], [1, 0]);
  for (const sent of ['', 'HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nab']) {
    const bench = new ClientBench();
    const told = bench.ask();
    bench.pass(0.01);
    bench.flow.send(sent);
    const { length } = told.log;
    told.exchange.abort();
    assert.ok(bench.flow.isAborted);
    assert.equal(told.log.length, length);
    bench.client.checkInvariants();
  }
});

test('abort › with little left › the rest is thrown away and the connection stays', () => {
  const { discardBytesMax } = DEFAULT_CLIENT_LIMITS;
  for (const [left, isKept] of [
    [discardBytesMax, true],
    [discardBytesMax + 1, false],
  ] as const) {
    const bench = new ClientBench();
    const told = bench.ask();
    bench.pass(0.01);
    bench.flow.send(`HTTP/1.1 200 OK\r\ncontent-length: ${left}\r\n\r\n`);
    told.exchange.abort();
    assert.equal(!bench.flow.isAborted, isKept);
    if (!isKept) continue;
    bench.flow.send('x'.repeat(left));
    assert.deepEqual([told.log, told.body], [['response 200'], '']);
    bench.ask();
    assert.equal(bench.places.length, 1);
  }
});

test('nothing moves › at the bound › timeout; a response that trickles goes on', () => {
  const bench = new ClientBench({ stallMax: 10_000_000 as never });
  const told = bench.ask();
  bench.pass(0.01);
  bench.pass(9.9);
  bench.flow.send('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na');
  bench.pass(9.9);
  bench.flow.send('b');
  bench.pass(9.9);
  assert.deepEqual(told.log, ['response 200']);
  bench.pass(0.2);
  assert.deepEqual(told.log, ['response 200', 'failed timeout']);
  assert.ok(bench.flow.isAborted);
});
