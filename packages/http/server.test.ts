import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seconds } from '#core';
import type { Exchange, ExchangeHandler, HeaderField, HttpHandler } from './exchange.ts';
import { Bench, type FakeFlow } from './fake-flow.ts';
import type { HttpLimits } from './limits.ts';
import { PreparedResponse } from './prepared-response.ts';

const GET = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';
const POST = (body: string): string =>
  `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const TEXT: readonly HeaderField[] = [['Content-Type', 'text/plain']];

/** Keeps what it was told, and its exchanges. */
class Recorder implements HttpHandler, ExchangeHandler {
  readonly exchanges: Exchange[] = [];
  readonly events: string[] = [];
  onRequest: (exchange: Exchange) => void | Promise<void> = () => {};

  answer(): null {
    return null;
  }
  request(exchange: Exchange): void | Promise<void> {
    this.exchanges.push(exchange);
    this.events.push(`${exchange.head.method} ${exchange.head.path}`);
    return this.onRequest(exchange);
  }
  data(bytes: Uint8Array): void {
    this.events.push(`data ${Buffer.from(bytes).toString('latin1')}`);
  }
  end(): void {
    this.events.push('end');
  }
  drained(): void {
    this.events.push('drained');
  }
  aborted(): void {
    this.events.push('aborted');
  }
  /** Events since the last call. */
  take(): string[] {
    return this.events.splice(0);
  }
  get last(): Exchange {
    return this.exchanges[this.exchanges.length - 1]!;
  }
}

function start(
  onRequest: (exchange: Exchange, recorder: Recorder) => void | Promise<void>,
  limits: Partial<HttpLimits> = {},
): { bench: Bench; flow: FakeFlow; recorder: Recorder } {
  const recorder = new Recorder();
  recorder.onRequest = (exchange) => onRequest(exchange, recorder);
  const bench = new Bench(recorder, limits);
  return { bench, flow: bench.connect(), recorder };
}

/** Answers the path at once. */
const echoPath = (exchange: Exchange): void =>
  exchange.respond(200, TEXT, bytesOf(exchange.head.path));

/** Answers the body when it is complete. */
function echoBody(exchange: Exchange): void {
  const parts: Uint8Array[] = [];
  exchange.attach({
    data: (bytes) => parts.push(Uint8Array.from(bytes)),
    end: () => exchange.respond(200, TEXT, Buffer.concat(parts)),
    drained: () => {},
    aborted: () => {},
  });
}

const bodyOf = (response: string): string => response.slice(response.indexOf('\r\n\r\n') + 4);
const statusOf = (response: string): string => response.slice(9, 12);

test('respond › GET › head with Date and length, body, open connection', () => {
  const { flow } = start(echoPath);
  flow.send(GET);
  assert.equal(
    flow.takeText(),
    'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Fri, 15 Jan 2027 08:00:00 GMT\r\n' +
      'Content-Length: 1\r\n\r\n/',
  );
  assert.equal(flow.isShutDown, false);
});

test('respond › HEAD, 204, 304 › no body', () => {
  const { flow, recorder } = start(echoPath);
  flow.send('HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\n');
  assert.match(flow.takeText(), /Content-Length: 4\r\n\r\n$/);
  recorder.onRequest = (exchange) => exchange.respond(204, [], bytesOf('x'));
  flow.send(GET);
  assert.doesNotMatch(flow.takeText(), /Content-Length|x$/);
  recorder.onRequest = (exchange) => exchange.respond(304, [], bytesOf('x'));
  flow.send(GET);
  assert.doesNotMatch(flow.takeText(), /Content-Length|x$/);
});

test('respond › framing fields of the handler › ignored, its Date kept', () => {
  const { flow } = start((exchange) =>
    exchange.respond(
      200,
      [
        ['connection', 'close'],
        ['Content-length', '7'],
        ['Transfer-Encoding', 'chunked'],
        ['date', 'then'],
      ],
      bytesOf('ab'),
    ),
  );
  flow.send(GET);
  assert.equal(flow.takeText(), 'HTTP/1.1 200 OK\r\ndate: then\r\nContent-Length: 2\r\n\r\nab');
});

test('respond › long body › sent as it is, without a copy', () => {
  const body = new Uint8Array(5_000);
  const { flow } = start((exchange) => exchange.respond(200, [], body));
  flow.send(GET);
  assert.equal(flow.writes[1], body);
});

for (const [why, status, field] of [
  ['status 99', 99, ['a', 'b']],
  ['status 600', 600, ['a', 'b']],
  ['status 200.5', 200.5, ['a', 'b']],
  ['informational status', 101, ['a', 'b']],
  ['name with a space', 200, ['a b', 'c']],
  ['empty name', 200, ['', 'c']],
  ['CRLF in a value', 200, ['a', 'b\r\nc: d']],
  ['NUL in a value', 200, ['a', '\0']],
  ['char code above 255', 200, ['a', 'Ā']],
] as const) {
  test(`respond › ${why} › RangeError, so 500`, () => {
    const { bench, flow } = start((exchange) => exchange.respond(status, [field], bytesOf('x')));
    flow.send(GET);
    assert.equal(statusOf(flow.takeText()), '500');
    assert.equal(flow.isShutDown, true);
    assert.match(bench.lines.join(), /RangeError/);
  });
}

test('HTTP/1.0 › closes, or keeps alive when asked', () => {
  const { bench, flow } = start(echoPath);
  flow.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  assert.match(flow.takeText(), /Connection: keep-alive\r\n\r\n\/$/);
  assert.equal(flow.isShutDown, false);
  flow.send('GET / HTTP/1.0\r\n\r\n');
  assert.match(flow.takeText(), /Connection: close\r\n\r\n\/$/);
  assert.equal(flow.isShutDown, true);
  flow.end();
  flow.close('closed');
  assert.equal(bench.server.counters().connections, 0);
});

test('Connection: close › said back, then FIN, and what follows is thrown away', () => {
  const { flow, recorder } = start(echoPath);
  flow.send(`GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n${GET}`);
  assert.match(flow.takeText(), /Connection: close/);
  flow.send(GET);
  assert.equal(flow.takeText(), '');
  assert.equal(flow.isShutDown, true);
  assert.equal(recorder.exchanges.length, 1);
});

test('pipelining › several heads in one event › answers in order', () => {
  const { flow } = start(echoPath);
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`;
  flow.send(get('/1') + get('/2') + POST('abc') + get('/3'));
  assert.deepEqual(
    flow
      .takeText()
      .match(/\r\n\r\n\/\d?/g)
      ?.map((text) => text.trim()),
    ['/1', '/2', '/', '/3'],
  );
});

