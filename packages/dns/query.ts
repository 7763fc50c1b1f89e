/**
 * One question on its way: which server, over what, until when. Every question gets a random id,
 * letters in random case and a port of its own (RFC 5452), and waits longer each round. Read first:
 * response.ts, transport.ts. Not here: who asked (resolver.ts).
 */

import { after, assertNever, type Duration, readU16be, Timer, type TimerQueue } from '#core';
import type { Entropy } from '#device';
import type { DnsLimits } from './limits.ts';
import { type Asked, judge, type Outcome, type Verdict } from './response.ts';
import type { NameServer, NameServers } from './servers.ts';
import type { DnsExchange, DnsTransport } from './transport.ts';
import {
  CLASS_IN,
  DNS_HEADER_BYTES,
  type DnsEdns,
  type DnsMessage,
  emitDns,
  mixCase,
  NAME_BYTES_MAX,
  parseDns,
} from './wire/index.ts';

/** What all questions of a resolver share. */
export interface QueryContext {
  readonly transport: DnsTransport;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  readonly limits: DnsLimits;
  readonly counters: QueryCounters;
}

export interface QueryCounters {
  dnsQueries: number;
  dnsStreams: number;
  dnsRetries: number;
  dnsMalformed: number;
  dnsForeign: number;
  dnsFailures: number;
  dnsWithoutEdns: number;
}

/** RFC 7830 §3, RFC 8467 §4.1. */
const OPTION_PADDING = 12;
const PADDED_TO_BYTES = 128;
/** Header, question, OPT with padding. */
const QUERY_BYTES_MAX = DNS_HEADER_BYTES + NAME_BYTES_MAX + 4 + 11 + 4 + PADDED_TO_BYTES;

export type QueryDone = (outcome: Outcome, ttlSeconds: number) => void;

export class Query {
  private readonly context: QueryContext;
  private readonly servers: NameServers;
  private readonly type: number;
  private readonly done: QueryDone;
  private name: string;
  /** Servers that may still be asked. */
  private left: NameServer[];
  /** Index of the next one in `left`. */
  private next = 0;
  private round = 0;
  private aliases = 0;
  /** Least of the aliases so far. */
  private aliasTtlSeconds = Number.POSITIVE_INFINITY;
  private lastCode: number | null = null;
  private exchanges: DnsExchange[] = [];
  private isDone = false;
  private readonly timer = new Timer(() => this.waited());
  private current: NameServer | null = null;
  /** Numbers the exchanges: only the last one's failure means anything. */
  private attempts = 0;

  /** `done` is called once, never within the constructor or `start`. */
  constructor(
    context: QueryContext,
    servers: NameServers,
    name: string,
    type: number,
    done: QueryDone,
  ) {
    this.context = context;
    this.servers = servers;
    this.name = name;
    this.type = type;
    this.done = done;
    this.left = servers.ordered();
  }

  start(): void {
    this.askNext();
  }

  cancel(): void {
    this.isDone = true;
    this.context.timers.stop(this.timer);
    this.giveUp();
  }

  /** At least one server is left, or the question has failed. */
  private askNext(): void {
    if (this.next >= this.left.length) {
      this.next = 0;
      this.round += 1;
    }
    const server = this.left[this.next];
    if (server === undefined || this.round >= this.context.limits.roundsMax) {
      this.fail();
      return;
    }
    this.next += 1;
    this.ask(server, server.isPrivate);
  }

  private ask(server: NameServer, byStream: boolean): void {
    const { context } = this;
    const { limits, counters, transport, timers } = context;
    const asked = this.newQuestion(server, byStream);
    const query = this.emit(asked, server.isPrivate);
    this.current = server;
    if (this.exchanges.length >= limits.exchangesMax) this.exchanges.shift()!.cancel();
    let mismatches = 0;
    const message = (bytes: Uint8Array): void => {
      const parsed = parseDns(bytes);
      if (!parsed.ok) counters.dnsMalformed += 1;
      const verdict: Verdict = parsed.ok ? judge(parsed.value, asked, limits) : { kind: 'foreign' };
      if (verdict.kind !== 'foreign') {
        this.judged(server, verdict);
        return;
      }
      counters.dnsForeign += 1;
      mismatches += 1;
      // On a stream nobody else can write: the server is broken.
      if (byStream) this.judged(server, { kind: 'failure', code: 0 });
      else if (mismatches > limits.mismatchesMax) this.judged(server, { kind: 'stream' });
    };
    this.attempts += 1;
    const attempt = this.attempts;
    const failed = (): void => {
      if (this.attempts === attempt) this.askNextInstead();
    };
    counters.dnsQueries += 1;
    if (byStream) counters.dnsStreams += 1;
    const send = byStream ? 'stream' : 'datagram';
    this.exchanges.push(transport[send](server.endpoint, query, { message, failed }));
    timers.arm(this.timer, after(timers.now, byStream ? limits.streamWait : this.wait()));
  }

