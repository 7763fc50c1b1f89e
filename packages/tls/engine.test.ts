/** Records, alerts and what follows the handshake, as both roles of TLS 1.3 see them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeOffer } from './client-offer.ts';
import { ClientStart } from './client-start.ts';
import {
  CHANGE_CIPHER_SPECS_MAX,
  EARLY_DATA_BYTES_MAX,
  EMPTY_RECORDS_MAX,
  POST_HANDSHAKE_MAX,
  WARNINGS_MAX,
} from './limits.ts';
import {
  clientConfig,
  deliver,
  openPair,
  type PairOptions,
  TestEnd,
  TestPair,
} from './test-session.ts';
import { recordOf, splitRecords } from './test-tamper.ts';
import { emitClientHello } from './wire/client-hello.ts';
import { clientHelloExtensions } from './wire/extensions.ts';
import { handshakeMessage, handshakeType } from './wire/handshake.ts';
import { contentType, recordLengthBytes } from './wire/record.ts';

const { alert, application_data, change_cipher_spec, handshake } = contentType;
const NOTHING = new Uint8Array(0);
const CCS = recordOf(change_cipher_spec, Uint8Array.of(1));

/** Any content as one protected record of `from`. */
const sealed = (from: TestEnd, type: number, content: Uint8Array): Uint8Array =>
  from.engine.writer.seal(type, content);

const ROLES = ['client', 'server'] as const;

/** What `other` says to `end` in a session that is open; the alert that answers it. */
function answers(content: (other: TestEnd) => Uint8Array | Uint8Array[], options?: PairOptions) {
  return ROLES.map((role) => {
    const pair = openPair(options);
    const end = pair[role];
    const other = pair[role === 'client' ? 'server' : 'client'];
    const said = content(other);
    for (const bytes of Array.isArray(said) ? said : [said]) deliver(end, bytes);
    pair.run();
    if (end.failure?.kind === 'alert sent') assert.equal(other.failure?.kind, 'alert received');
    return end.alert;
  });
}

const both = (what: string | null) => [what, what];

