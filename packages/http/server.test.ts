import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench } from './test-flow.ts';
import { Answerer, bytesOf, echoPath, GET, POST, start, statusOf } from './test-handlers.ts';

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

test('OPTIONS * › reaches the handler as path *', () => {
  const { flow, recorder } = start(echoPath);
  flow.send('OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n');
  assert.equal(statusOf(flow.takeText()), '200');
  assert.deepEqual(recorder.take(), ['OPTIONS *']);
});

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

test('another handler › the next request on every connection is its, kept answers are not', () => {
  const bench = new Bench(new Answerer(bytesOf('old')));
  const flow = bench.connect();
  flow.send(GET);
  bench.server.replaceHandler(new Answerer(bytesOf('new')));
  for (const each of [flow, bench.connect()]) {
    each.takeText();
    each.send(GET);
    assert.match(each.takeText(), /new$/);
  }
});

test('another handler › a request in progress ends with the one that has it', () => {
  const { bench, flow, recorder } = start(() => {});
  flow.send(POST('abc').slice(0, -1));
  bench.server.replaceHandler(new Answerer(bytesOf('new')));
  recorder.last.attach(recorder);
  flow.send('c');
  assert.deepEqual(recorder.take(), ['POST /', 'data ab', 'data c', 'end']);
  recorder.last.respond(200, [], bytesOf('old'));
  flow.send(GET);
  assert.match(flow.takeText(), /old[\s\S]*new$/);
  assert.deepEqual(recorder.take(), []);
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

test('answer › long head, or one with Range › asked each time, so that little is kept', () => {
  const handler = new Answerer(bytesOf('a'));
  const bench = new Bench(handler, { repeatedHeadBytesMax: 100 });
  const flow = bench.connect();
  const headOf = (fields: string): string => `GET / HTTP/1.1\r\nHost: h\r\n${fields}\r\n\r\n`;
  const heads: readonly (readonly [string, number])[] = [
    [headOf('A: b').replace('b', 'b'.repeat(100 - headOf('A: ').length)), 1],
    [headOf('A: b').replace('b', 'b'.repeat(101 - headOf('A: ').length)), 2],
    [headOf('Range: bytes=0-0'), 2],
  ];
  for (const [head, asked] of heads) {
    handler.asked = 0;
    flow.send(head);
    flow.send(head);
    assert.equal(handler.asked, asked);
    assert.equal(flow.takeText().match(/HTTP\/1\.1 200/g)?.length, 2);
  }
});

test('answer › throws › 500, logged, closed, and asked again the next time', () => {
  let asked = 0;
  const bench = new Bench({
    answer() {
      asked++;
      throw new Error('boom');
    },
    request() {},
  });
  for (let i = 1; i <= 2; i++) {
    const flow = bench.connect();
    flow.send(GET);
    assert.equal(statusOf(flow.takeText()), '500');
    assert.equal(flow.isShutDown, true);
    assert.equal(asked, i);
  }
  assert.match(bench.lines.join(), /boom/);
  const flow = bench.connect();
  flow.send(GET.replace('GET', 'HEAD'));
  assert.match(flow.takeText(), /^HTTP\/1\.1 500 .*\r\n\r\n$/s, 'HEAD has no body');
});