  private wait(): Duration {
    const { datagramWait, datagramWaitMax } = this.context.limits;
    return Math.min(datagramWait * 2 ** this.round, datagramWaitMax) as Duration;
  }

  private newQuestion(server: NameServer, byStream: boolean): Asked {
    // RFC 5452 §9.1: as many unpredictable bits as a message has room for.
    const random = new Uint8Array(2 + Math.ceil(this.name.length / 8));
    this.context.entropy.fill(random);
    const name = mixCase(this.name, random.subarray(2));
    const question = { name, type: this.type, class: CLASS_IN };
    return { id: readU16be(random, 0), question, withEdns: server.takesEdns, byStream };
  }

  private emit(asked: Asked, isPadded: boolean): Uint8Array {
    const query = new Uint8Array(QUERY_BYTES_MAX);
    const count = emitDns(query, this.message(asked, []));
    if (!isPadded || !asked.withEdns) return query.subarray(0, count);
    // RFC 8467 §4.1: so that lengths tell little of what is asked.
    const paddingBytes = (PADDED_TO_BYTES - ((count + 4) % PADDED_TO_BYTES)) % PADDED_TO_BYTES;
    const padding = { code: OPTION_PADDING, value: new Uint8Array(paddingBytes) };
    return query.subarray(0, emitDns(query, this.message(asked, [padding])));
  }

  private message({ id, question, withEdns }: Asked, options: DnsEdns['options']): DnsMessage {
    return {
      id,
      isResponse: false,
      opcode: 0,
      authoritative: false,
      truncated: false,
      recursionDesired: true,
      recursionAvailable: false,
      authenticData: false,
      checkingDisabled: false,
      code: 0,
      questions: [question],
      answers: [],
      authorities: [],
      additionals: [],
      edns: withEdns
        ? {
            datagramBytes: this.context.limits.datagramBytesMax,
            extendedCode: 0,
            version: 0,
            dnssecOk: false,
            options,
          }
        : null,
    };
  }

  private judged(server: NameServer, verdict: Exclude<Verdict, { kind: 'foreign' }>): void {
    switch (verdict.kind) {
      case 'outcome':
        this.servers.answered(server);
        this.finish(verdict.outcome, Math.min(verdict.ttlSeconds, this.aliasTtlSeconds));
        return;
      case 'alias':
        this.servers.answered(server);
        this.followAlias(server, verdict.target, verdict.ttlSeconds);
        return;
      case 'stream':
        this.giveUp();
        this.ask(server, true);
        return;
      case 'plain':
        server.takesEdns = false;
        this.context.counters.dnsWithoutEdns += 1;
        this.giveUp();
        this.ask(server, server.isPrivate);
        return;
      case 'failure':
        this.drop(server, verdict.code);
        return;
      default:
        assertNever(verdict);
    }
  }

  /** The same servers from the beginning, for the alias's target. */
  private followAlias(server: NameServer, target: string, ttlSeconds: number): void {
    const { limits } = this.context;
    this.aliases += 1;
    if (this.aliases > limits.aliasesMax) {
      this.drop(server, 0);
      return;
    }
    this.aliasTtlSeconds = Math.min(this.aliasTtlSeconds, ttlSeconds);
    this.giveUp();
    this.name = target;
    this.left = this.servers.ordered();
    this.next = 0;
    this.round = 0;
    this.askNext();
  }

  /** `server` said that it has no answer: it isn't asked again for this one. */
  private drop(server: NameServer, code: number): void {
    this.context.counters.dnsFailures += 1;
    this.lastCode = code;
    this.servers.failed(server);
    const at = this.left.indexOf(server);
    if (at >= 0) {
      this.left.splice(at, 1);
      if (at < this.next) this.next -= 1;
    }
    // A late refusal of a server that was given up: another one is being waited for.
    if (this.current !== server && this.left.length > 0) return;
    this.giveUp();
    this.askNext();
  }

  /** The wait is over: the next server, while a late answer of this one is still welcome. */
  private waited(): void {
    this.askNextInstead();
  }

  private askNextInstead(): void {
    if (this.current !== null) this.servers.failed(this.current);
    this.context.counters.dnsRetries += 1;
    this.askNext();
  }

  private fail(): void {
    const { lastCode } = this;
    const { failureTtlSeconds } = this.context.limits;
    this.finish(
      lastCode === null
        ? { ok: false, error: { kind: 'name servers silent' } }
        : { ok: false, error: { kind: 'name servers failed', code: lastCode } },
      failureTtlSeconds,
    );
  }

  private finish(outcome: Outcome, ttlSeconds: number): void {
    if (this.isDone) return;
    this.cancel();
    this.done(outcome, ttlSeconds);
  }

  private giveUp(): void {
    for (const exchange of this.exchanges) exchange.cancel();
    this.exchanges = [];
  }
}
