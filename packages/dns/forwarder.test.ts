import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint, Flow, FlowHandler } from '#device';
import { Forwarder, type ForwarderOptions } from './forwarder.ts';
import { ForwarderServer } from './forwarder-server.ts';
import { DEFAULT_FORWARDER_LIMITS } from './limits.ts';
import type { LocalNames } from './local-zone.ts';
import {
  a,
  answers,
  bytesOf,
  DnsBench,
  NS,
  OTHER,
  reply,
  type Server,
  says,
  silent,
} from './test-server.ts';
import type { DnsExchange, DnsExchangeHandler } from './transport.ts';
import { type DnsMessage, dnsCode, dnsType, fullCode, parseDns } from './wire/index.ts';

const LOCAL: LocalNames = {
  domain: 'internal',
  ttlSeconds: 5,
  lookup(name) {
    if (name === 'web.internal') return { kind: 'addresses', addresses: ['10.77.0.16', 'fd00::1'] };
    if (name === '16.0.77.10.in-addr.arpa') return { kind: 'name', name: 'web.internal' };
    if (name === 'internal') return { kind: 'empty' };
    return name.endsWith('.internal') ? { kind: 'missing' } : null;
  },
};

const EDNS = { datagramBytes: 1_232, extendedCode: 0, version: 0, dnssecOk: true, options: [] };

function query(
  name: string,
  change: Partial<DnsMessage> = {},
  type: number = dnsType.a,
): DnsMessage {
  return {
    ...{ id: 0x1234, isResponse: false, opcode: 0, authoritative: false, truncated: false },
    ...{ recursionDesired: true, recursionAvailable: false, authenticData: false },
    ...{ checkingDisabled: false, code: 0, answers: [], authorities: [], additionals: [] },
    questions: [{ name, type, class: 1 }],
    edns: null,
    ...change,
  };
}

class Bench {
  readonly dns: DnsBench;
  readonly forwarder: Forwarder;
  readonly heard: DnsMessage[] = [];

  constructor(servers: Readonly<Record<string, Server>>, change: Partial<ForwarderOptions> = {}) {
    this.dns = new DnsBench(servers);
    this.forwarder = new Forwarder({
      transport: this.dns,
      timers: this.dns.timers,
      entropy: this.dns.random,
      servers: Object.keys(servers).map((address) => ({ address, port: 53 })),
      local: LOCAL,
      ...change,
    });
  }

  send(bytes: Uint8Array, key = 'client', isStream = false): void {
    const host = key.split(' ')[0]!;
    this.forwarder.handle(bytes, { key, host, isStream, answer: (answer) => this.take(answer) });
    this.forwarder.checkInvariants();
  }

  take(answer: Uint8Array): void {
    const parsed = parseDns(answer);
    if (!parsed.ok) throw new TypeError('an answer that is no message');
    this.heard.push(parsed.value);
  }

  ask(message: DnsMessage, isStream = false): DnsMessage {
    this.send(bytesOf(message), 'client', isStream);
    this.dns.pass(100, () => this.heard.length > 0);
    const [answer, ...more] = this.heard.splice(0);
    assert(answer !== undefined && more.length === 0);
    return answer;
  }
}

const texts = (message: DnsMessage): string[] =>
  message.answers.map(({ data }) => {
    if (data.kind === 'address') return data.address;
    return data.kind === 'name' ? data.name : data.kind;
  });

test('a question for others › goes on with another id, comes back with its own', () => {
  const x = new Bench({ [NS]: answers('192.0.2.1') });
  const answer = x.ask(query('Example.ORG', { edns: EDNS }));
  assert.deepEqual([answer.id, texts(answer)], [0x1234, ['192.0.2.1']]);
  assert.equal(answer.questions[0]?.name, 'Example.ORG');
  const [asked] = x.dns.asked;
  assert.notEqual(asked?.query.id, 0x1234);
  assert.deepEqual([asked?.query.edns, asked?.over], [EDNS, 'datagram']);
  assert.deepEqual([x.dns.open, x.forwarder.pending], [0, 0]);
});

test('on a stream › asked on a stream; unknown types pass as they are', () => {
  const x = new Bench({ [NS]: ({ query: asked }) => reply(asked) });
  const answer = x.ask(query('example.org', {}, 65_280), true);
  assert.equal(answer.questions[0]?.type, 65_280);
  assert.equal(x.dns.asked[0]?.over, 'stream');
});

