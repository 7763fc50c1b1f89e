/** Runs of a flight against a naive model: a record for each byte. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SeqNumber, seqAdd, seqOf } from '#core';
import { AGAIN, type DeliveryWatcher, Flight, LOST, SACKED } from './flight.ts';
import { FLIGHT_RUNS_MAX } from './limits.ts';
import { Random } from './test-link.ts';

const ORIGIN = seqOf(0x7fff_ff80); // Wraps to negative numbers.
const seqAt = (i: number): SeqNumber => seqAdd(ORIGIN, i);
const NOBODY: DeliveryWatcher = { delivered() {} };

/** What is known of one byte. */
interface Byte {
  at: number;
  fate: number;
}

/** One flight and its model, changed together. */
class Pair {
  readonly flight = new Flight(seqAt(0), seqAt(10), 0);
  readonly bytes: Byte[] = Array.from({ length: 10 }, () => ({ at: 0, fate: 0 }));
  una = 0;
  now = 0;

  append(count: number): void {
    for (let i = 0; i < count; i++) this.bytes.push({ at: this.now, fate: 0 });
    this.flight.append(seqAt(this.bytes.length), this.now, 0);
  }

  sack(from: number, to: number): void {
    let news = 0;
    for (let i = from; i < to; i++) {
      if (this.bytes[i]!.fate !== SACKED) news += 1;
      this.bytes[i]!.fate = SACKED;
    }
    assert.equal(this.flight.sack(seqAt(from), seqAt(to), NOBODY), news);
  }

  resend(from: number, to: number): void {
    for (let i = from; i < to; i++) {
      if (this.bytes[i]!.fate !== SACKED) this.bytes[i] = { at: this.now, fate: AGAIN };
    }
    this.flight.resend(seqAt(from), seqAt(to), this.now);
  }

  loseAll(): void {
    for (const byte of this.bytes) if (byte.fate !== SACKED) byte.fate |= LOST;
    this.flight.loseAll(false);
  }

  acknowledge(to: number): void {
    let news = 0;
    for (let i = this.una; i < to; i++) if (this.bytes[i]!.fate !== SACKED) news += 1;
    this.una = to;
    assert.equal(this.flight.acknowledge(seqAt(to), NOBODY), news);
  }

  check(): void {
    const { flight, una, bytes } = this;
    flight.checkInvariants(seqAt(una), seqAt(bytes.length));
    const rest = bytes.slice(una);
    assert.equal(flight.sackedBytes, rest.filter((byte) => byte.fate === SACKED).length);
    const lost = rest.findIndex((byte) => byte.fate & LOST);
    assert.equal(flight.nextLost(), lost >= 0);
    if (lost >= 0) assert.equal(flight.lostStart, seqAt(una + lost));
    let run = 0;
    for (let i = una; i < bytes.length; i++) {
      while (((seqAt(i) - flight.ends[run]!) | 0) >= 0) run += 1;
      assert.equal(flight.fates[run], bytes[i]!.fate, `the fate of byte ${i}`);
      // Lost and reported runs keep only the last of their times.
      if (bytes[i]!.fate < LOST) assert.equal(flight.times[run], bytes[i]!.at);
    }
  }
}

test('flight › against a record for each byte › agrees', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const below = (count: number): number => Math.floor(random.next() * count);
    const pair = new Pair();
    for (let step = 0; step < 60; step++) {
      pair.now += below(3);
      const length = pair.bytes.length;
      // One byte stays in flight: an empty flight is none.
      const from = pair.una + below(length - pair.una);
      const to = Math.min(length, from + 1 + below(20));
      const what = below(10);
      if (what < 3) pair.append(1 + below(30));
      else if (what < 6) {
        if (from > pair.una) pair.sack(from, to);
      } else if (what < 8) pair.resend(from, to);
      else if (what === 8) pair.loseAll();
      else if (to < length) pair.acknowledge(Math.max(pair.una, from));
      pair.check();
    }
  }
});

test('runs bound › a report beyond it is ignored; new data joins the last run', () => {
  const flight = new Flight(seqAt(0), seqAt(10_000), 0);
  let sacked = 0;
  for (let i = 0; flight.ends.length < FLIGHT_RUNS_MAX; i++) {
    sacked += flight.sack(seqAt(2 * i + 1), seqAt(2 * i + 2), NOBODY);
  }
  assert.equal(sacked, FLIGHT_RUNS_MAX / 2);
  assert.equal(flight.sack(seqAt(9_000), seqAt(9_001), NOBODY), 0);
  const runs = flight.ends.length;
  for (let now = 1; now < 10; now++) flight.append(seqAt(10_000 + now), now, 0);
  assert.ok(flight.ends.length <= runs + 2);
  flight.checkInvariants(seqAt(0), seqAt(10_009));
  // What can't have a run of its own counts as sent as a whole.
  flight.loseAll(false);
  flight.resend(seqAt(0), seqAt(1), 20);
  flight.checkInvariants(seqAt(0), seqAt(10_009));
});

test('new data › within a grain of the first of its run › shares its time; later › does not', () => {
  const flight = new Flight(seqAt(0), seqAt(10), 0);
  flight.append(seqAt(20), 5, 10);
  flight.append(seqAt(30), 10, 10);
  assert.deepEqual(flight.times, [10]);
  flight.append(seqAt(40), 11, 10);
  assert.deepEqual(flight.times, [10, 11]);
});

test('acknowledged › the sent time of the last byte; of what left twice › none, Karn', () => {
  const flight = new Flight(seqAt(0), seqAt(10), 7);
  flight.append(seqAt(20), 9, 0);
  flight.append(seqAt(30), 11, 0);
  flight.acknowledge(seqAt(15), null);
  assert.equal(flight.ackedAt, 9);
  flight.resend(seqAt(15), seqAt(20), 12);
  flight.acknowledge(seqAt(25), null);
  assert.equal(flight.ackedAt, -1);
});
