/**
 * Every handshake message in every state of both roles and versions, and everything else that a
 * record can carry: exactly what the RFCs list is taken, all else is unexpected_message and gives
 * no data. The table here was written from the RFCs: RFC 8446 §A (whose names it uses), §4.6, §5;
 * RFC 5246 §7.3 and §7.4, RFC 6066 §8, RFC 5077 §3.1. Not here: what messages say (refusals).
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TlsVersion } from './config.ts';
import { SessionCache } from './session-cache.ts';
import { STATES, type StateName } from './states.ts';
import { quickCrypto } from './test-quick-crypto.ts';
import {
  anchors,
  credentials,
  entropy,
  makeEnvironment,
  openPair,
  type PairOptions,
} from './test-session.ts';
import { StoppedEnd } from './test-stopped.ts';
import { TicketKeys } from './ticket-keys.ts';
import { handshakeType } from './wire/handshake.ts';

const old = { versions: ['TLS 1.2'] } as const;
const asks = { clientAuth: 'required', clientAnchors: anchors } as const;
const hasOne = { credentials };
const staples = { credentials: () => ({ ...credentials, ocsp: Uint8Array.of(48, 0) }) };
/** The client's one key share is of a group that this server hasn't. */
const retries = { groups: ['secp384r1'] } as const;

const gives = {
  tickets: new TicketKeys(makeEnvironment().crypto, entropy, makeEnvironment().timers.now),
};
const keeps = { sessions: new SessionCache() };

type Row = readonly [
  state: StateName,
  options: PairOptions,
  /** What may come next. */
  next: readonly (keyof typeof handshakeType)[],
  ccs: 'dropped' | 'taken' | 'refused',
  data?: boolean,
];

const ROWS: readonly Row[] = [
  // RFC 8446 §A.1: START and WAIT_SH, WAIT_EE, WAIT_CERT_CR, WAIT_CERT, WAIT_CV, WAIT_FINISHED.
  ['client: server_hello', {}, ['server_hello'], 'dropped'],
  ['client 1.3: server_hello after retry', { server: retries }, ['server_hello'], 'dropped'],
  ['client 1.3: encrypted_extensions', {}, ['encrypted_extensions'], 'dropped'],
  ['client 1.3: certificate or request', {}, ['certificate', 'certificate_request'], 'dropped'],
  ['client 1.3: certificate', { server: asks, client: hasOne }, ['certificate'], 'dropped'],
  ['client 1.3: certificate_verify', {}, ['certificate_verify'], 'dropped'],
  ['client 1.3: finished', {}, ['finished'], 'dropped'],
  // §A.1 CONNECTED: §4.6.1, §4.6.3; §4.6.2 only with post_handshake_auth. §5: no more CCS.
  ['client 1.3: open', {}, ['new_session_ticket', 'key_update'], 'refused', true],

  // RFC 8446 §A.2; a client's CCS comes after its first ClientHello (§5, §D.4).
  ['server: client_hello', {}, ['client_hello'], 'refused'],
  ['server 1.3: client_hello after retry', { server: retries }, ['client_hello'], 'dropped'],
  ['server 1.3: certificate', { server: asks, client: hasOne }, ['certificate'], 'dropped'],
  [
    'server 1.3: certificate_verify',
    { server: asks, client: hasOne },
    ['certificate_verify'],
    'dropped',
  ],
  ['server 1.3: finished', {}, ['finished'], 'dropped'],
  ['server 1.3: open', {}, ['key_update'], 'refused', true],

  // RFC 5246 §7.3, figure 1. HelloRequest may come at any time (§7.4.1.1).
  ['client 1.2: certificate', { server: old }, ['hello_request', 'certificate'], 'refused'],
  [
    'client 1.2: status or key exchange',
    { server: { ...old, ...staples } },
    // RFC 6066 §8: a server that announced a status may still send none.
    ['hello_request', 'certificate_status', 'server_key_exchange'],
    'refused',
  ],
  [
    'client 1.2: server_key_exchange',
    { server: old },
    ['hello_request', 'server_key_exchange'],
    'refused',
  ],
  [
    'client 1.2: request or done',
    { server: old },
    ['hello_request', 'certificate_request', 'server_hello_done'],
    'refused',
  ],
  [
    'client 1.2: server_hello_done',
    { server: { ...old, ...asks }, client: hasOne },
    ['hello_request', 'server_hello_done'],
    'refused',
  ],
  [
    'client 1.2: new_session_ticket',
    { server: { ...old, ...gives }, client: keeps },
    ['hello_request', 'new_session_ticket'],
    'refused',
  ],
  ['client 1.2: change_cipher_spec', { server: old }, ['hello_request'], 'taken'],
  ['client 1.2: finished', { server: old }, ['hello_request', 'finished'], 'refused'],
  ['client 1.2: open', { server: old }, ['hello_request'], 'refused', true],

  [
    'server 1.2: certificate',
    { server: { ...old, ...asks }, client: hasOne },
    ['certificate'],
    'refused',
  ],
  ['server 1.2: client_key_exchange', { server: old }, ['client_key_exchange'], 'refused'],
  [
    'server 1.2: certificate_verify',
    { server: { ...old, ...asks }, client: hasOne },
    ['certificate_verify'],
    'refused',
  ],
  ['server 1.2: change_cipher_spec', { server: old }, [], 'taken'],
  ['server 1.2: finished', { server: old }, ['finished'], 'refused'],
  // RFC 5246 §7.4.1.2: a client may ask again; it is told no_renegotiation.
  ['server 1.2: open', { server: old }, ['client_hello'], 'refused', true],
];

