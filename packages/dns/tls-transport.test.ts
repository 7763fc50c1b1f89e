/** Questions over TLS in virtual time: what a session carries, keeps, and survives. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, err, instantOfMicros, millis, ok, readU16be, Timer, TimerQueue } from '#core';
import type { Flow, FlowHandler } from '#device';
import { SimRandom } from '#targets/sim/index';
import { DEFAULT_DNS_TLS_LIMITS, type DnsTlsLimits } from './limits.ts';
import { Resolver } from './resolver.ts';
import type { Outcome } from './response.ts';
import { framed, StreamMessages } from './stream-messages.ts';
import { a, addresses, bytesOf, errorOf, NS, reply } from './test-server.ts';
import { TlsTransport } from './tls-transport.ts';
import type { DnsServer } from './transport.ts';
import { type DnsMessage, dnsType, parseDns } from './wire/index.ts';

const SERVER: DnsServer = { address: NS, port: 853, tlsName: 'dns.example' };

/** One session as its server sees it. */
class ServerSide implements Flow {
  readonly local = { address: '192.0.2.1', port: 40_000 };
  readonly remote = { address: NS, port: 853 };
  readonly queuedBytes = 0;
  lowWaterBytes = 65_536;
  noDelay = false;
  isShutDown = false;
  handler: FlowHandler | null = null;
  readonly queries: DnsMessage[] = [];
  readonly sizes: number[] = [];
  answer: (query: DnsMessage) => void = (query) => this.say(query);
  private readonly messages = new StreamMessages();
  private readonly timers: TimerQueue;

  constructor(timers: TimerQueue) {
    this.timers = timers;
  }

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }
  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      at = this.messages.take(bytes, at);
      const { whole } = this.messages;
      if (whole === null) continue;
      const parsed = parseDns(whole);
      assert.ok(parsed.ok);
      this.queries.push(parsed.value);
      this.sizes.push(whole.length);
      const answer = new Timer(() => this.answer(parsed.value));
      this.timers.arm(answer, after(this.timers.now, millis(1)));
    }
  }
  say(query: DnsMessage, address = '192.0.2.80'): void {
    const name = query.questions[0]!.name;
    this.bytes(framed(bytesOf(reply(query, { answers: [a(name, address, 0)] }))));
  }
  bytes(bytes: Uint8Array): void {
    this.handler?.data(bytes);
  }
  shutdown(): void {
    this.isShutDown = true;
  }
  abort(): void {}
  askIfAlive(): void {}
  pause(): void {}
  resume(): void {}
}

class Bench {
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly sessions: ServerSide[] = [];
  readonly inTheOpen: string[] = [];
  readonly transport: TlsTransport;
  readonly resolver: Resolver;
  cancelled = 0;
  isRefusing = false;
  isSilent = false;
  onSession: (session: ServerSide) => void = () => {};

  constructor(limits: Partial<DnsTlsLimits> = {}, servers: DnsServer[] = [SERVER]) {
    const { timers } = this;
    const plain = (how: string) => (server: DnsServer) => {
      this.inTheOpen.push(`${how} ${server.address}`);
      return { cancel() {} };
    };
    this.transport = new TlsTransport({
      plain: { datagram: plain('datagram'), stream: plain('stream'), counters: () => ({}) },
      connect: (server, opened) => {
        assert.equal(server.tlsName, 'dns.example');
        const timer = new Timer(() => {
          if (this.isRefusing) return opened(err('unknown issuer'));
          const session = new ServerSide(timers);
          this.sessions.push(session);
          this.onSession(session);
          opened(ok(session));
        });
        if (!this.isSilent) timers.arm(timer, after(timers.now, millis(20)));
        return {
          cancel: () => {
            this.cancelled += 1;
            timers.stop(timer);
          },
        };
      },
      timers,
      limits,
    });
    const { transport } = this;
    this.resolver = new Resolver({ transport, timers, entropy: new SimRandom(1) });
    this.resolver.configure({ servers, search: [], ndots: 1 });
  }

  begin(name: string): Outcome[] {
    const outcomes: Outcome[] = [];
    this.resolver.resolve(name, dnsType.a, (outcome) => outcomes.push(outcome));
    return outcomes;
  }

  pass(secondsMax: number): void {
    const end = after(this.timers.now, millis(secondsMax * 1_000));
    for (let next = this.timers.nextDeadline(); next <= end; next = this.timers.nextDeadline()) {
      this.timers.run(next);
      this.transport.checkInvariants();
      this.resolver.checkInvariants();
    }
    this.timers.run(end);
  }

  ask(name: string): Outcome {
    const outcomes = this.begin(name);
    for (let i = 0; i < 100 && outcomes.length === 0; i++) this.pass(0.5);
    return outcomes[0]!;
  }
}

test('a private server › asked over one session, which is kept, padded to 128 bytes', () => {
  const bench = new Bench();
  for (const name of ['a.example', 'b.example', 'a-much-longer-name.of-some.example']) {
    assert.deepEqual(addresses(bench.ask(name)), ['192.0.2.80']);
  }
  assert.equal(bench.sessions.length, 1);
  assert.deepEqual(bench.sessions[0]!.sizes, [128, 128, 128]);
  assert.deepEqual(bench.inTheOpen, []);
  const { dnsTlsConnections, dnsTlsReused } = bench.transport.counters();
  assert.deepEqual([dnsTlsConnections, dnsTlsReused], [1, 2]);
  const { idleMax } = DEFAULT_DNS_TLS_LIMITS;
  bench.pass(idleMax / 1e6 - 1);
  assert.equal(bench.sessions[0]!.isShutDown, false);
  bench.pass(2);
  assert.equal(bench.sessions[0]!.isShutDown, true);
  bench.ask('c.example');
  assert.equal(bench.sessions.length, 2);
});

