/** The table alone: what it answers, and what it tells the queue. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, FOREVER, instantOfMicros, seconds, TimerQueue, wallTimeOfMillis } from '#core';
import { type ArpCause, type Ipv4Address, ipv4AddressOf, parseIpv4Address } from '#net';
import { ChangeQueue } from './change-queue.ts';
import {
  conflictsMax,
  queuedChangesMax,
  recordsMax,
  staticHostsMax,
  staticsKeptMax,
  staticsMax,
} from './limits.ts';
import { NeighborTable } from './neighbor-table.ts';
import type { NeighborRecord } from './record.ts';
import type { StaticTable } from './static-table.ts';

const ip = (text: string): Ipv4Address => parseIpv4Address(text)!;
const mac = (last: number): Uint8Array => Uint8Array.of(0x52, 0x54, 0, 0, last >> 8, last);
const LIFE = seconds(60);
const PEER = ip('10.0.0.2');

class Bench {
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly table: NeighborTable;
  readonly queue: ChangeQueue;
  readonly rereads: Ipv4Address[] = [];

  constructor() {
    this.table = new NeighborTable({
      timers: this.timers,
      clock: { wall: () => wallTimeOfMillis(1_767_225_600_000 + this.timers.now / 1_000) },
      entropy: { fill: (b: Uint8Array) => b.fill(0x80) },
      host: 'a',
      lifetime: LIFE,
    });
    this.queue = new ChangeQueue(() => this.table.records());
    this.table.queue = this.queue;
    const mayHave = (address: Ipv4Address) => address >>> 24 === 10 && address !== ip('10.0.0.1');
    const reread = (address: Ipv4Address) => void this.rereads.push(address);
    this.table.attach({ reread, mayHave }, mac(1));
  }

  learn(address: Ipv4Address, station: Uint8Array, cause: ArpCause = 'answer'): void {
    this.table.learned(address, station, cause, after(this.timers.now, LIFE));
  }

  wait(count: number): void {
    const end = this.timers.now + seconds(count);
    while (this.timers.nextDeadline() <= end) {
      this.timers.run(this.timers.nextDeadline());
      this.table.checkInvariants();
      this.queue.checkInvariants();
    }
    this.timers.run(instantOfMicros(end));
  }

  /** First lines of what waits to be committed; then nothing waits. */
  told(): string[] {
    const subjects: string[] = [];
    for (let next = this.queue.first; next !== null; next = this.queue.first) {
      subjects.push(next.message.split('\n')[0] ?? '');
      this.queue.done();
    }
    return subjects;
  }
}

test('learned, moved, expired › each told with its reason; over it is never found', () => {
  const b = new Bench();
  b.learn(PEER, mac(2), 'request');
  assert.deepEqual(b.table.find(PEER)?.mac, mac(2));
  const [first] = [b.queue.first];
  assert.equal(
    first?.message,
    'learn 10.0.0.2 is 52:54:00:00:00:02: it asked for us\n\n' +
      'Station: 52:54:00:00:00:02\nInterface: 52:54:00:00:00:01\nUptime: 0.000 s\n',
  );
  assert.deepEqual(first.writes.get('neighbors/10.0.0.2'), {
    mac: '52:54:00:00:00:02',
    expires: 1_767_225_660,
    reason: 'request',
    host: 'a',
  });
  b.wait(10);
  b.learn(PEER, mac(9));
  assert.deepEqual(b.table.find(PEER)?.mac, mac(9));
  b.wait(59.9);
  assert.notEqual(b.table.find(PEER), null);
  b.timers.now = instantOfMicros(seconds(70));
  assert.equal(b.table.find(PEER), null, 'before any sweep');
  b.wait(2);
  assert.deepEqual(b.told(), [
    'learn 10.0.0.2 is 52:54:00:00:00:02: it asked for us',
    'learn 10.0.0.2 is 52:54:00:00:00:09: it answered our question, no longer 52:54:00:00:00:02',
    'expire 10.0.0.2',
  ]);
});

test('nothing changes › nothing told and no timer, for virtual hours', () => {
  const b = new Bench();
  assert.equal(b.timers.nextDeadline(), FOREVER);
  assert(b.table.setStatic(PEER, mac(2)));
  assert.equal(b.told().length, 1);
  b.wait(7_200);
  assert.deepEqual(b.told(), []);
  assert.equal(b.timers.nextDeadline(), FOREVER);
});