/** A client with a ticket, and the server that gave it. */
function resuming(versions: readonly TlsVersion[]): () => PairOptions {
  const env = makeEnvironment(quickCrypto);
  const server = { versions, tickets: new TicketKeys(env.crypto, entropy, env.timers.now) };
  const options = { env, server, client: { sessions: new SessionCache() } };
  return () => {
    if (options.client.sessions.size === 0) openPair(options);
    return options;
  };
}
const resuming13 = resuming(['TLS 1.3']);
const resuming12 = resuming(['TLS 1.2']);

/**
 * States on the way of a resumption: RFC 8446 §2.2 (no certificates), RFC 5246 §7.3, figure 2, and
 * RFC 5077 §3.1, figure 2.
 */
const RESUMED: readonly [state: StateName, options: () => PairOptions, next: Row[2]][] = [
  ['client 1.3: finished', resuming13, ['finished']],
  ['server 1.3: finished', resuming13, ['finished']],
  ['client 1.2: change_cipher_spec', resuming12, ['hello_request']],
  ['client 1.2: finished', resuming12, ['hello_request', 'finished']],
  ['server 1.2: change_cipher_spec', resuming12, []],
  ['server 1.2: finished', resuming12, ['finished']],
];

const CHANGE_CIPHER_SPEC = 20;
const ALERT = 21;
const HANDSHAKE = 22;
const DATA = 23;
const USER_CANCELED = Uint8Array.of(1, 90);
const UNRECOGNIZED_NAME = Uint8Array.of(1, 112);

const types = Object.entries(handshakeType) as [keyof typeof handshakeType, number][];
/** Taken by nobody: HelloVerifyRequest (DTLS), and one that nobody has defined. */
const unlisted: [string, number][] = [3, 99].map((type) => [`message ${type}`, type]);

const endIn = (state: StateName, options: PairOptions): StoppedEnd =>
  new StoppedEnd(state.startsWith('client') ? 'client' : 'server', options, state);

const stop = ([state, options]: Row): StoppedEnd => endIn(state, options);

test('the table › beside the one of the engine › has every state', () => {
  const ours = new Set(ROWS.map(([state]) => state));
  assert.deepEqual([...ours].sort(), Object.keys(STATES).sort());
});