test('pipelining › while an answer is outstanding › waits, with the flow paused', () => {
  const { bench, flow, recorder } = start(() => {});
  flow.send(GET);
  assert.equal(flow.isPaused, false);
  flow.send(GET.replace('/', '/second'));
  assert.equal(flow.isPaused, true);
  assert.equal(recorder.exchanges.length, 1);
  assert.ok(bench.server.counters().heldBytes! > 0);
  recorder.last.respond(200, [], bytesOf('one'));
  assert.equal(recorder.exchanges.length, 2);
  assert.equal(flow.isPaused, false);
  recorder.last.respond(200, [], bytesOf('two'));
  assert.match(flow.takeText(), /one.*two$/s);
  assert.equal(bench.server.counters().heldBytes, 0);
});

test('pipelining › client that reads nothing › requests wait at the bound', () => {
  const body = new Uint8Array(40_000);
  const { flow, recorder } = start((exchange) => exchange.respond(200, [], body));
  flow.isReading = false;
  flow.send(GET.repeat(10));
  assert.equal(recorder.exchanges.length, 2, 'the second one passes 65,536 bytes');
  assert.equal(flow.isPaused, true);
  flow.acknowledge(20_000);
  assert.equal(recorder.exchanges.length, 3);
  flow.isReading = true;
  flow.acknowledge(200_000);
  assert.equal(recorder.exchanges.length, 10);
  assert.equal(flow.isPaused, false);
});