test('own names › answered here: A, AAAA, ANY, PTR; other types nothing; others under the domain: none', () => {
  const x = new Bench({ [NS]: answers('192.0.2.1') });
  const web = (type: number): DnsMessage => x.ask(query('WEB.internal', {}, type));
  assert.deepEqual(texts(web(dnsType.a)), ['10.77.0.16']);
  assert.deepEqual(texts(web(dnsType.aaaa)), ['fd00::1']);
  assert.deepEqual(texts(web(dnsType.any)), ['10.77.0.16', 'fd00::1']);
  const none = web(dnsType.mx);
  assert.deepEqual([none.code, none.answers, none.authorities[0]?.type], [0, [], dnsType.soa]);
  assert.deepEqual(texts(x.ask(query('16.0.77.10.in-addr.arpa', {}, dnsType.ptr))), [
    'web.internal',
  ]);
  const missing = x.ask(query('nobody.internal', { edns: EDNS }));
  assert.deepEqual([missing.code, missing.authorities.length], [dnsCode.nameError, 1]);
  assert.equal(missing.authoritative, true);
  assert.equal(missing.edns?.dnssecOk, true);
  assert.equal(x.ask(query('internal', {}, dnsType.soa)).code, 0);
  assert.equal(x.dns.asked.length, 0);
});

test('a server that fails, refuses or is silent › the next one; none › what it said, or SERVFAIL', () => {
  const next = new Bench({ [NS]: says(dnsCode.refused), [OTHER]: answers('192.0.2.1') });
  assert.deepEqual(texts(next.ask(query('a.org'))), ['192.0.2.1']);
  const quiet = new Bench({ [NS]: silent, [OTHER]: answers('192.0.2.1') });
  assert.deepEqual(texts(quiet.ask(query('a.org'))), ['192.0.2.1']);
  assert.equal(quiet.forwarder.counters.dnsServerSilent, 1);
  const bad = new Bench({ [NS]: says(dnsCode.serverFailure), [OTHER]: silent });
  assert.equal(bad.ask(query('a.org')).code, dnsCode.serverFailure);
  const gone = new Bench({ [NS]: () => 'refused' });
  assert.equal(gone.ask(query('a.org')).code, dnsCode.serverFailure);
  assert(gone.dns.timers.now < 1_000_000);
  const none = new Bench({});
  none.send(bytesOf(query('a.org')));
  assert.equal(none.heard[0]?.code, dnsCode.serverFailure, 'at once');
});

test('a server’s address › spelled as others spell it', () => {
  const x = new Bench({ '2001:db8::53': answers('192.0.2.1') });
  x.forwarder.configure([{ address: '2001:0DB8:0:0::0053', port: 53 }]);
  assert.deepEqual(texts(x.ask(query('a.org'))), ['192.0.2.1']);
});

test('a late answer of a server that was given up › is as good', () => {
  const x = new Bench({ [NS]: silent, [OTHER]: silent });
  x.send(bytesOf(query('a.org')));
  x.dns.pass(5);
  assert.equal(x.dns.asked.length, 3);
  assert.equal(x.dns.open, 3);
  x.dns.pass(20);
  assert.deepEqual([x.heard[0]?.code, x.dns.open], [dnsCode.serverFailure, 0]);
});

test('answers to another question › counted and dropped; too many › SERVFAIL', () => {
  const liar: Server = ({ query: asked }) => [
    reply(asked, { id: asked.id ^ 1, answers: [a('a.org', '10.6.6.6')] }),
    reply(asked, { questions: [{ name: 'b.org', type: 1, class: 1 }] }),
    reply(asked, { questions: [] }),
    reply(asked, { isResponse: false }),
    bytesOf(reply(asked)).subarray(0, 11),
    reply(asked, { answers: [a('a.org', '192.0.2.1')] }),
  ];
  const x = new Bench({ [NS]: liar });
  assert.deepEqual(texts(x.ask(query('a.org'))), ['192.0.2.1']);
  assert.equal(x.forwarder.counters.dnsForwardMismatches, 5);
  const { mismatchesMax } = DEFAULT_FORWARDER_LIMITS;
  const wrong = (count: number): Server => {
    return ({ query: asked }) => [
      ...Array.from({ length: count }, () => reply(asked, { id: asked.id ^ 1 })),
      reply(asked),
    ];
  };
  assert.equal(new Bench({ [NS]: wrong(mismatchesMax) }).ask(query('a.org')).code, 0);
  const more = new Bench({ [NS]: wrong(mismatchesMax + 1) });
  assert.equal(more.ask(query('a.org')).code, dnsCode.serverFailure);
});

