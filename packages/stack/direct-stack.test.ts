import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { hot, instantOfMicros } from '#core';
import type { Flow, Stack } from '#device';
import { ADDRESSES_MAX, NetStack, parseIpv4Address, ROUTES_MAX } from '#net';
import { type SimHost, SimWorld } from '#targets/sim/index';
import { TestDhcpServer } from '../../tests/sim/dhcp-server.ts';
import { directStack, type StackOptions, stackOptions } from './index.ts';

function read(cidr: string, gateway = '', hostName = '', routes = ''): StackOptions {
  const options = stackOptions(cidr, gateway, hostName, routes);
  assert.ok(options.ok, options.ok ? '' : options.error.message);
  return options.value;
}

test('options › nothing given means DHCP', () => {
  assert.deepEqual(read(''), {
    addresses: [],
    gateway: null,
    routes: [],
    hostName: null,
  });
  assert.equal(read('', '', 'web-1').hostName, 'web-1');
});

test('options › a fixed address with and without a router', () => {
  const address = parseIpv4Address('10.0.2.15');
  const addresses = [{ address, prefixBits: 24 }];
  const fixed = { addresses, gateway: null, routes: [], hostName: null };
  assert.deepEqual(read('10.0.2.15/24'), fixed);
  const gateway = parseIpv4Address('10.0.2.2');
  assert.deepEqual(read('10.0.2.15/24', '10.0.2.2'), { ...fixed, gateway });
});

test('options › several addresses, and routes over routers of each', () => {
  const at = (text: string) => parseIpv4Address(text)!;
  const routes = '172.16.0.0/12=10.0.2.3,192.0.2.0/24=link,0.0.0.0/0=10.9.0.2';
  const options = read('10.0.2.15/24,10.9.0.1/16', '10.9.0.9', '', routes);
  assert.deepEqual(options.addresses, [
    { address: at('10.0.2.15'), prefixBits: 24 },
    { address: at('10.9.0.1'), prefixBits: 16 },
  ]);
  assert.equal(options.gateway, at('10.9.0.9'));
  assert.deepEqual(options.routes, [
    { prefix: at('172.16.0.0'), prefixBits: 12, gateway: at('10.0.2.3') },
    { prefix: at('192.0.2.0'), prefixBits: 24, gateway: null },
    { prefix: at('0.0.0.0'), prefixBits: 0, gateway: at('10.9.0.2') },
  ]);
});

test('options › as many addresses and routes as fit, and one more', () => {
  const addresses = Array.from({ length: ADDRESSES_MAX + 1 }, (_, i) => `10.0.2.${i + 1}/24`);
  assert.equal(read(addresses.slice(1).join()).addresses.length, ADDRESSES_MAX);
  assert.ok(!stackOptions(addresses.join(), '', '').ok);
  const routes = Array.from({ length: ROUTES_MAX + 1 }, (_, i) => `192.0.${i}.0/24=10.0.2.9`);
  assert.equal(read('10.0.2.1/24', '', '', routes.slice(1).join()).routes.length, ROUTES_MAX);
  assert.ok(!stackOptions('10.0.2.1/24', '', '', routes.join()).ok);
});

const BAD_ROUTES = [
  '172.16.0.0/12',
  '172.16.0.0=10.0.2.3',
  '172.16.0.1/12=10.0.2.3',
  '172.16.0.0/33=10.0.2.3',
  '172.16.0.0/12=10.0.3.3',
  '172.16.0.0/12=10.0.2.15',
  '172.16.0.0/12=',
];
for (const routes of BAD_ROUTES) {
  test(`options › route '${routes}' › refused`, () => {
    const options = stackOptions('10.0.2.15/24', '', '', routes);
    assert.ok(!options.ok && options.error.kind === 'routes');
  });
}

test('options › routes without an address, an address twice › refused', () => {
  const alone = stackOptions('', '', '', '172.16.0.0/12=10.0.2.3');
  assert.ok(!alone.ok && alone.error.kind === 'routes');
  const twice = stackOptions('10.0.2.15/24,10.0.2.15/16', '', '');
  assert.ok(!twice.ok && twice.error.kind === 'address');
});

const REFUSED: readonly [string, string, string, string][] = [
  ['', '10.0.2.2', '', 'gateway'],
  ['0.0.0.0/24', '', '', 'address'],
  ['127.0.0.1/8', '', '', 'address'],
  ['224.0.0.1/8', '', '', 'address'],
  ['10.0.2.15/0', '', '', 'address'],
  ['10.0.2.15/33', '', '', 'address'],
  ['10.0.2.15', '', '', 'address'],
  ['10.0.2.15/24', '10.0.3.1', '', 'gateway'],
  ['10.0.2.15/24', '10.0.2.15', '', 'gateway'],
  ['10.0.2.15/24', 'router', '', 'gateway'],
  ['', '', '-web', 'host name'],
  ['', '', 'web.example', 'host name'],
  ['', '', 'a'.repeat(64), 'host name'],
];
for (const [cidr, gateway, hostName, kind] of REFUSED) {
  test(`options › '${cidr}' '${gateway}' '${hostName}' › ${kind}`, () => {
    const options = stackOptions(cidr, gateway, hostName);
    assert.ok(!options.ok);
    assert.equal(options.error.kind, kind);
  });
}