test('open › records that must not be › the alert of each', () => {
  const cases: [string, (from: TestEnd) => Uint8Array | Uint8Array[], string | null][] = [
    ['not protected data', () => recordOf(application_data, Uint8Array.of(1)), 'bad_record_mac'],
    ['not protected handshake', () => recordOf(handshake, NOTHING), 'unexpected_message'],
    ['not protected alert', () => recordOf(alert, Uint8Array.of(1, 0)), 'unexpected_message'],
    ['change_cipher_spec', () => CCS, 'unexpected_message'],
    ['protected change_cipher_spec', (f) => sealed(f, 20, Uint8Array.of(1)), 'unexpected_message'],
    ['no type', (f) => sealed(f, 0, NOTHING), 'unexpected_message'],
    ['no type, only zeros', (f) => sealed(f, 0, new Uint8Array(9)), 'unexpected_message'],
    ['an unknown type', (f) => sealed(f, 24, Uint8Array.of(1)), 'unexpected_message'],
    ['an unknown type outside', () => recordOf(24, Uint8Array.of(1)), 'unexpected_message'],
    ['another protocol', () => Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'unexpected_message'],
    ['an old version', () => recordOf(application_data, NOTHING, 0x0200), 'protocol_version'],
    ['a full length', () => recordOf(application_data, new Uint8Array(16_641)), 'record_overflow'],
    [
      'a length that only padding reaches',
      () => recordOf(application_data, new Uint8Array(16_640)),
      'bad_record_mac',
    ],
    ['an empty handshake', (f) => sealed(f, handshake, NOTHING), 'unexpected_message'],
    ['an empty alert', (f) => sealed(f, alert, NOTHING), 'unexpected_message'],
    ['half an alert', (f) => sealed(f, alert, Uint8Array.of(2)), 'decode_error'],
    ['two alerts', (f) => sealed(f, alert, Uint8Array.of(2, 0, 2, 0)), 'decode_error'],
    ['a changed byte', (f) => flipped(sealed(f, application_data, NOTHING)), 'bad_record_mac'],
    ['a changed header', (f) => reversioned(sealed(f, 23, NOTHING)), 'bad_record_mac'],
    ['a repeated record', (f) => twice(sealed(f, 23, Uint8Array.of(1))), 'bad_record_mac'],
    ['a ClientHello', (f) => sealed(f, 22, Uint8Array.of(1, 0, 0, 0)), 'unexpected_message'],
    ['a Finished', (f) => sealed(f, 22, Uint8Array.of(20, 0, 0, 0)), 'unexpected_message'],
    [
      'a message nobody knows',
      (f) => sealed(f, 22, Uint8Array.of(99, 0, 0, 0)),
      'unexpected_message',
    ],
    [
      'a request for a certificate',
      (f) => sealed(f, 22, Uint8Array.of(13, 0, 0, 3, 0, 0, 0)),
      'unexpected_message',
    ],
    ['a KeyUpdate of 2', (f) => sealed(f, 22, Uint8Array.of(24, 0, 0, 1, 2)), 'illegal_parameter'],
    ['a KeyUpdate of nothing', (f) => sealed(f, 22, Uint8Array.of(24, 0, 0, 0)), 'decode_error'],
    ['a long KeyUpdate', (f) => sealed(f, 22, Uint8Array.of(24, 0, 0, 2, 0, 0)), 'decode_error'],
    [
      'a KeyUpdate and more',
      (f) => sealed(f, 22, Uint8Array.of(24, 0, 0, 1, 0, 24, 0, 0, 1, 0)),
      'unexpected_message',
    ],
    [
      'data within a message',
      (f) => [sealed(f, 22, Uint8Array.of(24, 0)), sealed(f, 23, Uint8Array.of(1))],
      'unexpected_message',
    ],
    [
      'a message in pieces',
      (f) => [24, 0, 0, 1, 0].map((byte) => sealed(f, 22, Uint8Array.of(byte))),
      null,
    ],
    ['a message too long', (f) => sealed(f, 22, Uint8Array.of(24, 1, 0, 0, 0)), 'decode_error'],
  ];
  for (const [what, content, expected] of cases) {
    const alerts = answers(content);
    assert.deepEqual(alerts, both(expected && `sent ${expected}`), what);
  }
});

function flipped(record: Uint8Array): Uint8Array {
  record[record.length - 1]! ^= 1;
  return record;
}

function reversioned(record: Uint8Array): Uint8Array {
  record[2] = 1;
  return record;
}

const twice = (record: Uint8Array): Uint8Array => new Uint8Array(Buffer.concat([record, record]));

test('open › a ticket to a server › unexpected_message; to a client › kept or not', () => {
  const ticket = Uint8Array.of(4, 0, 0, 14, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 1, 7, 0, 0);
  const alerts = answers((from) => sealed(from, handshake, ticket));
  assert.deepEqual(alerts, [null, 'sent unexpected_message']);
  const cut = answers((from) => sealed(from, handshake, Uint8Array.of(4, 0, 0, 1, 0)));
  assert.deepEqual(cut, ['sent decode_error', 'sent unexpected_message']);
});

test('open › as much content as a record may have, and one more › overflow', () => {
  const content = (count: number) => (from: TestEnd) => {
    from.engine.writer.contentBytesMax = count;
    return sealed(from, application_data, new Uint8Array(count).fill(7));
  };
  assert.deepEqual(answers(content(16_384)), both(null));
  assert.deepEqual(answers(content(16_385)), both('sent record_overflow'));
});

test('open › a limit that was agreed on › kept by one side, demanded by the other', () => {
  const limited: PairOptions = {
    server: { recordSizeLimit: 64 },
    client: { recordSizeLimit: 100 },
  };
  const pair = openPair(limited);
  pair.client.write(new Uint8Array(1_000));
  pair.server.write(new Uint8Array(1_000));
  const sizes = (end: TestEnd) =>
    Math.max(...splitRecords(end.takeSent()).map((record) => recordLengthBytes(record, 0)));
  assert.equal(sizes(pair.client), 64 + 16);
  assert.equal(sizes(pair.server), 100 + 16);
  const long = (from: TestEnd) => {
    from.engine.writer.contentBytesMax = 16_384;
    return sealed(from, application_data, new Uint8Array(100));
  };
  assert.deepEqual(answers(long, limited), both('sent record_overflow'));
});