test('longer than the client takes › cut, and says so; on a stream › all of it', () => {
  const many: Server = ({ query: asked }) =>
    reply(asked, {
      answers: Array.from({ length: 60 }, (_, i) => a('a.org', `192.0.2.${i}`)),
    });
  const x = new Bench({ [NS]: many });
  const cut = x.ask(query('a.org'));
  assert.deepEqual([cut.truncated, cut.answers.length, x.forwarder.counters.dnsCut], [true, 0, 1]);
  assert.equal(cut.questions[0]?.name, 'a.org');
  const whole = x.ask(query('a.org'), true);
  assert.deepEqual([whole.truncated, whole.answers.length], [false, 60]);
  assert.equal(x.ask(query('a.org', { edns: EDNS })).answers.length, 60);
});

test('what is no good question › FORMERR, NOTIMP, REFUSED, BADVERS; what is no question › nothing', () => {
  const x = new Bench({ [NS]: answers('192.0.2.1') });
  const codeOf = (change: Partial<DnsMessage>): number => fullCode(x.ask(query('a.org', change)));
  assert.equal(codeOf({ questions: [] }), dnsCode.formatError);
  const question = { name: 'a.org', type: 1, class: 1 };
  assert.equal(codeOf({ questions: [question, question] }), dnsCode.formatError);
  assert.equal(codeOf({ opcode: 5 }), dnsCode.notImplemented);
  assert.equal(codeOf({ questions: [{ ...question, class: 3 }] }), dnsCode.refused);
  assert.equal(codeOf({ questions: [{ ...question, type: 252 }] }), dnsCode.refused);
  assert.equal(codeOf({ edns: { ...EDNS, version: 1 } }), dnsCode.badVersion);
  const bytes = bytesOf(query('a.org'));
  x.send(bytes.subarray(0, bytes.length - 1));
  assert.equal(x.heard.splice(0)[0]?.code, dnsCode.formatError);
  for (const wrong of [bytes.subarray(0, 11), new Uint8Array(0), bytesOf(reply(query('a.org')))]) {
    x.send(wrong);
  }
  assert.deepEqual([x.heard, x.forwarder.counters.dnsNotQuery], [[], 3]);
  assert.equal(x.dns.asked.length, 0);
});

test('a question that is sent again while it is asked › asked once', () => {
  const x = new Bench({ [NS]: answers('192.0.2.1') });
  for (let i = 0; i < 3; i++) x.send(bytesOf(query('a.org')));
  x.send(bytesOf(query('a.org')), 'another');
  x.dns.pass(1);
  assert.deepEqual([x.heard.length, x.forwarder.counters.dnsRepeated], [2, 2]);
  x.send(bytesOf(query('a.org')));
  x.dns.pass(1);
  assert.equal(x.heard.length, 3, 'afterwards it is a new one');
});

test('as many as may be on their way › one more is SERVFAIL', () => {
  const limits = { ...DEFAULT_FORWARDER_LIMITS, forwardsMax: 8 };
  const x = new Bench({ [NS]: silent }, { limits });
  for (let id = 0; id < 9; id++) x.send(bytesOf(query('a.org', { id })));
  assert.deepEqual([x.forwarder.pending, x.heard[0]?.id, x.heard.length], [8, 8, 1]);
  assert.equal(x.forwarder.counters.dnsForwardsFull, 1);
  x.forwarder.close();
  assert.deepEqual([x.forwarder.pending, x.dns.open], [0, 0]);
});

test('as many of one host as may be on their way › one more is SERVFAIL; others’ aren’t', () => {
  const limits = { ...DEFAULT_FORWARDER_LIMITS, forwardsPerHostMax: 4 };
  const x = new Bench({ [NS]: silent }, { limits });
  for (let id = 0; id < 5; id++) x.send(bytesOf(query('a.org', { id })), `a ${id}`);
  assert.deepEqual([x.forwarder.pending, x.heard.splice(0)[0]?.id], [4, 4]);
  x.send(bytesOf(query('a.org')), 'b 1');
  assert.deepEqual([x.forwarder.pending, x.heard, x.dns.asked.length], [5, [], 5]);
  assert.equal(x.forwarder.counters.dnsForwardsHostFull, 1);
  x.dns.pass(20);
  assert.equal(x.heard.splice(0).length, 5);
  x.send(bytesOf(query('a.org')), 'a 1');
  assert.deepEqual([x.forwarder.pending, x.heard], [1, []]);
});

