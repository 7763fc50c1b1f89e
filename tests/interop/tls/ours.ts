/** Our own TLS on this host's sockets, in the tests' process, as a party of the matrix. */

import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Result, wallTimeOfMillis } from '#core';
import type { Flow, FlowEnd } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { HostStack } from '#targets/node/host-stack';
import { NodeLoop } from '#targets/node/loop';
import {
  acceptTls,
  type Credentials,
  connectTls,
  formatTlsError,
  SessionCache,
  TicketKeys,
  type TlsClientConfig,
  type TlsEnvironment,
  type TlsError,
  type TlsFlow,
  type TlsServerConfig,
  tlsClientConfig,
  tlsServerConfig,
} from '#tls';
import { pemDecode, privateKeyFromPem, TrustAnchors } from '#x509';
import { ALERTS } from './alerts.ts';
import type { Credential } from './certificates.ts';
import type {
  ClientOutcome,
  ClientSettings,
  Outcome,
  Party,
  Scheme,
  ServerSettings,
  Serving,
  Talk,
  Version,
} from './party.ts';
import { SAY_MS } from './program.ts';

const loop = new NodeLoop();
const stack = new HostStack(loop);
export const environmentOn = ({ timers }: NodeLoop): TlsEnvironment => ({
  crypto: nodeCrypto,
  entropy: { fill: (out) => void randomFillSync(out) },
  clock: { wall: () => wallTimeOfMillis(Date.now()) },
  timers,
});

const environment = environmentOn(loop);

const HOST = '127.0.0.1';

function unwrap<T, E>(result: Result<T, E>, what: string): T {
  if (!result.ok) throw new Error(`${what}: ${JSON.stringify(result.error)}`);
  return result.value;
}

const anchorsOf = (file: string): TrustAnchors =>
  unwrap(TrustAnchors.fromPem(readFileSync(file, 'utf8')), file);

export function credentialsOf({ chain, key }: Credential): Credentials {
  const blocks = unwrap(pemDecode(readFileSync(chain, 'utf8')), chain);
  return {
    chain: blocks.map(({ bytes }) => bytes),
    key: unwrap(privateKeyFromPem(nodeCrypto, readFileSync(key, 'utf8')), key),
  };
}

/** What both roles' settings become; what is null there is left to our defaults. */
function commonOf(settings: ServerSettings | ClientSettings) {
  const { alpn, groups, recordBytes, suites, versions } = settings;
  return {
    alpn,
    versions: versions.map((version) => `TLS ${version}` as const),
    ...(groups === null ? {} : { groups }),
    ...(suites === null ? {} : { suites }),
    ...(recordBytes === null ? {} : { recordSizeLimit: recordBytes }),
  };
}

/** The credential whose key one of the offered schemes fits. */
function fitting(all: readonly Credentials[], offered: readonly string[]): Credentials | null {
  return all.find(({ key }) => offered.some((scheme) => fits(key.type, scheme))) ?? all[0] ?? null;
}

const fits = (type: string, scheme: string): boolean =>
  scheme.startsWith(type === 'RSA' ? 'rsa' : 'ecdsa');

export function serverConfigOf(settings: ServerSettings): TlsServerConfig {
  const credentials = settings.credentials.map(credentialsOf);
  return tlsServerConfig({
    ...commonOf(settings),
    credentials: (_name, offered) => fitting(credentials, offered),
    clientAuth: settings.clientAuth,
    clientAnchors: anchorsOf(settings.anchors),
    tickets:
      settings.resumption === 'none'
        ? null
        : new TicketKeys(nodeCrypto, environment.entropy, loop.timers.now),
  });
}

/** Sessions are kept from one connection to the next with the same settings. */
export function clientConfigOf(settings: ClientSettings, sessions = false): TlsClientConfig {
  const { credential, schemes, serverName } = settings;
  return tlsClientConfig({
    ...commonOf(settings),
    serverName,
    anchors: anchorsOf(settings.anchors),
    credentials: credential === null ? null : credentialsOf(credential),
    sessions: sessions ? new SessionCache() : null,
    ...(schemes === null ? {} : { schemes: schemes as readonly Scheme[] }),
  });
}

interface Connection {
  flow: TlsFlow | null;
  error: TlsError | null;
  ended: boolean;
  closed: FlowEnd | null;
}

