/**
 * A DNS proxy (RFC 5625): answers names that it knows itself, and passes other questions on as they
 * are, with an id and a port that nobody can guess (RFC 5452). What comes back is the answer when
 * it repeats the question. Options of EDNS, truncation and unknown types pass through. Read first:
 * transport.ts, local-zone.ts. Not here: sockets of clients (forwarder-server.ts), a cache.
 */

import { after, assert, hot, readU16be, Timer, type TimerQueue, writeU16be } from '#core';
import { type Endpoint, type Entropy, formatIpv6Text, parseIpv6Text } from '#device';
import { DEFAULT_FORWARDER_LIMITS, type ForwarderLimits } from './limits.ts';
import { answerLocally, type LocalNames } from './local-zone.ts';
import type { DnsExchange, DnsTransport } from './transport.ts';
import {
  CLASS_IN,
  DNS_DATAGRAM_BYTES,
  DNS_HEADER_BYTES,
  type DnsMessage,
  dnsCode,
  emitDns,
  parseDns,
} from './wire/index.ts';

const RESPONSE_BIT = 0x80;
const TRUNCATED_BIT = 0x02;
/** Zone transfers are many messages, and nobody's business here. */
const TYPE_IXFR = 251;
const TYPE_AXFR = 252;

export interface ForwarderOptions {
  readonly transport: DnsTransport;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  /** Asked in turn; none: what isn't known here is SERVFAIL. */
  readonly servers: readonly Endpoint[];
  readonly local: LocalNames;
  readonly limits?: ForwarderLimits;
}

/** Who asks: equal for a question that is sent again. */
export interface DnsClient {
  /** Of the address and port. */
  readonly key: string;
  /** Its address: those of one share a bound. */
  readonly host: string;
  readonly isStream: boolean;
  /** Takes the answer, at most once a question; the bytes are the client's. */
  answer(bytes: Uint8Array): void;
}

export class Forwarder {
  readonly counters = {
    dnsServed: 0,
    dnsLocal: 0,
    dnsForwarded: 0,
    dnsAnswered: 0,
    /** Sent again by the client while we ask. */
    dnsRepeated: 0,
    /** Not a query, or too short to be answered: dropped. */
    dnsNotQuery: 0,
    dnsFormatErrors: 0,
    dnsNotImplemented: 0,
    dnsRefused: 0,
    dnsServerFailures: 0,
    /** Past forwardsMax, forwardsPerHostMax. */
    dnsForwardsFull: 0,
    dnsForwardsHostFull: 0,
    dnsServerSilent: 0,
    /** Messages of a server that answer another question. */
    dnsForwardMismatches: 0,
    /** Longer than the client takes: cut, and said so. */
    dnsCut: 0,
  };
  readonly transport: DnsTransport;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  readonly limits: ForwarderLimits;
  private readonly local: LocalNames;
  private servers: readonly Endpoint[];
  private readonly forwards = new Map<string, Forward>();
  private readonly forwardsOf = new Map<string, number>();

  constructor(options: ForwarderOptions) {
    this.transport = options.transport;
    this.timers = options.timers;
    this.entropy = options.entropy;
    this.local = options.local;
    this.limits = options.limits ?? DEFAULT_FORWARDER_LIMITS;
    this.servers = [];
    this.configure(options.servers);
  }

  /** Asks these servers from now on, as many as are used. */
  configure(servers: readonly Endpoint[]): void {
    // Spelled as the host spells those who answer.
    this.servers = servers.slice(0, this.limits.serversMax).map(({ address, port }) => {
      const bytes = parseIpv6Text(address);
      return { address: bytes === null ? address : formatIpv6Text(bytes), port };
    });
  }

  get pending(): number {
    return this.forwards.size;
  }

  /**
   * A message from a client, borrowed for this call; may answer within it. False when no answer
   * comes: it is no query, or one that is being asked already.
   */
  handle(bytes: Uint8Array, client: DnsClient): boolean {
    const isQuery = bytes.length >= DNS_HEADER_BYTES && (bytes[2]! & RESPONSE_BIT) === 0;
    if (!isQuery) {
      this.counters.dnsNotQuery += 1;
      return false;
    }
    this.counters.dnsServed += 1;
    const parsed = parseDns(bytes);
    const code = parsed.ok ? this.objection(parsed.value) : dnsCode.formatError;
    if (code !== dnsCode.noError || !parsed.ok) {
      this.fail(bytes, code, client);
      return true;
    }
    const query = parsed.value;
    const answer = answerLocally(query, this.local);
    if (answer === null) return this.forward(bytes, query, client);
    this.counters.dnsLocal += 1;
    client.answer(emitted(answer));
    return true;
  }