test('a failure without the question › passed on at once, or the next server is asked', () => {
  const bare =
    (code: number, change: Partial<DnsMessage> = {}): Server =>
    ({ query: asked }) =>
      bytesOf(reply(asked, { code, questions: [], edns: null, ...change }));
  for (const code of [dnsCode.formatError, dnsCode.notImplemented]) {
    const x = new Bench({ [NS]: bare(code), [OTHER]: silent });
    assert.equal(x.ask(query('a.org', { edns: EDNS })).code, code);
    assert(x.dns.timers.now < 1_000_000 && x.forwarder.counters.dnsForwardMismatches === 0);
  }
  const next = new Bench({ [NS]: bare(dnsCode.refused), [OTHER]: answers('192.0.2.1') });
  assert.deepEqual(texts(next.ask(query('a.org'))), ['192.0.2.1']);
  assert(next.dns.timers.now < 1_000_000);
  const all = new Bench({ [NS]: bare(dnsCode.refused) });
  const refused = all.ask(query('a.org'));
  assert.deepEqual([refused.code, refused.questions[0]?.name], [dnsCode.refused, 'a.org']);
  // With another id, or an answer, or a code that is one: a guess.
  for (const wrong of [
    bare(dnsCode.nameError),
    bare(dnsCode.formatError, { isResponse: false }),
    bare(dnsCode.formatError, { answers: [a('a.org', '10.6.6.6')] }),
    (({ query: asked }) =>
      bytesOf(reply(asked, { id: asked.id ^ 1, code: 1, questions: [] }))) satisfies Server,
  ]) {
    const x = new Bench({ [NS]: wrong });
    assert.equal(x.ask(query('a.org')).code, dnsCode.serverFailure);
    assert.equal(x.forwarder.counters.dnsForwardMismatches, 2);
  }
});

test('an exchange that fails when the next server is being asked › asks nobody more', () => {
  const handlers: DnsExchangeHandler[] = [];
  const exchange = (_: Endpoint, _query: Uint8Array, handler: DnsExchangeHandler): DnsExchange => {
    handlers.push(handler);
    return { cancel() {} };
  };
  const transport = { datagram: exchange, stream: exchange, counters: () => ({}) };
  const x = new Bench({ [NS]: silent, [OTHER]: silent }, { transport });
  x.send(bytesOf(query('a.org')));
  x.dns.pass(2);
  assert.equal(handlers.length, 2);
  handlers[0]!.failed();
  assert.equal(handlers.length, 2);
  handlers[1]!.failed();
  assert.equal(handlers.length, 3);
});

