import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimRandom } from '#targets/sim/index';
import { DEFAULT_LIMITS } from './limits.ts';
import type { Outcome } from './response.ts';
import {
  a,
  addresses,
  answers,
  bytesOf,
  cname,
  DnsBench,
  errorOf,
  NS,
  OTHER,
  reply,
  type Server,
  says,
  silent,
  soa,
} from './test-server.ts';
import { dnsCode, dnsType, emitDns, lowerName } from './wire/index.ts';

test('a name › asked › one query with EDNS0, recursion desired, class IN', () => {
  const bench = new DnsBench({ [NS]: answers('192.0.2.1') });
  const outcome = bench.ask('Example.ORG');
  assert.deepEqual(outcome, {
    ok: true,
    value: { name: 'example.org', records: [{ kind: 'address', address: '192.0.2.1' }] },
  });
  const { query, over, server } = bench.asked[0]!;
  assert.equal(bench.asked.length, 1);
  assert.deepEqual([server, over], [NS, 'datagram']);
  assert.equal(query.edns?.datagramBytes, 1_232);
  assert.ok(query.recursionDesired && !query.isResponse);
  assert.deepEqual([query.questions[0]!.type, query.questions[0]!.class], [1, 1]);
  assert.equal(bench.open, 0, 'no exchange is left');
});

test('ids and letters › many questions › hard to guess', () => {
  const bench = new DnsBench({ [NS]: answers('192.0.2.1') });
  for (let i = 0; i < 64; i++) bench.ask(`abcdefgh-${i}.example`);
  const ids = new Set(bench.asked.map(({ query }) => query.id));
  assert.ok(ids.size >= 63, `${ids.size} different ids of 64`);
  const cases = new Set(bench.asked.map(({ query }) => query.questions[0]!.name.slice(0, 8)));
  assert.ok(cases.size > 40, `${cases.size} different spellings of 64`);
});

test('aliases › a chain › the records at its end, for the least of its times', () => {
  const server: Server = ({ query }) =>
    reply(query, {
      answers: [
        cname(query.questions[0]!.name, 'B.example', 10),
        a('c.example', '192.0.2.3', 50),
        cname('b.example', 'c.example', 20),
      ],
    });
  const bench = new DnsBench({ [NS]: server });
  const outcome = bench.ask('a.example');
  assert.deepEqual(addresses(outcome), ['192.0.2.3']);
  assert.ok(outcome.ok && outcome.value.name === 'c.example');
  bench.pass(11);
  bench.ask('a.example');
  assert.equal(bench.asked.length, 2);
});

test('aliases › the server stops in the middle › the target is asked for', () => {
  const server: Server = ({ query }) => {
    const { name } = query.questions[0]!;
    const isFirst = lowerName(name) === 'a.example';
    return reply(query, {
      answers: [isFirst ? cname(name, 'b.example') : a(name, '192.0.2.2')],
    });
  };
  const bench = new DnsBench({ [NS]: server });
  assert.deepEqual(addresses(bench.ask('a.example')), ['192.0.2.2']);
  assert.equal(bench.asked.length, 2);
});

test('aliases › a loop, in one answer or over many › the server has failed', () => {
  const self: Server = ({ query }) =>
    reply(query, {
      answers: [cname(query.questions[0]!.name, 'b.example'), cname('b.example', 'a.example')],
    });
  const bench = new DnsBench({ [NS]: self });
  assert.equal(errorOf(bench.ask('a.example')), 'name servers failed');
  assert.equal(bench.asked.length, 1);
  let count = 0;
  const endless: Server = ({ query }) => {
    const { name } = query.questions[0]!;
    return reply(query, { answers: [cname(name, `x${++count}.example`)] });
  };
  const other = new DnsBench({ [NS]: endless });
  assert.equal(errorOf(other.ask('a.example')), 'name servers failed');
  assert.equal(other.asked.length, DEFAULT_LIMITS.aliasesMax + 1);
});

test('aliases › as many as allowed and one more', () => {
  const chain =
    (count: number): Server =>
    ({ query }) => {
      const { name } = query.questions[0]!;
      const answers = [a(`n${count}.example`, '192.0.2.9')];
      for (let i = 0; i < count; i++) {
        answers.push(cname(i === 0 ? name : `n${i}.example`, `n${i + 1}.example`));
      }
      return reply(query, { answers });
    };
  const { aliasesMax } = DEFAULT_LIMITS;
  const bench = new DnsBench({ [NS]: chain(aliasesMax) });
  assert.deepEqual(addresses(bench.ask('a.example')), ['192.0.2.9']);
  const other = new DnsBench({ [NS]: chain(aliasesMax + 1) });
  assert.equal(errorOf(other.ask('a.example')), 'name servers failed');
});

