/**
 * The traces of RFC 8448, byte for byte, as each role: given the trace's keys and what the other
 * side says, an end says what the trace says. ClientHello, EncryptedExtensions and ticket of the
 * trace hold things that we don't say of our own accord, and its signature can't be made twice:
 * these are given.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { wallTimeOfMillis } from '#core';
import type { CryptoPrimitives, GroupName, PrivateKey } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { parseCertificate, TrustAnchors } from '#x509';
import { Client13 } from './client-13.ts';
import type { ClientOffer } from './client-offer.ts';
import { ClientStart } from './client-start.ts';
import { type TlsEnvironment, tlsClientConfig, tlsServerConfig } from './config.ts';
import type { TlsEngine } from './engine.ts';
import { protectionOf, ticketKey } from './key-schedule.ts';
import type { Machine } from './machine.ts';
import { Server13 } from './server-13.ts';
import { suiteOfName } from './suites.ts';
import { deliver, makeEnvironment, TestEnd } from './test-session.ts';
import { splitMessages } from './test-tamper.ts';
import { parseCertificate13 } from './wire/certificate.ts';
import { parseCertificateVerify } from './wire/certificate-verify.ts';
import { parseClientHello } from './wire/client-hello.ts';
import { parseEncryptedExtensions } from './wire/encrypted-extensions.ts';
import type { EncryptedExtensions, HelloRetryExtensions } from './wire/extensions.ts';
import { parseServerHello } from './wire/server-hello.ts';

const SUITE = suiteOfName('TLS_AES_128_GCM_SHA256');
/** When the traces' certificates are good. */
const THEN = wallTimeOfMillis(Date.UTC(2018, 0, 1));

class Trace {
  private readonly parts = new Map<string, Uint8Array>();

  constructor(file: string) {
    const text = readFileSync(new URL(`./vectors/${file}`, import.meta.url), 'utf8');
    for (const block of text.split(/\n\n+/).slice(1)) {
      const [name = '', ...lines] = block.trim().split('\n');
      const hex = lines.join('').replaceAll(' ', '');
      assert.match(hex, /^([0-9a-f]{2})+$/, name);
      this.parts.set(name, new Uint8Array(Buffer.from(hex, 'hex')));
    }
  }

  has(name: string): boolean {
    return this.parts.has(name);
  }

  get(name: string): Uint8Array {
    const bytes = this.parts.get(name);
    assert.ok(bytes !== undefined, name);
    return bytes.slice();
  }

  /** A record's content in the clear. */
  plain(name: string): Uint8Array {
    return this.get(name).subarray(5);
  }

  /** Messages of a protected record, the first one under `secret`. */
  opened(name: string, secret: string): Uint8Array[] {
    const record = this.get(name);
    const content = new Uint8Array(record.length);
    const protection = protectionOf(nodeCrypto, SUITE, this.get(secret));
    const count = protection.open(record, 0, record.length - 5, content, 0);
    assert.ok(count > 0, name);
    return splitMessages(content.subarray(0, count - 1));
  }
}

const bodyOf = (message: Uint8Array): Uint8Array => message.subarray(4);

function parsed<T>(result: { ok: true; value: T } | { ok: false; error: unknown }): T {
  assert.ok(result.ok);
  return result.value;
}

/** Primitives that make the trace's key share, and take its RSA key of 1,024 bits for more. */
function fixedCrypto(
  trace: Trace,
  privateKeys: Readonly<Partial<Record<GroupName, string>>>,
): CryptoPrimitives {
  return {
    ...nodeCrypto,
    generateKeyAgreement(group) {
      const agreement = nodeCrypto.importKeyAgreement(group, trace.get(privateKeys[group]!));
      assert.ok(agreement !== null);
      return agreement;
    },
    importPublicKey(der) {
      const key = nodeCrypto.importPublicKey(der);
      if (key?.type !== 'RSA') return key;
      const { type, curve, pss, spki } = key;
      return { type, curve, pss, spki, bits: 2_048, verify: key.verify.bind(key) };
    },
  };
}

function environment(crypto: CryptoPrimitives, random: Uint8Array): TlsEnvironment {
  const entropy = {
    fill(out: Uint8Array) {
      assert.equal(out.length, random.length);
      out.set(random);
    },
  };
  return { ...makeEnvironment(crypto), entropy, clock: { wall: () => THEN } };
}

const DATA = Uint8Array.from({ length: 50 }, (_, index) => index);

/** A client whose second hello is given. */
class TraceClient extends Client13 {
  second: ClientOffer | null = null;

  protected override secondOffer(): ClientOffer {
    assert.ok(this.second !== null);
    return this.second;
  }
}

