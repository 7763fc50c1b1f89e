import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, err, instantOfMicros, millis, ok, type Result, Timer, TimerQueue } from '#core';
import type { ConnectError, Connecting, Flow } from '#device';
import type { Family, ResolveError } from '#dns';
import { ATTEMPTS_MAX, type EyeballsNetwork, HappyEyeballs } from './happy-eyeballs.ts';

type Found = readonly string[] | ResolveError['kind'];
/** When an answer comes, and what it is; null: never. */
type Answer = readonly [atMs: number, found: Found] | null;
/** After how long an attempt ends how; null: never. */
type Attempt = readonly [afterMs: number, how: 'open' | ConnectError['kind']] | null;

class Bench implements EyeballsNetwork {
  readonly timers = new TimerQueue(instantOfMicros(0));
  /** "250 192.0.2.1": attempts, with milliseconds. */
  readonly log: string[] = [];
  readonly results: string[] = [];
  readonly asked: Family[] = [];
  cancelled: string[] = [];
  private readonly answers: Readonly<Record<Family, Answer>>;
  private readonly attempts: (address: string) => Attempt;
  private readonly own: readonly Family[];
  readonly eyeballs: HappyEyeballs;

  constructor(
    answers: Readonly<Record<Family, Answer>>,
    attempts: (address: string) => Attempt,
    own: readonly Family[] = ['ipv6', 'ipv4'],
  ) {
    this.answers = answers;
    this.attempts = attempts;
    this.own = own;
    this.eyeballs = new HappyEyeballs(this, 'a.example', 80, (result) =>
      this.results.push(
        `${this.ms()} ${result.ok ? result.value.remote.address : result.error.kind}`,
      ),
    );
  }

  families(): readonly Family[] {
    return this.own;
  }

  lookUp(
    _name: string,
    family: Family,
    resolved: (result: Result<readonly string[], ResolveError>) => void,
  ): Connecting {
    this.asked.push(family);
    const answer = this.answers[family];
    if (answer === null) return { cancel: () => this.cancelled.push(family) };
    const [atMs, found] = answer;
    return this.later(atMs, family, () =>
      resolved(
        typeof found === 'string' ? err({ kind: found, code: 2 } as ResolveError) : ok(found),
      ),
    );
  }

  order(addresses: readonly string[]): readonly string[] {
    return addresses.toSorted((a, b) => Number(b.includes(':')) - Number(a.includes(':')));
  }

  open(address: string, _port: number, opened: (result: Result<Flow, ConnectError>) => void) {
    this.log.push(`${this.ms()} ${address}`);
    const attempt = this.attempts(address);
    if (attempt === null) return { cancel: () => this.cancelled.push(address) };
    const [afterMs, how] = attempt;
    const flow = { remote: { address, port: 80 }, abort: () => {} } as unknown as Flow;
    const tell = () => opened(how === 'open' ? ok(flow) : err({ kind: how }));
    if (afterMs > 0) return this.later(afterMs, address, tell);
    tell();
    return { cancel() {} };
  }

  run(): this {
    for (let next = this.timers.nextDeadline(); next < 60e6; next = this.timers.nextDeadline()) {
      this.timers.run(next);
      this.eyeballs.checkInvariants();
    }
    return this;
  }

  private later(afterMs: number, what: string, call: () => void): Connecting {
    const timer = new Timer(call);
    this.timers.arm(timer, after(this.timers.now, millis(afterMs)));
    return {
      cancel: () => {
        this.cancelled.push(what);
        this.timers.stop(timer);
      },
    };
  }

  private ms(): number {
    return this.timers.now / 1_000;
  }
}

const SIX = ['2001:db8::1', '2001:db8::2'];
const FOUR = ['192.0.2.1', '192.0.2.2'];
const works: (address: string) => Attempt = () => [20, 'open'];
const dead: (address: string) => Attempt = () => null;

test('both answers › IPv6 first › begins at once, AAAA was asked first', () => {
  const bench = new Bench({ ipv6: [10, SIX], ipv4: [90, FOUR] }, works).run();
  assert.deepEqual(bench.asked, ['ipv6', 'ipv4']);
  assert.deepEqual(bench.log, ['10 2001:db8::1']);
  assert.deepEqual(bench.results, ['30 2001:db8::1']);
  assert.deepEqual(bench.cancelled, ['ipv4'], 'the other question is given up');
});

test('IPv4 first › waits 50 ms for IPv6 › which comes in time, or not', () => {
  const inTime = new Bench({ ipv6: [59, SIX], ipv4: [10, FOUR] }, works).run();
  assert.deepEqual(inTime.log, ['59 2001:db8::1']);
  const late = new Bench({ ipv6: [61, SIX], ipv4: [10, FOUR] }, works).run();
  assert.deepEqual(late.log, ['60 192.0.2.1']);
  const never = new Bench({ ipv6: null, ipv4: [10, FOUR] }, works).run();
  assert.deepEqual(never.results, ['80 192.0.2.1']);
});