test('bailiwick › records of other names › ignored, and not kept', () => {
  const server: Server = ({ query }) => {
    const { name } = query.questions[0]!;
    const isVictim = lowerName(name) === 'bank.example';
    return reply(query, {
      answers: [a(name, isVictim ? '192.0.2.7' : '192.0.2.1'), a('bank.example', '203.0.113.66')],
      additionals: [a('bank.example', '203.0.113.66')],
    });
  };
  const bench = new DnsBench({ [NS]: server });
  assert.deepEqual(addresses(bench.ask('a.example')), ['192.0.2.1']);
  const lone = new DnsBench({
    [NS]: ({ query }) => reply(query, { answers: [a('bank.example', '203.0.113.66')] }),
  });
  assert.equal(errorOf(lone.ask('a.example')), 'no such record');
  assert.equal(addresses(bench.ask('bank.example'))[0], '192.0.2.7');
  assert.equal(bench.asked.length, 2, 'asked, not taken from the other answer');
});

test('forged answers › wrong id, question, kind, case › counted, and the true one is taken', () => {
  const server: Server = ({ query }) => {
    const forged = reply(query, { answers: [a(query.questions[0]!.name, '203.0.113.66')] });
    const [question] = query.questions;
    return [
      { ...forged, id: query.id ^ 1 },
      { ...forged, questions: [{ ...question!, name: 'b.example' }] },
      { ...forged, questions: [{ ...question!, type: dnsType.aaaa }] },
      { ...forged, questions: [question!, question!] },
      { ...forged, isResponse: false },
      { ...forged, opcode: 2 },
      Uint8Array.of(1, 2, 3),
      reply(query, { answers: [a(question!.name, '192.0.2.1')] }),
    ];
  };
  const bench = new DnsBench({ [NS]: server });
  assert.deepEqual(addresses(bench.ask('abcdefghijk.example')), ['192.0.2.1']);
  assert.equal(bench.resolver.counters().dnsForeign, 7);
  assert.equal(bench.resolver.counters().dnsMalformed, 1);
});

test('forged answers › at the bound, and one past it › over a stream', () => {
  for (const [count, over] of [
    [DEFAULT_LIMITS.mismatchesMax, 'datagram'],
    [DEFAULT_LIMITS.mismatchesMax + 1, 'stream'],
  ] as const) {
    const server: Server = (asked) => {
      const { query } = asked;
      const good = reply(query, { answers: [a(query.questions[0]!.name, '192.0.2.1')] });
      if (asked.over === 'stream') return good;
      return [...new Array(count).fill({ ...good, id: query.id ^ 1 }), good];
    };
    const bench = new DnsBench({ [NS]: server });
    assert.deepEqual(addresses(bench.ask('a.example')), ['192.0.2.1']);
    assert.equal(bench.asked.at(-1)!.over, over);
  }
});

test('letters › a server that changes their case › asked over a stream', () => {
  const server: Server = ({ query }) => {
    const [question] = query.questions;
    const lower = { ...question!, name: lowerName(question!.name) };
    return reply(query, { questions: [lower], answers: [a(lower.name, '192.0.2.1')] });
  };
  const bench = new DnsBench({ [NS]: server });
  assert.deepEqual(addresses(bench.ask('a-long-name-with-many-letters.example')), ['192.0.2.1']);
  assert.deepEqual(
    bench.asked.map(({ over }) => over),
    ['datagram', 'stream'],
  );
});

test('truncated › over a stream, with the same server', () => {
  const server: Server = ({ query, over }) =>
    over === 'stream'
      ? answers('192.0.2.1')({ query } as never)
      : reply(query, { truncated: true });
  const bench = new DnsBench({ [OTHER]: server, [NS]: silent });
  assert.deepEqual(addresses(bench.ask('a.example')), ['192.0.2.1']);
  assert.deepEqual(
    bench.asked.map(({ over, server: at }) => `${over} ${at}`),
    [`datagram ${OTHER}`, `stream ${OTHER}`],
  );
});

test('truncated › no stream to be had, or truncated again › the next server', () => {
  for (const said of ['refused', 'truncated'] as const) {
    const server: Server = ({ query, over }) =>
      over === 'stream' && said === 'refused' ? 'refused' : reply(query, { truncated: true });
    const bench = new DnsBench({ [NS]: server, [OTHER]: answers('192.0.2.1') });
    assert.deepEqual(addresses(bench.ask('a.example')), ['192.0.2.1']);
    assert.equal(bench.asked.length, 3);
  }
});