/** A client that has the trace's hellos and key shares, and trusts its certificate. */
function makeClient(trace: Trace): TestEnd {
  const [, certificate] = trace.opened('server flight', 's hs traffic');
  const { entries } = parsed(parseCertificate13(bodyOf(certificate!)));
  const crypto = fixedCrypto(trace, {
    x25519: 'client private key',
    secp256r1: 'client second private key',
  });
  const end = new TestEnd(environment(crypto, new Uint8Array(0)));
  const { engine } = end;
  const config = tlsClientConfig({
    serverName: null,
    anchors: new TrustAnchors([entries[0]!.der]),
    middleboxCompatibility: trace.has('change_cipher_spec'),
  });
  const offerOf = (message: Uint8Array, group: GroupName): ClientOffer => ({
    hello: parsed(parseClientHello(bodyOf(message))),
    message,
    agreement: crypto.generateKeyAgreement(group, engine.env.entropy),
    session: null,
  });
  const first = offerOf(trace.plain('client_hello'), 'x25519');
  new ClientStart(engine, config, 'server').startWith(first);
  if (!trace.has('hello_retry_request')) return end;
  const client = new TraceClient(engine, config, 'server', first);
  client.second = offerOf(secondHello(trace).subarray(5), 'secp256r1');
  const machine: Machine = {
    message: (_type, message) => client.start(parsed(parseServerHello(bodyOf(message))), message),
    changeCipherSpec: () => null,
    renewKey: () => null,
    destroy() {},
  };
  engine.enter('client: server_hello', machine);
  return end;
}

/** With its padding, which is zeros. */
function secondHello(trace: Trace): Uint8Array {
  const beginning = trace.get('second client_hello, up to its padding');
  const record = new Uint8Array(5 + 512);
  record.set(beginning);
  return record;
}

test('RFC 8448 §3, client › says what the trace says, and derives its secrets', () => {
  const trace = new Trace('rfc8448-simple.txt');
  const end = makeClient(trace);
  assert.deepEqual(end.takeSent(), trace.get('client_hello'));
  deliver(end, trace.get('server_hello'));
  deliver(end, trace.get('server flight'));
  assert.equal(end.failure, null);
  assert.deepEqual(end.takeSent(), trace.get('client finished'));
  deliver(end, trace.get('new_session_ticket'));
  end.write(DATA);
  assert.deepEqual(end.takeSent(), trace.get('client data'));
  deliver(end, trace.get('server data'));
  assert.deepEqual(end.takeBytes(), DATA);
  end.engine.close();
  assert.deepEqual(end.takeSent(), trace.get('client close_notify'));
  deliver(end, trace.get('server close_notify'));
  assert.ok(end.isPeerClosed && end.engine.isOver);
  const nonce = Uint8Array.of(0, 0);
  const resumption = ticketKey(nodeCrypto, SUITE, trace.get('res master'), nonce);
  assert.deepEqual(resumption, trace.get('resumption'));
});

/** A server that answers the trace's extensions. */
class TraceServer extends Server13 {
  answers: EncryptedExtensions | null = null;
  request: HelloRetryExtensions | null = null;

  protected override encryptedExtensions(): EncryptedExtensions {
    assert.ok(this.answers !== null);
    return this.answers;
  }

  protected override retryExtensions(): HelloRetryExtensions {
    assert.ok(this.request !== null);
    return this.request;
  }
}

/** Waits for the ClientHello, then starts `server`. */
function waitForHello(engine: TlsEngine, server: TraceServer): void {
  const machine: Machine = {
    message: (_type, message) => server.start(parsed(parseClientHello(bodyOf(message))), message),
    changeCipherSpec: () => null,
    renewKey: () => null,
    destroy() {},
  };
  engine.enter('server: client_hello', machine);
}

/** A server that has the trace's key share, random, certificate, and its signature. */
function makeServer(trace: Trace): TestEnd {
  const [extensions, certificate, verify] = trace.opened('server flight', 's hs traffic');
  const { entries } = parsed(parseCertificate13(bodyOf(certificate!)));
  const { signature } = parsed(parseCertificateVerify(bodyOf(verify!)));
  const { der } = entries[0]!;
  const key: PrivateKey = {
    type: 'RSA',
    curve: null,
    pss: null,
    bits: 2_048,
    spki: parsed(parseCertificate(der)).spki,
    sign: () => signature.slice(),
    pkcs8: () => new Uint8Array(0),
    destroy() {},
  };
  const random = trace.plain('server_hello').slice(6, 38);
  const crypto = fixedCrypto(trace, {
    x25519: 'server private key',
    secp256r1: 'server private key',
  });
  const end = new TestEnd(environment(crypto, random));
  const hasRetry = trace.has('hello_retry_request');
  const config = tlsServerConfig({
    credentials: () => ({ chain: [der], key }),
    groups: hasRetry ? ['secp256r1'] : ['x25519'],
  });
  const server = new TraceServer(end.engine, config);
  server.answers = parsed(parseEncryptedExtensions(bodyOf(extensions!)));
  if (hasRetry) {
    const request = parsed(parseServerHello(bodyOf(trace.plain('hello_retry_request'))));
    assert.ok(request.kind === 'retry');
    server.request = request.extensions;
  }
  waitForHello(end.engine, server);
  return end;
}

