/** The flow of TLS on a flow that does as it is told; conformance is tests/sim/tls.test.ts. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, type Result, seconds } from '#core';
import type { Flow, FlowEnd, FlowHandler } from '#device';
import type { TlsClientConfig, TlsEnvironment, TlsServerConfig } from './config.ts';
import { DEFAULT_LIMITS, SEALED_AT_ONCE_BYTES } from './limits.ts';
import type { TlsError } from './refusal.ts';
import { clientConfig, makeEnvironment, serverConfig } from './test-session.ts';
import { recordOf, splitRecords } from './test-tamper.ts';
import type { TlsConnection } from './tls-connection.ts';
import { acceptTls, connectTls, type TlsFlow } from './tls-flow.ts';

/** What is below: a wire to another one, which carries when it is told to. */
class Wire implements Flow {
  readonly local = { address: '192.0.2.1', port: 443 };
  readonly remote = { address: '192.0.2.2', port: 40_000 };
  lowWaterBytes = 65_536;
  noDelay = false;
  queuedBytes = 0;
  isPaused = false;
  isShutDown = false;
  isAborted = false;
  written: Uint8Array[] = [];
  handler: FlowHandler | null = null;

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }

  write(bytes: Uint8Array): void {
    if (this.isShutDown || this.isAborted) return;
    this.written.push(bytes);
    this.queuedBytes += bytes.length;
  }

  /** Takes what was written. */
  take(): Uint8Array {
    const wasAbove = this.queuedBytes > this.lowWaterBytes;
    const bytes = new Uint8Array(Buffer.concat(this.written.splice(0)));
    this.queuedBytes = 0;
    if (wasAbove) this.handler?.drained();
    return bytes;
  }

  shutdown(): void {
    this.isShutDown = true;
  }

  abort(): void {
    this.isAborted = true;
    this.closed('reset');
  }

  closed(how: FlowEnd): void {
    const { handler } = this;
    this.handler = null;
    handler?.closed(how);
  }

  askIfAlive(): void {}

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }
}

/** What a flow's handler is told. */
class Told implements FlowHandler {
  text = '';
  drains = 0;
  isEnded = false;
  how: FlowEnd | null = null;

  data(bytes: Uint8Array): void {
    assert.ok(!this.isEnded && this.how === null);
    this.text += Buffer.from(bytes).toString('latin1');
  }

  drained(): void {
    this.drains++;
  }

  end(): void {
    this.isEnded = true;
  }

  closed(how: FlowEnd): void {
    assert.equal(this.how, null);
    this.how = how;
  }
}

class Side {
  readonly wire = new Wire();
  readonly told = new Told();
  readonly results: Result<TlsFlow, TlsError>[] = [];
  readonly opened = (result: Result<TlsFlow, TlsError>): void => {
    this.results.push(result);
    if (result.ok) result.value.attach(this.told);
  };

  get flow(): TlsFlow {
    const [result] = this.results;
    assert.ok(result?.ok);
    return result.value;
  }

  get error(): TlsError {
    const [result] = this.results;
    assert.ok(result !== undefined && !result.ok);
    return result.error;
  }
}

class Pair {
  readonly env: TlsEnvironment = makeEnvironment();
  readonly client = new Side();
  readonly server = new Side();

  constructor(server: Partial<TlsServerConfig> = {}, client: Partial<TlsClientConfig> = {}) {
    acceptTls(this.server.wire, serverConfig(server), this.env, this.server.opened);
    connectTls(this.client.wire, clientConfig(client), this.env, this.client.opened);
  }

  carry(from: Side, to: Side): void {
    const bytes = from.wire.take();
    if (bytes.length > 0) to.wire.handler?.data(bytes);
    (this.client.wire.handler as TlsConnection | null)?.checkInvariants();
  }

  run(): this {
    const { client, server } = this;
    for (let round = 0; round < 20; round++) {
      this.carry(client, server);
      this.carry(server, client);
    }
    return this;
  }

