/** Name servers of the tests' own, behind a transport in virtual time. */

import assert from 'node:assert/strict';
import { after, type Duration, instantOfMicros, micros, millis, Timer, TimerQueue } from '#core';
import type { Endpoint } from '#device';
import { SimRandom } from '#targets/sim/index';
import type { DnsLimits } from './limits.ts';
import { Resolver } from './resolver.ts';
import type { Outcome } from './response.ts';
import type { DnsExchange, DnsExchangeHandler, DnsTransport } from './transport.ts';
import {
  CLASS_IN,
  type DnsMessage,
  type DnsRecord,
  dnsType,
  emitDns,
  parseDns,
  type RecordData,
} from './wire/index.ts';

export const record = (
  name: string,
  type: number,
  data: RecordData,
  ttlSeconds = 60,
): DnsRecord => ({ name, type, class: CLASS_IN, ttlSeconds, data });
export const a = (name: string, address: string, ttlSeconds = 60): DnsRecord =>
  record(name, dnsType.a, { kind: 'address', address }, ttlSeconds);
export const aaaa = (name: string, address: string, ttlSeconds = 60): DnsRecord =>
  record(name, dnsType.aaaa, { kind: 'address', address }, ttlSeconds);
export const cname = (name: string, target: string, ttlSeconds = 60): DnsRecord =>
  record(name, dnsType.cname, { kind: 'name', name: target }, ttlSeconds);
export const soa = (zone: string, minimumSeconds: number, ttlSeconds = 3_600): DnsRecord =>
  record(
    zone,
    dnsType.soa,
    {
      kind: 'soa',
      primary: `ns.${zone}`,
      mailbox: `root.${zone}`,
      serial: 1,
      refreshSeconds: 1,
      retrySeconds: 1,
      expireSeconds: 1,
      minimumSeconds,
    },
    ttlSeconds,
  );

/** The answer to `query` with `parts` in place of an empty NOERROR. */
export function reply(query: DnsMessage, parts: Partial<DnsMessage> = {}): DnsMessage {
  return {
    ...query,
    isResponse: true,
    recursionAvailable: true,
    answers: [],
    authorities: [],
    additionals: [],
    edns: query.edns === null ? null : { ...query.edns, options: [] },
    ...parts,
  };
}

export function bytesOf(message: DnsMessage): Uint8Array {
  const bytes = new Uint8Array(65_535);
  return bytes.slice(0, emitDns(bytes, message));
}

export interface Asked {
  readonly server: string;
  readonly query: DnsMessage;
  readonly over: 'datagram' | 'stream';
  readonly at: number;
}

type Said = DnsMessage | Uint8Array | 'refused';
/** What a server says to a query: any number of messages, none for silence. */
export type Server = (asked: Asked) => readonly Said[] | Said;

const ANSWER_DELAY: Duration = millis(10);

/** A resolver, its servers and its time. */
export class DnsBench implements DnsTransport {
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly random = new SimRandom(1);
  readonly asked: Asked[] = [];
  readonly servers = new Map<string, Server>();
  readonly resolver: Resolver;
  /** Exchanges that weren't cancelled. */
  open = 0;

  constructor(servers: Readonly<Record<string, Server>>, limits: Partial<DnsLimits> = {}) {
    for (const [address, server] of Object.entries(servers)) this.servers.set(address, server);
    const { timers, random: entropy } = this;
    this.resolver = new Resolver({ transport: this, timers, entropy, limits });
    this.configure(Object.keys(servers));
  }

  configure(addresses: readonly string[], search: readonly string[] = [], ndots = 1): void {
    const servers = addresses.map((address) => ({ address, port: 53 }));
    this.resolver.configure({ servers, search, ndots });
  }

  datagram(server: Endpoint, query: Uint8Array, handler: DnsExchangeHandler): DnsExchange {
    return this.exchange(server, query, 'datagram', handler);
  }

  stream(server: Endpoint, query: Uint8Array, handler: DnsExchangeHandler): DnsExchange {
    return this.exchange(server, query, 'stream', handler);
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }

  /** The outcome of one question, however long it takes. */
  ask(name: string, type: number = dnsType.a): Outcome {
    const outcomes: Outcome[] = [];
    this.resolver.resolve(name, type, (outcome) => outcomes.push(outcome));
    this.pass(1_000, () => outcomes.length > 0);
    return outcomes[0] ?? fail(`no outcome for ${name}`);
  }

  /** Lets up to `count` seconds pass, with all that happens in between. */
  pass(count: number, isEnough: () => boolean = () => false): void {
    const end = after(this.timers.now, micros(Math.round(count * 1_000_000)));
    while (!isEnough()) {
      const next = this.timers.nextDeadline();
      if (next > end) {
        this.timers.run(end);
        return;
      }
      this.timers.run(next);
      this.resolver.checkInvariants();
    }
  }

  private exchange(
    server: Endpoint,
    query: Uint8Array,
    over: Asked['over'],
    handler: DnsExchangeHandler,
  ): DnsExchange {
    const parsed = parseDns(query);
    if (!parsed.ok) return fail('the resolver sent what is no message');
    const asked = { server: server.address, query: parsed.value, over, at: this.timers.now };
    this.asked.push(asked);
    const said = [this.servers.get(server.address)?.(asked) ?? []].flat() as Said[];
    let isOver = false;
    this.open += 1;
    const answer = new Timer(() => {
      for (const one of said) {
        if (isOver) return;
        if (one === 'refused') handler.failed();
        else handler.message(one instanceof Uint8Array ? one : bytesOf(one));
      }
    });
    this.timers.arm(answer, after(this.timers.now, ANSWER_DELAY));
    return {
      cancel: () => {
        if (!isOver) this.open -= 1;
        isOver = true;
        this.timers.stop(answer);
      },
    };
  }
}

function fail(what: string): never {
  throw new Error(what);
}

export const NS = '192.0.2.53';
export const OTHER = '192.0.2.54';

/** Answers every question of type A with one address. */
export const answers =
  (address: string, ttlSeconds = 60): Server =>
  ({ query }) =>
    reply(query, { answers: [a(query.questions[0]!.name, address, ttlSeconds)] });
export const says =
  (code: number): Server =>
  ({ query }) =>
    reply(query, { code });
export const silent: Server = () => [];

export const addresses = (outcome: Outcome): string[] =>
  outcome.ok ? outcome.value.records.map(addressOf) : assert.fail(outcome.error.kind);
const addressOf = (data: RecordData): string =>
  data.kind === 'address' ? data.address : data.kind;
export const errorOf = (outcome: Outcome): string => (outcome.ok ? 'ok' : outcome.error.kind);