test('head › byte by byte › same answer; empty line before it ignored', () => {
  const { bench, flow } = start(echoPath);
  for (const byte of `\r\n${GET}`) flow.send(byte);
  assert.equal(statusOf(flow.takeText()), '200');
  for (const byte of GET) flow.send(byte);
  assert.equal(statusOf(flow.takeText()), '200');
  assert.equal(bench.server.counters().heldBytes, 0);
});

test('head › byte by byte with a bare LF › 400', () => {
  const { flow } = start(echoPath);
  for (const byte of 'GET / HTTP/1.1\r\nHost: h\n') flow.send(byte);
  assert.equal(statusOf(flow.takeText()), '400');
});

test('head › byte by byte, too long › 431, or 414 for the target', () => {
  const limits = { targetBytesMax: 100, headBytesMax: 300 };
  const { bench, flow } = start(echoPath, limits);
  const endless = `GET / HTTP/1.1\r\nHost: h\r\nA: ${'x'.repeat(400)}`;
  for (const byte of endless) if (!flow.isShutDown) flow.send(byte);
  assert.equal(statusOf(flow.takeText()), '431');
  const second = bench.connect();
  for (const byte of `GET /${'x'.repeat(400)}`) if (!second.isShutDown) second.send(byte);
  assert.equal(statusOf(second.takeText()), '414');
});

test('malformed › small 400 and close; held bytes given back', () => {
  const { bench, flow } = start(echoPath);
  flow.send('GET / HT');
  flow.send('XX/1.1\r\n\r\n');
  const response = flow.takeText();
  assert.equal(statusOf(response), '400');
  assert.match(response, /Connection: close\r\n\r\n400 Bad Request\n$/);
  assert.equal(flow.isShutDown, true);
  assert.equal(bench.server.counters().heldBytes, 0);
  assert.equal(bench.server.counters().faults, 1);
});

test('malformed › after good pipelined requests › their answers first', () => {
  const { flow } = start(echoPath);
  flow.send(`${GET}BAD\r\n\r\n`);
  assert.match(flow.takeText(), /^HTTP\/1.1 200.*HTTP\/1.1 400/s);
});

test('CONNECT and TRACE › 501', () => {
  for (const line of ['CONNECT h:443', 'TRACE /']) {
    const { flow } = start(echoPath);
    flow.send(`${line} HTTP/1.1\r\nHost: h\r\n\r\n`);
    assert.equal(statusOf(flow.takeText()), '501');
  }
});

test('OPTIONS * › answered by the server', () => {
  const { flow, recorder } = start(echoPath);
  flow.send('OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n');
  assert.equal(statusOf(flow.takeText()), '204');
  assert.equal(recorder.exchanges.length, 0);
});

test('body › with length, chunked, in pieces › reaches the handler', () => {
  const { flow } = start(echoBody);
  flow.send(POST('hello'));
  assert.equal(bodyOf(flow.takeText()), 'hello');
  const chunked = 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n';
  flow.send(`${chunked}5;x\r\nhello\r\n1\r\n!\r\n0\r\nT: x\r\n\r\n`);
  assert.equal(bodyOf(flow.takeText()), 'hello!');
  for (const byte of `${chunked}5\r\nhello\r\n0\r\n\r\n${POST('abc')}`) flow.send(byte);
  assert.match(flow.takeText(), /hello.*abc$/s);
});

test('body › bad chunk › 400, the handler hears of it', () => {
  const { flow, recorder } = start((exchange, self) => exchange.attach(self));
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\n');
  assert.equal(statusOf(flow.takeText()), '400');
  assert.deepEqual(recorder.take(), ['POST /', 'aborted']);
});

test('body › bad chunk after the response began › abort', () => {
  const { flow } = start((exchange, self) => {
    exchange.attach(self);
    exchange.begin(200, [], null);
  });
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\n');
  assert.equal(flow.isAborted, true);
});