  pass(count: number): void {
    const { timers } = this.env;
    timers.run(after(timers.now, seconds(count)));
  }
}

test('a client says nothing › the time is over › timeout, aborted, told once', () => {
  const pair = new Pair();
  const { server } = pair;
  pair.pass(9.999);
  assert.equal(server.results.length, 0);
  pair.pass(0.001);
  assert.deepEqual(server.error, { kind: 'timeout' });
  assert.ok(server.wire.isAborted);
  assert.equal(server.results.length, 1);
});

test('a client dribbles its hello › the time is over all the same', () => {
  const pair = new Pair();
  const hello = pair.client.wire.take();
  for (let second = 0; second < 10; second++) {
    pair.server.wire.handler?.data(hello.slice(second, second + 1));
    pair.pass(1);
  }
  assert.deepEqual(pair.server.error, { kind: 'timeout' });
});

test('a server is open when the client has proven itself, not before', () => {
  const pair = new Pair();
  const { client, server } = pair;
  pair.carry(client, server);
  pair.carry(server, client);
  assert.ok(client.results[0]?.ok);
  assert.equal(server.results.length, 0);
  pair.carry(client, server);
  assert.ok(server.results[0]?.ok);
  pair.pass(60);
  assert.equal(server.told.how, null);
});

test('handshake › the flow below ends › told how; its FIN › truncated', () => {
  const reset = new Pair();
  reset.server.wire.closed('reset');
  assert.deepEqual(reset.server.error, { kind: 'flow', how: 'reset' });
  const fin = new Pair();
  fin.server.wire.handler?.end();
  assert.deepEqual(fin.server.error, { kind: 'truncated' });
});

