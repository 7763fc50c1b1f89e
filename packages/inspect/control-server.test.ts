import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Log } from '#core';
import { ControlServer, type ControlStream } from './control-server.ts';
import {
  answerBytesMax,
  clientsMax,
  deadClientsMax,
  pieceBytesMax,
  pieceOverheadBytes,
  piecesBytesMax,
  requestBytesMax,
  requestsMax,
  streamQueuedBytesMax,
} from './limits.ts';
import { TestChannel } from './test-channel.ts';
import { emitJson, emitPiece } from './wire/control-message.ts';

const QUIET = new Log(() => {}, 'off').source('control');

function serve(): { channel: TestChannel; server: ControlServer } {
  const channel = new TestChannel();
  const server = new ControlServer(channel, QUIET);
  server.command('echo', (request) => request.text);
  server.command('fail', () => {
    throw new Error('it fails');
  });
  return { channel, server };
}

/** A command that never answers, and its streams. */
function wait(server: ControlServer): ControlStream[] {
  const streams: ControlStream[] = [];
  server.command('wait', (_, stream) => {
    streams.push(stream);
    return new Promise(() => {});
  });
  return streams;
}

test('a request › in pieces of any size › is answered', async () => {
  for (const pieceBytes of [1, 2, 3, 7, 1_000]) {
    const { channel, server } = serve();
    const client = channel.client(7, pieceBytes);
    assert.deepEqual(await client.ask('echo', { text: 'räksmörgås' }), {
      ok: true,
      value: 'räksmörgås',
    });
    assert.deepEqual(await client.ask('echo'), { ok: true, value: null });
    server.checkInvariants();
  }
});

test('a command › unknown, throwing, rejecting › the answer is an error', async () => {
  const { channel, server } = serve();
  server.command('reject', () => Promise.reject(new Error('later')));
  const client = channel.client(1);
  const none = await client.ask('nothing');
  assert.deepEqual(none, { ok: false, error: "no command 'nothing' (echo, fail, reject)" });
  assert.deepEqual(await client.ask('fail'), { ok: false, error: 'it fails' });
  assert.deepEqual(await client.ask('reject'), { ok: false, error: 'later' });
});

test('a command › a value that JSON cannot carry, an error without text › the answer is an error', async () => {
  const { channel, server } = serve();
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  server.command('bigint', () => ({ big: 10n }));
  server.command('later', () => Promise.resolve(cycle));
  server.command('odd', () => Promise.reject(Object.create(null)));
  const client = channel.client(1);
  const big = await client.ask('bigint');
  assert.ok(!big.ok && big.error.startsWith('no JSON: '));
  const later = await client.ask('later');
  assert.ok(!later.ok && later.error.startsWith('no JSON: '));
  assert.deepEqual(await client.ask('odd'), { ok: false, error: 'a value that has no text' });
  assert.deepEqual(await client.ask('echo', { text: 'on' }), { ok: true, value: 'on' });
  server.checkInvariants();
});

test('two clients › interleaved › each gets its own', async () => {
  const { channel, server } = serve();
  const finish: ((value: unknown) => void)[] = [];
  server.command('later', () => new Promise((resolve) => finish.push(resolve)));
  const [one, two] = [channel.client(1), channel.client(2)];
  const asked = [one.ask('later'), two.ask('later'), one.ask('echo', { text: 1 })];
  assert.deepEqual(await asked[2], { ok: true, value: 1 });
  finish[1]!('second');
  finish[0]!('first');
  assert.deepEqual(await asked[0], { ok: true, value: 'first' });
  assert.deepEqual(await asked[1], { ok: true, value: 'second' });
  server.checkInvariants();
});

test('a request behind nonsense in the same bytes › is not run: its client is gone', () => {
  const { channel, server } = serve();
  let runs = 0;
  server.command('count', () => ++runs);
  channel.client(1);
  const request = emitJson({ id: 1, ask: 'count' });
  channel.send(1, Uint8Array.from([0, 0, 0, 1, 9, ...request]));
  assert.deepEqual([runs, channel.closed], [0, [1]]);
  channel.leave(1);
  channel.client(1);
  channel.send(1, request);
  assert.equal(runs, 1);
  server.checkInvariants();
});

test('an answer after its client left › is not for the next one of its number', async () => {
  const { channel, server } = serve();
  const finish: ((value: unknown) => void)[] = [];
  server.command('later', () => new Promise((resolve) => finish.push(resolve)));
  void channel.client(1).ask('later');
  channel.leave(1);
  const asked = channel.client(1).ask('later');
  finish[0]!('old');
  await new Promise(setImmediate);
  finish[1]!('new');
  assert.deepEqual(await asked, { ok: true, value: 'new' });
  server.checkInvariants();
});

