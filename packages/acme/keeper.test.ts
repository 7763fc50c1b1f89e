import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, type Duration, FOREVER, Log, seconds } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { parseCertificate } from '#x509';
import { CertificateKeeper } from './keeper.ts';
import { TestAuthority } from './test-authority.ts';
import { AcmeBench } from './test-bench.ts';
import { answerOf, problem } from './test-server.ts';
import type { Certified } from './tls-alpn-01.ts';

const DAY = 86_400;

class KeeperBench extends AcmeBench {
  readonly authority = new TestAuthority(this.random, () => this.clock.wall());
  readonly installed: Certified[] = [];
  readonly saved: Certified[] = [];
  readonly lines: string[] = [];
  readonly keeper: CertificateKeeper;

  constructor() {
    super();
    this.server.issue = (csr) => this.authority.issue(csr);
    this.keeper = new CertificateKeeper({
      session: this.session,
      transport: this.server,
      timers: this.timers,
      clock: this.clock,
      entropy: this.random,
      crypto: nodeCrypto,
      limits: this.limits,
      log: new Log((line) => this.lines.push(line), 'debug').source('acme'),
      identifiers: [{ type: 'dns', value: 'a.example' }],
      challenges: ['http-01'],
      responder: this.proofs,
      install: (certified) => this.installed.push(certified),
      save: (certified) => this.saved.push(certified),
    });
  }

  pass(time: Duration): void {
    const end = after(this.timers.now, time);
    for (let next = this.timers.nextDeadline(); next <= end; next = this.timers.nextDeadline()) {
      assert.notEqual(next, FOREVER);
      this.timers.run(next);
      this.keeper.checkInvariants();
    }
    this.timers.run(end);
  }

  /** What `this.lines` has of this level. */
  told(level: string): string[] {
    return this.lines.filter((line) => line.startsWith(`${level} `));
  }
}

const lifeOf = ({ chain }: Certified) => {
  const parsed = parseCertificate(chain[0]!);
  assert.ok(parsed.ok);
  return parsed.value;
};

test('no certificate › start › one is got, installed and saved', () => {
  const bench = new KeeperBench();
  assert.equal(bench.keeper.goodUntil, null);
  bench.keeper.start(null);
  bench.pass(seconds(60));
  assert.equal(bench.installed.length, 1);
  assert.deepEqual(bench.saved, bench.installed);
  assert.equal(bench.keeper.goodUntil, lifeOf(bench.installed[0]!).notAfter);
  assert.match(bench.told('info')[0]!, /a certificate for a.example, good until 2027-02-24 11:00/);
});

test('time goes by › at two thirds of its life › another one, each time with another key', () => {
  const bench = new KeeperBench();
  bench.keeper.start(null);
  bench.pass(seconds(55 * DAY));
  assert.equal(bench.installed.length, 1);
  bench.pass(seconds(6 * DAY));
  assert.equal(bench.installed.length, 2);
  bench.pass(seconds(300 * DAY));
  assert.ok(bench.installed.length >= 6 && bench.installed.length <= 8);
  const keys = new Set(bench.installed.map(({ key }) => Buffer.from(key.spki).toString('hex')));
  assert.equal(keys.size, bench.installed.length);
  assert.equal(bench.server.accounts.length, 1);
});

test('another one was installed › ten minutes later › the key before is wiped, not earlier', () => {
  const bench = new KeeperBench();
  bench.keeper.start(null);
  bench.pass(seconds(60));
  bench.keeper.renewNow();
  bench.pass(seconds(590));
  const [first, second] = bench.installed as [Certified, Certified];
  assert.equal(first.key.pkcs8().length > 0, true);
  bench.pass(seconds(60));
  assert.throws(() => first.key.pkcs8());
  assert.ok(second.key.pkcs8().length > 0);
});

test('a good certificate from before › start › used, and not asked for until it is time', () => {
  const first = new KeeperBench();
  first.keeper.start(null);
  first.pass(seconds(60));
  const bench = new KeeperBench();
  bench.keeper.start(first.installed[0]!);
  bench.pass(seconds(10 * DAY));
  assert.deepEqual(bench.installed, first.installed);
  assert.equal(bench.saved.length, 0);
  assert.equal(bench.server.orders.length, 0);
  bench.pass(seconds(52 * DAY));
  assert.equal(bench.installed.length, 2);
});