test('body › limit › at the bound and past it', () => {
  const { bench, flow } = start(echoBody, { bodyBytesMax: 10 });
  flow.send(POST('0123456789'));
  assert.equal(statusOf(flow.takeText()), '200');
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n');
  assert.equal(statusOf(flow.takeText()), '413');
  const chunked = 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n';
  const second = bench.connect();
  second.send(`${chunked}a\r\n0123456789\r\n0\r\n\r\n`);
  assert.equal(statusOf(second.takeText()), '200');
  second.send(`${chunked}b\r\n01234567890\r\n`);
  assert.equal(statusOf(second.takeText()), '413');
});

test('body › waits until attached, and while paused', () => {
  const { flow, recorder } = start(() => {});
  flow.send(POST('abc') + GET);
  assert.deepEqual(recorder.take(), ['POST /']);
  assert.equal(flow.isPaused, true);
  recorder.last.pause();
  recorder.last.attach(recorder);
  assert.deepEqual(recorder.take(), []);
  recorder.last.resume();
  assert.deepEqual(recorder.take(), ['data abc', 'end']);
  recorder.last.respond(200, [], bytesOf('x'));
  assert.deepEqual(recorder.take(), ['GET /']);
});

test('body › paused in the middle › the rest comes after resume', () => {
  const { flow, recorder } = start((exchange, self) => exchange.attach(self));
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc');
  recorder.last.pause();
  flow.send('def');
  assert.equal(flow.isPaused, true);
  assert.deepEqual(recorder.take(), ['POST /', 'data abc']);
  recorder.last.resume();
  assert.deepEqual(recorder.take(), ['data def', 'end']);
  assert.equal(flow.isPaused, false);
});

test('body › nobody wants it › thrown away, connection goes on', () => {
  const { flow } = start(echoPath, { discardBytesMax: 10 });
  flow.send('POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n01234');
  assert.equal(statusOf(flow.takeText()), '200');
  flow.send(`56789${GET}`);
  assert.equal(statusOf(flow.takeText()), '200');
});

test('body › nobody wants it and it is long › close', () => {
  const { bench, flow } = start(echoPath, { discardBytesMax: 10 });
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n');
  assert.equal(statusOf(flow.takeText()), '200');
  assert.equal(flow.isShutDown, true);
  flow.send('0123456789');
  assert.equal(flow.isAborted, false);
  flow.send('0');
  assert.equal(flow.isAborted, true, 'past the bound while lingering');
  const chunked = bench.connect();
  chunked.send('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n');
  assert.equal(chunked.isShutDown, true, 'no telling how long');
});

test('Expect › 100 (Continue) when the handler attaches, once', () => {
  const { flow, recorder } = start(() => {});
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n');
  assert.equal(flow.takeText(), '');
  recorder.last.attach(recorder);
  assert.equal(flow.takeText(), 'HTTP/1.1 100 Continue\r\n\r\n');
  recorder.last.pause();
  recorder.last.resume();
  assert.equal(flow.takeText(), '');
  flow.send('abc');
  assert.deepEqual(recorder.take(), ['POST /', 'data abc', 'end']);
});

test('Expect › body already here › no 100', () => {
  const { flow } = start(echoBody);
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc');
  assert.match(flow.takeText(), /^HTTP\/1.1 (100|200)/);
});

test('Expect › refused by an early answer › final status and close', () => {
  const { flow } = start((exchange) => exchange.respond(403, [], bytesOf('no')));
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n');
  assert.match(flow.takeText(), /^HTTP\/1.1 403/);
  assert.equal(flow.isShutDown, true);
});