function outcomeOf({ flow, error, closed }: Connection): Outcome {
  const session = flow?.session ?? null;
  const failure = error ?? flow?.failure ?? null;
  const alert = failure !== null && 'alert' in failure ? ALERTS[failure.alert ?? ''] : undefined;
  return {
    established: session !== null,
    version: session === null ? null : session.version === 'TLS 1.3' ? '1.3' : '1.2',
    suite: session?.suite ?? null,
    group: session?.group ?? null,
    alpn: session?.alpn ?? null,
    resumed: session?.resumed ?? null,
    alertIn: failure?.kind === 'alert received' ? (alert ?? 0) : null,
    alertOut: failure?.kind === 'alert sent' ? (alert ?? 0) : null,
    words: `ours: ${failure === null ? `closed: ${closed}` : formatTlsError(failure)}\n`,
  };
}

export interface OurServing extends Serving {
  readonly config: TlsServerConfig;
}

/** What a server does with a connection whose handshake is complete; an echo unless given. */
export type Application = (flow: TlsFlow) => void;

/** Serves with `config` on a port of its own. */
export async function serveWith(
  config: TlsServerConfig,
  application: Application | null = null,
): Promise<OurServing> {
  const connections: Connection[] = [];
  const received: Buffer[] = [];
  const waiting = new Set<() => void>();
  const tell = (): void => {
    for (const look of [...waiting]) look();
  };
  const accept = (below: Flow): void => {
    const connection: Connection = { flow: null, error: null, ended: false, closed: null };
    connections.push(connection);
    acceptTls(below, config, environment, (result) => {
      if (!result.ok) connection.error = result.error;
      else if (application !== null) application(result.value);
      else echo(result.value, connection, received, tell);
      if (result.ok) connection.flow = result.value;
      tell();
    });
  };
  const told = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        const last = connections[count - 1];
        if (last === undefined || (last.flow === null && last.error === null)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const listener = unwrap(await stack.listenAt(HOST, 0, accept), 'listen');
  return {
    config,
    port: listener.port,
    outcomes: () => connections.map(outcomeOf),
    received: () => Buffer.concat(received),
    told: (count) => Promise.race([told(count), delay(SAY_MS, undefined, { ref: false })]),
    async stop() {
      listener.close();
    },
  };
}

/** Sends back what comes, and ends when the peer does. */
function echo(flow: TlsFlow, connection: Connection, received: Buffer[], tell: () => void): void {
  flow.attach({
    data(bytes) {
      received.push(Buffer.from(bytes));
      flow.write(Uint8Array.from(bytes));
    },
    drained() {},
    end() {
      connection.ended = true;
      flow.shutdown();
    },
    closed(how) {
      connection.closed = how;
      tell();
    },
  });
}

/** Connects with `config`, and talks; what is to be sent is sent only when the handshake is done. */
export function connectWith(
  port: number,
  config: TlsClientConfig,
  talk: Talk,
): Promise<ClientOutcome> {
  const connection: Connection = { flow: null, error: null, ended: false, closed: null };
  const received: Buffer[] = [];
  let receivedBytes = 0;
  return new Promise((resolve) => {
    const finish = (): void =>
      resolve({ ...outcomeOf(connection), received: Buffer.concat(received) });
    const opened = (result: Result<TlsFlow, TlsError>): void => {
      if (!result.ok) {
        connection.error = result.error;
        finish();
        return;
      }
      const flow = result.value;
      connection.flow = flow;
      flow.attach({
        data(bytes) {
          received.push(Buffer.from(bytes));
          receivedBytes += bytes.length;
          if (receivedBytes >= talk.untilBytes) flow.shutdown();
        },
        drained() {},
        end: () => flow.shutdown(),
        closed(how) {
          connection.closed = how;
          finish();
        },
      });
      flow.write(Uint8Array.from(talk.send));
    };
    stack.connect(HOST, port, (result) => {
      connectTls(unwrap(result, 'connect'), config, environment, opened);
    });
  });
}

/** The versions that the matrix is played in. */
export const OUR_VERSIONS: readonly Version[] = ['1.2', '1.3'];

export const ours: Party = {
  name: 'ours',
  serve: (settings) => serveWith(serverConfigOf(settings)),
  connect: (port, settings, talk) => connectWith(port, clientConfigOf(settings), talk),
};