test('a certificate from before that is over › start › not used; another one', () => {
  const first = new KeeperBench();
  first.authority.lifeMillis = 3_700_000;
  first.keeper.start(null);
  first.pass(seconds(20));
  assert.equal(first.installed.length, 1);
  const bench = new KeeperBench();
  bench.pass(seconds(300));
  bench.keeper.start(first.installed[0]!);
  bench.pass(seconds(60));
  assert.equal(bench.installed.length, 1);
  assert.match(bench.told('info')[0]!, /from before is of no use: not valid now/);
});

test('failures › while a certificate is good › it stays, tries grow rarer, then success', () => {
  const bench = new KeeperBench();
  bench.keeper.start(null);
  bench.pass(seconds(50 * DAY));
  bench.server.twist('POST /new-order', problem('rejectedIdentifier', 403), 8);
  bench.pass(seconds(9.9 * DAY));
  const before = bench.asked('POST /new-order');
  assert.ok(before >= 6 && before <= 10, `${before} tries`);
  assert.equal(bench.installed.length, 2);
  const warned = bench.told('warn');
  assert.ok(warned.length === 8);
  assert.match(warned[0]!, /no certificate for a.example: .*rejectedIdentifier/);
  assert.match(warned[0]!, /; next try in [12] min; the one until 2027-02-24 11:00 goes on$/);
  assert.equal(bench.keeper.counters.acmeFailures, 8);
});

test('failures for ever › 20 days › six tries a day, in the end', () => {
  const bench = new KeeperBench();
  bench.server.twist('GET /directory', answerOf(404, 'x'), 1e9);
  bench.keeper.start(null);
  bench.pass(seconds(20 * DAY));
  const tries = bench.asked('GET /directory');
  assert.ok(tries > 95 && tries < 130, `${tries}`);
  assert.equal(bench.installed.length, 0);
});

test('certificates that are nearly over when they come › a day › a fair number of them', () => {
  const bench = new KeeperBench();
  bench.authority.lifeMillis = 3_600_000 + 600_000;
  bench.keeper.start(null);
  bench.pass(seconds(7_000));
  const count = bench.installed.length;
  assert.ok(count > 15 && count < 30, `${count}`);
});

test('a limit of rate with a time › failure › not tried before, within a day', () => {
  const bench = new KeeperBench();
  const limited = problem('rateLimited', 429, { 'retry-after': '36000' });
  bench.server.twist('POST /new-order', limited);
  bench.keeper.start(null);
  bench.pass(seconds(35_990));
  assert.equal(bench.asked('POST /new-order'), 1);
  bench.pass(seconds(10_000));
  assert.equal(bench.installed.length, 1);
  const far = new KeeperBench();
  far.server.twist('POST /new-order', problem('rateLimited', 429, { 'retry-after': '99999999' }));
  far.keeper.start(null);
  far.pass(seconds(1.3 * DAY));
  assert.equal(far.installed.length, 1, 'a day is the most that is waited');
});

test('a certificate for another key › order › refused, the old one stays', () => {
  const bench = new KeeperBench();
  bench.keeper.start(null);
  bench.pass(seconds(60));
  const other = nodeCrypto.generatePrivateKey('P-256', bench.random);
  bench.server.issue = () => bench.authority.chain(['a.example'], other.spki);
  bench.keeper.renewNow();
  bench.pass(seconds(30));
  assert.equal(bench.installed.length, 1);
  assert.match(bench.told('warn')[0]!, /not the one asked for: another key/);
  assert.equal(bench.proofs.size, 0);
});

const INFO = 'https://ca.example/renewal-info';
const windowAt = (bench: KeeperBench, fromDays: number, toDays: number) => {
  const time = (days: number) => new Date(bench.clock.wall() + days * DAY * 1_000).toISOString();
  return { suggestedWindow: { start: time(fromDays), end: time(toDays) } };
};

test('the authority suggests a window (RFC 9773) › time › renewed in it, and said what for', () => {
  const bench = new KeeperBench();
  bench.server.directory = { renewalInfo: INFO };
  bench.server.twist('GET /renewal-info/', answerOf(200, windowAt(bench, 20, 21)), 1e9);
  bench.keeper.start(null);
  bench.pass(seconds(19.9 * DAY));
  assert.equal(bench.installed.length, 1);
  bench.pass(seconds(1.2 * DAY));
  assert.ok(bench.installed.length >= 2);
  const { extensions, serial } = lifeOf(bench.installed[0]!);
  const id = [extensions.authorityKeyId!, serial].map((b) => Buffer.from(b).toString('base64url'));
  assert.equal(bench.server.orders[1]!.replaces, id.join('.'));
  assert.ok(bench.server.log.includes(`GET /renewal-info/${id.join('.')}`));
});