test('a stream › pieces, then its answer; and pieces ahead of a request', async () => {
  const { channel, server } = serve();
  server.command('double', (_, stream) => {
    for (const piece of stream.pieces) assert.ok(stream.write(piece) && stream.write(piece));
    return stream.pieces.length;
  });
  const got: number[] = [];
  const client = channel.client(3, 5);
  const ahead = Uint8Array.from({ length: 40_000 }, (_, i) => i % 251);
  const answer = await client.ask('double', {}, (bytes) => got.push(bytes.length), ahead);
  assert.deepEqual(answer, { ok: true, value: 2 });
  assert.deepEqual(got, [32_768, 32_768, 7_232, 7_232]);
  server.checkInvariants();
});

test('a client that goes › its streams hear of it and write nothing', () => {
  const { channel, server } = serve();
  const streams = wait(server);
  let lost = 0;
  void channel.client(1).ask('wait');
  streams[0]!.onEnd(() => lost++);
  channel.leave(1);
  assert.equal(lost, 1);
  assert.equal(streams[0]!.isOpen, false);
  assert.equal(streams[0]!.write(Uint8Array.of(1)), false);
  assert.equal(channel.queue.length, 0);
  channel.leave(1);
  server.checkInvariants();
});

test('a stream › whose end is asked for › answers, with what it says last', async () => {
  const { channel, server } = serve();
  server.command('count', (_, stream) => {
    stream.write(Uint8Array.of(1));
    return new Promise((resolve) => stream.onEnd(() => resolve('one')));
  });
  const client = channel.client(1);
  const asked = client.ask('count');
  assert.ok((await client.ask('end', { of: 99 })).ok);
  assert.ok((await client.ask('end', { of: 1 })).ok);
  assert.deepEqual(await asked, { ok: true, value: 'one' });
  server.checkInvariants();
});

test('a stream › of a client that does not read › drops above the bound and counts', () => {
  const { channel, server } = serve();
  const streams = wait(server);
  void channel.client(1).ask('wait');
  channel.holds = true;
  const piece = new Uint8Array(32_000);
  let taken = 0;
  while (streams[0]!.write(piece)) taken += 1;
  assert.equal(taken, Math.floor(streamQueuedBytesMax / 32_017) + 1);
  assert.equal(server.counters.controlPiecesDropped, 1);
  channel.release();
  assert.equal(streams[0]!.write(piece), true);
  assert.equal(streams[0]!.write(new Uint8Array(pieceBytesMax)), true);
  assert.equal(streams[0]!.write(new Uint8Array(pieceBytesMax + 1)), false, 'too long for a piece');
  server.checkInvariants();
});

test('an answer › at the bound, one byte longer › sent, or an error in its place', async () => {
  const { channel, server } = serve();
  server.command('long', ({ count }) => 'x'.repeat(Number(count)));
  const client = channel.client(1);
  const around = emitJson({ id: 1, value: '' }).length;
  const exact = await client.ask('long', { count: answerBytesMax - around });
  assert.ok(exact.ok);
  const over = await client.ask('long', { count: answerBytesMax - around + 1 });
  assert.ok(!over.ok && over.error.endsWith('is too long'));
});

test('long answers › to a slow client › wait, and close it at the bound', async () => {
  const { channel, server } = serve();
  server.command('long', () => 'x'.repeat(700_000));
  const client = channel.client(1);
  channel.holds = true;
  const asked = [client.ask('long'), client.ask('long')];
  assert.equal(server.counters.controlClientsClosed, 0);
  channel.release();
  assert.ok((await asked[0])!.ok && (await asked[1])!.ok);
  for (let i = 0; i < 4; i++) void client.ask('long');
  assert.equal(server.counters.controlClientsClosed, 1);
  channel.release();
  assert.deepEqual(channel.closed, [1]);
  server.checkInvariants();
});

test('a client that speaks nonsense › is closed, others go on', async () => {
  const nonsense: Uint8Array[] = [
    Uint8Array.of(0, 0, 0, 0),
    Uint8Array.of(0, 0, 0, 1, 9),
    Uint8Array.of(0, 0, 0, 2, 0, 0x7b),
    Uint8Array.of(0, 0, 0, 2, 0, 0xff),
    Uint8Array.of(0, 0, 0, 3, 1, 0, 0),
    emitJson(null),
    emitJson({ id: -1, ask: 'echo' }),
    emitJson({ id: 1.5, ask: 'echo' }),
    emitJson({ id: 1, ask: 2 }),
    emitJson({ id: 1, ask: 'x'.repeat(33) }),
    emitJson([1, 'echo']),
  ];
  for (const bytes of nonsense) {
    const { channel, server } = serve();
    const good = channel.client(2);
    channel.send(1, bytes);
    assert.deepEqual(channel.closed, [1]);
    assert.equal(server.counters.controlMalformed, 1);
    assert.ok((await good.ask('echo')).ok);
    server.checkInvariants();
  }
});