test('many at once, answered in the reverse order › each gets its own', () => {
  const bench = new Bench();
  bench.onSession = (session) => {
    session.answer = () => {
      if (session.queries.length < 20) return;
      for (const [i, query] of [...session.queries.entries()].reverse()) {
        session.say(query, `192.0.2.${i + 1}`);
      }
    };
  };
  const all = Array.from({ length: 20 }, (_, i) => bench.begin(`n${i}.example`));
  bench.pass(0.1);
  const found = all.map(([outcome]) => addresses(outcome!)[0]);
  assert.deepEqual(
    found,
    Array.from({ length: 20 }, (_, i) => `192.0.2.${i + 1}`),
  );
  assert.equal(bench.sessions.length, 1);
});

test('the same id twice › told apart on the connection, and given back as it was', () => {
  const bench = new Bench();
  const got: number[] = [];
  const queries = ['a.example', 'b.example'].map((name) => {
    const question = { name, type: dnsType.a, class: 1 };
    const empty = { code: 0, questions: [question], answers: [], authorities: [], additionals: [] };
    const flags = { opcode: 0, authoritative: false, truncated: false, recursionDesired: true };
    const more = { recursionAvailable: false, authenticData: false, checkingDisabled: false };
    return bytesOf({ id: 0xffff, isResponse: false, ...flags, ...more, ...empty, edns: null });
  });
  for (const query of queries) {
    bench.transport.stream(SERVER, query, {
      message: (bytes) => got.push(readU16be(bytes, 0)),
      failed: () => assert.fail('failed'),
    });
  }
  bench.pass(1);
  assert.deepEqual(
    bench.sessions[0]!.queries.map(({ id }) => id),
    [0xffff, 0],
  );
  assert.deepEqual(got, [0xffff, 0xffff]);
});

test('no session to be had › an error, and nothing in the open', () => {
  const bench = new Bench();
  bench.isRefusing = true;
  assert.equal(errorOf(bench.ask('a.example')), 'name servers silent');
  assert.deepEqual(bench.inTheOpen, []);
  assert.ok(bench.transport.counters().dnsTlsFailures! >= 3);
  bench.isRefusing = false;
  bench.isSilent = true;
  assert.equal(errorOf(bench.ask('b.example')), 'name servers silent');
  assert.ok(bench.cancelled > 0, 'what nobody waits for is given up');
  assert.deepEqual(bench.inTheOpen, []);
});

test('a server without TLS › asked as before', () => {
  const bench = new Bench({}, [{ address: NS, port: 53 }]);
  bench.begin('a.example');
  assert.deepEqual(bench.inTheOpen, [`datagram ${NS}`]);
});

test('a session that ends while idle, or just when asked › the question goes to another', () => {
  const bench = new Bench();
  bench.ask('a.example');
  bench.sessions[0]!.handler!.end();
  assert.deepEqual(addresses(bench.ask('b.example')), ['192.0.2.80']);
  assert.equal(bench.sessions.length, 2);
  bench.sessions[1]!.answer = () => bench.sessions[1]!.handler!.closed('reset');
  assert.deepEqual(addresses(bench.ask('c.example')), ['192.0.2.80']);
  assert.equal(bench.sessions.length, 3);
});

test('a session that never worked and ends › the question fails there', () => {
  const bench = new Bench();
  bench.onSession = (session) => {
    session.answer = () => session.handler!.closed('reset');
  };
  assert.equal(errorOf(bench.ask('a.example')), 'name servers silent');
  assert.equal(bench.sessions.length, 3, 'once a round');
});

test('an answer to nothing, or no message at all › the session ends', () => {
  for (const bytes of [framed(new Uint8Array([1, 2, 3])), framed(new Uint8Array(0))]) {
    const bench = new Bench();
    bench.ask('a.example');
    const [session] = bench.sessions;
    session!.bytes(bytes);
    assert.equal(session!.isShutDown, true);
    assert.deepEqual(addresses(bench.ask('b.example')), ['192.0.2.80']);
  }
});

test('a session that says nothing any more › the next question goes to another', () => {
  const bench = new Bench();
  bench.ask('a.example');
  bench.sessions[0]!.answer = () => {};
  const first = bench.begin('b.example');
  bench.pass(3);
  bench.begin('c.example');
  assert.equal(bench.sessions.length, 1, 'not before its patience is over');
  bench.pass(3);
  assert.equal(bench.sessions.length, 2);
  assert.deepEqual(addresses(first[0]!), ['192.0.2.80'], 'and so does the one that waits');
});

test('questions without an answer › at the bound and one past it', () => {
  const bench = new Bench({ questionsMax: 2 });
  bench.onSession = (session) => {
    session.answer = () => {};
  };
  for (const name of ['a', 'b', 'c']) bench.begin(`${name}.example`);
  bench.pass(1);
  assert.deepEqual(
    bench.sessions.map(({ queries }) => queries.length),
    [2, 1],
  );
});

test('answers in every pair of pieces › the same', () => {
  for (let cut = 1; cut < 60; cut++) {
    const bench = new Bench();
    bench.onSession = (session) => {
      session.answer = (query) => {
        const name = query.questions[0]!.name;
        const bytes = framed(bytesOf(reply(query, { answers: [a(name, '192.0.2.7')] })));
        session.bytes(bytes.slice(0, cut));
        session.bytes(bytes.slice(cut));
      };
    };
    assert.deepEqual(addresses(bench.ask('a.example')), ['192.0.2.7']);
  }
});