test('stream › unknown length › chunks; known length › as they are', () => {
  const { flow, recorder } = start((exchange) => {
    exchange.begin(200, [], null);
    exchange.write(bytesOf('hello'));
    exchange.write(new Uint8Array(0));
    exchange.write(bytesOf('0123456789abcdef'));
    exchange.finish();
  });
  flow.send(GET);
  assert.equal(bodyOf(flow.takeText()), '5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n');
  recorder.onRequest = (exchange) => {
    exchange.begin(200, [], 3);
    exchange.write(bytesOf('ab'));
    exchange.write(bytesOf('c'));
    exchange.finish();
  };
  flow.send(GET);
  assert.match(flow.takeText(), /Content-Length: 3\r\n\r\nabc$/);
  recorder.onRequest = (exchange) => {
    exchange.begin(200, [], null);
    exchange.finish();
  };
  flow.send(GET);
  assert.equal(bodyOf(flow.takeText()), '0\r\n\r\n');
  flow.send('HEAD / HTTP/1.1\r\nHost: h\r\n\r\n');
  assert.equal(bodyOf(flow.takeText()), '');
});

test('stream › HTTP/1.0, unknown length › ended by the end of the connection', () => {
  const { flow } = start((exchange) => {
    exchange.begin(200, [], null);
    exchange.write(bytesOf('abc'));
    exchange.finish();
  });
  flow.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  assert.match(flow.takeText(), /Connection: close\r\n\r\nabc$/);
  assert.equal(flow.isShutDown, true);
});

test('stream › fewer bytes than announced › abort; more › RangeError', () => {
  const { bench, flow } = start((exchange) => {
    exchange.begin(200, [], 3);
    exchange.write(bytesOf('ab'));
    exchange.finish();
  });
  flow.send(GET);
  assert.equal(flow.isAborted, true);
  const second = start((exchange) => {
    exchange.begin(200, [], 3);
    exchange.write(bytesOf('abcd'));
  });
  second.flow.send(GET);
  assert.equal(second.flow.isAborted, true);
  assert.match(second.bench.lines.join(), /more bytes than announced/);
  assert.equal(bench.server.counters().connections, 0);
});

test('stream › queue above the mark › drained when it falls', () => {
  const { flow, recorder } = start((exchange, self) => {
    exchange.attach(self);
    exchange.begin(200, [], null);
    exchange.write(new Uint8Array(100_000));
  });
  flow.isReading = false;
  flow.send(GET);
  assert.ok(recorder.last.queuedBytes > 100_000);
  flow.acknowledge(10_000);
  assert.deepEqual(recorder.take(), ['GET /', 'end']);
  flow.acknowledge(40_000);
  assert.deepEqual(recorder.take(), ['drained']);
});

test('exchange › after it finished › everything is ignored', () => {
  const { flow, recorder } = start(echoPath);
  flow.send(GET);
  flow.takeText();
  const old = recorder.last;
  old.respond(200, [], bytesOf('x'));
  old.begin(200, [], null);
  old.write(bytesOf('x'));
  old.finish();
  old.attach(recorder);
  old.resume();
  old.abort();
  assert.equal(flow.takeText(), '');
  assert.equal(flow.isAborted, false);
  assert.equal(old.finished, true);
});

test('client › goes away during an exchange › aborted, once; late answers ignored', () => {
  const { bench, flow, recorder } = start((exchange, self) => exchange.attach(self));
  flow.send(GET);
  flow.close('reset');
  assert.deepEqual(recorder.take(), ['GET /', 'end', 'aborted']);
  recorder.last.respond(200, [], bytesOf('x'));
  assert.equal(flow.takeText(), '');
  assert.equal(bench.server.counters().connections, 0);
});

test('client › ends in the middle of a body › 400; of a head › close', () => {
  const { bench, flow, recorder } = start((exchange, self) => exchange.attach(self));
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc');
  flow.end();
  assert.equal(statusOf(flow.takeText()), '400');
  assert.deepEqual(recorder.take(), ['POST /', 'data abc', 'aborted']);
  const second = bench.connect();
  second.send('GET / HT');
  second.end();
  assert.equal(second.isShutDown, true);
  assert.equal(bench.server.counters().heldBytes, 0);
});

test('client › ends after its requests › all are answered before FIN', () => {
  const { flow, recorder } = start(() => {});
  flow.send(GET + GET);
  flow.end();
  assert.equal(flow.isShutDown, false);
  recorder.last.respond(200, [], bytesOf('one'));
  assert.equal(flow.isShutDown, false);
  recorder.last.respond(200, [], bytesOf('two'));
  assert.match(flow.takeText(), /one.*two$/s);
  assert.equal(flow.isShutDown, true);
});