test('no IPv6 address › IPv4 begins without the wait', () => {
  for (const error of ['no such record', 'name not found', 'name servers failed'] as const) {
    const bench = new Bench({ ipv6: [20, error], ipv4: [10, FOUR] }, works).run();
    assert.deepEqual(bench.log, ['20 192.0.2.1']);
  }
});

test('nothing answers › families take turns, 250 ms apart', () => {
  const bench = new Bench({ ipv6: [0, SIX], ipv4: [0, FOUR] }, dead).run();
  assert.deepEqual(bench.log, [
    '0 2001:db8::1',
    '250 192.0.2.1',
    '500 2001:db8::2',
    '750 192.0.2.2',
  ]);
  assert.deepEqual(bench.results, []);
  bench.eyeballs.cancel();
  assert.deepEqual(bench.cancelled.toSorted(), [...FOUR, ...SIX].toSorted());
});

test('an attempt fails › the next begins at once', () => {
  const bench = new Bench({ ipv6: [0, SIX], ipv4: [0, FOUR] }, (address) =>
    address.includes(':') ? [5, 'unreachable'] : [20, 'open'],
  ).run();
  assert.deepEqual(bench.log, ['0 2001:db8::1', '5 192.0.2.1']);
  assert.deepEqual(bench.results, ['25 192.0.2.1']);
});

test('attempts that fail within the call › the next, one by one', () => {
  const bench = new Bench({ ipv6: [0, SIX], ipv4: [0, FOUR] }, () => [0, 'unreachable']).run();
  assert.equal(bench.log.length, 4);
  assert.deepEqual(bench.results, ['0 unreachable']);
});

test('a slow first attempt › wins after the second began › the second is given up', () => {
  const bench = new Bench({ ipv6: [0, SIX], ipv4: [0, FOUR] }, (address) =>
    address.includes(':') ? [400, 'open'] : null,
  ).run();
  assert.deepEqual(bench.results, ['400 2001:db8::1']);
  assert.deepEqual(bench.cancelled, ['192.0.2.1']);
});

test('addresses that come later › join the ones not tried yet', () => {
  const bench = new Bench({ ipv6: [100, SIX], ipv4: [0, FOUR] }, dead).run();
  assert.deepEqual(bench.log, [
    '50 192.0.2.1',
    '300 2001:db8::1',
    '550 192.0.2.2',
    '800 2001:db8::2',
  ]);
});

test('all refused while the other family is unknown › waits for it', () => {
  const bench = new Bench({ ipv6: [1_000, SIX], ipv4: [0, FOUR] }, (address) =>
    address.includes(':') ? [20, 'open'] : [5, 'refused'],
  ).run();
  assert.deepEqual(bench.results, ['1020 2001:db8::1']);
});

test('all fail › the error that says most', () => {
  const bench = new Bench({ ipv6: [0, SIX], ipv4: [0, FOUR] }, (address) =>
    address.includes(':') ? [3_000, 'timeout'] : [5, 'refused'],
  ).run();
  assert.match(bench.results[0]!, /refused$/);
});

for (const [six, four, told] of [
  ['no such record', 'no such record', 'no address'],
  ['name not found', 'name not found', 'name not found'],
  ['no such record', 'name servers silent', 'name servers silent'],
  ['no name servers', 'no name servers', 'no name servers'],
  ['bad name', 'bad name', 'bad address'],
] as const) {
  test(`names › ${six} and ${four} › ${told}`, () => {
    const bench = new Bench({ ipv6: [1, six], ipv4: [2, four] }, works).run();
    assert.deepEqual(bench.results, [`2 ${told}`]);
  });
}

test('only addresses of one family are ours › only those are asked for', () => {
  const bench = new Bench({ ipv6: null, ipv4: [10, FOUR] }, works, ['ipv4']).run();
  assert.deepEqual(bench.asked, ['ipv4']);
  assert.deepEqual(bench.log, ['10 192.0.2.1']);
  const none = new Bench({ ipv6: null, ipv4: null }, works, []);
  assert.deepEqual(none.results, [], 'not within the call');
  assert.deepEqual(none.run().results, ['0 unreachable']);
});

test('a long list › at the bound and one past it', () => {
  for (const count of [ATTEMPTS_MAX, ATTEMPTS_MAX + 1]) {
    const many = Array.from({ length: count }, (_, i) => `192.0.2.${i}`);
    const bench = new Bench({ ipv6: [0, 'no such record'], ipv4: [0, many] }, () => [1, 'refused']);
    assert.equal(bench.run().log.length, ATTEMPTS_MAX);
    assert.equal(bench.results.length, 1);
  }
});

test('cancel › before anything, or while trying › nothing is told', () => {
  const early = new Bench({ ipv6: [10, SIX], ipv4: [10, FOUR] }, works);
  early.eyeballs.cancel();
  assert.deepEqual(early.run().results, []);
  const during = new Bench({ ipv6: [10, SIX], ipv4: [10, FOUR] }, works);
  during.timers.run(instantOfMicros(15_000));
  during.eyeballs.cancel();
  during.eyeballs.cancel();
  assert.deepEqual(during.run().results, []);
  assert.ok(during.cancelled.includes('2001:db8::1'));
});
