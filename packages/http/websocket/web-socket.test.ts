/** WebSockets over a flow without a network, in virtual time: the handshake, frames, closing. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { Bench, type FakeFlow } from '../test-flow.ts';
import { emitClose, emitFrameHead, FRAME_HEAD_BYTES_MAX } from '../wire/index.ts';
import {
  acceptOf,
  acceptWebSocket,
  WEBSOCKET_LIMITS,
  type WebSocket,
  type WebSocketOptions,
} from './index.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const MASK = Uint8Array.of(1, 2, 3, 4);
const HANDSHAKE = {
  Host: 'unikernel',
  Upgrade: 'websocket',
  Connection: 'keep-alive, Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': KEY,
};

function headOf(fields: Readonly<Record<string, string>>, line = 'GET /sync HTTP/1.1'): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line}\r\n${lines.join('')}\r\n`;
}

/** A masked frame, as a client sends it, one char code a byte. */
function frame(opcode: number, payload: string | Uint8Array, isFinal = true, mask = MASK): string {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const whole = new Uint8Array(FRAME_HEAD_BYTES_MAX + bytes.length);
  const at = emitFrameHead(whole, 0, { isFinal, opcode, mask, payloadBytes: bytes.length });
  bytes.forEach((byte, i) => {
    whole[at + i] = byte ^ mask[i % 4]!;
  });
  return Buffer.from(whole.subarray(0, at + bytes.length)).toString('latin1');
}

const close = (code: number, reason = ''): string => frame(8, emitClose({ code, reason }));

class Party {
  readonly heard: (string | Uint8Array)[] = [];
  readonly closes: string[] = [];
  readonly bench: Bench;
  readonly flow: FakeFlow;
  socket!: WebSocket;