test('open › as many empty records as may be, and one more › unexpected_message', () => {
  const empty = (count: number) => (from: TestEnd) =>
    Array.from({ length: count }, () => sealed(from, application_data, NOTHING));
  assert.deepEqual(answers(empty(EMPTY_RECORDS_MAX)), both(null));
  assert.deepEqual(answers(empty(EMPTY_RECORDS_MAX + 1)), both('sent unexpected_message'));
});

test('open › as many KeyUpdates as may be, and one more › unexpected_message', () => {
  const updates = (count: number, isBroken: boolean) =>
    ROLES.map((role) => {
      const pair = openPair();
      const other = pair[role === 'client' ? 'server' : 'client'];
      for (let i = 0; i < count; i++) {
        other.engine.isKeyUpdateDue = true;
        if (isBroken && i === 9) other.write('x');
        else other.engine.receive(NOTHING);
        pair.run();
      }
      return pair[role].alert;
    });
  assert.deepEqual(updates(POST_HANDSHAKE_MAX, false), both(null));
  assert.deepEqual(updates(POST_HANDSHAKE_MAX + 1, true), both(null));
  assert.deepEqual(updates(POST_HANDSHAKE_MAX + 1, false), both('sent unexpected_message'));
});

test('open › KeyUpdates with records of nothing between › counted all the same', () => {
  const updates = (count: number) => (from: TestEnd) =>
    Array.from({ length: count }, () => {
      from.engine.isKeyUpdateDue = true;
      from.engine.receive(NOTHING);
      return [from.takeSent(), sealed(from, application_data, NOTHING)];
    }).flat();
  assert.deepEqual(answers(updates(POST_HANDSHAKE_MAX)), both(null));
  assert.deepEqual(answers(updates(POST_HANDSHAKE_MAX + 1)), both('sent unexpected_message'));
});

test('open › KeyUpdate that asks for one › answered before data, both go on', () => {
  for (const role of ROLES) {
    const pair = openPair();
    const end = pair[role];
    const other = pair[role === 'client' ? 'server' : 'client'];
    other.engine.isKeyUpdateDue = true;
    other.write('after one');
    pair.run();
    assert.equal(end.takeText(), 'after one');
    // Congested: the answer waits for the next data.
    end.isCongested = true;
    const before = end.engine.writer.records;
    requestUpdate(pair, other);
    assert.equal(end.engine.writer.records, before);
    end.write('with an answer');
    assert.equal(end.engine.writer.records, 1);
    pair.run();
    assert.equal(other.takeText(), 'with an answer');
    end.isCongested = false;
    requestUpdate(pair, other);
    assert.equal(end.engine.writer.records, 0);
  }
});

/** `end` asks for another key, and changes its own. */
function requestUpdate(pair: TestPair, end: TestEnd): void {
  const { engine } = end;
  const { sendMessage } = engine;
  engine.sendMessage = (message) => {
    message[4] = 1;
    sendMessage.call(engine, message);
  };
  engine.isKeyUpdateDue = true;
  engine.receive(NOTHING);
  engine.sendMessage = sendMessage;
  pair.run();
}

test('open › a key that is worn out › renewed before the next record', () => {
  const pair = openPair();
  const { client, server } = pair;
  const protection = { records: 8_388_608 };
  Object.defineProperty(client.engine.writer, 'records', {
    configurable: true,
    get: () => protection.records,
  });
  client.write('fresh');
  Reflect.deleteProperty(client.engine.writer, 'records');
  assert.equal(client.engine.writer.records, 1);
  pair.run();
  assert.equal(server.takeText(), 'fresh');
});

