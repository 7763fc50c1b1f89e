/**
 * Many short connections, one after the other and at once: tables fill, refuse, and empty again.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, instantOfMicros, seconds } from '#core';
import type { Flow, FlowEnd } from '#device';
import { memoryBytesDefault, parseIpv4Address } from '#net';
import { SimWorld } from '#targets/sim/index';
import { memoryLevels } from '../../packages/net/limits.ts';
import { CONNECTION_BYTES } from '../../packages/net/tcp/limits.ts';
import { StackHost } from './stack-host.ts';

const PORT = 80;
const SERVER = parseIpv4Address('10.0.0.2')!;

interface Pair {
  readonly world: SimWorld;
  readonly client: StackHost;
  readonly server: StackHost;
}

/** A client, and a server that answers one byte with a kilobyte and ends the connection. */
function pair(seed: number, lossShare: number): Pair {
  const world = new SimWorld(seed);
  world.checkEvery = 50;
  world.network.faults.lossShare = lossShare;
  const client = new StackHost(world, 'client', {});
  const server = new StackHost(world, 'server', {});
  client.configure(parseIpv4Address('10.0.0.1')!, 24);
  server.configure(SERVER, 24);
  const page = new Uint8Array(1_024).fill(0x5a);
  const listening = server.tcp.listen(PORT, (flow) => {
    flow.attach({
      data() {
        flow.write(page);
        flow.shutdown();
      },
      drained() {},
      end() {},
      closed() {},
    });
  });
  assert(listening.ok);
  return { world, client, server };
}

/** Asks once; tells how many bytes came and how it ended. */
function ask({ client }: Pair, done: (bytes: number, how: FlowEnd | string) => void): void {
  client.tcp.connect(SERVER, PORT, (result) => {
    if (!result.ok) {
      done(0, result.error.kind);
      return;
    }
    const flow: Flow = result.value;
    let bytes = 0;
    flow.attach({
      data: (arrived) => {
        bytes += arrived.length;
      },
      drained() {},
      end: () => flow.shutdown(),
      closed: (how) => done(bytes, how),
    });
    flow.write(Uint8Array.of(1));
  });
}

function expectEmpty({ world, client, server }: Pair): void {
  world.run(after(world.timers.now, seconds(300)));
  for (const { tcp } of [client, server]) {
    const { connections, timeWait } = tcp.counters();
    assert.deepEqual({ connections, timeWait }, { connections: 0, timeWait: 0 });
  }
  // What is left: DHCP and ARP have nothing to do, connections are gone, and so are their timers.
  assert(world.timers.size < 20, `${world.timers.size} timers`);
}

test('3,000 connections, 20 at a time, 2 % of frames lost › every answer is whole', () => {
  const p = pair(3, 0.02);
  let started = 0;
  let whole = 0;
  const next = (): void => {
    if (started >= 3_000) return;
    started += 1;
    ask(p, (bytes, how) => {
      assert.deepEqual([bytes, how], [1_024, 'closed']);
      whole += 1;
      next();
    });
  };
  for (let i = 0; i < 20; i++) next();
  p.world.runUntil(() => whole === 3_000, instantOfMicros(36_000e6));
  expectEmpty(p);
});

test('more at once than the table holds › some are refused, the rest are served, none leak', () => {
  const p = pair(2, 0);
  const ends = new Map<string, number>();
  // The client's own connections fill its budget as far as they may.
  const most = Math.floor((memoryBytesDefault * memoryLevels.connections.total) / CONNECTION_BYTES);
  const count = most + 50;
  for (let i = 0; i < count; i++) {
    ask(p, (_bytes, how) => ends.set(how, (ends.get(how) ?? 0) + 1));
  }
  assert.equal(ends.get('no port'), 50);
  p.world.run(instantOfMicros(400e6));
  const total = [...ends.values()].reduce((sum, n) => sum + n, 0);
  assert.equal(total, count);
  assert((ends.get('closed') ?? 0) >= most / 2, JSON.stringify([...ends]));
  expectEmpty(p);
});

test('1,000 opened and dropped without a word › the server serves on, and forgets them', () => {
  const p = pair(3, 0);
  let opened = 0;
  for (let i = 0; i < 1_000; i++) {
    p.client.tcp.connect(SERVER, PORT, (result) => {
      if (!result.ok) return;
      opened += 1;
      result.value.attach({ data() {}, drained() {}, end() {}, closed() {} });
      result.value.abort();
    });
    p.world.run(after(p.world.timers.now, seconds(0.001)));
  }
  p.world.run(after(p.world.timers.now, seconds(5)));
  assert.equal(opened, 1_000);
  let answer: [number, string] | null = null;
  ask(p, (bytes, how) => {
    answer = [bytes, how];
  });
  p.world.run(after(p.world.timers.now, seconds(60)));
  assert.deepEqual(answer, [1_024, 'closed']);
  expectEmpty(p);
});