test('a window in the past (a mass revocation) › asked › renewed at once', () => {
  const bench = new KeeperBench();
  bench.server.directory = { renewalInfo: INFO };
  bench.keeper.start(null);
  bench.server.twist('GET /renewal-info/', answerOf(200, windowAt(bench, 60, 61)));
  bench.pass(seconds(DAY / 5));
  assert.equal(bench.installed.length, 1);
  bench.server.twist('GET /renewal-info/', answerOf(200, windowAt(bench, -2, -1)), 1e9);
  bench.pass(seconds(DAY / 16));
  assert.equal(bench.installed.length, 2);
  // It goes on to say so of each certificate: that is nonsense, or an attack on itself.
  bench.pass(seconds(DAY / 2));
  assert.ok(bench.installed.length > 10 && bench.installed.length < 15);
});

test('a window beyond the certificate’s end › time › renewed while it is good', () => {
  const bench = new KeeperBench();
  bench.server.directory = { renewalInfo: INFO };
  bench.server.twist('GET /renewal-info/', answerOf(200, windowAt(bench, 2_000, 2_001)), 1e9);
  bench.keeper.start(null);
  bench.pass(seconds(88 * DAY));
  assert.equal(bench.installed.length, 2);
});

for (const [what, answer] of [
  ['an error', answerOf(500, 'x')],
  ['no document', answerOf(200, 'x')],
  ['a window that ends before it begins', answerOf(200, { suggestedWindow: { start: 1, end: 0 } })],
] as const) {
  test(`renewal info that is ${what} › time › renewed as without`, () => {
    const bench = new KeeperBench();
    bench.server.directory = { renewalInfo: INFO };
    bench.server.twist('GET /renewal-info/', answer, 1e9);
    bench.keeper.start(null);
    bench.pass(seconds(55 * DAY));
    assert.equal(bench.installed.length, 1);
    bench.pass(seconds(6 * DAY));
    assert.equal(bench.installed.length, 2);
  });
}

for (const [told, times] of [
  ['1', [1_400, 1_450]],
  ['9999999', [1, 2]],
  ['3600', [23, 25]],
] as const) {
  test(`Retry-After: ${told} of renewal info › a day › asked for as often as is fair`, () => {
    const bench = new KeeperBench();
    bench.server.directory = { renewalInfo: INFO };
    const document = windowAt(bench, 20, 21);
    bench.server.twist('GET /renewal-info/', answerOf(200, document, { 'retry-after': told }), 1e9);
    bench.keeper.start(null);
    bench.pass(seconds(DAY));
    const asked = bench.asked('GET /renewal-info/');
    assert.ok(asked >= times[0] && asked <= times[1], `${asked}`);
  });
}

test('the wall clock is set ahead › within hours › noticed', () => {
  const bench = new KeeperBench();
  bench.keeper.start(null);
  bench.pass(seconds(60));
  bench.wallJumpMillis = 70 * DAY * 1_000;
  bench.pass(seconds(bench.limits.reviewMax / 1e6 + 60));
  assert.equal(bench.installed.length, 2);
});

test('the authority is away until shortly before the end › time › renewed before it is over', () => {
  const bench = new KeeperBench();
  bench.authority.lifeMillis = 24 * 3_600_000;
  bench.keeper.start(null);
  bench.pass(seconds(60));
  bench.server.twist('GET /directory', () => ({ kind: 'timeout' }), 1e9);
  bench.pass(seconds(22.5 * 3_600));
  assert.equal(bench.installed.length, 1);
  bench.server.forgive();
  bench.pass(seconds(0.4 * 3_600));
  assert.equal(bench.installed.length, 2, bench.lines.join('\n'));
});

test('a certificate that expired while the authority is away › failure › told so', () => {
  const bench = new KeeperBench();
  bench.authority.lifeMillis = 2 * 3_600_000;
  bench.keeper.start(null);
  bench.pass(seconds(60));
  bench.server.twist('GET /directory', () => ({ kind: 'timeout' }), 1e9);
  bench.pass(seconds(2 * 3_600));
  assert.match(bench.told('warn').at(-1)!, /; ours expired at 2026-11-26 13:00$/);
});