test('confirmed a thousand times unchanged › told as often as the store would expire it', () => {
  const b = new Bench();
  for (let i = 0; i < 1_000; i++) {
    b.learn(PEER, mac(2));
    b.learn(ip('10.0.0.3'), mac(3));
    b.wait(1);
  }
  const told = b.told();
  assert.deepEqual(told.slice(2, 4), ['refresh 10.0.0.2, 10.0.0.3', 'refresh 10.0.0.2, 10.0.0.3']);
  assert(told.length <= 2 + Math.ceil(1_000 / 44), `${told.length}`);
  assert.equal(b.table.counters.recordsRefreshed, 1_998);
});

test('many end at once › one commit names some of them', () => {
  const b = new Bench();
  for (let i = 1; i <= 7; i++) b.learn(ip(`10.0.0.${i}`), mac(i));
  b.told();
  b.wait(62);
  assert.deepEqual(b.told(), ['expire 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4 and 3 more']);
});

test('static › frames and time leave it, a command changes and removes it', () => {
  const b = new Bench();
  assert(b.table.setStatic(PEER, mac(2)));
  assert(b.table.setStatic(PEER, mac(2)), 'again: nothing new');
  b.learn(PEER, mac(9));
  b.table.silent(PEER);
  b.wait(1_000);
  assert.deepEqual(b.table.find(PEER)?.mac, mac(2));
  assert.equal(b.table.find(PEER)?.until, FOREVER);
  assert(b.table.remove(PEER));
  assert(!b.table.remove(PEER));
  assert.equal(b.table.find(PEER), null);
  assert.deepEqual(b.told(), [
    'set 10.0.0.2 is 52:54:00:00:00:02: static, by command',
    'remove 10.0.0.2: by command',
  ]);
  assert.deepEqual(b.rereads, [PEER, PEER]);
});

test('silent, or removed › others can hear of it for a life; then nothing is left', () => {
  const b = new Bench();
  b.table.silent(PEER);
  b.learn(PEER, mac(2));
  b.wait(50);
  b.table.silent(PEER);
  b.table.silent(PEER);
  assert.equal(b.table.find(PEER), null);
  assert.deepEqual(b.table.records().get('neighbors/10.0.0.2'), {
    mac: null,
    expires: 1_767_225_600 + 50 + 60,
    reason: 'silent',
    host: 'a',
  });
  assert.deepEqual(b.table.neighbors(), new Map());
  b.wait(62);
  assert.equal(b.table.records().size, 0);
  b.learn(PEER, mac(2));
  assert(b.table.remove(PEER));
  assert(!b.table.remove(PEER));
  b.learn(PEER, mac(3));
  assert.deepEqual(b.table.find(PEER)?.mac, mac(3), 'learned anew');
  assert.deepEqual(b.told(), [
    'learn 10.0.0.2 is 52:54:00:00:00:02: it answered our question',
    "forget 10.0.0.2: 52:54:00:00:00:02 doesn't answer",
    'expire 10.0.0.2',
    'learn 10.0.0.2 is 52:54:00:00:00:02: it answered our question',
    'remove 10.0.0.2: by command',
    'learn 10.0.0.2 is 52:54:00:00:00:03: it answered our question',
  ]);
});

const FIXED = (since: number, ...addresses: string[]): StaticTable => ({
  since,
  entries: new Map(
    addresses.map((address) => [address, { mac: '52:54:00:00:00:09', origin: 'configuration' }]),
  ),
});

test('configured › as the configuration says at each boot; what a command set stays', () => {
  const b = new Bench();
  b.table.adopt('static/a', FIXED(7, '10.0.0.2', '10.0.0.3'), false);
  assert(b.table.setStatic(ip('10.0.0.4'), mac(4)));
  b.learn(ip('10.0.0.5'), mac(66));
  b.told();
  const configured = new Map([
    [ip('10.0.0.3'), mac(9)],
    [ip('10.0.0.5'), mac(5)],
  ]);
  assert(b.table.configure(configured));
  assert(b.table.configure(configured));
  const change = b.queue.first!;
  assert.deepEqual([...change.writes.keys()], ['static/a', 'neighbors/10.0.0.5']);
  assert.equal(change.writes.get('neighbors/10.0.0.5'), null);
  const table = change.writes.get('static/a') as StaticTable;
  assert.deepEqual([...table.entries.keys()].sort(), ['10.0.0.3', '10.0.0.4', '10.0.0.5']);
  assert.deepEqual(b.told(), ['configure static entries: 10.0.0.2, 10.0.0.5']);
  assert.equal(b.table.find(PEER), null);
  assert.deepEqual(b.table.find(ip('10.0.0.5')), { mac: mac(5), until: FOREVER });
});