test('open › padded data › comes out as it was', () => {
  const pair = openPair();
  const { client, server } = pair;
  client.engine.writer.paddingBytes = 256;
  client.write('short');
  client.write(new Uint8Array(300));
  client.engine.writer.paddingBytes = 16_000;
  client.write(new Uint8Array(16_100));
  const sizes = splitRecords(client.takeSent()).map((record) => {
    deliver(server, record);
    return recordLengthBytes(record, 0) - 17;
  });
  assert.deepEqual(sizes, [256, 512, 16_384]);
  assert.equal(server.takeBytes().length, 5 + 300 + 16_100);
});

test('open › close_notify › what comes after it is ignored', () => {
  const pair = openPair();
  const { client, server } = pair;
  client.engine.close();
  deliver(server, client.takeSent());
  assert.ok(server.isPeerClosed);
  deliver(server, recordOf(application_data, new Uint8Array(40)));
  server.engine.receiveEnd();
  assert.equal(server.failure, null);
  server.write('still');
  pair.run();
  assert.equal(client.takeText(), 'still');
});

test('open › the end without close_notify › truncated', () => {
  for (const role of ROLES) {
    const pair = openPair();
    pair[role].engine.receiveEnd();
    assert.deepEqual(pair[role].failure, { kind: 'truncated' });
  }
});

test('open › alerts › end it, but for user_canceled, and not too many of those', () => {
  const say =
    (...content: number[]) =>
    (from: TestEnd) =>
      sealed(from, alert, Uint8Array.from(content));
  assert.deepEqual(answers(say(1, 40)), both('received handshake_failure'));
  assert.deepEqual(answers(say(2, 90)), both(null));
  assert.deepEqual(answers(say(2, 111)), both('received null'));
  assert.deepEqual(answers(say(1, 100)), both('received no_renegotiation'));
  const many = (count: number) => (from: TestEnd) =>
    Array.from({ length: count }, () => say(1, 90)(from));
  assert.deepEqual(answers(many(WARNINGS_MAX)), both(null));
  assert.deepEqual(answers(many(WARNINGS_MAX + 1)), both('sent unexpected_message'));
});

test('start › change_cipher_spec › dropped, as many as may be; refused before a hello', () => {
  const count = (ends: number, role: 'client' | 'server') => {
    const pair = new TestPair();
    const end = pair[role];
    if (role === 'server') {
      deliver(pair.server, pair.client.takeSent());
      deliver(pair.client, pair.server.takeSent());
    }
    // One of them is the other end's own, for boxes on the way.
    for (let i = 1; i < ends; i++) deliver(end, CCS);
    pair.run();
    return end.alert;
  };
  for (const role of ROLES) {
    assert.equal(count(CHANGE_CIPHER_SPECS_MAX[role], role), null);
    assert.equal(count(CHANGE_CIPHER_SPECS_MAX[role] + 1, role), 'sent unexpected_message');
  }
  const early = new TestPair();
  deliver(early.server, CCS);
  assert.equal(early.server.alert, 'sent unexpected_message');
  for (const content of [Uint8Array.of(2), Uint8Array.of(1, 1)]) {
    const odd = new TestPair();
    deliver(odd.client, recordOf(change_cipher_spec, content));
    assert.equal(odd.client.alert, 'sent unexpected_message');
  }
});

test('start › an alert before there are keys › is the end, and is told', () => {
  const pair = new TestPair();
  deliver(pair.server, pair.client.takeSent());
  pair.server.takeSent();
  deliver(pair.server, recordOf(alert, Uint8Array.of(2, 47)));
  assert.equal(pair.server.alert, 'received illegal_parameter');
  const client = new TestPair().client;
  deliver(client, recordOf(alert, Uint8Array.of(2, 40)));
  assert.equal(client.alert, 'received handshake_failure');
});

test('start › close_notify or the end › no session', () => {
  const pair = new TestPair();
  deliver(pair.client, recordOf(alert, Uint8Array.of(1, 0)));
  assert.equal(pair.client.alert, 'received close_notify');
  pair.server.engine.receiveEnd();
  assert.deepEqual(pair.server.failure, { kind: 'truncated' });
});