  constructor(options: Partial<WebSocketOptions> = {}, more = '') {
    this.bench = new Bench({
      answer: () => null,
      request: (exchange) => {
        const made = acceptWebSocket(exchange, { timers: this.bench.timers, crypto, ...options });
        if (made === null) return;
        this.socket = made;
        made.attach({
          message: (message) => this.heard.push(message),
          drained: () => this.heard.push('drained'),
          closed: (code, reason) => this.closes.push(`${code} ${reason}`),
        });
      },
    });
    this.flow = this.bench.connect();
    this.flow.send(headOf(HANDSHAKE) + more);
    assert.match(this.flow.takeText(), /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  }

  /** The code of the close frame that we sent, and nothing else. */
  closeCode(): number {
    const text = this.flow.takeText();
    assert.equal(text.charCodeAt(0), 0x88, JSON.stringify(text));
    return text.charCodeAt(2) * 256 + text.charCodeAt(3);
  }
}

test('a handshake › answered with the accept of RFC 6455 §1.3, and no longer the server’s', () => {
  assert.equal(acceptOf(KEY, crypto), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  const bench = new Bench({
    answer: () => null,
    request: (exchange) => {
      acceptWebSocket(exchange, { timers: bench.timers, crypto, protocols: ['b', 'a'] });
    },
  });
  const flow = bench.connect();
  flow.send(headOf({ ...HANDSHAKE, 'Sec-WebSocket-Protocol': 'x, a, b' }));
  const text = flow.takeText();
  assert.match(text, /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n$/);
  assert.match(text, /\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
  assert.match(text, /\r\nSec-WebSocket-Protocol: a\r\n/);
  assert.doesNotMatch(text, /Content-Length|Transfer-Encoding/);
  assert.equal(bench.server.counters().connections, 0);
});

const REFUSED: readonly [string, Readonly<Record<string, string | null>>, number][] = [
  ['no Upgrade', { Upgrade: null }, 426],
  ['another protocol', { Upgrade: 'h2c' }, 426],
  ['Connection without upgrade', { Connection: 'keep-alive' }, 426],
  ['no version', { 'Sec-WebSocket-Version': null }, 426],
  ['an old version', { 'Sec-WebSocket-Version': '8' }, 426],
  ['no key', { 'Sec-WebSocket-Key': null }, 400],
  ['a short key', { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j' }, 400],
  ['two keys', { 'Sec-WebSocket-Key': `${KEY}, ${KEY}` }, 400],
  ['a page of another site', { Origin: 'https://evil.example' }, 403],
  ['a page of no site', { Origin: 'null' }, 403],
  ['a body', { 'Content-Length': '5' }, 400],
];
for (const [what, changes, status] of REFUSED) {
  test(`a handshake › ${what} › ${status}`, () => {
    const bench = new Bench({
      answer: () => null,
      request: (exchange) => {
        assert.equal(acceptWebSocket(exchange, { timers: bench.timers, crypto }), null);
      },
    });
    const flow = bench.connect();
    const fields = Object.entries({ ...HANDSHAKE, ...changes }).filter(
      ([, value]) => value !== null,
    );
    flow.send(headOf(Object.fromEntries(fields) as Record<string, string>));
    const text = flow.takeText();
    assert.equal(Number(text.slice(9, 12)), status, text);
    if (what.includes('version')) assert.match(text, /\r\nSec-WebSocket-Version: 13\r\n/);
  });
}

test('a handshake › by POST, by HTTP/1.0, without a subprotocol of ours › refused', () => {
  const statusOf = (line: string, options: Partial<WebSocketOptions>): string => {
    const bench = new Bench({
      answer: () => null,
      request: (exchange) => {
        assert.equal(acceptWebSocket(exchange, { timers: bench.timers, crypto, ...options }), null);
      },
    });
    const flow = bench.connect();
    flow.send(headOf(HANDSHAKE, line));
    return flow.takeText().slice(9, 12);
  };
  assert.equal(statusOf('POST / HTTP/1.1', {}), '405');
  assert.equal(statusOf('GET / HTTP/1.0', {}), '400');
  assert.equal(statusOf('GET / HTTP/1.1', { protocols: ['a'] }), '400');
});

/** What a page gets. */
function visited(Host: string, Origin: string, options: Partial<WebSocketOptions> = {}): string {
  const bench = new Bench({
    answer: () => null,
    request: (exchange) => {
      acceptWebSocket(exchange, { timers: bench.timers, crypto, ...options });
    },
  });
  const flow = bench.connect();
  flow.send(headOf({ ...HANDSHAKE, Host, Origin }));
  return flow.takeText();
}

test('a page of this host › may connect, by a name that only we can have or that is given', () => {
  const hosts = ['UniKernel.example'];
  for (const host of [
    ...['localhost', 'LocalHost:8080', 'app.localhost:1', '127.0.0.1', '10.0.2.15:80', '[::1]'],
    ...['[fe80::1]:8080', 'unikernel.example', 'UNIKERNEL.example:8080', 'unikernel.example.:80'],
  ]) {
    assert.match(
      visited(host, `http://${host.toLowerCase()}`, { hosts }),
      /^HTTP\/1\.1 101 /,
      host,
    );
  }
  // A certificate proves it.
  assert.match(visited('any.example', 'https://any.example'), /^HTTP\/1\.1 101 /);
});

test('DNS rebinding: a page whose name leads to us › 403, and what to do', () => {
  const hosts = ['unikernel.example'];
  for (const host of [
    ...[
      'evil.example',
      'evil.example:8080',
      'localhost.evil.example',
      'notlocalhost',
      '127.0.0.1.nip.example',
    ],
    ...['xunikernel.example', 'unikernel.example.evil', '[::1].evil', '1.2.3'],
  ]) {
    const text = visited(host, `http://${host}`, { hosts });
    assert.match(text, /^HTTP\/1\.1 403 .*no such name.*\(hosts\)/s, host);
  }
  assert.match(visited('localhost', 'http://evil.example'), /^HTTP\/1\.1 403 .*this origin/s);
  assert.match(
    visited('evil.example', 'http://evil.example', { allows: () => true }),
    /^HTTP\/1\.1 101 /,
  );
});

test('messages › of all length forms, in one frame or in pieces, with a ping between', () => {
  const party = new Party();
  const sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 100_000];
  for (const size of sizes) party.flow.send(frame(2, new Uint8Array(size).fill(7)));
  assert.deepEqual(
    party.heard.map((message) => message.length),
    sizes,
  );
  party.heard.length = 0;
  party.flow.send(frame(1, 'héllo wörld'));
  party.flow.send(frame(1, 'a', false) + frame(9, 'p') + frame(0, '', false) + frame(0, 'b'));
  assert.deepEqual(party.heard, ['héllo wörld', 'ab']);
  assert.equal(party.flow.takeText(), '\x8a\x01p');
});

test('a character in two frames › whole; not whole at the end › 1007', () => {
  const party = new Party();
  const [e] = [Buffer.from('é')];
  party.flow.send(frame(1, e.subarray(0, 1), false) + frame(0, e.subarray(1)));
  assert.deepEqual(party.heard, ['é']);
  party.flow.send(frame(1, e.subarray(0, 1)));
  assert.equal(party.closeCode(), 1007);
  assert(party.flow.isShutDown);
  party.flow.close('closed');
  assert.deepEqual(party.closes, ['1007 text that is no UTF-8']);
});

test('any messages in any pieces › heard whole and in order', () => {
  const message = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 150 }),
    fc.uint8Array({ maxLength: 150 }),
  );
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 8 }),
      fc.array(fc.nat(40), { minLength: 1 }),
      (messages, cuts) => {
        const party = new Party();
        const stream = messages.map((m) => frame(typeof m === 'string' ? 1 : 2, m)).join('');
        for (let at = 0, i = 0; at < stream.length; i++) {
          const count = 1 + cuts[i % cuts.length]!;
          party.flow.send(stream.slice(at, at + count));
          party.socket.checkInvariants();
          at += count;
        }
        assert.deepEqual(party.heard, messages);
      },
    ),
    { numRuns: 15 },
  );
});