test('another’s static entries › answer where nothing better is known, and not for ever', () => {
  const b = new Bench();
  b.table.adopt('static/b', FIXED(7, '10.0.0.2', '10.0.0.3'), true);
  assert.deepEqual(b.table.find(PEER), { mac: mac(9), until: LIFE });
  b.learn(PEER, mac(2));
  assert.deepEqual(b.table.find(PEER)?.mac, mac(2));
  b.table.silent(PEER);
  assert.equal(b.table.find(PEER), null);
  assert(b.table.setStatic(ip('10.0.0.3'), mac(3)));
  assert.deepEqual(b.table.find(ip('10.0.0.3'))?.mac, mac(3));
  b.wait(62);
  assert.deepEqual(b.table.find(PEER)?.mac, mac(9));
  assert.deepEqual(
    [...b.table.neighbors()],
    [
      ['10.0.0.2', '52:54:00:00:00:09'],
      ['10.0.0.3', '52:54:00:00:00:03'],
    ],
  );
  b.table.adopt('static/b', null, true);
  assert.equal(b.table.find(PEER), null);
  const group = { mac: '01:00:5e:00:00:01', origin: 'command' } as const;
  const nonsense = { since: 1, entries: new Map([['10.0.0.7', group]]) };
  b.table.adopt('static/b', nonsense, true);
  assert.equal(b.table.find(ip('10.0.0.7')), null);
  for (let i = 0; i <= staticHostsMax; i++) b.table.adopt(`static/c${i}`, FIXED(1), true);
  assert.equal(b.table.counters.staticsRefused, 2);
  b.table.checkInvariants();
});

test('ours, changed by who was pulled from › written again, later, and not without end', () => {
  const b = new Bench();
  assert(b.table.setStatic(PEER, mac(2)));
  const wrong = FIXED(1_999_999_999, '10.0.0.2', '10.0.0.6');
  b.told();
  b.table.adopt('static/a', wrong, true);
  assert.deepEqual(b.table.find(PEER)?.mac, mac(2));
  assert.equal(b.table.find(ip('10.0.0.6')), null);
  const kept = b.queue.first!.writes.get('static/a') as StaticTable;
  assert.deepEqual([kept.since, [...kept.entries.keys()]], [2_000_000_000, ['10.0.0.2']]);
  for (let i = 0; i < 2 * staticsKeptMax; i++) {
    b.told();
    b.table.adopt('static/a', wrong, true);
  }
  assert.deepEqual(b.told(), []);
  assert.equal(b.table.counters.staticsKept, staticsKeptMax);
  b.table.adopt('static/a', wrong, false);
  assert.deepEqual(b.table.find(PEER)?.mac, mac(9), 'whoever may push here may change it');
});

test('a conflict › noted once a station, and gone after a life without it', () => {
  const b = new Bench();
  for (let i = 0; i < 5; i++) b.table.conflict(ip('10.0.0.1'), mac(66));
  assert.deepEqual(b.told(), ['note a conflict: 52:54:00:00:00:42 says that it is 10.0.0.1, ours']);
  assert.equal(b.table.find(ip('10.0.0.1')), null, 'our address is no neighbour');
  b.wait(70);
  assert.deepEqual(b.told(), ['expire 10.0.0.1']);
  for (let i = 0; i <= conflictsMax; i++) b.table.conflict(ipv4AddressOf(PEER + i), mac(66));
  assert.equal(b.table.records().size, conflictsMax);
});

test('as many as may be, and one more › the one that ends first leaves', () => {
  const b = new Bench();
  const at = (i: number): Ipv4Address => ipv4AddressOf(ip('10.1.0.0') + i);
  for (let i = 0; i < recordsMax; i++) {
    b.table.learned(at(i), mac(i), 'request', instantOfMicros(seconds(60) + i));
  }
  assert.equal(b.table.counters.recordsEvicted, 0);
  b.learn(at(recordsMax), mac(1));
  assert.equal(b.table.counters.recordsEvicted, 1);
  assert.equal(b.table.find(at(0)), null);
});