test('any bytes › an answer that is a message, or nothing', () => {
  const x = new Bench({ [NS]: answers('192.0.2.1') });
  const whole = bytesOf(query('www.example.org', { edns: EDNS }));
  const { random } = x.dns;
  for (let i = 0; i < 5_000; i++) {
    const bytes = whole.slice(
      0,
      random.below(3) === 0 ? random.below(whole.length + 1) : undefined,
    );
    for (let change = random.below(5); change > 0 && bytes.length > 0; change--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    x.send(bytes, `client ${i}`, random.below(2) === 0);
    x.dns.pass(0.05);
  }
  assert(x.heard.length > 2_000);
});

/** A client's connection, played by the test. */
class FakeFlow {
  readonly remote: Endpoint;
  handler: FlowHandler | null = null;
  written: number[] = [];
  isShut = false;
  isAborted = false;
  isPaused = false;
  queuedBytes = 0;
  lowWaterBytes = 0;

  constructor(host: string) {
    this.remote = { address: host, port: 1 };
  }

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }
  write(bytes: Uint8Array): void {
    this.written.push(...bytes);
    this.queuedBytes += bytes.length;
  }
  shutdown(): void {
    this.isShut = true;
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  abort(): void {
    this.isAborted = true;
    this.handler?.closed('reset');
  }
}

function streamed(servers: Readonly<Record<string, Server>>): {
  x: Bench;
  server: ForwarderServer;
  open(host?: string): FakeFlow;
} {
  const x = new Bench(servers);
  const server = new ForwarderServer(x.forwarder);
  const open = (host = 'client'): FakeFlow => {
    const flow = new FakeFlow(host);
    server.accept(flow as unknown as Flow);
    return flow;
  };
  return { x, server, open };
}

const framed = (message: DnsMessage): Uint8Array => {
  const bytes = bytesOf(message);
  return Uint8Array.of(bytes.length >> 8, bytes.length & 255, ...bytes);
};

test('stream › questions in pieces and together › an answer each; the end is answered by an end', () => {
  const { x, open } = streamed({ [NS]: answers('192.0.2.1') });
  const flow = open();
  const both = [...framed(query('a.org', { id: 1 })), ...framed(query('web.internal', { id: 2 }))];
  for (const byte of both) flow.handler!.data(Uint8Array.of(byte));
  flow.handler!.end();
  assert.equal(flow.isShut, false);
  x.dns.pass(1);
  assert(flow.isShut);
  const ids: number[] = [];
  for (let at = 0; at < flow.written.length; ) {
    const count = flow.written[at]! * 256 + flow.written[at + 1]!;
    const parsed = parseDns(Uint8Array.from(flow.written.slice(at + 2, at + 2 + count)));
    assert(parsed.ok);
    ids.push(parsed.value.id);
    at += 2 + count;
  }
  assert.deepEqual(ids, [2, 1], 'what is known first comes first');
});

test('stream › idle, too many questions, a length that none has, too many streams › reset', () => {
  const { x, server, open } = streamed({ [NS]: silent });
  const { streamQueriesMax, streamsMax, streamQueryBytesMax } = DEFAULT_FORWARDER_LIMITS;
  const idle = open();
  x.dns.pass(29);
  assert.equal(idle.isAborted, false);
  x.dns.pass(2);
  assert(idle.isAborted && server.counters.dnsStreamsIdle === 1);
  const busy = open();
  for (let id = 0; id < streamQueriesMax; id++) busy.handler!.data(framed(query('a.org', { id })));
  assert.equal(busy.isAborted, false);
  busy.handler!.data(framed(query('a.org', { id: 999 })));
  assert(busy.isAborted);
  const [long, short] = [open(), open()];
  const bytes = streamQueryBytesMax + 1;
  long.handler!.data(Uint8Array.of(bytes >> 8, bytes & 255, 1));
  short.handler!.data(Uint8Array.of(0, 11, 1));
  assert(long.isAborted && short.isAborted);
  const all = Array.from({ length: streamsMax + 1 }, (_, i) => open(`host ${i % 8}`));
  assert.equal(
    all.findIndex((flow) => flow.isAborted),
    streamsMax,
  );
  server.checkInvariants();
  server.close();
  assert(all.every((flow) => flow.isAborted));
});

test('stream › as many of one host as there may be › one more is reset; others’ aren’t', () => {
  const { server, open } = streamed({ [NS]: silent });
  const { streamsPerHostMax } = DEFAULT_FORWARDER_LIMITS;
  const flows = Array.from({ length: streamsPerHostMax + 1 }, () => open('a'));
  assert.equal(
    flows.findIndex((flow) => flow.isAborted),
    streamsPerHostMax,
  );
  assert.deepEqual([open('b').isAborted, server.counters.dnsStreamsHostFull], [false, 1]);
  flows[0]!.abort();
  assert.equal(open('a').isAborted, false);
});

test('stream › a question that is sent again › is one of those that may wait', () => {
  const { open } = streamed({ [NS]: silent });
  const flow = open();
  const { streamQueriesMax } = DEFAULT_FORWARDER_LIMITS;
  for (let i = 0; i < 2 * streamQueriesMax; i++) flow.handler!.data(framed(query('a.org')));
  assert.equal(flow.isAborted, false);
});

test('stream › a client that asks and takes no answers › its questions wait until it does', () => {
  const { server, open } = streamed({ [NS]: silent });
  const flow = open();
  const { streamAnswerBytesMax } = DEFAULT_FORWARDER_LIMITS;
  const question = framed(query('web.internal', {}, dnsType.aaaa));
  for (let id = 0; !flow.isPaused && id < 5_000; id++) flow.handler!.data(question);
  assert(flow.isPaused && server.counters.dnsStreamsPaused === 1);
  assert(flow.queuedBytes > streamAnswerBytesMax && flow.queuedBytes < streamAnswerBytesMax + 200);
  flow.queuedBytes = 0;
  flow.handler!.drained();
  assert.equal(flow.isPaused, false);
  flow.handler!.drained();
});
