/**
 * `fetch` over our own stack in virtual time: names, connections and bodies over links that lose,
 * repeat, reorder and corrupt, from one seed each.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { instantOfMicros, Log, micros, seconds } from '#core';
import type { Stack } from '#device';
import { fetchHandler, HttpServer } from '#http';
import { directStack, Names, stackOptions } from '#stack';
import { SimWorld } from '#targets/sim/index';
import { AbortController, installNetwork, installWeb, ReadableStream, Response } from '#web';
import { fetch } from '../../packages/http/client/fetch.ts';
import { address, TestDnsServer } from '../helpers/dns-server.ts';

const BODY_BYTES = 300_000;
const SEEDS = 8;
const LIMIT = seconds(900);

class Net {
  readonly world: SimWorld;
  client!: Stack;
  web!: Stack;
  served = 0;

  constructor(seed: number) {
    this.world = new SimWorld(seed);
  }

  async start(): Promise<this> {
    const { world } = this;
    this.client = await this.stack('client', '10.0.0.1/24');
    this.web = await this.stack('web', '10.0.0.80/24');
    const dns = new TestDnsServer([address('web.example', '10.0.0.80')]);
    await dns.serve(await this.stack('dns', '10.0.0.53/24'), 53);
    const log = new Log((line) => world.lines.push(line), 'warn').source('http');
    installWeb({
      timers: world.timers,
      clock: world.clock,
      entropy: world.random,
      console: { writeLine: (line) => world.lines.push(line) },
    });
    installNetwork(this.client);
    const app = { fetch: (request: Request) => this.answer(request) };
    const { timers, clock } = world;
    const server = new HttpServer({ handler: fetchHandler(app, { log }), timers, clock, log });
    await this.web.listen(80, (flow) => server.accept(flow));
    return this;
  }

  /** Lets time pass until `promise` settles. */
  async during<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    const done = promise.finally(() => {
      isDone = true;
    });
    done.catch(() => {});
    const limit = instantOfMicros(this.world.timers.now + LIMIT);
    await this.world.runAsync(
      () => isDone,
      limit,
      () => setImmediate(),
    );
    return done;
  }

  private async answer(request: Request): Promise<Response> {
    this.served += 1;
    const { pathname, origin } = new URL(request.url);
    if (pathname === '/echo') return new Response(request.body as never);
    if (pathname === '/away') return Response.redirect(`${origin}/data`, 307);
    return new Response(pattern());
  }

  private async stack(name: string, cidr: string): Promise<Stack> {
    const options = stackOptions(cidr, '', '');
    assert.ok(options.ok);
    const { device, entropy, log } = this.world.addHost(name);
    const machine = { timers: this.world.timers, entropy };
    const given = {
      ...options.value,
      nameServers: [{ address: '10.0.0.53', port: 53 }],
      names: (numeric: ConstructorParameters<typeof Names>[0]) => new Names(numeric),
    };
    return directStack(machine, device, given, log.source('stack'));
  }
}

function pattern(): Uint8Array {
  return Uint8Array.from({ length: BODY_BYTES }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
}

function inPieces(bytes: Uint8Array, count: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.slice(at, at + count));
      at += count;
    },
  });
}

const bytesOf = async (net: Net, path: string, init = {}): Promise<Uint8Array> => {
  const response = await net.during(fetch(`http://web.example${path}`, init));
  assert.equal(response.status, 200);
  return net.during(response.bytes());
};

test(`bad links › ${SEEDS} seeds › every body arrives whole, every connection ends`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const net = await new Net(seed).start();
    const { random } = net.world;
    Object.assign(net.world.network.faults, {
      delay: micros(random.between(100, 40_000)),
      lossShare: random.pick([0, 0.01, 0.05]),
      duplicateShare: random.pick([0, 0.02]),
      reorderShare: random.pick([0, 0.05]),
      corruptShare: random.pick([0, 0.01]),
    });
    const told = `seed ${seed}`;
    assert.deepEqual(await bytesOf(net, '/away'), pattern(), told);
    const body = pattern();
    assert.deepEqual(await bytesOf(net, '/echo', { method: 'POST', body }), body, told);
    const streamed = { method: 'POST', body: inPieces(body, 20_000), duplex: 'half' };
    assert.deepEqual(await bytesOf(net, '/echo', streamed), body, told);
    const all = await Promise.all(Array.from({ length: 4 }, () => bytesOf(net, '/data')));
    for (const one of all) assert.deepEqual(one, body, told);
    const { connections } = net.client.counters();
    assert.ok(connections! >= 1 && connections! <= 5, 'kept for the next ones');
    const idle = () => net.client.counters().connections === 0;
    const limit = instantOfMicros(net.world.timers.now + LIMIT);
    await net.world.runAsync(idle, limit, () => setImmediate());
  }
});

test('abort › in a body that comes slowly › the connection is gone on both sides', async () => {
  const net = await new Net(1).start();
  const controller = new AbortController();
  const { signal } = controller;
  const response = await net.during(fetch('http://web.example/data', { signal }));
  const text = response.text();
  controller.abort();
  await assert.rejects(net.during(text), { name: 'AbortError' });
  const gone = () =>
    net.client.counters().connections === 0 && net.web.counters().connections === 0;
  await net.world.runAsync(gone, instantOfMicros(net.world.timers.now + LIMIT), () =>
    setImmediate(),
  );
});

test('the server goes silent › the request fails by itself', async () => {
  const net = await new Net(2).start();
  assert.equal((await bytesOf(net, '/data')).length, BODY_BYTES);
  net.world.network.faults.lossShare = 1;
  await assert.rejects(net.during(fetch('http://web.example/data')), { name: 'TypeError' });
  net.world.network.faults.lossShare = 0;
  // A failure to resolve is believed for a second.
  net.world.run(instantOfMicros(net.world.timers.now + seconds(2)));
  assert.equal((await bytesOf(net, '/data')).length, BODY_BYTES);
});