test('bounds › a message, requests, one id twice, pieces › one past each closes the client', () => {
  const cases: [string, (send: (bytes: Uint8Array) => void) => void, number][] = [
    ['message', (send) => send(Uint8Array.of(0, 1, 0, 0)), 0],
    ['message + 1', (send) => send(Uint8Array.of(0, 1, 0, 1)), 1],
    ['requests', (send) => askWait(send, requestsMax), 0],
    ['requests + 1', (send) => askWait(send, requestsMax + 1), 1],
    ['one id twice', (send) => [1, 1].map((id) => send(emitJson({ id, ask: 'wait' }))), 1],
    ['pieces', (send) => sendPieces(send, 0), 0],
    ['pieces + 1', (send) => sendPieces(send, 1), 1],
  ];
  assert.equal(requestBytesMax, 0x1_0000);
  for (const [name, run, closed] of cases) {
    const { channel, server } = serve();
    wait(server);
    run((bytes) => channel.send(1, bytes));
    assert.equal(channel.closed.length, closed, name);
    server.checkInvariants();
    channel.leave(1);
    server.checkInvariants();
  }
});

function askWait(send: (bytes: Uint8Array) => void, count: number): void {
  for (let id = 0; id < count; id++) send(emitJson({ id, ask: 'wait' }));
}

function sendPieces(send: (bytes: Uint8Array) => void, more: number): void {
  const piece = emitPiece(1, new Uint8Array(32_768 - pieceOverheadBytes));
  for (let i = 0; i < piecesBytesMax / 32_768; i++) send(piece);
  for (let i = 0; i < more; i++) send(emitPiece(2, new Uint8Array(0)));
}

test('clients › one more than there may be › is closed', async () => {
  const { channel, server } = serve();
  for (let i = 1; i <= clientsMax; i++) assert.ok((await channel.client(i).ask('echo')).ok);
  const last = await channel.client(99).ask('echo');
  assert.deepEqual(last, { ok: false, error: 'closed' });
  assert.equal(server.counters.controlClientsRefused, 1);
  channel.leave(1);
  assert.ok((await channel.client(98).ask('echo')).ok);
  server.checkInvariants();
});

test("a client that was closed › what it still sends is nobody's, until it is gone", () => {
  const { channel, server } = serve();
  channel.send(1, Uint8Array.of(0, 0, 0, 0));
  channel.send(1, emitJson({ id: 1, ask: 'echo' }));
  assert.equal(server.counters.controlRequests, 0);
  channel.leave(1);
  channel.send(1, emitJson({ id: 1, ask: 'echo' }));
  assert.equal(server.counters.controlRequests, 1);
  server.checkInvariants();
});

test('closed clients › more than are remembered › are closed again', () => {
  const { channel, server } = serve();
  for (let i = 0; i <= deadClientsMax; i++) {
    channel.send(i, Uint8Array.of(0, 0, 0, 0));
    server.checkInvariants();
  }
  channel.send(0, Uint8Array.of(0, 0, 0, 0));
  assert.equal(channel.closed.length, deadClientsMax + 2);
});

test('a channel that sends no frames › is not read any more, until another supervisor', async () => {
  const lines: string[] = [];
  const channel = new TestChannel();
  const log = new Log((line) => lines.push(line), 'info');
  const server = new ControlServer(channel, log.source('control'));
  const streams = wait(server);
  void channel.client(1).ask('wait');
  channel.receive(Uint8Array.of(0, 9, 0, 0, 0, 0, 0, 0));
  assert.equal(streams[0]!.isOpen, false);
  channel.send(2, emitJson({ id: 1, ask: 'wait' }));
  assert.equal(lines.length, 1);
  assert.equal(streams.length, 1);
  channel.reopen();
  const again = await channel.client(1).ask('nothing');
  assert.ok(!again.ok && again.error.startsWith('no command'));
  server.checkInvariants();
});

test("another supervisor › the old one's clients are gone, half a message too", async () => {
  const { channel, server } = serve();
  const streams = wait(server);
  void channel.client(1).ask('wait');
  channel.holds = true;
  server.command('long', () => 'x'.repeat(700_000));
  void channel.client(2).ask('long');
  channel.receive(Uint8Array.of(0, 0, 0, 9, 0));
  channel.reopen();
  channel.holds = false;
  assert.equal(streams[0]!.isOpen, false);
  assert.deepEqual(await channel.client(1).ask('echo', { text: 2 }), { ok: true, value: 2 });
  server.checkInvariants();
});