test('handshake › garbage › an alert that arrives, FIN, and an end to waiting', () => {
  const pair = new Pair();
  const { wire } = pair.server;
  wire.handler?.data(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  assert.equal(pair.server.error.kind, 'alert sent');
  assert.deepEqual(wire.take(), recordOf(21, Uint8Array.of(2, 10)));
  assert.ok(wire.isShutDown && !wire.isAborted);
  wire.handler?.data(Buffer.from('more garbage'));
  pair.pass(1.999);
  assert.ok(!wire.isAborted);
  pair.pass(0.001);
  assert.ok(wire.isAborted);
  assert.equal(pair.server.results.length, 1);
});

test('open › FIN without close_notify › reset, and the failure says truncated', () => {
  const { client, server } = new Pair().run();
  server.flow.write(Buffer.from('half of it'));
  client.wire.handler?.data(server.wire.take());
  client.wire.handler?.end();
  assert.equal(client.told.text, 'half of it');
  assert.equal(client.told.isEnded, false);
  assert.equal(client.told.how, 'reset');
  assert.deepEqual(client.flow.failure, { kind: 'truncated' });
});

test('open › a record that is not the next one › reset, and both know why', () => {
  const pair = new Pair().run();
  const { client, server } = pair;
  server.flow.write(Buffer.from('x'));
  const record = server.wire.take();
  record[10]! ^= 1;
  client.wire.handler?.data(record);
  assert.equal(client.told.how, 'reset');
  assert.equal(client.flow.failure?.kind, 'alert sent');
  pair.run();
  assert.deepEqual(server.flow.failure, { kind: 'alert received', alert: 'bad_record_mac' });
  assert.equal(server.told.how, 'reset');
  assert.equal(client.told.text, '');
});

test('open › both shut down › close_notify, FIN, closed', () => {
  const pair = new Pair().run();
  const { client, server } = pair;
  client.flow.write(Buffer.from('bye'));
  client.flow.shutdown();
  client.flow.write(Buffer.from('too late'));
  pair.run();
  assert.equal(server.told.text, 'bye');
  assert.ok(server.told.isEnded && client.wire.isShutDown && !server.wire.isShutDown);
  server.wire.handler?.end();
  server.flow.write(Buffer.from('still here'));
  server.flow.shutdown();
  pair.run();
  assert.equal(client.told.text, 'still here');
  assert.ok(client.told.isEnded);
  client.wire.closed('closed');
  assert.equal(client.told.how, 'closed');
  assert.equal(client.flow.failure, null);
});

test('TLS 1.2 › close_notify › answered at once, and what waits is discarded', () => {
  const pair = new Pair({ versions: ['TLS 1.2'] }).run();
  const { client, server } = pair;
  server.flow.write(new Uint8Array(1_000_000));
  const queuedBytes = server.flow.queuedBytes;
  client.flow.shutdown();
  server.wire.handler?.data(client.wire.take());
  assert.ok(server.told.isEnded && server.wire.isShutDown);
  assert.ok(server.flow.queuedBytes < queuedBytes);
});

test('open › much is written › sealed as there is room, in full records, drained once', () => {
  const pair = new Pair().run();
  const { client, server } = pair;
  const piece = new Uint8Array(10_000);
  const count = 100;
  for (let i = 0; i < count; i++) server.flow.write(piece);
  const { wire } = server;
  assert.ok(server.flow.queuedBytes >= 1_000_000);
  assert.ok(wire.queuedBytes <= wire.lowWaterBytes + SEALED_AT_ONCE_BYTES + 1_000);
  let records = 0;
  for (let round = 0; round < 100 && client.told.text.length < 1_000_000; round++) {
    const bytes = wire.take();
    records += splitRecords(bytes).length;
    client.wire.handler?.data(bytes);
  }
  assert.equal(client.told.text.length, 1_000_000);
  assert.equal(server.told.drains, 1);
  // Those of the first few writes, which found room, are short.
  assert.ok(records < 1_000_000 / 16_384 + 12, `${records} records`);
});

test('open › paused with records here › later, in order, then the rest', () => {
  const pair = new Pair().run();
  const { client, server } = pair;
  client.flow.pause();
  assert.ok(client.wire.isPaused);
  for (const text of ['one ', 'two ', 'three']) server.flow.write(Buffer.from(text));
  server.flow.shutdown();
  client.wire.handler?.data(server.wire.take());
  client.wire.handler?.end();
  assert.equal(client.told.text, '');
  client.flow.resume();
  assert.equal(client.told.text, '');
  pair.pass(0);
  assert.equal(client.told.text, 'one two three');
  assert.ok(client.told.isEnded && !client.wire.isPaused);
  assert.equal(client.flow.failure, null);
});

test('open › paused and resumed within data › the rest comes at once, nothing is kept', () => {
  const pair = new Pair().run();
  const { client, server } = pair;
  const { told } = client;
  client.flow.attach({
    data(bytes) {
      client.flow.pause();
      told.data(bytes);
      client.flow.resume();
    },
    drained() {},
    end: () => told.end(),
    closed() {},
  });
  for (const text of ['one ', 'two ', 'three']) server.flow.write(Buffer.from(text));
  server.flow.shutdown();
  client.wire.handler?.data(server.wire.take());
  assert.equal(told.text, 'one two three');
  assert.ok(told.isEnded && !client.wire.isPaused);
});

test('open › the handler aborts while it is told › nothing more is told', () => {
  const pair = new Pair().run();
  const { client, server } = pair;
  const { told } = client;
  client.flow.attach({
    data(bytes) {
      told.data(bytes);
      client.flow.abort();
    },
    drained: () => told.drained(),
    end: () => told.end(),
    closed: (how) => told.closed(how),
  });
  server.flow.write(Buffer.from('a'));
  server.flow.write(Buffer.from('b'));
  client.wire.handler?.data(server.wire.take());
  assert.equal(told.text, 'a');
  assert.equal(told.how, 'reset');
  client.flow.write(Buffer.from('c'));
  client.flow.resume();
  pair.pass(DEFAULT_LIMITS.lingerMax);
});

/** A client that reads record by record; all that the server ever says has come, and its FIN. */
function pausedToTheEnd(isWhole: boolean): Pair {
  const pair = new Pair().run();
  const { client, server } = pair;
  const { told } = client;
  client.flow.attach({
    data(bytes) {
      told.data(bytes);
      client.flow.pause();
    },
    drained: () => told.drained(),
    end: () => told.end(),
    closed: (how) => told.closed(how),
  });
  for (const text of ['one', 'two']) server.flow.write(Buffer.from(text));
  if (isWhole) server.flow.shutdown();
  if (isWhole) client.flow.shutdown();
  pair.run();
  client.wire.handler?.end();
  if (isWhole) client.wire.closed('closed');
  assert.equal(told.text, 'one');
  return pair;
}

test('paused, all is over below › resume › the rest, one by one, then the end', () => {
  for (const isWhole of [true, false]) {
    const pair = pausedToTheEnd(isWhole);
    const { flow, told } = pair.client;
    for (const text of ['onetwo', 'onetwo']) {
      assert.ok(!told.isEnded && told.how === null);
      flow.resume();
      pair.pass(0);
      assert.equal(told.text, text);
    }
    assert.equal(told.isEnded, isWhole);
    assert.equal(told.how, isWhole ? 'closed' : 'reset');
    assert.deepEqual(flow.failure, isWhole ? null : { kind: 'truncated' });
  }
});

test('paused again, the end is held › closed below › told after it, which is truncated', () => {
  const pair = pausedToTheEnd(false);
  const { flow, told } = pair.client;
  flow.resume();
  pair.pass(0);
  flow.shutdown();
  pair.client.wire.closed('closed');
  assert.equal(told.how, null);
  flow.resume();
  pair.pass(0);
  assert.equal(told.how, 'reset');
  assert.deepEqual(flow.failure, { kind: 'truncated' });
});

test('paused, all is over below › abort › closed follows, once, and nothing else', () => {
  for (const then of ['nothing', 'pause', 'resume', 'abort'] as const) {
    const pair = pausedToTheEnd(true);
    const { flow, told } = pair.client;
    let gone = 0;
    flow.onGone = () => gone++;
    flow.abort();
    if (then !== 'nothing') flow[then]();
    pair.pass(60);
    assert.deepEqual([told.text, told.isEnded, told.how, gone], ['one', false, 'reset', 1], then);
    flow.abort();
    flow.write(Buffer.from('late'));
    flow.shutdown();
    pair.pass(60);
    assert.equal(gone, 1);
    assert.equal(pair.env.timers.size, 0);
  }
});

/** Whether there is a way from `from` to `what`, by fields. */
function leadsTo(from: unknown, what: unknown, seen = new Set<unknown>()): boolean {
  if (from === what) return true;
  if (typeof from !== 'object' || from === null || seen.has(from)) return false;
  seen.add(from);
  return Object.values(from).some((value) => leadsTo(value, what, seen));
}

test('closed › however › nothing leads back to the flow, nor on to who was told', () => {
  const check = (flow: TlsFlow, { told }: Side): void => {
    assert.ok(!leadsTo(flow, told));
    assert.ok(!Object.values(flow).some((value) => leadsTo(value, flow)));
  };
  for (const how of ['closed', 'reset'] as const) {
    const { client, server } = new Pair().run();
    server.flow.onGone = () => assert.ok(server.flow);
    assert.ok(leadsTo(server.flow, server.told));
    server.wire.closed(how);
    assert.equal(server.told.how, how);
    check(server.flow, server);
    client.flow.abort();
    check(client.flow, client);
  }
  const { server } = new Pair();
  const failing = server.wire.handler as TlsConnection;
  failing.data(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  server.wire.closed('closed');
  assert.equal(server.error.kind, 'alert sent');
  check(failing, server);
});