test('EDNS0 › refused with FORMERR, NOTIMP or BADVERS › asked without, and remembered', () => {
  for (const code of [dnsCode.formatError, dnsCode.notImplemented, dnsCode.badVersion]) {
    const server: Server = ({ query }) => {
      if (query.edns === null) return answers('192.0.2.1')({ query } as never);
      if (code !== dnsCode.badVersion) return reply(query, { code, edns: null });
      return reply(query, { edns: { ...query.edns, extendedCode: 1 } });
    };
    const bench = new DnsBench({ [NS]: server });
    assert.deepEqual(addresses(bench.ask('a.example')), ['192.0.2.1']);
    assert.equal(bench.asked.length, 2);
    bench.ask('b.example');
    assert.equal(bench.asked.length, 3, 'without EDNS0 at once');
    bench.configure([NS]);
    bench.ask('c.example');
    assert.equal(bench.asked.length, 5, 'tried again after a new configuration');
  }
});

test('EDNS0 › FORMERR without it too › the server has failed', () => {
  const bench = new DnsBench({ [NS]: says(dnsCode.formatError) });
  assert.equal(errorOf(bench.ask('a.example')), 'name servers failed');
  assert.equal(bench.asked.length, 2);
});

test('an error without its question › not believed by datagram', () => {
  const server: Server = ({ query, over }) =>
    over === 'stream'
      ? answers('192.0.2.1')({ query } as never)
      : reply(query, { code: dnsCode.serverFailure, questions: [] });
  const bench = new DnsBench({ [NS]: server });
  assert.deepEqual(addresses(bench.ask('a.example')), ['192.0.2.1']);
});

for (const [what, server] of [
  ['SERVFAIL', says(dnsCode.serverFailure)],
  ['REFUSED', says(dnsCode.refused)],
  [
    'a referral',
    ({ query }) =>
      reply(query, {
        authorities: [
          { ...soa('example', 1), type: 2, data: { kind: 'name', name: 'ns.example' } },
        ],
      }),
  ],
  [
    'an empty answer of a server that neither resolves nor knows',
    ({ query }) => reply(query, { recursionAvailable: false }),
  ],
  [
    'NXDOMAIN with an answer',
    ({ query }) =>
      reply(query, {
        code: dnsCode.nameError,
        answers: [a(query.questions[0]!.name, '192.0.2.6')],
      }),
  ],
] as const satisfies readonly (readonly [string, Server])[]) {
  test(`${what} › the next server at once, this one not again`, () => {
    const bench = new DnsBench({ [NS]: server, [OTHER]: answers('192.0.2.1') });
    assert.deepEqual(addresses(bench.ask('a.example')), ['192.0.2.1']);
    assert.deepEqual(
      bench.asked.map((one) => one.server),
      [NS, OTHER],
    );
    assert.ok(bench.timers.now < 100_000, 'nothing was waited for');
    bench.ask('b.example');
    assert.equal(bench.asked[2]!.server, OTHER, 'the one that answered is asked first');
  });
}

test('silence › every server, rounds with longer waits › name servers silent', () => {
  const bench = new DnsBench({ [NS]: silent, [OTHER]: silent });
  assert.equal(errorOf(bench.ask('a.example')), 'name servers silent');
  assert.deepEqual(
    bench.asked.map(({ server, at }) => `${server} ${at / 1e6}`),
    [`${NS} 0`, `${OTHER} 1`, `${NS} 2`, `${OTHER} 4`, `${NS} 6`, `${OTHER} 10`],
  );
  assert.equal(bench.timers.now, 14_000_000);
  assert.equal(bench.open, 0);
});

test('silence of one, refusal of the other › the failure is told', () => {
  const bench = new DnsBench({ [NS]: silent, [OTHER]: says(dnsCode.refused) });
  assert.deepEqual(bench.ask('a.example'), {
    ok: false,
    error: { kind: 'name servers failed', code: dnsCode.refused },
  });
  assert.equal(bench.asked.filter(({ server }) => server === OTHER).length, 1);
});

test('a late answer › while the next server is asked › taken', () => {
  const late: Server = ({ query }) =>
    reply(query, { answers: [a(query.questions[0]!.name, '192.0.2.5')] });
  const outcomes: Outcome[] = [];
  // The answer of the first server comes 10 ms after its query; the wait is made shorter than that.
  const quick = new DnsBench(
    { [NS]: late, [OTHER]: silent },
    { datagramWait: 5_000 as never, datagramWaitMax: 5_000 as never },
  );
  quick.resolver.resolve('a.example', 1, (outcome) => outcomes.push(outcome));
  quick.pass(1);
  assert.deepEqual(addresses(outcomes[0]!), ['192.0.2.5']);
  assert.equal(quick.open, 0);
});

