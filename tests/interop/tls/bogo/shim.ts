/**
 * Plays the connections of BoGo's tests with our TLS: connects to the runner, is the client or the
 * server as told, sends back each byte turned over. One process plays all tests, one after the
 * other or several at once: what the runner starts for each is relay.sh. Read first: PORTING.md
 * beside BoringSSL's runner. A test ends with 0, 1 (and why), or 89: not implemented.
 */

import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Result } from '#core';
import type { Flow, FlowEnd, GroupName, SignatureScheme } from '#device';
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
  type TlsError,
  type TlsFlow,
  type TlsVersion,
  tlsClientConfig,
  tlsServerConfig,
} from '#tls';
import { TrustAnchors } from '#x509';
import { credentialsOf, environmentOn } from '../ours.ts';
import { parseFlags, type TestConfig, Unimplemented } from './flags.ts';

const loop = new NodeLoop();
const stack = new HostStack(loop);
const environment = environmentOn(loop);

const TEST_MS = 10_000;

const GROUPS: Readonly<Record<number, GroupName>> = {
  23: 'secp256r1',
  24: 'secp384r1',
  29: 'x25519',
};
const SCHEMES: Readonly<Record<number, SignatureScheme>> = {
  1025: 'rsa_pkcs1_sha256',
  1281: 'rsa_pkcs1_sha384',
  1537: 'rsa_pkcs1_sha512',
  1027: 'ecdsa_secp256r1_sha256',
  1283: 'ecdsa_secp384r1_sha384',
  2052: 'rsa_pss_rsae_sha256',
  2053: 'rsa_pss_rsae_sha384',
  2054: 'rsa_pss_rsae_sha512',
  2055: 'ed25519',
};
const VERSIONS: Readonly<Record<string, number>> = { 'TLS 1.2': 0x0303, 'TLS 1.3': 0x0304 };

class TestFailure extends Error {}

const named = <T>(table: Readonly<Record<number, T>>, codes: readonly number[]): T[] =>
  codes.map((code) => {
    const name = table[code];
    if (name === undefined) throw new Unimplemented(`code point ${code}`);
    return name;
  });

function commonOf(config: TestConfig) {
  const versions = (['TLS 1.3', 'TLS 1.2'] as const).filter((version) => {
    const code = VERSIONS[version]!;
    return code >= config.minVersion && code <= config.maxVersion;
  });
  if (versions.length === 0) throw new Unimplemented('old versions');
  if (config.signingPrefs.length > 0 && config.verifyPrefs.length > 0)
    throw new Unimplemented('different signatures each way');
  const schemes = named(SCHEMES, [...config.signingPrefs, ...config.verifyPrefs]);
  return {
    versions: versions as readonly TlsVersion[],
    alpn: config.alpn,
    ...(config.curves.length === 0 ? {} : { groups: named(GROUPS, config.curves) }),
    ...(schemes.length === 0 ? {} : { schemes }),
  };
}

function identityOf(config: TestConfig): Credentials | null {
  if (config.certFile === '') return null;
  const { certFile, keyFile, ocsp } = config;
  const files = { leaf: certFile, links: '', chain: certFile, key: keyFile };
  try {
    const credentials = credentialsOf(files);
    return ocsp === '' ? credentials : { ...credentials, ocsp: Buffer.from(ocsp, 'base64') };
  } catch {
    throw new Unimplemented(`the key of ${keyFile}`);
  }
}

type Opened = (result: Result<TlsFlow, TlsError>) => void;

/** The tests of one invocation: connections one after the other, with what is resumed. */
class Player {
  private readonly anchors: TrustAnchors;
  private readonly sessions = new SessionCache();
  private readonly tickets = new TicketKeys(
    nodeCrypto,
    environment.entropy,
    environment.timers.now,
  );

  constructor(anchors: TrustAnchors) {
    this.anchors = anchors;
  }

  /** Starts TLS on a flow to the runner. */
  begin(below: Flow, config: TestConfig, opened: Opened): void {
    const { anchors } = this;
    const identity = identityOf(config);
    if (config.isServer) {
      if (identity === null) throw new Unimplemented('a server without certificate');
      const settings = tlsServerConfig({
        ...commonOf(config),
        credentials: () => identity,
        clientAuth: config.clientAuth,
        clientAnchors: anchors,
        tickets: config.noTicket ? null : this.tickets,
      });
      acceptTls(below, settings, environment, opened);
      return;
    }
    const settings = tlsClientConfig({
      ...commonOf(config),
      serverName: null,
      anchors,
      credentials: identity,
      sessions: config.noTicket ? null : this.sessions,
    });
    connectTls(below, settings, environment, opened);
  }

