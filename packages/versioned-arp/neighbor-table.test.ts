/** The table alone: what it answers, and what it tells the queue. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, FOREVER, instantOfMicros, seconds, TimerQueue, wallTimeOfMillis } from '#core';
import { type ArpCause, type Ipv4Address, ipv4AddressOf, parseIpv4Address } from '#net';
import { ChangeQueue } from './change-queue.ts';
import { conflictsMax, queuedChangesMax, recordsMax } from './limits.ts';
import { NeighborTable } from './neighbor-table.ts';
import type { NeighborRecord } from './record.ts';

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
    this.table.attach({ reread: (address) => this.rereads.push(address) }, mac(1));
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

test('silent › forgotten; one that is not known › nothing told', () => {
  const b = new Bench();
  b.table.silent(PEER);
  b.learn(PEER, mac(2));
  b.table.silent(PEER);
  assert.equal(b.table.find(PEER), null);
  assert.equal(b.told()[1], "forget 10.0.0.2: 52:54:00:00:00:02 doesn't answer");
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

test('as many as may be, and one more › the one that ends first leaves; static ones stay', () => {
  const b = new Bench();
  const at = (i: number): Ipv4Address => ipv4AddressOf(ip('10.1.0.0') + i);
  for (let i = 0; i < recordsMax; i++) {
    b.table.learned(at(i), mac(i), 'request', instantOfMicros(seconds(60) + i));
  }
  assert.equal(b.table.counters.recordsEvicted, 0);
  b.learn(at(recordsMax), mac(1));
  assert.equal(b.table.counters.recordsEvicted, 1);
  assert.equal(b.table.find(at(0)), null);
  for (let i = 1; i <= recordsMax; i++) assert(b.table.setStatic(at(i), mac(i)));
  assert(!b.table.setStatic(at(0), mac(0)));
  b.learn(at(0), mac(0));
  assert.equal(b.table.find(at(0)), null);
  assert.equal(b.table.counters.recordsRefused, 2);
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
  assert.equal(whole.writes.size, queuedChangesMax + 1);
  assert(!whole.writes.has('neighbors/10.0.2.1'));
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
  b.table.adopt('neighbors/10.0.0.2', THEIRS);
  assert.equal(b.table.find(PEER)?.until, seconds(30));
  b.table.adopt('neighbors/10.0.0.3', { ...THEIRS, expires: 1_999_999_999 });
  assert.equal(b.table.find(ip('10.0.0.3'))?.until, LIFE);
  b.table.adopt('neighbors/10.0.0.4', { ...THEIRS, expires: 1 });
  assert.equal(b.table.find(ip('10.0.0.4')), null);
  b.table.adopt('neighbors/10.0.0.5', { ...THEIRS, expires: null });
  assert.equal(b.table.find(ip('10.0.0.5'))?.until, FOREVER);
  assert.equal(b.rereads.length, 4);
  b.table.adopt('neighbors/10.0.0.5', null);
  b.table.adopt('neighbors/10.0.0.77', null);
  assert.equal(b.table.find(ip('10.0.0.5')), null);
  assert.equal(b.rereads.length, 5);
  b.wait(2);
  assert.deepEqual(b.told(), ['expire 10.0.0.4'], 'what was over already leaves the store too');
});

test('adopted while our own word waits, or a refresh does › ours stays', () => {
  const b = new Bench();
  b.learn(PEER, mac(2));
  b.table.adopt('neighbors/10.0.0.2', THEIRS);
  assert.deepEqual(b.table.find(PEER)?.mac, mac(2));
  b.told();
  b.wait(20);
  b.learn(PEER, mac(2));
  b.table.adopt('neighbors/10.0.0.2', { ...THEIRS, expires: 1_767_225_600 + 70 });
  assert.deepEqual(b.table.find(PEER)?.mac, mac(2), 'ours ends at 80 s');
  b.table.adopt('neighbors/10.0.0.2', { ...THEIRS, expires: 1_767_225_600 + 80 });
  assert.deepEqual(b.table.find(PEER)?.mac, mac(9));
  for (const path of ['neighbors/10.0.0', 'neighbors/', 'others/10.0.0.2', 'conflicts/x']) {
    b.table.adopt(path, THEIRS);
  }
  assert.equal(b.table.records().size, 1);
});

test('adopted when full › refused, and it leaves the store; ours stay', () => {
  const b = new Bench();
  const at = (i: number): Ipv4Address => ipv4AddressOf(ip('10.1.0.0') + i);
  for (let i = 0; i < recordsMax; i++) b.learn(at(i), mac(i));
  b.told();
  b.table.adopt('neighbors/10.0.0.2', THEIRS);
  assert.equal(b.table.find(PEER), null);
  assert.equal(b.queue.first?.writes.get('neighbors/10.0.0.2'), null);
  assert.deepEqual(b.told(), ['forget 10.0.0.2: no room for what others know']);
  b.table.adopt('neighbors/10.1.0.7', { ...THEIRS, expires: 1_767_225_600 + 60 });
  assert.deepEqual(b.table.find(at(7))?.mac, mac(9), 'one that is known has its place');
  for (let i = 0; i < conflictsMax; i++) b.table.conflict(at(i), mac(66));
  b.told();
  b.table.adopt('conflicts/10.0.0.2', { ...THEIRS, reason: 'conflict' });
  assert.equal(b.told().length, 1);
  assert.equal(b.table.counters.recordsRefused, 2);
});