for (const row of ROWS) {
  const [state, , next, ccs, data = false] = row;
  const isComplete = state.endsWith('open');
  const is12 = state.includes('1.2');

  const refused = (what: string, { target }: StoppedEnd, alert = 'unexpected_message'): void => {
    assert.equal(target.alert, `sent ${alert}`, what);
    assert.equal(target.takeText(), '', what);
    assert.equal(target.session !== null, isComplete, what);
  };
  const ignored = (what: string, { target }: StoppedEnd): void => {
    assert.equal(target.failure, null, what);
    assert.equal(target.engine.state, state, what);
    assert.equal(target.takeText(), '', what);
  };

  test(`${state} › each handshake message › ${next.join(', ') || 'none'} taken, others not`, () => {
    for (const [name, type] of [...types, ...unlisted]) {
      const stopped = stop(row);
      stopped.say(HANDSHAKE, Uint8Array.of(type, 0, 0, 0));
      if (next.includes(name as keyof typeof handshakeType)) {
        // Whatever is wrong with an empty one, it isn't that it came.
        assert.notEqual(stopped.target.alert, 'sent unexpected_message', name);
        assert.equal(stopped.target.session !== null, isComplete, name);
      } else {
        refused(name, stopped);
      }
    }
  });

  test(`${state} › the beginning of a message that isn't listed › refused at once`, () => {
    const stopped = stop(row);
    stopped.say(HANDSHAKE, Uint8Array.of(handshakeType.message_hash));
    refused('one byte', stopped);
  });

  test(`${state} › change_cipher_spec › ${ccs}; with anything in it but 1: refused`, () => {
    const stopped = stop(row);
    // As if the other end's own hadn't come yet: one is all that is dropped.
    stopped.target.engine.changeCipherSpecs = 0;
    stopped.say(CHANGE_CIPHER_SPEC, Uint8Array.of(1), !is12);
    if (ccs === 'refused') refused('change_cipher_spec', stopped);
    else if (ccs === 'dropped') ignored('change_cipher_spec', stopped);
    else {
      assert.equal(stopped.target.failure, null);
      assert.notEqual(stopped.target.engine.state, state);
    }
    for (const content of [Uint8Array.of(2), Uint8Array.of(1, 1), new Uint8Array(0)]) {
      const other = stop(row);
      other.say(CHANGE_CIPHER_SPEC, content, !is12);
      refused(`change_cipher_spec ${content}`, other);
    }
  });

  test(`${state} › application data › ${data ? 'taken' : 'refused'}`, () => {
    const stopped = stop(row);
    stopped.say(DATA, new Uint8Array(0));
    if (data) ignored('empty data', stopped);
    else refused('empty data', stopped);
    const other = stop(row);
    other.say(DATA, Buffer.from('data'));
    if (data) assert.equal(other.target.takeText(), 'data');
    else refused('data', other);
  });

  test(`${state} › empty handshake and alert records, other types › refused`, () => {
    for (const [type, content] of [
      [HANDSHAKE, ''],
      [ALERT, ''],
      [24, '\x01\x00\x00'],
    ] as const) {
      const stopped = stop(row);
      stopped.say(type, Buffer.from(content));
      refused(`type ${type}`, stopped);
    }
  });

  test(`${state} › alerts › an end, unless they are warnings that may be ignored`, () => {
    const stopped = stop(row);
    stopped.say(ALERT, USER_CANCELED);
    ignored('user_canceled', stopped);
    stopped.say(ALERT, UNRECOGNIZED_NAME);
    if (is12 || state === 'client: server_hello') ignored('a warning', stopped);
    else assert.equal(stopped.target.alert, 'received unrecognized_name');

    const fatal = stop(row);
    fatal.say(ALERT, Uint8Array.of(2, 40));
    assert.equal(fatal.target.alert, 'received handshake_failure');
    const closed = stop(row);
    closed.say(ALERT, Uint8Array.of(1, 0));
    if (isComplete) assert.ok(closed.target.isPeerClosed);
    else assert.equal(closed.target.alert, 'received close_notify');
    const long = stop(row);
    long.say(ALERT, Uint8Array.of(1, 0, 1));
    refused('three bytes', long, 'decode_error');
  });

  test(`${state} › what isn't protected among what is, or cuts a message › refused`, () => {
    const cut = stop(row);
    const [name] = next;
    if (name !== undefined) {
      cut.say(HANDSHAKE, Uint8Array.of(handshakeType[name], 0, 0));
      cut.say(DATA, Buffer.from('data'));
      refused('data within a message', cut);
    }
    const plain = stop(row);
    if (plain.target.engine.reader.keys === 0) return;
    plain.say(DATA, Buffer.from('data'), true);
    refused('data without protection', plain, 'bad_record_mac');
    const message = stop(row);
    message.say(HANDSHAKE, Uint8Array.of(handshakeType.finished, 0, 0, 0), true);
    refused('a message without protection', message, is12 ? 'bad_record_mac' : undefined);
  });
}

for (const [state, optionsOf, next] of RESUMED) {
  test(`${state}, resumed › each handshake message › ${next.join(', ') || 'none'} taken`, () => {
    for (const [name, type] of [...types, ...unlisted]) {
      const end = endIn(state, optionsOf());
      end.say(HANDSHAKE, Uint8Array.of(type, 0, 0, 0));
      const isTaken = next.includes(name as keyof typeof handshakeType);
      assert.equal(end.target.alert === 'sent unexpected_message', !isTaken, name);
      assert.equal(end.target.session, null, name);
    }
  });
}
