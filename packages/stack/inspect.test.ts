import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { instantOfMicros, seconds, Timer } from '#core';
import type { Flow, InspectRequest, Stack } from '#device';
import { NetStack, parseIpv4Address } from '#net';
import { SimWorld } from '#targets/sim/index';
import { TestDhcpServer } from '../../tests/sim/dhcp-server.ts';
import { directStack, stackOptions } from './index.ts';
import { ipv6Options } from './ipv6-options.ts';

const ALL: InspectRequest = { connectionsFrom: 0, connectionsMax: 200 };
const IGNORED = { data() {}, drained() {}, end() {}, closed() {} };

class Pair {
  readonly world = new SimWorld(7);
  client!: Stack;
  server!: Stack;
  readonly accepted: Flow[] = [];

  async start(): Promise<this> {
    this.client = await this.stack('client', '10.0.0.1/24', '2001:db8::1/64');
    this.server = await this.stack('server', '10.0.0.2/24', '2001:db8::2/64');
    await this.server.listen(80, (flow) => {
      this.accepted.push(flow);
      flow.attach(IGNORED);
    });
    return this;
  }

  async stack(name: string, cidr: string, ipv6: string): Promise<Stack> {
    const options = stackOptions(cidr, '', '');
    const sixth = ipv6Options(ipv6, '', '');
    assert.ok(options.ok && sixth.ok);
    const { device, entropy, log } = this.world.addHost(name);
    const machine = { timers: this.world.timers, entropy };
    const given = { ...options.value, ipv6: sixth.value };
    return directStack(machine, device, given, log.source('stack'));
  }

  async until(isDone: () => boolean): Promise<void> {
    const limit = instantOfMicros(this.world.timers.now + seconds(60));
    await this.world.runAsync(isDone, limit, () => setImmediate());
  }

  async connect(address: string): Promise<Flow> {
    let flow: Flow | null = null;
    this.client.connect(address, 80, (result) => {
      assert.ok(result.ok);
      flow = result.value;
      flow.attach(IGNORED);
    });
    await this.until(() => flow !== null);
    return flow!;
  }
}

test('a look › connections of both families, with positions that differ by what was sent', async () => {
  const pair = await new Pair().start();
  await pair.until(() => pair.world.timers.now > seconds(3));
  const flows = [await pair.connect('10.0.0.2'), await pair.connect('2001:db8::2')];
  await pair.until(() => pair.accepted.length === 2);
  const before = pair.client.inspect!(ALL).connections;
  assert.equal(before.count, 2);
  for (const flow of flows) flow.write(new Uint8Array(70_000));
  await pair.until(() => flows.every((flow) => flow.queuedBytes === 0));
  const after = pair.client.inspect!(ALL).connections.list;
  const server = pair.server.inspect!(ALL);
  for (const [i, { remote }] of [...before.list].entries()) {
    const [was, is] = [before.list[i]!, after.find((one) => one.remote === remote)!];
    assert.equal((is.sentPosition! - was.sentPosition! + 2 ** 32) % 2 ** 32, 70_000);
    assert.equal(is.state, 'ESTABLISHED');
    assert.ok(is.rttMicros! > 0 && is.rtoMicros! >= 200_000);
    assert.ok(is.congestionWindowBytes! > 0 && is.memoryBytes! >= 2_048);
    const peer = server.connections.list.find(({ remote: theirs }) => theirs === is.local)!;
    assert.equal(peer.receivedPosition, is.sentPosition);
  }
  assert.deepEqual(after.map(({ remote }) => remote).sort(), ['10.0.0.2:80', '[2001:db8::2]:80']);
  assert.deepEqual(server.listeners, [80]);
});

test('losses › segments sent again are counted by connection; one without has none', async () => {
  const pair = await new Pair().start();
  const [lossy, clean] = [await pair.connect('10.0.0.2'), await pair.connect('10.0.0.2')];
  clean.write(new Uint8Array(1_000));
  await pair.until(() => clean.queuedBytes === 0);
  pair.world.network.faults.lossShare = 0.05;
  lossy.write(new Uint8Array(400_000));
  await pair.until(() => lossy.queuedBytes === 0);
  const { connections, counters } = pair.client.inspect!(ALL);
  const of = ({ local }: Flow) =>
    connections.list.find((one) => one.local === `${local.address}:${local.port}`)!;
  assert.ok(of(lossy).retransmitted! > 0);
  assert.ok(of(lossy).retransmitted! <= counters.retransmitted!);
  assert.ok(of(lossy).slowStartThresholdBytes! > 0);
  assert.deepEqual([of(clean).retransmitted, of(clean).slowStartThresholdBytes], [0, null]);
});

