/** Names over our own UDP and TCP, in the simulator. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { instantOfMicros, type Result, seconds } from '#core';
import type { ConnectError, Flow, Stack } from '#device';
import type { DnsServer } from '#dns';
import { SimWorld } from '#targets/sim/index';
import { address, TestDnsServer } from '../../tests/helpers/dns-server.ts';
import {
  directStack,
  ipv6Options,
  Names,
  type NamesMaker,
  parseNameServers,
  stackOptions,
} from './index.ts';

const NS = '10.0.0.53';
const IGNORED = { data() {}, drained() {}, end() {}, closed() {} };

class Net {
  readonly world: SimWorld;
  readonly server: TestDnsServer;
  hasIpv6 = false;
  client!: Stack;
  web!: Stack;
  dns!: Stack;

  constructor(seed: number) {
    this.world = new SimWorld(seed);
    this.server = new TestDnsServer([
      address('web.example', '10.0.0.80'),
      address('gone.example', '10.0.0.99'),
      address('both.example', '10.0.0.80'),
      address('both.example', '2001:db8::80'),
      address('half.example', '10.0.0.80'),
      address('half.example', '2001:db8::99'),
      {
        name: 'www.example',
        type: 5,
        class: 1,
        ttlSeconds: 60,
        data: { kind: 'name', name: 'web.example' },
      },
      ...Array.from({ length: 100 }, (_, i) => address('many.example', `10.0.1.${i}`)),
    ]);
  }

  async start(nameServers: readonly DnsServer[] = [{ address: NS, port: 53 }]): Promise<this> {
    this.client = await this.stack('client', '10.0.0.1/24', nameServers);
    this.web = await this.stack('web', '10.0.0.80/24');
    this.dns = await this.stack('dns', `${NS}/24`);
    await this.server.serve(this.dns, 53);
    await this.web.listen(80, (flow) => {
      flow.attach({ ...IGNORED, end: () => flow.shutdown() });
    });
    return this;
  }

  private async stack(name: string, cidr: string, nameServers: readonly DnsServer[] = []) {
    const options = stackOptions(cidr, '', '');
    assert.ok(options.ok);
    const { device, entropy, log } = this.world.addHost(name);
    const machine = { timers: this.world.timers, entropy };
    const names: NamesMaker = (numeric) => new Names(numeric);
    const ipv6 = ipv6Options(
      this.hasIpv6 ? `2001:db8::${cidr.split(/[./]/)[3]}/64` : 'off',
      '',
      '',
    );
    assert.ok(ipv6.ok);
    const given = { ...options.value, ipv6: ipv6.value, nameServers, names };
    return directStack(machine, device, given, log.source('stack'));
  }

  async until(isDone: () => boolean, limitSeconds = 600): Promise<void> {
    const limit = this.world.timers.now + seconds(limitSeconds);
    await this.world.runAsync(isDone, instantOfMicros(limit), () => setImmediate());
  }

  async connect(name: string, port = 80): Promise<Result<Flow, ConnectError>> {
    let result: Result<Flow, ConnectError> | null = null;
    this.client.connect(name, port, (opened) => {
      if (opened.ok) opened.value.attach(IGNORED);
      result = opened;
    });
    assert.equal(result, null, 'not within the call');
    await this.until(() => result !== null);
    return result!;
  }

  async resolve(name: string): Promise<unknown> {
    let found: unknown = null;
    void this.client.resolve(name).then((result) => {
      found = result.ok ? result.value : result.error.kind;
    });
    await this.until(() => found !== null);
    return found;
  }
}

test('connect › a name, an alias › a connection to the address', async () => {
  const net = await new Net(1).start();
  for (const name of ['web.example', 'WWW.example.']) {
    const opened = await net.connect(name);
    assert.ok(opened.ok);
    assert.equal(opened.value.remote.address, '10.0.0.80');
    opened.value.shutdown();
  }
  assert.deepEqual(net.server.queries, ['udp web.example 1', 'udp www.example 1']);
  assert.ok(net.client.counters().dnsAsked === 2);
});

test('connect › what has no address › says why', async () => {
  const net = await new Net(2).start();
  const kindOf = async (name: string) => {
    const opened = await net.connect(name);
    return opened.ok ? 'ok' : opened.error.kind;
  };
  assert.equal(await kindOf('nowhere.example'), 'name not found');
  assert.equal(await kindOf('1.2.3'), 'bad address');
  assert.equal(await kindOf('a b'), 'bad address');
  assert.equal(await kindOf('gone.example'), 'unreachable', 'an address where nobody is');
  net.server.twist = () => null;
  assert.equal(await kindOf('silent.example'), 'name servers silent');
  net.server.twist = (reply) => ({ ...reply, code: 2, answers: [] });
  assert.equal(await kindOf('failing.example'), 'name servers failed');
});

test('no name servers › said at once; localhost needs none', async () => {
  const net = await new Net(3).start([]);
  assert.equal(await net.resolve('web.example'), 'no name servers');
  assert.deepEqual(await net.resolve('localhost'), ['127.0.0.1']);
  assert.deepEqual(await net.resolve('10.0.0.7'), ['10.0.0.7']);
});

test('both families › IPv6 is taken; where nobody answers by it, IPv4 a little later', async () => {
  const net = new Net(8);
  net.hasIpv6 = true;
  await net.start([{ address: '2001:db8::53', port: 53 }]);
  // Duplicate address detection takes a second or two, in which nobody is answered.
  await net.until(() => net.world.timers.now > 5_000_000).catch(() => {});
  const both = await net.connect('both.example');
  assert.ok(both.ok);
  assert.equal(both.value.remote.address, '2001:db8::80');
  both.value.abort();
  assert.deepEqual(net.server.queries, ['udp both.example 28', 'udp both.example 1']);
  const before = net.world.timers.now;
  const half = await net.connect('half.example');
  assert.ok(half.ok);
  assert.equal(half.value.remote.address, '10.0.0.80');
  const tookMs = (net.world.timers.now - before) / 1_000;
  assert.ok(tookMs >= 250 && tookMs < 300, `${tookMs} ms`);
  half.value.abort();
  await net.until(() => net.client.counters().connections === 0);
  assert.deepEqual(await net.resolve('both.example'), ['2001:db8::80', '10.0.0.80']);
});

test('an answer longer than a datagram › comes over TCP, and the connection ends in order', async () => {
  const net = await new Net(4).start();
  const found = (await net.resolve('many.example')) as string[];
  assert.equal(found.length, 32);
  assert.deepEqual(net.server.queries, ['udp many.example 1', 'tcp many.example 1']);
  await net.until(() => net.client.counters().connections === 0);
  assert.equal(net.client.counters().dnsStreams, 1);
});

test('ports › every query from another one', async () => {
  const net = await new Net(5).start();
  for (let i = 0; i < 20; i++) await net.resolve(`n${i}.example`);
  assert.equal(new Set(net.server.sources.map(({ port }) => port)).size, 20);
});

test('an answer from another address or port › counted and dropped', async () => {
  const net = await new Net(6).start();
  const liar = await net.web.bind(53, { receive() {} });
  const otherPort = await net.dns.bind(5353, { receive() {} });
  assert.ok(liar.ok && otherPort.ok);
  net.server.twist = (reply) => {
    const to = net.server.sources.at(-1)!;
    liar.value.send(new Uint8Array(12), to);
    otherPort.value.send(new Uint8Array(12), to);
    return reply;
  };
  // The true answer is held up, so that the others are first.
  const first = net.resolve('web.example');
  assert.deepEqual(await first, ['10.0.0.80']);
  assert.ok(net.client.counters().dnsUnsolicited! >= 1);
});

test('loss › 30 seeds at 20 % › every name resolves and connects', async () => {
  for (let seed = 100; seed < 130; seed++) {
    const net = await new Net(seed).start();
    net.world.network.faults.lossShare = 0.2;
    const opened = await net.connect('web.example');
    assert.ok(opened.ok, `seed ${seed}: ${opened.ok ? '' : opened.error.kind}`);
    opened.value.abort();
  }
});

test('cancel › while the name is asked for, and while connecting › nothing stays behind', async () => {
  const net = await new Net(7).start();
  const tell = () => assert.fail('told after cancel');
  net.client.connect('web.example', 80, tell).cancel();
  await net.until(() => false, 1).catch(() => {});
  const connecting = net.client.connect('gone.example', 80, tell);
  await net.until(() => net.server.queries.includes('udp gone.example 1'));
  await net.until(() => false, 0.1).catch(() => {});
  connecting.cancel();
  connecting.cancel();
  await net.until(() => false, 200).catch(() => {});
  assert.equal(net.client.counters().connections, 0);
});

test('name servers as text › read, or refused', () => {
  assert.deepEqual(parseNameServers(''), []);
  assert.deepEqual(parseNameServers('10.0.2.3,[2001:db8::1]:5353,2001:db8::2,8.8.8.8:54'), [
    { address: '10.0.2.3', port: 53 },
    { address: '2001:db8::1', port: 5353 },
    { address: '2001:db8::2', port: 53 },
    { address: '8.8.8.8', port: 54 },
  ]);
  // As answers from it will be: other spellings would never be recognised.
  assert.deepEqual(parseNameServers('[2001:DB8:0::0:1]:53,FE80:0:0:0::1'), [
    { address: '2001:db8::1', port: 53 },
    { address: 'fe80::1', port: 53 },
  ]);
  assert.deepEqual(parseNameServers('tls://192.0.2.1#dns.example,tls://[2001:db8::1]:8853'), [
    { address: '192.0.2.1', port: 853, tlsName: 'dns.example' },
    { address: '2001:db8::1', port: 8853, tlsName: null },
  ]);
  for (const bad of [
    ',',
    'tls://dns.example',
    'tls://',
    'tls://192.0.2.1#',
    'tls://192.0.2.1#a b',
    'tls://192.0.2.1#192.0.2.2',
    '192.0.2.1#dns.example',
    'udp://192.0.2.1',
    'dns.example',
    '10.0.2.3:0',
    '10.0.2.3:65536',
    '10.0.2.3:',
    '[::1',
    '1.2.3',
  ]) {
    assert.equal(parseNameServers(bad), null, bad);
  }
});

test('name servers that were given › those that are shown', async () => {
  const shown = async (...servers: DnsServer[]): Promise<unknown> => {
    const { client } = await new Net(9).start(servers);
    return client.inspect?.({ connectionsFrom: 0, connectionsMax: 0 })?.nameServers;
  };
  assert.deepEqual(await shown(), []);
  assert.deepEqual(await shown({ address: NS, port: 53 }, { address: '2001:db8::1', port: 54 }), [
    NS,
    '[2001:db8::1]:54',
  ]);
  assert.deepEqual(
    await shown(
      { address: NS, port: 853, tlsName: 'dns.example' },
      { address: '2001:db8::1', port: 853, tlsName: null },
    ),
    [`tls://${NS}:853#dns.example`, 'tls://[2001:db8::1]:853'],
  );
});