test('any bytes in any pieces › frames, or the end with a code; never a throw', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.string({ maxLength: 20 }).map((text) => frame(1, text)),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => frame(2, bytes, false)),
    fc.constantFrom(frame(9, 'x'), frame(0, 'y'), frame(8, ''), '\x81', '\x82\xff'),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const party = new Party({ limits: { messageBytesMax: 100 } });
      for (const bytes of pieces) {
        party.flow.send(bytes);
        party.socket.checkInvariants();
      }
      party.flow.end();
      if (!party.flow.isAborted) party.flow.close('closed');
      assert.equal(party.closes.length, 1);
      for (const message of party.heard) assert(message.length <= 100);
    }),
    { numRuns: 200 },
  );
});

const BROKEN: readonly [string, string, number][] = [
  ['not masked', '\x81\x01a', 1002],
  ['a reserved bit', `\xc1${frame(1, 'a').slice(1)}`, 1002],
  ['an unknown opcode', `\x83${frame(1, 'a').slice(1)}`, 1002],
  ['a longer length than needed', '\x82\xfe\x00\x05\x01\x02\x03\x04', 1002],
  ['a length of 2^63', `\x82\xff\x80${'\0'.repeat(7)}\x01\x02\x03\x04`, 1002],
  ['a continuation of nothing', frame(0, 'a'), 1002],
  ['a message within a message', frame(1, 'a', false) + frame(1, 'b'), 1002],
  ['a ping in pieces', `\x09${frame(9, 'a').slice(1)}`, 1002],
  ['a ping of 126 bytes', '\x89\xfe\x00\x7e\x01\x02\x03\x04', 1002],
  ['a close of one byte', frame(8, 'a'), 1002],
  ['a close with 1005', frame(8, Uint8Array.of(3, 237)), 1002],
  ['a close with 999', frame(8, Uint8Array.of(3, 231)), 1002],
  ['a close with no UTF-8', frame(8, Uint8Array.of(3, 232, 0xff)), 1002],
  ['text that is no UTF-8', frame(1, Uint8Array.of(0xed, 0xa0, 0x80)), 1007],
];
for (const [what, bytes, code] of BROKEN) {
  test(`hostile › ${what} › ${code}, and the end`, () => {
    const party = new Party();
    party.flow.send(`${bytes}${frame(1, 'never heard')}`);
    assert.equal(party.closeCode(), code);
    assert(party.flow.isShutDown);
    party.bench.pass(6);
    assert(party.flow.isAborted);
    assert.deepEqual(party.heard, []);
    assert.equal(party.closes[0]?.slice(0, 4), `${code}`);
  });
}

test('a message at the bound › taken; one byte more › 1009 when its length is known', () => {
  const limits = { messageBytesMax: 1_000 };
  const fits = new Party({ limits });
  fits.flow.send(frame(2, new Uint8Array(600), false) + frame(0, new Uint8Array(400)));
  assert.equal(fits.heard.length, 1);
  const party = new Party({ limits });
  party.flow.send(frame(2, new Uint8Array(600), false));
  party.flow.send(frame(0, new Uint8Array(401)).slice(0, 8));
  assert.equal(party.closeCode(), 1009);
});

test('control frames at the rate › answered; one more › 1008; a second later › again', () => {
  const party = new Party();
  for (let second = 0; second < 2; second++) {
    for (let i = 0; i < 32; i++) party.flow.send(frame(9, ''));
    assert.equal(party.flow.takeText().length, 64);
    party.bench.pass(1);
  }
  for (let i = 0; i < 33; i++) party.flow.send(i % 2 === 0 ? frame(10, '') : frame(10, 'x'));
  assert.equal(party.closeCode(), 1008);
  const empty = new Party();
  empty.flow.send(frame(2, '', false));
  for (let i = 0; i < 31; i++) empty.flow.send(frame(0, '', false));
  assert.equal(empty.flow.takeText(), '');
  empty.flow.send(frame(0, '', false));
  assert.equal(empty.closeCode(), 1008);
});

test('the peer closes › its code comes back, then the flow ends', () => {
  const party = new Party();
  party.flow.send(close(3_001, 'bye'));
  assert.equal(party.closeCode(), 3_001);
  assert(party.flow.isShutDown);
  party.flow.close('closed');
  assert.deepEqual(party.closes, ['3001 bye']);
  const none = new Party();
  none.flow.send(frame(8, ''));
  assert.equal(none.flow.takeText(), '\x88\0');
  none.flow.close('closed');
  assert.deepEqual(none.closes, ['1005 ']);
});