  /** Called by Forward when it is over. */
  ended(forward: Forward): void {
    this.forwards.delete(forward.key);
    const left = (this.forwardsOf.get(forward.host) ?? 0) - 1;
    if (left > 0) this.forwardsOf.set(forward.host, left);
    else this.forwardsOf.delete(forward.host);
  }

  /** Gives everything up. */
  close(): void {
    for (const forward of [...this.forwards.values()]) forward.cancel();
  }

  checkInvariants(): void {
    assert(this.forwards.size <= this.limits.forwardsMax);
    for (const [key, forward] of this.forwards) assert(forward.key === key);
    let sum = 0;
    for (const count of this.forwardsOf.values()) {
      assert(count > 0 && count <= this.limits.forwardsPerHostMax);
      sum += count;
    }
    assert(sum === this.forwards.size);
  }

  /** Answers with nothing but a code: all that can be said about any message. */
  fail(query: Uint8Array, code: number, client: DnsClient): void {
    if (code === dnsCode.formatError) this.counters.dnsFormatErrors += 1;
    if (code === dnsCode.notImplemented) this.counters.dnsNotImplemented += 1;
    if (code === dnsCode.refused) this.counters.dnsRefused += 1;
    if (code === dnsCode.serverFailure) this.counters.dnsServerFailures += 1;
    client.answer(failureOf(query, code));
  }

  /** Why a query isn't answered; noError: it is. */
  private objection(query: DnsMessage): number {
    if (query.opcode !== 0) return dnsCode.notImplemented;
    const [question] = query.questions;
    if (question === undefined || query.questions.length !== 1) return dnsCode.formatError;
    const isTransfer = question.type === TYPE_AXFR || question.type === TYPE_IXFR;
    return isTransfer || question.class !== CLASS_IN ? dnsCode.refused : dnsCode.noError;
  }

  private forward(bytes: Uint8Array, query: DnsMessage, client: DnsClient): boolean {
    const { name, type } = query.questions[0]!;
    const key = `${client.key} ${query.id} ${type} ${name}`;
    if (this.forwards.has(key)) {
      this.counters.dnsRepeated += 1;
      return false;
    }
    if (this.servers.length === 0) {
      this.fail(bytes, dnsCode.serverFailure, client);
      return true;
    }
    if (this.forwards.size >= this.limits.forwardsMax) {
      this.counters.dnsForwardsFull += 1;
      this.fail(bytes, dnsCode.serverFailure, client);
      return true;
    }
    const ofHost = this.forwardsOf.get(client.host) ?? 0;
    if (ofHost >= this.limits.forwardsPerHostMax) {
      this.counters.dnsForwardsHostFull += 1;
      this.fail(bytes, dnsCode.serverFailure, client);
      return true;
    }
    this.counters.dnsForwarded += 1;
    this.forwardsOf.set(client.host, ofHost + 1);
    const forward = new Forward(this, key, bytes.slice(), query, client, this.servers);
    this.forwards.set(key, forward);
    forward.start();
    return true;
  }
}

/** One question on its way to the servers. */
class Forward {
  readonly key: string;
  private readonly owner: Forwarder;
  private readonly bytes: Uint8Array;
  private readonly query: DnsMessage;
  private readonly client: DnsClient;
  private readonly servers: readonly Endpoint[];
  private readonly timer = new Timer(() => this.silent());
  /** What was asked, oldest first: a late answer is as good. */
  private exchanges: DnsExchange[] = [];
  private attempts = 0;
  private mismatches = 0;
  /** What a server said that couldn't answer, for want of better. */
  private excuse: Uint8Array | null = null;
  private isOver = false;

  constructor(
    owner: Forwarder,
    key: string,
    bytes: Uint8Array,
    query: DnsMessage,
    client: DnsClient,
    servers: readonly Endpoint[],
  ) {
    this.owner = owner;
    this.key = key;
    this.bytes = bytes;
    this.query = query;
    this.client = client;
    this.servers = servers;
  }

  get host(): string {
    return this.client.host;
  }

  start(): void {
    this.ask();
  }

  cancel(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.owner.timers.stop(this.timer);
    for (const exchange of this.exchanges) exchange.cancel();
    this.exchanges = [];
    this.owner.ended(this);
  }

  private ask(): void {
    const { owner, servers, attempts } = this;
    const { limits, transport, timers } = owner;
    if (attempts >= servers.length * limits.roundsMax) {
      this.giveUp();
      return;
    }
    this.attempts += 1;
    const server = servers[attempts % servers.length]!;
    const random = new Uint8Array(2);
    owner.entropy.fill(random);
    const id = readU16be(random, 0);
    const question = this.bytes.slice();
    writeU16be(question, 0, id);
    const handler = {
      message: (bytes: Uint8Array) => this.heard(bytes, id),
      failed: () => {
        if (this.attempts === attempts + 1) this.ask();
      },
    };
    const send = this.client.isStream ? 'stream' : 'datagram';
    this.exchanges.push(transport[send](server, question, handler));
    timers.arm(this.timer, after(timers.now, limits.serverWait));
  }