test('handler › throws › 500, logged, closed; others go on', () => {
  const { bench, flow } = start((exchange) => {
    if (exchange.head.path === '/bad') throw new Error('boom');
    echoPath(exchange);
  });
  flow.send(GET.replace('/', '/bad'));
  assert.equal(statusOf(flow.takeText()), '500');
  assert.match(bench.lines.join(), /GET \/bad: .*boom/s);
  const second = bench.connect();
  second.send(GET);
  assert.equal(statusOf(second.takeText()), '200');
});

test('handler › rejects › 500, or abort when it had begun', async () => {
  const { flow } = start(async () => {
    throw new Error('boom');
  });
  flow.send(GET);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(statusOf(flow.takeText()), '500');
  const begun = start(async (exchange) => {
    exchange.begin(200, [], null);
    throw new Error('boom');
  });
  begun.flow.send(GET);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(begun.flow.isAborted, true);
});

test('handler › rejects after its answer › logged only', async () => {
  const { bench, flow } = start(async (exchange) => {
    echoPath(exchange);
    throw new Error('late');
  });
  flow.send(GET);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(flow.isAborted || flow.isShutDown, false);
  assert.match(bench.lines.join(), /late/);
});

test('handler › throws in data, end, drained › 500 or abort', () => {
  const thrower = (which: string): ExchangeHandler => {
    const maybe = (name: string) => (): void => {
      if (name === which) throw new Error(`in ${name}`);
    };
    return { data: maybe('data'), end: maybe('end'), drained: maybe('drained'), aborted: () => {} };
  };
  for (const which of ['data', 'end']) {
    const { bench, flow } = start((exchange) => exchange.attach(thrower(which)));
    flow.send(POST('x'));
    assert.equal(statusOf(flow.takeText()), '500');
    assert.match(bench.lines.join(), new RegExp(`in ${which}`));
  }
  const { flow } = start((exchange) => {
    exchange.attach(thrower('drained'));
    exchange.begin(200, [], null);
    exchange.write(new Uint8Array(100_000));
  });
  flow.isReading = false;
  flow.send(GET);
  flow.acknowledge(100_000);
  assert.equal(flow.isAborted, true);
});

/** Counts how often it is asked. */
class Answerer implements HttpHandler {
  asked = 0;
  readonly response: PreparedResponse;
  constructor(body: Uint8Array) {
    this.response = new PreparedResponse(200, `Content-Length: ${body.length}\r\n`, [body]);
  }
  answer(): PreparedResponse {
    this.asked++;
    return this.response;
  }
  request(): void {
    throw new Error('not reached');
  }
}

test('prepared answer › same head again › the same bytes, one write, handler not asked', () => {
  const handler = new Answerer(bytesOf('hello'));
  const bench = new Bench(handler);
  const flow = bench.connect();
  flow.send(GET);
  flow.send(GET + GET);
  bench.connect().send(GET);
  assert.equal(handler.asked, 1);
  assert.equal(flow.writes.length, 3);
  assert.equal(flow.writes[0], flow.writes[1]);
  assert.equal(bench.server.counters().requests, 4);
  flow.send(GET.replace('h\r\n', 'i\r\n'));
  assert.equal(handler.asked, 2);
});

test('prepared answer › a head with credentials › not shared between connections', () => {
  const handler = new Answerer(bytesOf('hello'));
  const bench = new Bench(handler);
  const head = 'GET / HTTP/1.1\r\nHost: h\r\nCookie: secret\r\n\r\n';
  bench.connect().send(head);
  bench.connect().send(head);
  assert.equal(handler.asked, 2);
});

test('prepared answer › next second › new Date, old bytes unchanged', () => {
  const bench = new Bench(new Answerer(bytesOf('hello')));
  const flow = bench.connect();
  flow.send(GET);
  const first = flow.writes[0]!;
  const copy = Uint8Array.from(first);
  bench.pass(0.999);
  flow.send(GET);
  assert.equal(flow.writes[1], first);
  bench.pass(0.001);
  flow.send(GET);
  assert.match(Buffer.from(flow.writes[2]!).toString(), /08:00:01 GMT\r\n\r\nhello$/);
  assert.deepEqual(first, copy);
});