test('we close › the flow ends when the peer has answered, or after a wait', () => {
  const party = new Party();
  party.socket.close(4_000, 'x'.repeat(200));
  party.socket.close();
  party.socket.send('ignored');
  const said = party.flow.takeText();
  assert.equal(said.length, 2 + 125);
  assert(!party.flow.isShutDown);
  party.flow.send(frame(1, 'too late') + close(4_000));
  assert(party.flow.isShutDown);
  assert.deepEqual(party.heard, []);
  party.flow.close('closed');
  assert.deepEqual(party.closes, ['4000 ']);
  const silent = new Party();
  silent.socket.close();
  silent.bench.pass(6);
  assert(silent.flow.isAborted);
  assert.deepEqual(silent.closes, ['1006 ']);
});

test('the flow ends without a close frame › 1006', () => {
  const party = new Party();
  party.flow.end();
  assert(party.flow.isShutDown);
  party.flow.close('closed');
  assert.deepEqual(party.closes, ['1006 ']);
});

test('silence › asked, then given up; any frame is an answer', () => {
  const party = new Party();
  party.bench.pass(31);
  assert.equal(party.flow.takeText(), '\x89\0');
  party.flow.send(frame(10, ''));
  party.bench.pass(30);
  assert.equal(party.flow.takeText(), '\x89\0');
  party.bench.pass(30);
  assert(party.flow.isAborted);
  assert.deepEqual(party.closes, ['1006 ']);
});

test('what comes with the handshake › is frames already', () => {
  const party = new Party({}, frame(1, 'early'));
  assert.deepEqual(party.heard, ['early']);
});

test('sent › in frames without a mask; a peer that reads slowly gets no pongs', () => {
  const party = new Party();
  party.socket.send('héllo');
  party.socket.send(Uint8Array.of(1, 2));
  assert.equal(party.flow.takeText(), '\x81\x06h\xc3\xa9llo\x82\x02\x01\x02');
  party.flow.isReading = false;
  party.socket.send(new Uint8Array(70_000));
  assert.equal(party.socket.queuedBytes, 70_010);
  party.flow.takeText();
  party.flow.send(frame(9, ''));
  assert.equal(party.flow.takeText(), '');
  party.flow.acknowledge(70_010);
  assert.deepEqual(party.heard, ['drained']);
});

test('a ping › answered with as many bytes waiting as may be, not with one more', () => {
  for (const [bytes, isAnswered] of [
    [WEBSOCKET_LIMITS.pongQueuedBytesMax, true],
    [WEBSOCKET_LIMITS.pongQueuedBytesMax + 1, false],
  ] as const) {
    const party = new Party();
    party.flow.isReading = false;
    // A head of 10 bytes from 65,536 on, of 4 below.
    party.socket.send(new Uint8Array(bytes - 4));
    assert.equal(party.socket.queuedBytes, bytes);
    party.flow.takeText();
    party.flow.send(frame(9, 'p'));
    assert.equal(party.flow.takeText() !== '', isAnswered, `${bytes}`);
  }
});

test('silence › up to each time nothing, then asked, then given up', () => {
  const seconds = WEBSOCKET_LIMITS.pingEvery / 1_000_000;
  const party = new Party();
  party.bench.pass(seconds - 0.001);
  assert.equal(party.flow.takeText(), '');
  party.bench.pass(0.001);
  assert.equal(party.flow.takeText(), '\x89\0');
  party.bench.pass(seconds - 0.001);
  assert(!party.flow.isAborted);
  party.bench.pass(0.001);
  assert(party.flow.isAborted);
  const closing = new Party();
  closing.socket.close();
  closing.bench.pass(WEBSOCKET_LIMITS.closeWait / 1_000_000 - 0.001);
  assert(!closing.flow.isAborted);
  closing.bench.pass(0.001);
  assert(closing.flow.isAborted);
});

test('paused › nothing heard, what comes all the same is kept, in order', () => {
  const party = new Party();
  party.socket.attach({
    message: (message) => {
      party.heard.push(message);
      party.socket.pause();
    },
    drained() {},
    closed() {},
  });
  party.flow.send(frame(1, 'a') + frame(1, 'b') + frame(1, 'c'));
  assert(party.flow.isPaused);
  assert.deepEqual(party.heard, ['a']);
  party.socket.resume();
  assert.deepEqual(party.heard, ['a', 'b']);
  party.socket.resume();
  assert(party.flow.isPaused);
  party.heard.length = 0;
  party.socket.resume();
  party.flow.send(frame(1, 'd').slice(0, 3));
  party.flow.send(frame(1, 'd').slice(3));
  assert.deepEqual(party.heard, ['d']);
});