test('the same question › asked at once by many › one query, all are told', () => {
  const bench = new DnsBench({ [NS]: answers('192.0.2.1') });
  const outcomes: Outcome[] = [];
  for (let i = 0; i < 10; i++) {
    bench.resolver.resolve('a.example', 1, (outcome) => outcomes.push(outcome));
  }
  bench.resolver.resolve('a.example', 28, (outcome) => outcomes.push(outcome));
  bench.pass(1);
  assert.equal(outcomes.length, 11);
  assert.equal(bench.asked.length, 2, 'one for each type');
});

test('cancel › the last of those that asked › nothing is sent or told any more', () => {
  const bench = new DnsBench({ [NS]: silent });
  const tell = () => assert.fail('told after cancel');
  const first = bench.resolver.resolve('a.example', 1, tell);
  const second = bench.resolver.resolve('a.example', 1, tell);
  first.cancel();
  first.cancel();
  bench.pass(1.5);
  assert.equal(bench.asked.length, 2, 'the second still waits');
  second.cancel();
  bench.pass(60);
  assert.equal(bench.asked.length, 2);
  assert.equal(bench.open, 0);
});

test('questions on their way › at the bound and one past it', () => {
  const bench = new DnsBench({ [NS]: silent }, { queriesMax: 3 });
  const errors: string[] = [];
  for (let i = 0; i < 4; i++) {
    bench.resolver.resolve(`n${i}.example`, 1, (outcome) => errors.push(errorOf(outcome)));
  }
  bench.pass(0.5);
  assert.deepEqual(errors, ['too many names']);
  assert.equal(bench.asked.length, 3);
});

test('callers › at the bound and one past it', () => {
  const bench = new DnsBench({ [NS]: silent }, { callersMax: 3 });
  const errors: string[] = [];
  for (let i = 0; i < 4; i++) {
    bench.resolver.resolve('a.example', 1, (outcome) => errors.push(errorOf(outcome)));
  }
  bench.pass(0.5);
  assert.deepEqual(errors, ['too many names']);
});

test('no servers › a clear error; servers later › answers', () => {
  const bench = new DnsBench({});
  assert.equal(errorOf(bench.ask('a.example')), 'no name servers');
  assert.equal(bench.resolver.isConfigured, false);
  bench.servers.set(NS, answers('192.0.2.1'));
  bench.configure([NS]);
  assert.deepEqual(addresses(bench.ask('a.example')), ['192.0.2.1']);
});

test('servers › at the bound and one past it, and those without an address', () => {
  const servers = Object.fromEntries(
    Array.from({ length: DEFAULT_LIMITS.serversMax + 1 }, (_, i) => [`192.0.2.${i + 1}`, silent]),
  );
  const bench = new DnsBench(servers);
  bench.configure(['dns.example', ...Object.keys(servers)]);
  bench.ask('a.example');
  assert.equal(new Set(bench.asked.map(({ server }) => server)).size, DEFAULT_LIMITS.serversMax);
  assert.ok(bench.asked.every(({ server }) => server !== 'dns.example'));
});

test('any bytes as answers › 3,000 of them, mutated › an outcome each time, and no exchange left', () => {
  const random = new SimRandom(7);
  const server: Server = (asked) => {
    const { query } = asked;
    const { name } = query.questions[0]!;
    const good = bytesOf(
      reply(query, {
        answers: [cname(name, 'b.example'), a('b.example', '192.0.2.1')],
        authorities: [soa('example', 60)],
      }),
    );
    const bad = good.slice();
    // The id and question mostly stay, so that the rest is looked at.
    for (let i = random.below(4); i >= 0; i--) {
      const at = random.chance(0.9) ? random.between(2, bad.length - 1) : random.below(2);
      bad[at] = random.chance(0.5) ? random.below(256) : bad[at]! ^ (1 << random.below(8));
    }
    return random.chance(0.1) ? bad.subarray(0, random.below(bad.length)) : bad;
  };
  const bench = new DnsBench({ [NS]: server, [OTHER]: server });
  const kinds = new Set<string>();
  for (let i = 0; i < 3_000; i++) kinds.add(errorOf(bench.ask(`n${i}.example`)));
  assert.equal(bench.open, 0);
  assert.ok(kinds.has('ok') && kinds.size >= 4, [...kinds].join());
});

test('a query › written › fits its buffer for the longest name', () => {
  const bench = new DnsBench({ [NS]: answers('192.0.2.1') });
  const label = 'a'.repeat(61);
  assert.ok(bench.ask(`${label}.${label}.${label}.${label}.`).ok);
  const out = new Uint8Array(600);
  assert.ok(emitDns(out, bench.asked[0]!.query) <= 512);
});
