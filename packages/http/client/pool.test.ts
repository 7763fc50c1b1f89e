import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hot } from '#core';
import { DEFAULT_CLIENT_LIMITS } from './limits.ts';
import { ClientBench, OK } from './test-client.ts';

test('connections › one after the other › the same; at once › more', () => {
  const bench = new ClientBench();
  bench.warm();
  bench.ask();
  assert.equal(bench.places.length, 1);
  bench.ask();
  bench.pass(0.01);
  assert.equal(bench.places.length, 2);
  bench.ask({ host: 'b.example', authority: 'b.example' });
  bench.ask({ port: 8080 });
  assert.deepEqual(bench.places.slice(2), ['b.example:80', 'a.example:8080']);
});

test('connections of an origin › at the bound and one past it › waits, then goes', () => {
  const bench = new ClientBench({ originConnectionsMax: 2 });
  const told = [bench.ask(), bench.ask(), bench.ask()];
  bench.pass(0.01);
  assert.equal(bench.flows.length, 2);
  bench.flows[0]!.send(OK);
  assert.equal(bench.flows[0]!.takeText().split('GET ').length, 3, 'on the first one again');
  bench.flows[0]!.send(OK);
  assert.deepEqual(told[2]!.log, ['response 200', 'end']);
});

test('connections in all › at the bound › an idle one of another origin goes', () => {
  const bench = new ClientBench({ connectionsMax: 1 });
  const idle = bench.warm();
  const told = bench.ask({ host: 'b.example' });
  bench.pass(0.01);
  assert.ok(idle.isShutDown);
  const waiting = bench.ask({ host: 'c.example' });
  bench.pass(0.01);
  assert.equal(bench.places.length, 2, 'one past the bound waits');
  bench.flow.send(OK);
  assert.equal(told.log.at(-1), 'end');
  bench.pass(0.01);
  bench.pass(5);
  assert.equal(bench.places.at(-1), 'c.example:80');
  bench.flow.send(OK);
  assert.equal(waiting.log.at(-1), 'end');
});

test('waiting requests › at the bound and one past it › busy', () => {
  const bench = new ClientBench({ waitingMax: 2 });
  bench.isSilent = true;
  const told = [bench.ask(), bench.ask(), bench.ask()];
  bench.pass(0.01);
  assert.deepEqual(
    told.map(({ log }) => log.join()),
    ['', '', 'failed busy'],
  );
});

test('an idle connection › longer than the server was told to keep it › closed', () => {
  for (const [hint, seconds] of [
    ['', 4],
    ['keep-alive: timeout=10\r\n', 9],
    ['keep-alive: max=5, timeout=3\r\n', 2],
    ['keep-alive: timeout=1000\r\n', 60],
  ] as const) {
    const bench = new ClientBench();
    bench.ask();
    bench.pass(0.01);
    bench.flow.send(`HTTP/1.1 204 X\r\n${hint}\r\n`);
    bench.pass(seconds - 0.1);
    assert.ok(!bench.flow.isShutDown, `${hint} not yet`);
    bench.pass(0.2);
    assert.ok(bench.flow.isShutDown, hint);
    assert.ok(!bench.flow.isAborted);
  }
});

test('Connection: close, HTTP/1.0, timeout=1 › not used again', () => {
  for (const fields of [
    'HTTP/1.1 204 X\r\nConnection: x, Close',
    'HTTP/1.0 204 X',
    'HTTP/1.1 204 X\r\nKeep-Alive: timeout=1',
  ]) {
    const bench = new ClientBench();
    bench.ask();
    bench.pass(0.01);
    bench.flow.send(`${fields}\r\n\r\n`);
    assert.ok(bench.flow.isShutDown, fields);
  }
  const kept = new ClientBench();
  kept.ask();
  kept.pass(0.01);
  kept.flow.send('HTTP/1.0 204 X\r\nconnection: keep-alive\r\n\r\n');
  assert.ok(!kept.flow.isShutDown);
});

test('bytes that nobody asked for › while idle, or after a response › the connection is gone', () => {
  const bench = new ClientBench();
  const idle = bench.warm();
  idle.send('HTTP/1.1 200 OK\r\n\r\n');
  assert.ok(idle.isAborted);
  const told = bench.ask();
  bench.pass(0.01);
  bench.flow.send(`${OK}HTTP/1.1 200 OK\r\n\r\nsmuggled`);
  assert.deepEqual([told.log, told.body], [['response 200', 'end'], 'hi']);
  assert.ok(bench.flow.isAborted, 'not given to the next request');
  bench.ask();
  bench.pass(0.01);
  assert.equal(bench.flows.length, 3);
});

test('a dead connection › before any byte › GET goes to another one, POST fails', () => {
  for (const how of ['end', 'reset'] as const) {
    const bench = new ClientBench();
    const idle = bench.warm();
    const told = bench.ask();
    if (how === 'end') idle.end();
    else idle.close('reset');
    bench.pass(0.01);
    bench.flow.send(OK);
    assert.deepEqual(told.log, ['response 200', 'end']);
    assert.equal(bench.client.counters.clientRetries, 1);
  }
  const bench = new ClientBench();
  const idle = bench.warm();
  const told = bench.ask({ method: 'POST', body: hot.utf8Encode('x') });
  idle.close('reset');
  assert.deepEqual(told.log, ['failed closed']);
});

test('a dead connection › after a byte, or a fresh one › fails', () => {
  const bench = new ClientBench();
  const idle = bench.warm();
  const told = bench.ask();
  idle.send('H');
  idle.close('reset');
  assert.deepEqual(told.log, ['failed closed']);
  const fresh = bench.ask();
  bench.pass(0.01);
  bench.flow.close('reset');
  assert.deepEqual(fresh.log, ['failed closed']);
});

test('dead connections › retries at the bound and one past it', () => {
  for (const [idle, outcome] of [
    [DEFAULT_CLIENT_LIMITS.retriesMax, ''],
    [DEFAULT_CLIENT_LIMITS.retriesMax + 1, 'failed closed'],
  ] as const) {
    const bench = new ClientBench();
    for (let i = 0; i < idle; i++) bench.ask();
    bench.pass(0.01);
    for (const flow of bench.flows) flow.send(OK);
    const told = bench.ask();
    for (const flow of bench.flows.toReversed()) flow.close('reset');
    assert.equal(told.log.join(), outcome);
  }
});

test('no connection › the one that waits for the longest fails, the others go on', () => {
  const bench = new ClientBench({ originConnectionsMax: 1 });
  bench.failures.push({ kind: 'refused' });
  const first = bench.ask();
  const second = bench.ask();
  bench.pass(0.001);
  assert.deepEqual(first.log, ['failed connect']);
  bench.pass(0.01);
  bench.flow.send(OK);
  assert.deepEqual(second.log, ['response 200', 'end']);
});