  connection(config: TestConfig, isResume: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      // What can't be made is found out before the runner is connected to.
      commonOf(config);
      identityOf(config);
      stack.connect('::1', config.port, (result) => {
        if (!result.ok) {
          reject(new TestFailure(`connect: ${result.error.kind}`));
          return;
        }
        this.begin(result.value, config, (outcome) => {
          if (!outcome.ok) {
            reject(new TestFailure(formatTlsError(outcome.error)));
            return;
          }
          exchange(outcome.value, config, resolve, reject);
          const wrong = checkSession(outcome.value, config, isResume);
          if (wrong === null) return;
          outcome.value.abort();
          reject(new TestFailure(wrong));
        });
      });
    });
  }
}

/** What the shim does once the handshake is complete (DoExchange of bssl_shim.cc). */
function exchange(
  flow: TlsFlow,
  config: TestConfig,
  resolve: () => void,
  reject: (error: TestFailure) => void,
): void {
  flow.attach({
    data: (bytes) => flow.write(bytes.map((byte) => byte ^ 0xff)),
    drained() {},
    end: () => flow.shutdown(),
    closed: (how: FlowEnd) => {
      const { failure } = flow;
      // A runner that closes its socket before it has read all resets the connection.
      const isClean = failure === null && how === 'closed';
      const isCut = failure === null || failure.kind === 'truncated' || failure.kind === 'flow';
      if (isClean || (isCut && !config.checkCloseNotify)) resolve();
      else reject(new TestFailure(failure === null ? how : formatTlsError(failure)));
    },
  });
  if (config.writeDifferentRecordSizes) {
    for (const size of RECORD_SIZES) flow.write(new Uint8Array(size).fill(0x42));
  } else if (config.shimWritesFirst) {
    flow.write(Uint8Array.from(Buffer.from('hello')));
  }
  if (config.shimShutsDown) flow.shutdown();
}

const RECORD_SIZES = [0, 1, 255, 256, 257, 16383, 16384, 16385, 32767, 32768, 32769];

/** What of the session isn't as the test expects it; null when all is. */
function checkSession({ session }: TlsFlow, config: TestConfig, isResume: boolean): string | null {
  const { version, group, alpn, resumed, peerChain, peerScheme, ocsp, serverName } = session;
  const wrong = (what: string, got: unknown): string => `unexpected ${what}: ${got}`;
  if (resumed !== (isResume && !config.expectSessionMiss)) return wrong('resumption', resumed);
  if (config.expectVersion !== 0 && VERSIONS[version] !== config.expectVersion)
    return wrong('version', version);
  if (config.expectCurve !== 0 && group !== null && group !== (GROUPS[config.expectCurve] ?? ''))
    return wrong('group', group);
  if (config.expectAlpn !== null && (alpn ?? '') !== config.expectAlpn) return wrong('ALPN', alpn);
  if (config.expectServerName !== null && serverName !== config.expectServerName)
    return wrong('name', serverName);
  if (config.expectPeerScheme !== 0 && peerScheme !== (SCHEMES[config.expectPeerScheme] ?? ''))
    return wrong('signature', peerScheme);
  // A session that is resumed has none: nobody shows certificates.
  if (
    config.expectOcsp !== '' &&
    !resumed &&
    Buffer.from(ocsp ?? []).toString('base64') !== config.expectOcsp
  )
    return wrong('OCSP response', ocsp);
  if (config.expectPeerCertFile !== '' && peerChain.length === 0) return wrong('chain', 'none');
  return null;
}

/** Plays what one invocation asks for. */
async function play(args: readonly string[], anchors: TrustAnchors): Promise<void> {
  const { initial, resume } = parseFlags(args);
  if (initial.isServer && initial.noTicket && initial.resumeCount > 0)
    throw new Unimplemented('sessions that a server keeps');
  const player = new Player(anchors);
  for (let count = 0; count <= initial.resumeCount; count++) {
    const connection = player.connection(count === 0 ? initial : resume, count > 0);
    const late = delay(TEST_MS, undefined, { ref: false }).then(() => {
      throw new TestFailure('too slow');
    });
    await Promise.race([connection, late]);
  }
}

async function serveTest(socket: Socket, args: readonly string[], anchors: TrustAnchors) {
  const answer = (code: number, words: string): void => {
    socket.end(`${code}\n${words}`);
  };
  try {
    await play(args, anchors);
    answer(0, '');
  } catch (error) {
    if (error instanceof Unimplemented) answer(89, `unimplemented: ${error.message}`);
    else if (error instanceof TestFailure) answer(1, `${error.message}\n`);
    else throw error;
  }
}

/** Listens for relays; gives the port. `anchorsFile` is PEM: who signed the certificates. */
export function startShim(anchorsFile: string): Promise<number> {
  const anchors = TrustAnchors.fromPem(readFileSync(anchorsFile, 'utf8'));
  if (!anchors.ok) throw new Error(`no anchors in ${anchorsFile}`);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
      const [count = '', ...args] = text.split('\0');
      if (args.length <= Number(count)) return;
      socket.removeAllListeners('data');
      void serveTest(socket, args.slice(0, Number(count)), anchors.value);
    });
    socket.on('error', () => {});
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(address === null || typeof address === 'string' ? 0 : address.port);
    });
  });
}