  private silent(): void {
    this.owner.counters.dnsServerSilent += 1;
    this.ask();
  }

  private heard(bytes: Uint8Array, id: number): void {
    if (this.isOver) return;
    // Who doesn't understand a question may not repeat it (RFC 6891 §7): only the code counts.
    const isBare = isBareFailure(bytes, id);
    if (!isBare && !this.isAnswer(bytes, id)) {
      const { counters, limits } = this.owner;
      counters.dnsForwardMismatches += 1;
      this.mismatches += 1;
      // Somebody guesses (RFC 5452 §9.2), or the server is broken.
      if (this.mismatches > limits.mismatchesMax) this.giveUp();
      return;
    }
    const code = bytes[3]! & 15;
    const answer = isBare ? failureOf(this.bytes, code) : bytes.slice();
    if (code === dnsCode.serverFailure || code === dnsCode.refused) {
      this.excuse = answer;
      this.ask();
      return;
    }
    this.finish(answer);
  }

  /** The same question, in the same letters: RFC 5452 §9.1. */
  private isAnswer(bytes: Uint8Array, id: number): boolean {
    if (bytes.length < DNS_HEADER_BYTES || readU16be(bytes, 0) !== id) return false;
    if ((bytes[2]! & RESPONSE_BIT) === 0 || readU16be(bytes, 4) !== 1) return false;
    const end = questionEnd(this.bytes);
    const count = end - DNS_HEADER_BYTES;
    return (
      bytes.length >= end && hot.equal(bytes, DNS_HEADER_BYTES, this.bytes, DNS_HEADER_BYTES, count)
    );
  }

  private giveUp(): void {
    if (this.excuse !== null) {
      this.finish(this.excuse);
      return;
    }
    const { owner, bytes, client } = this;
    this.cancel();
    owner.fail(bytes, dnsCode.serverFailure, client);
  }

  private finish(answer: Uint8Array): void {
    const { owner, client, query } = this;
    this.cancel();
    owner.counters.dnsAnswered += 1;
    writeU16be(answer, 0, query.id);
    const bytesMax = query.edns?.datagramBytes ?? DNS_DATAGRAM_BYTES;
    if (client.isStream || answer.length <= bytesMax) {
      client.answer(answer);
      return;
    }
    owner.counters.dnsCut += 1;
    const cut = answer.slice(0, questionEnd(answer));
    cut[2] = cut[2]! | TRUNCATED_BIT;
    for (const at of [6, 8, 10]) writeU16be(cut, at, 0);
    client.answer(cut);
  }
}

/** An answer with nothing but a code, and the question where there is one to repeat. */
function failureOf(query: Uint8Array, code: number): Uint8Array {
  const end = code === dnsCode.formatError ? DNS_HEADER_BYTES : questionEnd(query);
  const answer = query.slice(0, end);
  // The opcode and RD stay as they were; RA is ours.
  answer[2] = RESPONSE_BIT | (query[2]! & 0x79);
  answer[3] = 0x80 | code;
  writeU16be(answer, 4, end > DNS_HEADER_BYTES ? 1 : 0);
  for (const at of [6, 8, 10]) writeU16be(answer, at, 0);
  return answer;
}

/** A failure without question and answers. */
function isBareFailure(bytes: Uint8Array, id: number): boolean {
  if (bytes.length < DNS_HEADER_BYTES || readU16be(bytes, 0) !== id) return false;
  const isResponse = (bytes[2]! & RESPONSE_BIT) !== 0;
  const isEmpty = readU16be(bytes, 4) === 0 && readU16be(bytes, 6) === 0;
  const code = bytes[3]! & 15;
  return isResponse && isEmpty && code !== dnsCode.noError && code !== dnsCode.nameError;
}

/** Behind the first question of a message whose questions were read, or behind the header. */
function questionEnd(bytes: Uint8Array): number {
  let at = DNS_HEADER_BYTES;
  while (at < bytes.length) {
    const count = bytes[at]!;
    if (count >= 0xc0) return Math.min(at + 6, bytes.length);
    if (count === 0) return at + 5 <= bytes.length ? at + 5 : DNS_HEADER_BYTES;
    at += 1 + count;
  }
  return DNS_HEADER_BYTES;
}

function emitted(message: DnsMessage): Uint8Array {
  const to = new Uint8Array(LOCAL_BYTES_MAX);
  return to.slice(0, emitDns(to, message));
}

/** Question, an address or a name, a SOA of short names, OPT. */
const LOCAL_BYTES_MAX = 2_048;
