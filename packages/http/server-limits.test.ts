import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seconds } from '#core';
import { Bench } from './test-flow.ts';
import { Answerer, bytesOf, echoPath, GET, Recorder, start, statusOf } from './test-handlers.ts';

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

test('time › empty lines in parts, then a known head › idle, not late', () => {
  const bench = new Bench(new Answerer(bytesOf('a')));
  const flow = bench.connect();
  for (const part of [GET, '\r', '\n\r\n', GET]) flow.send(part);
  flow.takeText();
  bench.pass(30);
  assert.equal(flow.isShutDown, true);
  assert.equal(flow.takeText(), '');
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

test('connections › one past the bound › one that was answered and still sends its body goes', () => {
  const bench = new Bench(new Answerer(new Uint8Array(1)), { connectionsMax: 2 });
  const flows = [bench.connect(), bench.connect()];
  for (const flow of flows) flow.send('PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx');
  assert.match(flows[0]!.takeText(), /^HTTP\/1.1 200 /);
  const third = bench.connect();
  assert.deepEqual(
    [flows[0]!.isAborted, flows[1]!.isAborted, third.isAborted],
    [true, false, false],
  );
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

test('connections › one past the bound, the first many busy › an idle one behind them is found', () => {
  const limits = { connectionsMax: 6, evictionLooksMax: 3 };
  const bench = new Bench(new Recorder(), limits);
  const busy = [1, 2, 3, 4].map(() => bench.connect());
  for (const flow of busy) flow.send(GET);
  const idle = [bench.connect(), bench.connect()];
  // Three are looked at for each new one.
  const refused = bench.connect();
  assert.deepEqual([refused.isAborted, idle[0]!.isAborted], [true, false]);
  const taken = bench.connect();
  assert.deepEqual([taken.isAborted, idle[0]!.isAborted], [false, true]);
});

test('connections › a thousand opened and dropped › their timers go with them', () => {
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