test('as many static entries as may be › one more is refused, by command and configuration', () => {
  const b = new Bench();
  const at = (i: number): Ipv4Address => ipv4AddressOf(ip('10.1.0.0') + i);
  const all = new Map(Array.from({ length: staticsMax }, (_, i) => [at(i), mac(1)] as const));
  assert(b.table.configure(all));
  assert(!b.table.setStatic(at(staticsMax), mac(1)));
  assert(b.table.setStatic(at(0), mac(2)), 'one that is there already');
  assert(b.table.configure(all));
  assert(!b.table.configure(new Map([...all, [at(staticsMax), mac(1)]])));
  assert.equal(b.table.counters.staticsRefused, 2);
  assert.equal(b.table.find(at(staticsMax)), null);
  b.table.checkInvariants();
});

test('more changes than the queue has room for › the rest is one commit of the whole table', () => {
  const b = new Bench();
  for (let i = 1; i <= queuedChangesMax; i++) b.learn(ip(`10.0.1.${i}`), mac(i));
  assert.equal(b.queue.counters.changesCoalesced, 0);
  assert(!b.queue.has('neighbors/10.0.0.9'));
  b.learn(ip('10.0.2.1'), mac(1));
  b.learn(ip('10.0.2.2'), mac(2));
  b.table.remove(ip('10.0.2.1'));
  assert.equal(b.queue.counters.changesCoalesced, 3);
  assert(b.queue.has('neighbors/10.0.0.9'), 'anything may wait');
  for (let i = 0; i < queuedChangesMax; i++) b.queue.done();
  const whole = b.queue.first;
  assert(whole?.isWhole);
  assert.equal(whole.message, 'learn much at once: 3 changes');
  assert.equal(whole.writes.size, queuedChangesMax + 2);
  const removed = whole.writes.get('neighbors/10.0.2.1') as NeighborRecord;
  assert.equal(removed.mac, null);
  b.queue.done();
  assert(b.queue.isEmpty && b.queue.first === null);
});

const THEIRS: NeighborRecord = {
  mac: '52:54:00:00:00:09',
  expires: 1_767_225_600 + 30,
  reason: 'answer',
  host: 'b',
};

test('adopted from a store › answers until it ends, at most a life; the cache looks again', () => {
  const b = new Bench();
  b.table.adopt('neighbors/10.0.0.2', THEIRS, false);
  assert.equal(b.table.find(PEER)?.until, seconds(30));
  b.table.adopt('neighbors/10.0.0.3', { ...THEIRS, expires: 1_767_225_600 + 100 }, false);
  assert.equal(b.table.find(ip('10.0.0.3'))?.until, LIFE);
  b.table.adopt('neighbors/10.0.0.4', { ...THEIRS, expires: 1 }, false);
  assert.equal(b.table.find(ip('10.0.0.4')), null);
  b.table.adopt('neighbors/10.0.0.5', THEIRS, false);
  assert.notEqual(b.table.find(ip('10.0.0.5')), null);
  assert.equal(b.rereads.length, 4);
  b.table.adopt('neighbors/10.0.0.5', null, false);
  b.table.adopt('neighbors/10.0.0.77', null, false);
  assert.equal(b.table.find(ip('10.0.0.5')), null);
  assert.equal(b.rereads.length, 5);
  b.wait(2);
  assert.deepEqual(b.told(), ['expire 10.0.0.4'], 'what was over already leaves the store too');
});

test('adopted while our own word waits, or a refresh does › ours stays', () => {
  const b = new Bench();
  b.learn(PEER, mac(2));
  b.table.adopt('neighbors/10.0.0.2', THEIRS, false);
  assert.deepEqual(b.table.find(PEER)?.mac, mac(2));
  b.told();
  b.wait(20);
  b.learn(PEER, mac(2));
  b.table.adopt('neighbors/10.0.0.2', { ...THEIRS, expires: 1_767_225_600 + 70 }, false);
  assert.deepEqual(b.table.find(PEER)?.mac, mac(2), 'ours ends at 80 s');
  b.table.adopt('neighbors/10.0.0.2', { ...THEIRS, expires: 1_767_225_600 + 80 }, false);
  assert.deepEqual(b.table.find(PEER)?.mac, mac(2), 'not later than ours');
  b.wait(1);
  b.table.adopt('neighbors/10.0.0.2', { ...THEIRS, expires: 1_767_225_600 + 81 }, false);
  assert.deepEqual(b.table.find(PEER)?.mac, mac(9));
  for (const path of ['neighbors/10.0.0', 'neighbors/', 'others/10.0.0.2', 'conflicts/x']) {
    b.table.adopt(path, THEIRS, false);
  }
  assert.equal(b.table.records().size, 1);
});