test('start › data before Finished › refused', () => {
  const pair = new TestPair();
  deliver(pair.server, pair.client.takeSent());
  deliver(pair.client, pair.server.takeSent());
  // The client is open: it holds back its Finished and sends data under the handshake's keys.
  const { server } = pair;
  const finished = splitRecords(pair.client.takeSent());
  pair.client.write('too early');
  deliver(server, pair.client.takeSent());
  assert.equal(server.alert, 'sent bad_record_mac');
  assert.equal(server.session, null);
  assert.equal(finished.length, 2);
});

test('start › something else than a hello › unexpected_message, in the clear', () => {
  for (const record of [
    recordOf(handshake, Uint8Array.of(20, 0, 0, 0)),
    recordOf(application_data, Uint8Array.of(1)),
    Buffer.from('GET / HTTP/1.1\r\n'),
    Uint8Array.of(0x80, 0x2e, 1, 3, 1, 0, 0x15),
    recordOf(handshake, NOTHING),
  ]) {
    const { server } = new TestPair();
    deliver(server, record);
    assert.equal(server.alert, 'sent unexpected_message');
    assert.deepEqual(server.takeSent(), recordOf(alert, Uint8Array.of(2, 10)));
  }
  const { server } = new TestPair();
  deliver(server, recordOf(handshake, new Uint8Array(16_385)).subarray(0, 5));
  assert.equal(server.alert, 'sent record_overflow');
});

test('start › two hellos in one record › unexpected_message', () => {
  const pair = new TestPair();
  const [record] = splitRecords(pair.client.takeSent());
  const hello = record!.subarray(5);
  deliver(pair.server, recordOf(handshake, Buffer.concat([hello, hello])));
  assert.equal(pair.server.alert, 'sent unexpected_message');
});

/** A client that offers early data, sends its hello, then `bytes` under keys nobody else has. */
function withEarlyData(options: PairOptions, bytes: number, when: 'hello' | 'retry'): TestPair {
  const pair = new TestPair(options);
  const client = new TestEnd(pair.env);
  const config = clientConfig(options.client);
  const offer = makeOffer(pair.env, config, null);
  const extensions = clientHelloExtensions.of({ ...offer.hello.extensions, earlyData: true });
  const hello = { ...offer.hello, extensions };
  const message = handshakeMessage(handshakeType.client_hello, emitClientHello, hello);
  new ClientStart(client.engine, config, 'example.com 443').startWith({ ...offer, hello, message });
  deliver(pair.server, client.takeSent());
  if (when === 'retry') {
    // The server has asked for another share; the client doesn't know yet.
    assert.equal(pair.server.engine.state, 'server 1.3: client_hello after retry');
  }
  for (let at = 0; at < bytes; at += 1_005) {
    deliver(pair.server, recordOf(application_data, new Uint8Array(1_000).fill(at % 251)));
  }
  return Object.assign(pair, { client }).run();
}

test('start › early data, which is refused › skipped, up to a bound', () => {
  const cases = [
    ['hello', {}],
    ['retry', { server: { groups: ['secp256r1'] } }],
  ] as const;
  for (const [when, options] of cases) {
    const { server, client } = withEarlyData(options, EARLY_DATA_BYTES_MAX - 1_005, when);
    assert.ok(server.session !== null && client.session !== null, when);
    client.write('late');
    deliver(server, client.takeSent());
    assert.equal(server.takeText(), 'late');
    const long = withEarlyData(options, EARLY_DATA_BYTES_MAX + 1, when);
    assert.equal(long.server.alert, 'sent unexpected_message');
  }
});

test('start › early data that was not announced › refused', () => {
  const pair = new TestPair();
  deliver(pair.server, pair.client.takeSent());
  deliver(pair.server, recordOf(application_data, new Uint8Array(100)));
  assert.equal(pair.server.alert, 'sent bad_record_mac');
});
