/** Two ends of TLS joined in memory, for tests: what each said and was told, in virtual time. */

import { after, instantOfMicros, seconds, TimerQueue, wallTimeOfMillis } from '#core';
import type { CryptoPrimitives, PrivateKey, PrivateKeyType } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { SimRandom } from '#targets/sim/index';
import { CertificateAuthority, TrustAnchors } from '#x509';
import { ClientStart } from './client-start.ts';
import {
  type Credentials,
  type TlsClientConfig,
  type TlsEnvironment,
  type TlsServerConfig,
  tlsClientConfig,
  tlsServerConfig,
} from './config.ts';
import { type EngineHandler, TlsEngine } from './engine.ts';
import { PlainQueue } from './plain-queue.ts';
import type { TlsError } from './refusal.ts';
import { ServerStart } from './server-start.ts';
import type { TlsSession } from './session.ts';

export const NOW = wallTimeOfMillis(Date.UTC(2026, 10, 26, 12));
const DAY_MS = 86_400_000;
export const VALIDITY = {
  notBefore: wallTimeOfMillis(NOW - DAY_MS),
  notAfter: wallTimeOfMillis(NOW + 30 * DAY_MS),
};

export const entropy = new SimRandom(8_446);
export const tools = { crypto: nodeCrypto, entropy };

export function makeEnvironment(crypto: CryptoPrimitives = nodeCrypto): TlsEnvironment {
  const timers = new TimerQueue(instantOfMicros(0));
  const clock = { wall: () => wallTimeOfMillis(NOW + timers.now / 1_000) };
  return { crypto, entropy, clock, timers };
}

export const root = CertificateAuthority.create(tools, {
  name: 'Test root',
  pathLength: null,
  ...VALIDITY,
});
export const anchors = new TrustAnchors([root.certificate.raw]);

export function makeCredentials(
  type: PrivateKeyType = 'P-256',
  purposes: readonly ('serverAuth' | 'clientAuth')[] = ['serverAuth', 'clientAuth'],
  authority = root,
): Credentials {
  const key: PrivateKey = nodeCrypto.generatePrivateKey(type, entropy);
  const names = ['example.com', '192.0.2.1'];
  const leaf = authority.issue({ names, spki: key.spki, purposes, ...VALIDITY });
  return { chain: [leaf], key };
}

export const credentials = makeCredentials();

export const serverConfig = (given: Partial<TlsServerConfig> = {}): TlsServerConfig =>
  tlsServerConfig({ credentials: () => credentials, ...given });

export const clientConfig = (given: Partial<TlsClientConfig> = {}): TlsClientConfig =>
  tlsClientConfig({ serverName: 'example.com', anchors, ...given });

/** One end: an engine, what it said, and what it was told. */
export class TestEnd implements EngineHandler {
  readonly engine: TlsEngine;
  session: TlsSession | null = null;
  failure: TlsError | null = null;
  isPeerClosed = false;
  isCongested = false;
  /** Records that the other end hasn't got yet. */
  readonly sent: Uint8Array[] = [];
  private readonly pieces: Uint8Array[] = [];

  constructor(env: TlsEnvironment) {
    this.engine = new TlsEngine(env, this);
  }

  sendRecords(records: Uint8Array): void {
    this.sent.push(records);
  }

  handshakeDone(session: TlsSession): void {
    this.session = session;
  }

  received(bytes: Uint8Array): void {
    this.pieces.push(bytes.slice());
  }

  peerClosed(): void {
    this.isPeerClosed = true;
  }

  failed(error: TlsError): void {
    this.failure = error;
  }

  write(bytes: Uint8Array | string): void {
    const queue = new PlainQueue();
    queue.push(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
    this.engine.writeQueued(queue, queue.bytes);
  }

  /** All data so far, and forgets it. */
  takeText(): string {
    return Buffer.from(this.takeBytes()).toString();
  }

  takeBytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.pieces.splice(0)));
  }

  takeSent(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.sent.splice(0)));
  }

  /** What the alert was that it sent or got; null: none. */
  get alert(): string | null {
    const { failure } = this;
    if (failure?.kind !== 'alert sent' && failure?.kind !== 'alert received') return null;
    return `${failure.kind === 'alert sent' ? 'sent' : 'received'} ${failure.alert}`;
  }
}

export interface PairOptions {
  readonly env?: TlsEnvironment;
  readonly server?: Partial<TlsServerConfig>;
  readonly client?: Partial<TlsClientConfig>;
}

export class TestPair {
  readonly env: TlsEnvironment;
  readonly client: TestEnd;
  readonly server: TestEnd;

  constructor({ env, server, client }: PairOptions = {}) {
    this.env = env ?? makeEnvironment();
    this.client = new TestEnd(this.env);
    this.server = new TestEnd(this.env);
    new ServerStart(this.server.engine, serverConfig(server));
    new ClientStart(this.client.engine, clientConfig(client), 'example.com 443').start();
  }

  /** Carries records both ways, whole, until nobody says anything. */
  run(): this {
    for (let round = 0; round < 50; round++) {
      const toServer = this.client.takeSent();
      const toClient = this.server.takeSent();
      if (toServer.length === 0 && toClient.length === 0) return this;
      deliver(this.server, toServer);
      deliver(this.client, toClient);
    }
    throw new Error('they never stop talking');
  }

  pass(count: number): void {
    this.env.timers.run(after(this.env.timers.now, seconds(count)));
  }
}

/** Gives `bytes` to an end, in memory that is overwritten afterwards. */
export function deliver(end: TestEnd, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  const borrowed = bytes.slice();
  end.engine.receive(borrowed);
  borrowed.fill(0xa5);
  end.engine.checkInvariants();
}

/** A pair whose handshake is complete, with nothing under way. */
export function openPair(options: PairOptions = {}): TestPair {
  const pair = new TestPair(options).run();
  if (pair.client.session === null || pair.server.session === null) {
    const failures = [pair.client.failure, pair.server.failure];
    throw new Error(`no handshake: ${JSON.stringify(failures)}`);
  }
  return pair;
}