test('a look › neighbours, addresses, routes, memory and counters', async () => {
  const pair = await new Pair().start();
  await pair.until(() => pair.world.timers.now > seconds(3));
  await pair.connect('10.0.0.2');
  const look = pair.client.inspect!(ALL);
  const [neighbor] = look.neighbors!;
  assert.equal(neighbor!.address, '10.0.0.2');
  assert.equal(neighbor!.state, 'reachable');
  assert.match(neighbor!.mac!, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  const origins = look.addresses.map(({ address, origin }) => `${origin} ${address}`);
  assert.equal(origins[0], 'static 10.0.0.1');
  assert.ok(origins.includes('static 2001:db8::1'));
  assert.deepEqual(look.routes![0], { prefix: '10.0.0.0/24', gateway: null });
  assert.ok(look.prefixes!.some(({ prefix }) => prefix === '2001:db8::/64'));
  const { memory } = look;
  const sum = Object.values(memory!.accounts).reduce((all, { usedBytes }) => all + usedBytes, 0);
  assert.equal(sum, memory!.usedBytes);
  assert.ok(memory!.accounts.connections!.usedBytes > 0);
  assert.deepEqual({ ...look.deviceCounters, ...look.counters }, pair.client.counters());
  assert.equal(look.lease, undefined);
  assert.doesNotThrow(() => JSON.stringify(look));
});

test('many connections › a page of them, from anywhere, each once; and their number', async () => {
  const pair = await new Pair().start();
  for (let i = 0; i < 25; i++) await pair.connect('10.0.0.2');
  const page = (connectionsFrom: number, connectionsMax: number) =>
    pair.client.inspect!({ connectionsFrom, connectionsMax }).connections;
  assert.equal(page(0, 0).list.length, 0);
  assert.equal(page(0, 10).count, 25);
  const seen = [page(0, 10), page(10, 10), page(20, 10)].flatMap(({ list }) => list);
  assert.equal(new Set(seen.map(({ local }) => local)).size, 25);
  assert.equal(page(20, 10).list.length, 5);
  assert.equal(page(25, 10).list.length, 0);
  assert.equal(page(1e9, 10).list.length, 0);
});

test('before there is an address › it can be looked into, and is', async () => {
  const world = new SimWorld(5);
  const options = stackOptions('', '', '');
  assert.ok(options.ok);
  const { device, entropy, log } = world.addHost('client');
  const seen: Stack[] = [];
  const early = (stack: Stack) => void seen.push(stack);
  const given = { ...options.value, early };
  void directStack({ timers: world.timers, entropy }, device, given, log.source('stack'));
  world.run(instantOfMicros(seconds(20)));
  const { lease, addresses } = seen[0]!.inspect!(ALL);
  assert.equal(lease!.state, 'selecting');
  assert.deepEqual([lease!.address, lease!.expireSeconds], [null, null]);
  assert.deepEqual(addresses, []);
});

test('a lease › its times run down', async () => {
  const world = new SimWorld(3);
  const network = world.addHost('server');
  const server = new NetStack({
    ...network,
    timers: world.timers,
    logger: network.log.source('net'),
  });
  new TestDhcpServer({
    stack: server,
    address: parseIpv4Address('10.0.2.1')!,
    prefixBits: 24,
    firstAddress: parseIpv4Address('10.0.2.10')!,
    leaseSeconds: 600,
    repliesToAll: false,
  });
  const options = stackOptions('', '', 'host');
  assert.ok(options.ok);
  const { device, entropy, log } = world.addHost('client');
  const made = directStack(
    { timers: world.timers, entropy },
    device,
    options.value,
    log.source('stack'),
  );
  let stack: Stack | null = null;
  void made.then((value) => {
    stack = value;
  });
  const run = (isDone: () => boolean) =>
    world.runAsync(isDone, instantOfMicros(world.timers.now + seconds(60)), () => setImmediate());
  await run(() => stack !== null);
  const before = stack!.inspect!(ALL).lease!;
  assert.equal(before.state, 'bound');
  assert.equal(stack!.inspect!(ALL).addresses[0]!.origin, 'dhcp');
  const later = world.timers.now + seconds(10);
  world.timers.arm(new Timer(() => {}), instantOfMicros(later));
  await run(() => world.timers.now >= later);
  const after = stack!.inspect!(ALL).lease!;
  assert.equal(before.expireSeconds! - after.expireSeconds!, 10);
  assert.ok(
    after.renewSeconds! < after.rebindSeconds! && after.rebindSeconds! < after.expireSeconds!,
  );
});