function stackOn(world: SimWorld, host: SimHost, options: StackOptions): Promise<Stack> {
  const { device, entropy, log } = host;
  return directStack({ timers: world.timers, entropy }, device, options, log.source('stack'));
}

/** Runs the world until `promise` settles. */
async function during<T>(world: SimWorld, promise: Promise<T>): Promise<T> {
  let isDone = false;
  const done = promise.finally(() => {
    isDone = true;
  });
  await world.runAsync(() => isDone, instantOfMicros(300_000_000), setImmediate);
  return done;
}

const IGNORED = { drained() {}, end() {}, closed() {}, data() {} };

test('two stacks › TCP and UDP both ways', async () => {
  const world = new SimWorld(1);
  const a = await stackOn(world, world.addHost('a'), read('10.0.0.1/24'));
  const b = await stackOn(world, world.addHost('b'), read('10.0.0.2/24'));
  assert.deepEqual(a.addresses(), ['10.0.0.1/24']);

  const listening = await a.listen(80, (flow) => {
    flow.attach({ ...IGNORED, data: (bytes) => flow.write(bytes.slice()) });
  });
  assert.ok(listening.ok);
  assert.deepEqual(await a.listen(80, () => {}), {
    ok: false,
    error: { kind: 'port in use', port: 80 },
  });
  const echoed = new Promise<string>((resolve, reject) => {
    b.connect('10.0.0.1', 80, (opened) => {
      if (!opened.ok) return reject(new Error(opened.error.kind));
      const flow: Flow = opened.value;
      flow.attach({ ...IGNORED, data: (bytes) => resolve(hot.latin1(bytes, 0, bytes.length)) });
      flow.write(hot.utf8Encode('hello'));
    });
  });
  assert.equal(await during(world, echoed), 'hello');

  const received = new Promise<string>((resolve) => {
    const receive = (bytes: Uint8Array, from: { address: string }): void =>
      resolve(`${from.address} ${hot.latin1(bytes, 0, bytes.length)}`);
    void a.bind(53, { receive });
  });
  const socket = await b.bind(0, { receive() {} });
  assert.ok(socket.ok);
  assert.equal(socket.value.send(hot.utf8Encode('ping'), { address: '10.0.0.1', port: 53 }), true);
  assert.equal(await during(world, received), '10.0.0.2 ping');
  assert.ok(a.counters().udpReceived === 1 && a.counters().segmentsIn! > 0);
});

test('connect › to a broadcast address or a group › unreachable, and nothing leaves', async () => {
  const world = new SimWorld(1);
  const stack = await stackOn(world, world.addHost('a'), read('10.0.0.1/24'));
  for (const address of ['255.255.255.255', '10.0.0.255', '224.0.0.1']) {
    const kind = new Promise<string>((resolve) => {
      stack.connect(address, 80, (opened) => resolve(opened.ok ? 'open' : opened.error.kind));
    });
    assert.equal(await during(world, kind), 'unreachable', address);
  }
  assert.equal(stack.counters().segmentsOut, 0);
});

function dhcpServer(world: SimWorld): TestDhcpServer {
  const { device, entropy, log } = world.addHost('server');
  const logger = log.source('net');
  return new TestDhcpServer({
    stack: new NetStack({ device, timers: world.timers, entropy, logger }),
    address: parseIpv4Address('10.0.0.1')!,
    firstAddress: parseIpv4Address('10.0.0.50')!,
    prefixBits: 24,
    leaseSeconds: 3_600,
    repliesToAll: true,
  });
}

test('DHCP › resolves once configured, without a warning', async () => {
  const world = new SimWorld(3);
  dhcpServer(world);
  const stack = await during(world, stackOn(world, world.addHost('a'), read('')));
  assert.deepEqual(stack.addresses(), ['10.0.0.50/24']);
  world.run(instantOfMicros(20_000_000));
  assert.ok(!world.lines.some((line) => line.includes('warn')), world.lines.join('\n'));
});

test('DHCP › released › the server hears of it', async () => {
  const world = new SimWorld(5);
  const server = dhcpServer(world);
  const stack = await during(world, stackOn(world, world.addHost('a'), read('')));
  world.run(instantOfMicros(2_000_000));
  stack.release?.();
  world.run(instantOfMicros(3_000_000));
  assert.equal(server.received.pop(), 7);
});

test('DHCP › a silent server › one line after 5 s, and it goes on asking', async () => {
  const world = new SimWorld(4);
  const server = dhcpServer(world);
  server.isSilent = true;
  const waiting = stackOn(world, world.addHost('a'), read(''));
  const warnings = (): number => world.lines.filter((line) => line.includes('no DHCP')).length;
  world.run(instantOfMicros(4_900_000));
  assert.equal(warnings(), 0);
  world.run(instantOfMicros(60_000_000));
  assert.equal(warnings(), 1);
  assert.match(world.lines.find((line) => line.includes('no DHCP'))!, /^5\.000000 a warn stack:/);
  server.isSilent = false;
  const stack = await during(world, waiting);
  assert.deepEqual(stack.addresses(), ['10.0.0.50/24']);
  assert.equal(warnings(), 1);
});
