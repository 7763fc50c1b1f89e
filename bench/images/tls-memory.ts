/**
 * The image of bench/tls-memory.ts: opens sessions of TLS with itself, in memory, keeps both ends,
 * and prints heap bytes an end, by state: a line "state|bytes" each.
 */

import { type TimerQueue, wallTimeOfMillis } from '#core';
import { primitives } from '#crypto/platform';
import type { Clock, Entropy, Flow, FlowHandler } from '#device';
import { launch } from '#targets/process/index';
import {
  acceptTls,
  connectTls,
  TicketKeys,
  type TlsVersion,
  tlsClientConfig,
  tlsServerConfig,
} from '#tls';
import { CertificateAuthority, TrustAnchors } from '#x509';

const COUNT = 200;
const DAY_MS = 86_400_000;
const NOTHING: FlowHandler = { data() {}, drained() {}, end() {}, closed() {} };
const PLACE = { address: '192.0.2.1', port: 443 };

const { heapBytes } = (
  globalThis as unknown as { readonly __base: { readonly memory: { heapBytes(): number } } }
).__base.memory;

/** One end of a wire that holds what was written until it is carried over. */
class Wire implements Flow {
  readonly local = PLACE;
  readonly remote = PLACE;
  readonly queuedBytes = 0;
  lowWaterBytes = 65_536;
  noDelay = true;
  handler: FlowHandler = NOTHING;
  written: Uint8Array[] | null = null;

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }

  write(bytes: Uint8Array): void {
    this.written ??= [];
    this.written.push(bytes);
  }

  /** Gives the other end what was written; false when nothing was. */
  carry(to: Wire, most = Number.POSITIVE_INFINITY): boolean {
    const { written } = this;
    if (written === null) return false;
    this.written = null;
    for (const bytes of written) to.handler.data(bytes.subarray(0, Math.min(most, bytes.length)));
    return true;
  }

  shutdown(): void {}
  abort(): void {}
  askIfAlive(): void {}
  pause(): void {}
  resume(): void {}
}

function measure(
  timers: TimerQueue,
  entropy: Entropy,
  clock: Clock,
  version: TlsVersion,
): string[] {
  const crypto = primitives;
  const env = { crypto, entropy, clock, timers };
  const validity = {
    notBefore: wallTimeOfMillis(clock.wall() - DAY_MS),
    notAfter: wallTimeOfMillis(clock.wall() + DAY_MS),
  };
  const root = CertificateAuthority.create({ crypto, entropy }, { name: 'Root', ...validity });
  const key = crypto.generatePrivateKey('P-256', entropy);
  const names = ['a.example'];
  const purposes = ['serverAuth'] as const;
  const leaf = root.issue({ names, spki: key.spki, purposes, ...validity });
  const credentials = { chain: [leaf], key };
  const versions = [version];
  const tickets = new TicketKeys(crypto, entropy, timers.now);
  const server = tlsServerConfig({ credentials: () => credentials, tickets, versions });
  const anchors = new TrustAnchors([root.certificate.raw]);
  const client = tlsClientConfig({ serverName: 'a.example', anchors, versions });
  const ends: Wire[] = [];
  const flows: Flow[] = [];
  const open = () => {
    const [a, b] = [new Wire(), new Wire()];
    ends.push(a, b);
    acceptTls(b, server, env, (result) => {
      if (!result.ok) throw new Error('no session');
      result.value.attach(NOTHING);
      flows.push(result.value);
    });
    connectTls(a, client, env, (result) => {
      if (!result.ok) throw new Error('no session');
      result.value.attach(NOTHING);
      flows.push(result.value);
    });
    while (a.carry(b) || b.carry(a));
  };
  // What is made once is made before.
  open();
  const before = heapBytes();
  for (let i = 0; i < COUNT; i++) open();
  const idle = heapBytes();
  const lines = [`${version}, idle|${Math.round((idle - before) / COUNT / 2)}`];
  for (const flow of flows) flow.write(new Uint8Array(16_000));
  for (let i = 0; i < ends.length; i += 2) {
    while (ends[i]!.carry(ends[i + 1]!) || ends[i + 1]!.carry(ends[i]!));
  }
  lines.push(
    `${version}, idle after 16 KB each way|${Math.round((heapBytes() - before) / COUNT / 2)}`,
  );
  for (const flow of flows) flow.write(new Uint8Array(16_000));
  for (let i = 0; i < ends.length; i += 2) {
    ends[i]!.carry(ends[i + 1]!, 100);
    ends[i + 1]!.carry(ends[i]!, 100);
  }
  lines.push(
    `${version}, 100 bytes of a long record|${Math.round((heapBytes() - before) / COUNT / 2)}`,
  );
  return lines;
}

launch(({ timers, entropy, clock, console }) => {
  for (const version of ['TLS 1.3', 'TLS 1.2'] as const) {
    for (const line of measure(timers, entropy, clock, version)) console.writeLine(line);
  }
  return Promise.resolve(0);
});