test('RFC 8448 §3, server › says what the trace says', () => {
  const trace = new Trace('rfc8448-simple.txt');
  const end = makeServer(trace);
  deliver(end, trace.get('client_hello'));
  assert.equal(end.failure, null);
  const expected = Buffer.concat([trace.get('server_hello'), trace.get('server flight')]);
  assert.deepEqual(end.takeSent(), new Uint8Array(expected));
  deliver(end, trace.get('client finished'));
  assert.ok(end.session !== null);
  const [ticket] = trace.opened('new_session_ticket', 's ap traffic');
  end.engine.sendMessage(ticket!);
  end.engine.flush();
  assert.deepEqual(end.takeSent(), trace.get('new_session_ticket'));
  deliver(end, trace.get('client data'));
  assert.deepEqual(end.takeBytes(), DATA);
  end.write(DATA);
  assert.deepEqual(end.takeSent(), trace.get('server data'));
  deliver(end, trace.get('client close_notify'));
  assert.ok(end.isPeerClosed);
  end.engine.close();
  assert.deepEqual(end.takeSent(), trace.get('server close_notify'));
});

test('RFC 8448 §5, client › says what the trace says, asked for another share', () => {
  const trace = new Trace('rfc8448-retry.txt');
  const end = makeClient(trace);
  assert.deepEqual(end.takeSent(), trace.get('client_hello'));
  deliver(end, trace.get('hello_retry_request'));
  assert.deepEqual(end.takeSent(), secondHello(trace));
  deliver(end, trace.get('server_hello'));
  deliver(end, trace.get('server flight'));
  assert.equal(end.failure, null);
  assert.deepEqual(end.takeSent(), trace.get('client finished'));
  end.engine.close();
  assert.deepEqual(end.takeSent(), trace.get('client close_notify'));
  deliver(end, trace.get('server close_notify'));
  assert.ok(end.isPeerClosed);
});

test('RFC 8448 §5, server › says what the trace says, asks for another share', () => {
  const trace = new Trace('rfc8448-retry.txt');
  const end = makeServer(trace);
  deliver(end, trace.get('client_hello'));
  assert.deepEqual(end.takeSent(), trace.get('hello_retry_request'));
  deliver(end, secondHello(trace));
  assert.equal(end.failure, null);
  const expected = Buffer.concat([trace.get('server_hello'), trace.get('server flight')]);
  assert.deepEqual(end.takeSent(), new Uint8Array(expected));
  deliver(end, trace.get('client finished'));
  assert.ok(end.session !== null);
  deliver(end, trace.get('client close_notify'));
  end.engine.close();
  assert.deepEqual(end.takeSent(), trace.get('server close_notify'));
});

test('RFC 8448 §7, client › says what the trace says, in compatibility mode', () => {
  const trace = new Trace('rfc8448-compatible.txt');
  const end = makeClient(trace);
  assert.deepEqual(end.takeSent(), trace.get('client_hello'));
  deliver(end, trace.get('server_hello'));
  deliver(end, trace.get('change_cipher_spec'));
  deliver(end, trace.get('server flight'));
  assert.equal(end.failure, null);
  const expected = Buffer.concat([trace.get('change_cipher_spec'), trace.get('client finished')]);
  assert.deepEqual(end.takeSent(), new Uint8Array(expected));
  end.engine.close();
  assert.deepEqual(end.takeSent(), trace.get('client close_notify'));
  deliver(end, trace.get('server close_notify'));
  assert.ok(end.isPeerClosed);
});

test('RFC 8448 §7, server › says what the trace says, in compatibility mode', () => {
  const trace = new Trace('rfc8448-compatible.txt');
  const end = makeServer(trace);
  deliver(end, trace.get('client_hello'));
  assert.equal(end.failure, null);
  const parts = ['server_hello', 'change_cipher_spec', 'server flight'];
  const expected = Buffer.concat(parts.map((name) => trace.get(name)));
  assert.deepEqual(end.takeSent(), new Uint8Array(expected));
  deliver(end, trace.get('change_cipher_spec'));
  deliver(end, trace.get('client finished'));
  assert.ok(end.session !== null);
  deliver(end, trace.get('client close_notify'));
  end.engine.close();
  assert.deepEqual(end.takeSent(), trace.get('server close_notify'));
});