test('prepared answer › HTTP/1.0, close, body › said in the head; long bodies are not copied', () => {
  const body = new Uint8Array(2_000);
  const bench = new Bench(new Answerer(body));
  const flow = bench.connect();
  flow.send(GET);
  assert.equal(flow.writes[1], body);
  flow.takeText();
  flow.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  assert.match(flow.takeText(), /Connection: keep-alive\r\n\r\n/);
  flow.send(POST('abc'));
  assert.equal(statusOf(flow.takeText()), '200');
  flow.send('GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
  assert.match(flow.takeText(), /Connection: close\r\n\r\n/);
  assert.equal(flow.isShutDown, true);
});

test('prepared answer › client that reads nothing › bounded', () => {
  const bench = new Bench(new Answerer(new Uint8Array(70_000)));
  const flow = bench.connect();
  flow.isReading = false;
  flow.send(GET);
  flow.send(GET);
  assert.equal(flow.isPaused, true);
  assert.ok(flow.queuedBytes < 80_000);
});

test('answer › throws › 500, logged', () => {
  const bench = new Bench({
    answer() {
      throw new Error('boom');
    },
    request() {},
  });
  const flow = bench.connect();
  flow.send(GET);
  assert.equal(statusOf(flow.takeText()), '500');
  assert.match(bench.lines.join(), /boom/);
});

test('time › idle connection › closed at the bound, not before', () => {
  const { bench, flow } = start(echoPath, { idleMax: seconds(30) });
  bench.pass(20);
  flow.send(GET);
  bench.pass(29.9);
  assert.equal(flow.isShutDown, false);
  bench.pass(0.1);
  assert.equal(flow.isShutDown, true);
  assert.doesNotMatch(flow.takeText(), /408/);
  bench.pass(2);
  assert.equal(flow.isAborted, true, 'linger time is over');
  assert.equal(bench.server.counters().connections, 0);
});

test('time › slow head › 408 counted from its first byte', () => {
  const { bench, flow } = start(echoPath, { headMax: seconds(10) });
  bench.pass(15);
  flow.send('GET / HTTP/1.1\r\n');
  for (let i = 0; i < 9; i++) {
    bench.pass(1);
    flow.send('A: b\r\n');
  }
  bench.pass(0.9);
  assert.equal(flow.takeText(), '');
  bench.pass(0.1);
  assert.equal(statusOf(flow.takeText()), '408');
  assert.equal(flow.isShutDown, true);
});

test('time › body slower than the floor › 408; at the floor › goes on', () => {
  const limits = { progressEvery: seconds(10), progressBytesMin: 100 };
  const { bench, flow, recorder } = start((exchange, self) => exchange.attach(self), limits);
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n');
  flow.send('x'.repeat(100));
  bench.pass(10);
  assert.equal(flow.takeText(), '');
  flow.send('x'.repeat(99));
  bench.pass(10);
  assert.equal(statusOf(flow.takeText()), '408');
  assert.equal(recorder.take().at(-1), 'aborted');
});

test('time › handler that thinks or pauses › no limit', () => {
  const { bench, flow, recorder } = start((exchange, self) => {
    exchange.pause();
    exchange.attach(self);
  });
  flow.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n');
  bench.pass(1_000);
  assert.equal(flow.takeText(), '');
  recorder.last.resume();
  flow.send('abc');
  bench.pass(1_000);
  recorder.last.respond(200, [], bytesOf('x'));
  assert.equal(statusOf(flow.takeText()), '200');
});

test('time › reader slower than the floor › abort, during and after the exchange', () => {
  const limits = { progressEvery: seconds(10), progressBytesMin: 100, idleMax: seconds(30) };
  const { bench, flow } = start(
    (exchange) => exchange.respond(200, [], new Uint8Array(50_000)),
    limits,
  );
  flow.isReading = false;
  flow.send(GET);
  flow.acknowledge(100);
  bench.pass(30);
  for (let i = 0; i < 5; i++) {
    flow.acknowledge(100);
    bench.pass(10);
    assert.equal(flow.isAborted, false);
  }
  flow.acknowledge(99);
  bench.pass(10);
  assert.equal(flow.isAborted, true);
  const streaming = start((exchange) => {
    exchange.begin(200, [], null);
    exchange.write(new Uint8Array(50_000));
  }, limits);
  streaming.flow.isReading = false;
  streaming.flow.send(GET);
  streaming.bench.pass(20);
  assert.equal(streaming.flow.isAborted, true);
});

test('time › last response waits for a slow but moving reader › not cut by lingering', () => {
  const { bench, flow } = start((exchange) => exchange.respond(200, [], new Uint8Array(50_000)), {
    lingerMax: seconds(2),
    progressEvery: seconds(10),
    progressBytesMin: 1_000,
  });
  flow.isReading = false;
  flow.send('GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
  for (let i = 0; i < 4; i++) {
    flow.acknowledge(10_000);
    bench.pass(10);
    assert.equal(flow.isAborted, false);
  }
  flow.acknowledge(100_000);
  bench.pass(10);
  assert.equal(flow.isAborted, false, 'what was just taken may not be read yet');
  bench.pass(2);
  assert.equal(flow.isAborted, true, 'nothing queued, and the client does not close');
});

test('connections › one past the bound › the oldest that waits goes', () => {
  const recorder = new Recorder();
  const bench = new Bench(recorder, { connectionsMax: 2 });
  const busy = bench.connect();
  busy.send(GET);
  const idle = bench.connect();
  const third = bench.connect();
  assert.deepEqual([busy.isAborted, idle.isAborted, third.isAborted], [false, true, false]);
  third.send(GET);
  const fourth = bench.connect();
  assert.equal(fourth.isAborted, true, 'all others are busy');
  assert.equal(bench.server.counters().connections, 2);
  assert.equal(bench.server.counters().evicted, 1);
});

test('connections › one past the bound, none idle › the oldest slow reader goes', () => {
  const body = new Uint8Array(1_000);
  const bench = new Bench(new Answerer(body), { connectionsMax: 2 });
  const flows = [bench.connect(), bench.connect()];
  for (const flow of flows) {
    flow.isReading = false;
    flow.send(GET);
  }
  const third = bench.connect();
  assert.deepEqual(
    [flows[0]!.isAborted, flows[1]!.isAborted, third.isAborted],
    [true, false, false],
  );
});

test('connections › a thousand opened and dropped › timers are used again', () => {
  const bench = new Bench(new Recorder());
  for (let i = 0; i < 1_000; i++) {
    const flow = bench.connect();
    flow.send('GET /');
    flow.close('reset');
  }
  assert.ok(bench.timers.size <= 2, `${bench.timers.size}`);
  assert.equal(bench.server.counters().heldBytes, 0);
});

test('held bytes › total › at the bound and past it 503', () => {
  const recorder = new Recorder();
  const bench = new Bench(recorder, { heldBytesMax: 2_048 });
  const flows = [bench.connect(), bench.connect(), bench.connect()];
  for (const flow of flows) flow.send('GET /');
  assert.equal(bench.server.counters().heldBytes, 2_048);
  assert.equal(statusOf(flows[2]!.takeText()), '503');
  flows[0]!.close('reset');
  const next = bench.connect();
  next.send('GET /');
  assert.equal(next.isShutDown, false);
});

test('server › close › idle connections at once, busy ones after their answer', () => {
  const { bench, flow, recorder } = start(() => {});
  const idle = bench.connect();
  flow.send(GET);
  bench.server.close();
  assert.equal(idle.isShutDown, true);
  assert.equal(flow.isShutDown, false);
  recorder.last.respond(200, [], bytesOf('x'));
  assert.match(flow.takeText(), /Connection: close/);
  assert.equal(flow.isShutDown, true);
});
