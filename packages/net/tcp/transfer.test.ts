/**
 * Two stacks on a link in virtual time: whole transfers, with everything that a bad link does to
 * them.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Flow, FlowEnd, FlowHandler } from '#device';
import { Random, TestLink, THERE } from './test-link.ts';

/** Keeps what arrives; `ended` and `closed` as told. */
class Sink implements FlowHandler {
  bytes = 0;
  sum = 1;
  ended = false;
  how: FlowEnd | null = null;
  drains = 0;
  onDrained: () => void = () => {};
  onEnd: () => void = () => {};

  data(bytes: Uint8Array): void {
    assert.ok(bytes.length > 0);
    assert.equal(this.ended, false);
    this.bytes += bytes.length;
    this.sum = mix(this.sum, bytes);
  }

  drained(): void {
    this.drains += 1;
    this.onDrained();
  }

  end(): void {
    assert.equal(this.ended, false);
    this.ended = true;
    this.onEnd();
  }

  closed(how: FlowEnd): void {
    assert.equal(this.how, null);
    this.how = how;
  }
}

/** An order-sensitive sum that doesn't care how bytes are cut. */
function mix(sum: number, bytes: Uint8Array): number {
  let s = sum;
  for (let i = 0; i < bytes.length; i++) s = Math.imul(s, 31) + bytes[i]!;
  return s;
}

/** Writes `total` seeded bytes in pieces, staying near the low-water mark, then shuts down. */
class Source {
  sum = 1;
  written = 0;
  private readonly random: Random;
  private readonly flow: Flow;
  private readonly total: number;
  private readonly pieceMax: number;

  constructor(flow: Flow, total: number, seed: number, pieceMax: number) {
    this.flow = flow;
    this.total = total;
    this.random = new Random(seed);
    this.pieceMax = pieceMax;
  }

  pump(): void {
    if (this.written === this.total) return;
    while (this.flow.queuedBytes <= 2 * this.flow.lowWaterBytes && this.written < this.total) {
      const length = Math.min(
        this.total - this.written,
        1 + Math.floor(this.random.next() * this.pieceMax),
      );
      const piece = new Uint8Array(length);
      piece.fill(Math.floor(this.random.next() * 256));
      piece[0] = 7;
      this.sum = mix(this.sum, piece);
      this.written += length;
      this.flow.write(piece);
    }
    if (this.written === this.total) this.flow.shutdown();
  }
}

function transfer(link: TestLink, up: number, down: number, pieceMax: number, micros: number) {
  const client = new Sink();
  const server = new Sink();
  const sources: Source[] = [];
  const start = (flow: Flow, sink: Sink, total: number, seed: number) => {
    flow.attach(sink);
    const source = new Source(flow, total, seed, pieceMax);
    sources.push(source);
    sink.onDrained = () => source.pump();
    if (total === 0) flow.shutdown();
    else source.pump();
    return source;
  };
  let fromServer: Source | null = null;
  let fromClient: Source | null = null;
  const listening = link.there.listen(80, (flow) => {
    fromServer = start(flow, server, down, 2);
  });
  assert.ok(listening.ok);
  link.here.connect(link.thereAddress, 80, (result) => {
    assert.ok(result.ok);
    fromClient = start(result.value, client, up, 1);
  });
  const started = link.now;
  const done = link.runUntil(() => client.how !== null && server.how !== null, micros);
  const took = (link.now - started) / 1e6;
  assert.ok(done, `not done: up ${server.bytes} of ${up}, down ${client.bytes} of ${down}`);
  assert.equal(server.how, 'closed');
  assert.equal(client.how, 'closed');
  assert.equal(server.bytes, up);
  assert.equal(client.bytes, down);
  assert.equal(server.sum, (fromClient as Source | null)?.sum);
  assert.equal(client.sum, (fromServer as Source | null)?.sum);
  assert.ok(client.ended && server.ended);
  link.check();
  return took;
}

test('a clean link › 1 MB both ways › arrives and closes', () => {
  const took = transfer(new TestLink(), 1_000_000, 1_000_000, 5_000, 60e6);
  assert.ok(took < 1, `${took} s`);
});

test('loss, duplication and reordering › 40 seeds › every byte arrives, both ways', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new Random(seed);
    const link = new TestLink({
      seed,
      loss: random.next() * 0.1,
      duplicate: random.next() * 0.05,
      reorder: random.next() * 0.1,
      delayMicros: 500 + Math.floor(random.next() * 20_000),
      mtuBytes: random.next() < 0.2 ? 576 : 1500,
      nagle: random.next() < 0.7,
    });
    const up = Math.floor(random.next() * 200_000);
    const down = Math.floor(random.next() * 200_000);
    transfer(link, up, down, random.next() < 0.3 ? 200 : 20_000, 900e6);
  }
});

test('IPv6, every packet with new address objects › found by address, closed without a trace', () => {
  for (let seed = 0; seed <= 10; seed++) {
    const link = new TestLink({ seed, ipv6: true, loss: seed * 0.005, reorder: seed * 0.01 });
    transfer(link, 150_000, 100_000, 9_000, 900e6);
    link.run(1e6);
    assert.equal(link.there.counters().connections, 0);
  }
});

test('loss 1 %, 10 ms, 100 Mbit/s › 5 MB up, down, both › near what RFC 5681 gives, 14 Mbit/s', () => {
  for (const [up, down] of [
    [5_000_000, 0],
    [0, 5_000_000],
    [5_000_000, 5_000_000],
  ] as const) {
    const link = new TestLink({ seed: 5, loss: 0.01, delayMicros: 5_000, bitsPerSecond: 1e8 });
    const took = transfer(link, up, down, 60_000, 900e6);
    assert.ok(took < 5, `${took} s`);
  }
});

test('loss 1 %, 10 ms, 1 Gbit/s › 100 MB both ways at once › about a minute', () => {
  const link = new TestLink({ seed: 9, loss: 0.01, delayMicros: 5_000 });
  const total = 100_000_000;
  const piece = new Uint8Array(65_536);
  const sinks: Sink[] = [];
  const start = (flow: Flow) => {
    const sink = new Sink();
    let left = total;
    sink.data = (bytes) => {
      sink.bytes += bytes.length;
    };
    sink.onDrained = () => {
      while (flow.queuedBytes <= 2 * flow.lowWaterBytes && left > 0) {
        const count = Math.min(piece.length, left);
        left -= count;
        flow.write(piece.subarray(0, count));
      }
      if (left === 0) flow.shutdown();
    };
    sinks.push(sink);
    flow.attach(sink);
    sink.onDrained();
  };
  link.there.listen(80, start);
  link.here.connect(THERE, 80, (result) => {
    assert.ok(result.ok);
    start(result.value);
  });
  assert.ok(link.runUntil(() => sinks.filter((sink) => sink.how !== null).length === 2, 90e6));
  for (const sink of sinks) assert.deepEqual([sink.bytes, sink.how], [total, 'closed']);
  link.check();
});
