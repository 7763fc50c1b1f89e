/**
 * Questions over TLS (RFC 7858), strictly (RFC 8310 §5): to a server that is asked over TLS nothing
 * goes any other way. One connection for a server, kept and shared (RFC 7858 §3.4); answers come in
 * any order (RFC 7766 §7). Other servers are asked by the transport beneath. Not here: TLS, which
 * comes in as a function.
 */

import {
  after,
  assert,
  type Duration,
  type Instant,
  type Result,
  readU16be,
  Timer,
  type TimerQueue,
  writeU16be,
} from '#core';
import type { Connecting, Flow, FlowHandler } from '#device';
import { DEFAULT_DNS_TLS_LIMITS, type DnsTlsLimits } from './limits.ts';
import { framed, StreamMessages } from './stream-messages.ts';
import type { DnsExchange, DnsExchangeHandler, DnsServer, DnsTransport } from './transport.ts';

/** Opens a TLS session with a server that proved its name; `opened` is called later. */
export type ConnectDnsTls = (
  server: DnsServer,
  opened: (result: Result<Flow, unknown>) => void,
) => Connecting;

export interface TlsTransportOptions {
  /** For servers without TLS. */
  readonly plain: DnsTransport;
  readonly connect: ConnectDnsTls;
  readonly timers: TimerQueue;
  readonly limits?: Partial<DnsTlsLimits>;
}

export class TlsTransport implements DnsTransport {
  readonly timers: TimerQueue;
  readonly limits: DnsTlsLimits;
  readonly counts = { dnsTlsConnections: 0, dnsTlsFailures: 0, dnsTlsReused: 0 };
  private readonly options: TlsTransportOptions;
  /** By server; those that take no more questions aren't here. */
  private readonly sessions = new Map<string, Session>();

  constructor(options: TlsTransportOptions) {
    this.options = options;
    this.timers = options.timers;
    this.limits = { ...DEFAULT_DNS_TLS_LIMITS, ...options.limits };
    assert(this.limits.questionsMax >= 1 && this.limits.questionsMax < 0x1_0000);
  }

  datagram(server: DnsServer, query: Uint8Array, handler: DnsExchangeHandler): DnsExchange {
    if (server.tlsName !== undefined) return this.stream(server, query, handler);
    return this.options.plain.datagram(server, query, handler);
  }

  stream(server: DnsServer, query: Uint8Array, handler: DnsExchangeHandler): DnsExchange {
    if (server.tlsName === undefined) return this.options.plain.stream(server, query, handler);
    const question = new Question(server, query, handler);
    this.ask(question);
    return question;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.options.plain.counters(), ...this.counts };
  }

  checkInvariants(): void {
    for (const session of this.sessions.values()) session.checkInvariants();
  }

  /** On the server's connection, or on a new one. */
  ask(question: Question): void {
    const { server } = question;
    const key = `${server.address} ${server.port} ${server.tlsName}`;
    let session = this.sessions.get(key);
    if (session?.mayAsk(this.timers.now) === true) this.counts.dnsTlsReused += 1;
    else {
      session = new Session(this, key);
      this.sessions.set(key, session);
      session.open(this.options.connect, server);
    }
    session.ask(question);
  }

  /** `session` takes no more questions. */
  forget(session: Session): void {
    if (this.sessions.get(session.key) === session) this.sessions.delete(session.key);
  }
}

/** A question on its way. */
class Question implements DnsExchange {
  readonly server: DnsServer;
  readonly query: Uint8Array;
  /** As the one who asks chose it; on a connection it may need another. */
  readonly id: number;
  readonly handler: DnsExchangeHandler;
  session: Session | null = null;
  askedAt: Instant = 0 as Instant;
  isOver = false;
  /** It was on a connection that had worked, and ended. */
  wasLost = false;

  constructor(server: DnsServer, query: Uint8Array, handler: DnsExchangeHandler) {
    this.server = server;
    this.query = query;
    this.id = readU16be(query, 0);
    this.handler = handler;
  }

  cancel(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.session?.cancelled();
  }

  fail(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.handler.failed();
  }
}

/** A connection to one server. */
class Session implements FlowHandler {
  readonly key: string;
  private readonly owner: TlsTransport;
  private readonly messages = new StreamMessages();
  /** By the id on this connection, until answered: an id isn't used again before. */
  private readonly questions = new Map<number, Question>();
  private connecting: Connecting | null = null;
  private flow: Flow | null = null;
  private answers = 0;
  private heardAt: Instant;
  private isGone = false;
  private readonly timer = new Timer(() => this.leave());

