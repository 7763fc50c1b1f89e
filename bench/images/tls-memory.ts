/**
 * An image that measures what connections of TLS cost in its own engine: both ends are in it, on
 * flows that are nothing but calls, and the clients are closed before the servers are weighed; then
 * what is left of servers that are closed too, with nobody collecting garbage.
 * `connection-memory.ts` of the folder above builds and runs it.
 */

import { type Duration, instantOfMicros, type Result, TimerQueue } from '#core';
import type { Flow, FlowHandler, Machine } from '#device';
import { primitives } from '#targets/base/crypto';
import { launch } from '#targets/process/index';
import {
  acceptTls,
  connectTls,
  TicketKeys,
  type TlsEnvironment,
  type TlsError,
  type TlsFlow,
  type TlsVersion,
  tlsClientConfig,
  tlsServerConfig,
} from '#tls';
import { CertificateAuthority, TrustAnchors } from '#x509';

const COUNT = 200;
const STATES = ['open', 'after a request', 'closed'] as const;
/** What the first ones make once isn't theirs. */
const UNCOUNTED = 8;
const DAY_MILLIS = 86_400_000;

const { heapBytes } = (
  globalThis as unknown as { readonly __base: { readonly memory: { heapBytes(): number } } }
).__base.memory;

const END = { address: '10.0.0.1', port: 443 };

/** One end of a pair; what is written waits until `carry`. */
class Half implements Flow {
  readonly local = END;
  readonly remote = END;
  readonly queuedBytes = 0;
  lowWaterBytes = 65_536;
  noDelay = false;
  handler: FlowHandler | null = null;
  written: Uint8Array[] = [];

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }

  write(bytes: Uint8Array): void {
    this.written.push(bytes);
  }

  /** True when there was something to carry. */
  carry(to: Half): boolean {
    const { written } = this;
    this.written = [];
    for (const bytes of written) to.handler?.data(bytes);
    return written.length > 0;
  }

  /** As a flow of TCP's does, it forgets whom it told. */
  close(): void {
    const { handler } = this;
    this.handler = null;
    handler?.closed('closed');
  }

  shutdown(): void {}
  abort(): void {}
  askIfAlive(_idle: Duration | null): void {}
  pause(): void {}
  resume(): void {}
}

function makeConfigs(env: TlsEnvironment, version: TlsVersion) {
  const { clock, crypto, entropy, timers } = env;
  const now = clock.wall();
  const validity = { notBefore: now, notAfter: (now + DAY_MILLIS) as typeof now };
  const tools = { crypto, entropy };
  const root = CertificateAuthority.create(tools, { name: 'Root', ...validity });
  const key = crypto.generatePrivateKey('P-256', entropy);
  const options = { names: ['bench.test'], spki: key.spki, purposes: ['serverAuth'] as const };
  const chain = [root.issue({ ...options, ...validity })];
  const server = tlsServerConfig({
    credentials: () => ({ chain, key }),
    tickets: new TicketKeys(crypto, entropy, timers.now),
    versions: [version],
  });
  const anchors = new TrustAnchors([root.certificate.raw]);
  return { server, client: tlsClientConfig({ serverName: 'bench.test', anchors }) };
}

function measure(machine: Machine, version: TlsVersion, state: (typeof STATES)[number]): void {
  const timers = new TimerQueue(instantOfMicros(0));
  const { clock, entropy } = machine;
  const env = { crypto: primitives, entropy, clock, timers };
  const { client, server } = makeConfigs(env, version);
  const kept: TlsFlow[] = [];
  const open = (keep: TlsFlow[]) => (result: Result<TlsFlow, TlsError>) => {
    if (!result.ok) throw new Error(JSON.stringify(result.error));
    const flow = result.value;
    keep.push(flow);
    flow.attach({
      data: (bytes) => flow.write(bytes.slice()),
      drained() {},
      end() {},
      closed() {},
    });
  };
  let began = 0;
  for (let i = 0; i < COUNT; i++) {
    if (i === UNCOUNTED) began = heapBytes();
    const [ours, theirs] = [new Half(), new Half()];
    const clients: TlsFlow[] = [];
    acceptTls(ours, server, env, open(kept));
    connectTls(theirs, client, env, open(clients));
    while (theirs.carry(ours) || ours.carry(theirs));
    if (state === 'after a request') {
      // One round of data, which the client doesn't answer any more.
      clients[0]?.write(new Uint8Array(300));
      theirs.carry(ours);
      ours.written = [];
    }
    theirs.close();
    if (state !== 'closed') continue;
    ours.close();
    kept.pop();
  }
  timers.run(instantOfMicros(20e6));
  const bytes = Math.round((heapBytes() - began) / (COUNT - UNCOUNTED));
  machine.console.writeLine(`${version}, ${state}|${bytes}|0|${kept.length} connections`);
}

launch((machine) => {
  for (const version of ['TLS 1.3', 'TLS 1.2'] as const) {
    for (const state of STATES) measure(machine, version, state);
  }
  return Promise.resolve(0);
});