test('another says what can’t be › kept for the others, not used, counted', () => {
  const b = new Bench();
  const wrong: readonly [string, Partial<NeighborRecord>][] = [
    ['10.0.0.2', { mac: '01:00:5e:00:00:05' }],
    ['10.0.0.3', { mac: 'ff:ff:ff:ff:ff:ff' }],
    ['10.0.0.4', { mac: '00:00:00:00:00:00' }],
    ['10.0.0.1', {}],
    ['192.0.2.7', {}],
    ['10.0.0.5', { expires: 1_767_225_600 + 60 + 61 }],
  ];
  for (const [address, what] of wrong) {
    b.table.adopt(`neighbors/${address}`, { ...THEIRS, ...what }, true);
    assert.equal(b.table.find(ip(address)), null, address);
  }
  assert.equal(b.table.counters.recordsImplausible, wrong.length);
  assert.equal(b.table.records().size, wrong.length);
  b.table.adopt('neighbors/10.0.0.6', { ...THEIRS, expires: 1_767_225_600 + 120 }, true);
  assert.equal(b.table.find(ip('10.0.0.6'))?.until, LIFE, 'a clock may be a minute ahead');
  b.learn(PEER, mac(2));
  b.learn(PEER, mac(2));
  assert.deepEqual(b.table.find(PEER)?.mac, mac(2), 'a frame knows better');
  b.wait(70);
  assert.equal(b.table.records().size, 0);
});

test('another disputes what we learned › a later word counts, one from the future does not', () => {
  const b = new Bench();
  const theirs = (after: number) => ({ ...THEIRS, expires: 1_767_225_600 + after });
  b.wait(10);
  b.learn(PEER, mac(2));
  b.told();
  for (const after of [65, 69, 70, 75, 100]) {
    b.table.adopt('neighbors/10.0.0.2', theirs(after), true);
    assert.deepEqual(b.table.find(PEER)?.mac, mac(2), `learned at ${after - 60}`);
    b.table.adopt('neighbors/10.0.0.2', { ...theirs(after), mac: null }, true);
    assert.deepEqual(b.table.find(PEER)?.mac, mac(2), `removed at ${after - 60}`);
  }
  assert.equal(b.table.counters.recordsDoubted, 10);
  b.wait(5);
  b.table.adopt('neighbors/10.0.0.2', theirs(74), true);
  assert.deepEqual(b.table.find(PEER)?.mac, mac(9));
  b.table.adopt('neighbors/10.0.0.2', { ...theirs(75), mac: null }, true);
  assert.equal(b.table.find(PEER), null);
});

test('full of what others told › one more that we learn evicts one of theirs', () => {
  const b = new Bench();
  const at = (i: number): Ipv4Address => ipv4AddressOf(ip('10.1.0.0') + i);
  b.learn(PEER, mac(2));
  b.wait(1);
  for (let i = 1; i < recordsMax; i++) {
    const theirs = { ...THEIRS, expires: 1_767_225_600 + 61 };
    b.table.adopt(`neighbors/10.1.${i >> 8}.${i & 255}`, theirs, true);
  }
  for (let i = 1; i < recordsMax; i++) b.learn(ipv4AddressOf(ip('10.2.0.0') + i), mac(i));
  assert.deepEqual(b.table.find(PEER)?.mac, mac(2));
  assert.equal(b.table.find(at(1)), null);
  b.learn(at(1), mac(1));
  assert.equal(b.table.find(PEER), null, 'the one of ours that ends first');
});

test('adopted when full › refused, and it leaves the store; ours stay', () => {
  const b = new Bench();
  const at = (i: number): Ipv4Address => ipv4AddressOf(ip('10.1.0.0') + i);
  for (let i = 0; i < recordsMax; i++) b.learn(at(i), mac(i));
  b.told();
  b.table.adopt('neighbors/10.0.0.2', THEIRS, false);
  assert.equal(b.table.find(PEER), null);
  assert.equal(b.queue.first?.writes.get('neighbors/10.0.0.2'), null);
  assert.deepEqual(b.told(), ['forget 10.0.0.2: no room for what others know']);
  b.wait(1);
  b.table.adopt('neighbors/10.1.0.7', { ...THEIRS, expires: 1_767_225_600 + 61 }, false);
  assert.deepEqual(b.table.find(at(7))?.mac, mac(9), 'one that is known has its place');
  for (let i = 0; i < conflictsMax; i++) b.table.conflict(at(i), mac(66));
  b.told();
  b.table.adopt('conflicts/10.0.0.2', { ...THEIRS, reason: 'conflict' }, false);
  assert.equal(b.told().length, 1);
  assert.equal(b.table.counters.recordsRefused, 2);
});