  constructor(owner: TlsTransport, key: string) {
    this.owner = owner;
    this.key = key;
    this.heardAt = owner.timers.now;
  }

  open(connect: ConnectDnsTls, server: DnsServer): void {
    this.connecting = connect(server, (opened) => {
      this.connecting = null;
      if (this.isGone) {
        if (opened.ok) opened.value.abort();
        return;
      }
      if (!opened.ok) {
        this.owner.counts.dnsTlsFailures += 1;
        this.lost();
        return;
      }
      this.owner.counts.dnsTlsConnections += 1;
      this.flow = opened.value;
      this.flow.attach(this);
      for (const question of this.questions.values()) this.send(question);
      this.restIfIdle();
    });
  }

  /** Whether it takes one more question; never again once it doesn't. */
  mayAsk(now: Instant): boolean {
    const { questionsMax, patience } = this.owner.limits;
    const may = this.questions.size < questionsMax && !this.isSilent(now, patience);
    if (!may) this.owner.forget(this);
    return may;
  }

  ask(question: Question): void {
    let { id } = question;
    while (this.questions.has(id)) id = (id + 1) & 0xffff;
    writeU16be(question.query, 0, id);
    question.session = this;
    question.askedAt = this.owner.timers.now;
    this.questions.set(id, question);
    this.owner.timers.stop(this.timer);
    if (this.flow !== null) this.send(question);
  }

  /** A question isn't wanted any more; its answer may still come. */
  cancelled(): void {
    for (const question of this.questions.values()) if (!question.isOver) return;
    // Nobody waits: what isn't open yet needn't be.
    if (this.flow === null) this.leave();
    else this.restIfIdle();
  }

  data(bytes: Uint8Array): void {
    this.heardAt = this.owner.timers.now;
    for (let at = 0; at < bytes.length && !this.isGone; ) {
      at = this.messages.take(bytes, at);
      const { whole } = this.messages;
      if (whole !== null) this.answered(whole);
    }
    this.restIfIdle();
  }

  drained(): void {}

  end(): void {
    this.flow?.shutdown();
    this.lost();
  }

  closed(): void {
    this.flow = null;
    this.lost();
  }

  checkInvariants(): void {
    assert(this.questions.size <= this.owner.limits.questionsMax);
    assert(!this.isGone, 'a connection that is gone takes questions');
  }

  private isSilent(now: Instant, patience: Duration): boolean {
    for (const { askedAt } of this.questions.values()) {
      // In the order of asking: the first is the one that waits for the longest.
      return this.heardAt <= askedAt && now >= after(askedAt, patience);
    }
    return false;
  }

  private send(question: Question): void {
    if (!question.isOver) this.flow?.write(framed(question.query));
  }

  private answered(message: Uint8Array): void {
    const id = message.length < 2 ? -1 : readU16be(message, 0);
    const question = this.questions.get(id);
    // An answer to nothing: the server is broken.
    if (question === undefined) {
      this.lost();
      return;
    }
    this.questions.delete(id);
    this.answers += 1;
    writeU16be(message, 0, question.id);
    if (question.isOver) return;
    question.session = null;
    question.handler.message(message);
  }

  private restIfIdle(): void {
    if (this.isGone || this.flow === null) return;
    const { timers, limits } = this.owner;
    for (const question of this.questions.values()) if (!question.isOver) return;
    timers.arm(this.timer, after(timers.now, limits.idleMax));
  }

  /** The connection can't be used any more; its questions go to another one, once each. */
  private lost(): void {
    if (this.isGone) return;
    const waiting = [...this.questions.values()].filter((question) => !question.isOver);
    const hadWorked = this.answers > 0;
    this.leave();
    for (const question of waiting) {
      question.session = null;
      if (question.isOver) continue;
      // RFC 7766 §6.2.4: a server may end an idle connection just when we write.
      if (!hadWorked || question.wasLost) question.fail();
      else {
        question.wasLost = true;
        this.owner.ask(question);
      }
    }
  }

  private leave(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.owner.forget(this);
    this.owner.timers.stop(this.timer);
    this.questions.clear();
    this.connecting?.cancel();
    this.connecting = null;
    this.flow?.shutdown();
  }
}
