import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Exchange, ExchangeHandler } from './exchange.ts';
import { Bench } from './test-flow.ts';
import {
  Answerer,
  bodyOf,
  bytesOf,
  echoBody,
  echoPath,
  GET,
  POST,
  start,
  statusOf,
  TEXT,
} from './test-handlers.ts';

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

test('respond › before a body that is not waited for › Connection: close', () => {
  const head = (fields: string): string => `POST / HTTP/1.1\r\nHost: h\r\n${fields}\r\n\r\n`;
  for (const fields of [
    'Content-Length: 5\r\nExpect: 100-continue',
    'Content-Length: 1000000',
    'Transfer-Encoding: chunked',
  ]) {
    const { flow } = start(echoPath);
    flow.send(head(fields));
    assert.match(flow.takeText(), /Connection: close\r\n\r\n\/$/);
    assert.equal(flow.isShutDown, true);
    const { response } = new Answerer(bytesOf('a'));
    const prepared = new Bench({ answer: () => response, request: () => {} }).connect();
    prepared.send(head(fields));
    assert.match(prepared.takeText(), /Connection: close\r\n\r\na$/);
  }
  const { flow } = start(echoPath);
  flow.send(head('Content-Length: 5'));
  assert.doesNotMatch(flow.takeText(), /Connection/);
  flow.send(`12345${GET}`);
  assert.equal(statusOf(flow.takeText()), '200');
});

test('respond › client ends within a body that nobody wants › keeps its answer', () => {
  const { flow } = start(echoPath);
  flow.isReading = false;
  flow.send(POST('abc').slice(0, -1));
  flow.end();
  assert.equal(flow.isAborted, false);
  assert.equal(flow.isShutDown, true);
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

test('handler › throws what has no text › 500 all the same', () => {
  const { bench, flow } = start(() => {
    throw Object.create(null);
  });
  flow.send(GET);
  assert.equal(statusOf(flow.takeText()), '500');
  assert.match(bench.lines.join(), /no text/);
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

test('handler › throws when it has answered › logged; the client gets its answer alone', () => {
  const late = (): never => {
    throw new Error('late');
  };
  const answer = (exchange: Exchange): void => exchange.respond(200, TEXT, bytesOf('ok'));
  const wholes: ((exchange: Exchange) => void)[] = [
    (exchange) => {
      answer(exchange);
      late();
    },
    ...(['data', 'end'] as const).map((when) => (exchange: Exchange) => {
      const handler = { data: () => {}, end: () => {}, drained: () => {}, aborted: () => {} };
      handler[when] = () => {
        answer(exchange);
        late();
      };
      exchange.attach(handler);
    }),
  ];
  for (const onRequest of wholes) {
    const { bench, flow } = start(onRequest);
    flow.send(POST('abc') + POST('def'));
    const text = flow.takeText();
    assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200']);
    assert.equal(flow.isShutDown || flow.isAborted, false);
    assert.equal(bench.server.counters().handlerFailures, 2);
  }
});

test('handler › throws in aborted › logged, and goes no further', () => {
  const { bench, flow } = start((exchange) => {
    const aborted = (): never => {
      throw new Error('in aborted');
    };
    exchange.attach({ data: () => {}, end: () => {}, drained: () => {}, aborted });
  });
  flow.send(GET);
  flow.close('reset');
  assert.match(bench.lines.join(), /in aborted/);
  assert.equal(bench.server.counters().connections, 0);
});
