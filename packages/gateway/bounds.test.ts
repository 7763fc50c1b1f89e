/** The gateway's parts at their bounds, with flows and sockets played by the test. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  after,
  type Duration,
  err,
  type Instant,
  instantOfMicros,
  ok,
  type Result,
  TimerQueue,
} from '#core';
import type { ConnectError, Flow } from '#device';
import {
  type ForeignUdpFlow,
  type ForeignUdpFlowHandler,
  type HeldSyn,
  type IpAddress,
  parseIpAddress,
} from '#net';
import { Destinations } from './destinations.ts';
import {
  publishedMax,
  publishedUdpClientsMax,
  publishedUdpIdle,
  relayBytesMax,
  relayBytesMin,
  relaysMax,
  relaysPerGuestMax,
  udpMappingEvictIdle,
  udpMappingsMax,
  udpMappingsPerGuestMax,
  udpWaitingBytesMax,
  udpWaitingMax,
} from './limits.ts';
import { gatewayNetwork } from './network.ts';
import { type Relay, Relays } from './relay.ts';
import { TcpNat } from './tcp-nat.ts';
import { FakeFlow, FakeHost } from './test-host.ts';
import { addressOf, bytesOf, TestNetwork } from './test-network.ts';
import { UdpNat } from './udp-nat.ts';

function started(relays: Relays, first: Flow, guest = '10.77.0.16'): Relay {
  assert(relays.take(guest));
  return relays.start(first, guest);
}

function joined(): { relays: Relays; first: FakeFlow; second: FakeFlow } {
  const relays = new Relays();
  const [first, second] = [new FakeFlow(), new FakeFlow()];
  const relay = started(relays, first);
  assert.deepEqual(first.take(), ['pause']);
  relay.join(second);
  assert(first.isAsked && second.isAsked, 'both sides are asked whether they are alive');
  assert.deepEqual(first.take(), ['resume']);
  return { relays, first, second };
}

test('relay › more waits than its share › the source is paused, and resumed when drained', () => {
  const { relays, first, second } = joined();
  first.handler!.data(new Uint8Array(relayBytesMax));
  assert.deepEqual(first.take(), []);
  first.handler!.data(Uint8Array.of(1));
  assert.deepEqual(first.take(), ['pause']);
  assert.equal(second.queuedBytes, relayBytesMax + 1);
  second.queuedBytes = 0;
  second.handler!.drained();
  assert.deepEqual([first.take(), relays.counters.relayPauses], [['resume'], 1]);
  second.handler!.drained();
  assert.deepEqual(first.take(), [], 'nothing was paused');
});

test('relay › ends one way, then the other › shut down, and over when both are closed', () => {
  const { relays, first, second } = joined();
  first.handler!.end();
  assert.deepEqual([second.take(), first.take()], [['shutdown'], []]);
  second.handler!.end();
  assert.deepEqual(first.take(), ['shutdown']);
  first.handler!.closed('closed');
  assert.equal(relays.size, 1);
  second.handler!.closed('closed');
  assert.deepEqual([relays.size, relays.counters.relaysEnded, second.take()], [0, 1, []]);
});

test('relay › one is reset or silent › the other is aborted', () => {
  for (const how of ['reset', 'timeout'] as const) {
    const { relays, first, second } = joined();
    second.handler!.closed(how);
    assert.deepEqual(first.take(), ['abort']);
    assert.deepEqual([relays.size, relays.counters.relaysBroken], [0, 1]);
    second.handler!.closed(how);
    relays.checkInvariants();
  }
});

test('relay › the first one ends or goes before the second is there', () => {
  const relays = new Relays();
  const [first, second] = [new FakeFlow(), new FakeFlow()];
  const relay = started(relays, first);
  first.handler!.end();
  relay.join(second);
  assert.deepEqual(second.take(), ['shutdown']);
  const [gone, late] = [new FakeFlow(), new FakeFlow()];
  let lost = 0;
  const other = started(relays, gone);
  other.lost = () => {
    lost += 1;
  };
  gone.handler!.closed('reset');
  assert.deepEqual([lost, relays.size], [1, 1]);
  other.join(late);
  assert.deepEqual(late.take(), ['abort']);
});

test('relays › as many as there may be › there is no place for one more; shares shrink to the least', () => {
  const relays = new Relays();
  assert.equal(relays.shareBytes, relayBytesMax);
  for (let i = 0; i < relaysMax; i++) started(relays, new FakeFlow(), `guest ${i % 8}`);
  assert.equal(relays.shareBytes, relayBytesMin);
  assert.equal(relays.take('another'), false);
  assert.equal(relays.counters.relaysFull, 1);
  relays.checkInvariants();
  relays.abort();
  assert.equal(relays.size, 0);
  relays.checkInvariants();
});

test('relays › of one guest › its share; others have theirs', () => {
  const relays = new Relays();
  const flows = Array.from({ length: relaysPerGuestMax }, () => new FakeFlow());
  for (const flow of flows) started(relays, flow, 'a');
  assert.deepEqual([relays.take('a'), relays.take('b')], [false, true]);
  assert.deepEqual([relays.counters.relaysGuestFull, relays.counters.relaysFull], [1, 0]);
  relays.free('b');
  flows[0]!.handler!.closed('reset');
  assert.deepEqual([relays.take('a'), relays.take('a')], [true, false]);
  relays.checkInvariants();
});

const network = (() => {
  const made = gatewayNetwork('10.77.0.0/24');
  if (!made.ok) throw new TypeError(made.error.message);
  return made.value;
})();

class FakeSyn {
  readonly port = 80;
  readonly peer: string;
  cancelled: () => void = () => {};
  readonly calls: string[] = [];
  readonly destination: IpAddress;
  accepted: ((result: Result<Flow, ConnectError>) => void) | null = null;

  constructor(destination: string, peer: string) {
    this.peer = peer;
    this.destination = parseIpAddress(destination)!;
  }
  accept(opened: (result: Result<Flow, ConnectError>) => void): void {
    this.calls.push('accept');
    this.accepted = opened;
  }
  refuse(): void {
    this.calls.push('refuse');
  }
  fail(fault: string): void {
    this.calls.push(`fail ${fault}`);
  }
  drop(): void {
    this.calls.push('drop');
  }
}

function natted(): {
  host: FakeHost;
  relays: Relays;
  nat: TcpNat;
  open(to?: string, peer?: string): FakeSyn;
} {
  const host = new FakeHost();
  const relays = new Relays();
  const nat = new TcpNat(host, new Destinations(network), relays);
  const open = (to = '192.0.2.7', peer = '10.77.0.16'): FakeSyn => {
    const syn = new FakeSyn(to, peer);
    nat.opening(syn as unknown as HeldSyn);
    return syn;
  };
  return { host, relays, nat, open };
}

test('TCP › what the host says › is what the guest hears', () => {
  const x = natted();
  const heard = (kind: ConnectError['kind']): string[] => {
    const syn = x.open();
    x.host.connects.at(-1)!(err({ kind }));
    return syn.calls;
  };
  assert.deepEqual(heard('refused'), ['refuse']);
  assert.deepEqual(heard('unreachable'), ['fail host']);
  assert.deepEqual(heard('timeout'), ['drop']);
  assert.deepEqual(heard('no port'), ['drop']);
  assert.deepEqual(x.open('169.254.169.254').calls, ['fail prohibited']);
  assert.equal(x.host.connects.length, 4);
  assert.equal(x.relays.size, 0);
});

test('TCP › the guest gives up first, or last › nothing of the host stays', () => {
  const x = natted();
  const early = x.open();
  early.cancelled();
  assert.equal(x.host.cancelled, 1);
  const late = x.open();
  const flow = new FakeFlow();
  x.host.connects[1]!(ok(flow));
  assert.deepEqual(late.calls, ['accept']);
  late.accepted!(err({ kind: 'timeout' }));
  assert.deepEqual(flow.take(), ['pause', 'abort']);
  assert.deepEqual([x.relays.size, x.nat.counters.tcpNatLate], [0, 1]);
  const served = x.open();
  const gone = new FakeFlow();
  x.host.connects[2]!(ok(gone));
  gone.handler!.closed('reset');
  assert.deepEqual(served.calls, ['accept', 'refuse']);
});

test('TCP › being opened counts too › one more than there may be is dropped', () => {
  const x = natted();
  for (let i = 0; i < relaysPerGuestMax; i++) assert.deepEqual(x.open().calls, []);
  const opening = x.open('192.0.2.7', '10.77.0.17');
  assert.deepEqual([x.open().calls, opening.calls], [['drop'], []], 'each guest has its share');
  assert.equal(x.nat.counters.tcpNatFull, 1);
  x.host.connects[0]!(err({ kind: 'refused' }));
  assert.deepEqual(x.open().calls, []);
  opening.cancelled();
  x.relays.checkInvariants();
});

class UdpNatBench {
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly host = new FakeHost();
  readonly nat = new UdpNat(this.host, new Destinations(network), this.timers);
  /** By guest and port of those that are open. */
  readonly open = new Map<string, ForeignUdpFlowHandler>();
  /** "guest:port bytes" of what came for guests. */
  readonly heard: string[] = [];

  /** A guest's first datagram from `sourcePort`; null: it was refused. */
  flow(sourcePort: number, port = 7, peer = '10.77.0.16'): ForeignUdpFlowHandler | null {
    const key = `${peer}:${sourcePort} ${port}`;
    const flow = {
      ...{ peer, sourcePort, destination: parseIpAddress('192.0.2.7')!, port },
      usedAt: this.timers.now,
      send: (bytes: Uint8Array) => this.heard.push(`${key} ${Buffer.from(bytes)}`) > 0,
      close: () => {
        const handler = this.open.get(key);
        this.open.delete(key);
        handler?.closed();
      },
    };
    const handler = this.nat.opening(flow as unknown as ForeignUdpFlow);
    if (handler !== null) this.open.set(key, handler);
    this.nat.checkInvariants();
    return handler;
  }

  wait(duration: number): void {
    this.timers.run(after(this.timers.now, duration as Duration) as Instant);
  }
}

test('UDP › before the host gave a socket › so many wait, more are dropped, then all leave', async () => {
  const x = new UdpNatBench();
  const { host, nat } = x;
  const handler = x.flow(5_000)!;
  for (let i = 0; i <= udpWaitingMax; i++) handler.datagram(new Uint8Array(i));
  assert.equal(nat.counters.udpNatWaitingFull, 1);
  nat.checkInvariants();
  host.binds[0]!();
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(host.sent.length, udpWaitingMax);
  assert.equal(host.sent[0], '192.0.2.7:7 0');
  handler.closed();
  assert.deepEqual([nat.size, host.closed], [0, 1]);
});

test('UDP › what waits in all mappings › so many bytes, one more is dropped; gone with its flow', () => {
  const x = new UdpNatBench();
  const { nat } = x;
  const half = new Uint8Array(udpWaitingBytesMax / 2);
  const handlers = [1, 2, 3].map((port) => x.flow(port)!);
  for (const handler of handlers) handler.datagram(half);
  assert.deepEqual([nat.waitingBytes, nat.counters.udpNatWaitingFull], [udpWaitingBytesMax, 1]);
  handlers[0]!.closed();
  handlers[2]!.datagram(half);
  handlers[2]!.datagram(Uint8Array.of(1));
  assert.equal(nat.counters.udpNatWaitingFull, 2);
  for (const handler of handlers) handler.closed();
  assert.equal(nat.waitingBytes, 0);
  nat.checkInvariants();
});

test('UDP › a guest’s share of mappings › one more is refused, or its own longest idle goes', () => {
  const x = new UdpNatBench();
  for (let i = 1; i <= udpMappingsPerGuestMax; i++) assert(x.flow(i) !== null);
  assert.equal(x.flow(60_000), null);
  assert.equal(x.nat.counters.udpNatGuestFull, 1);
  assert(x.flow(1, 8) !== null, 'a flow of a known one');
  assert(x.flow(1, 7, '10.77.0.17') !== null, 'another guest');
  x.wait(udpMappingEvictIdle - 1);
  assert(x.flow(1, 9) !== null);
  assert.equal(x.flow(60_000), null);
  x.wait(1);
  assert(x.flow(60_000) !== null);
  assert.equal(x.nat.counters.udpNatEvicted, 1);
  assert(x.open.has('10.77.0.16:1 7') && !x.open.has('10.77.0.16:2 7'), 'the first was used');
});

test('UDP › as many mappings as there may be › who has most gives way to who has fewer', () => {
  const x = new UdpNatBench();
  const guests = ['10.77.0.16', '10.77.0.17', '10.77.0.18', '10.77.0.19'];
  for (const guest of guests) {
    for (let i = 1; i <= udpMappingsPerGuestMax; i++) assert(x.flow(i, 7, guest) !== null);
  }
  assert.equal(x.nat.size, udpMappingsMax);
  assert(x.flow(1, 7, '10.77.0.20') !== null, 'though none of the others is idle');
  assert.deepEqual([x.nat.size, x.nat.counters.udpNatEvicted], [udpMappingsMax, 1]);
});

test('UDP › as many guests as mappings › one more is refused until one was idle for long', () => {
  const x = new UdpNatBench();
  for (let i = 0; i < udpMappingsMax; i++) assert(x.flow(1, 7, `guest ${i}`) !== null);
  assert.equal(x.flow(1, 7, 'another'), null);
  assert.equal(x.nat.counters.udpNatFull, 1);
  x.wait(udpMappingEvictIdle);
  assert(x.flow(1, 7, 'another') !== null);
  assert.equal(x.nat.size, udpMappingsMax);
});

test('UDP › datagrams of strangers › dropped, whatever the guest spoke to (RFC 4787 §5)', async () => {
  const x = new UdpNatBench();
  x.flow(5_000, 7);
  x.flow(5_000, 8);
  x.host.binds[0]!();
  await Promise.resolve();
  const { receiver } = x.host;
  receiver!.receive(bytesOf('x'), { address: '192.0.2.7', port: 9 }, '192.0.2.1');
  receiver!.receive(bytesOf('x'), { address: '192.0.2.8', port: 7 }, '192.0.2.1');
  receiver!.receive(bytesOf('y'), { address: '192.0.2.7', port: 8 }, '192.0.2.1');
  assert.deepEqual(x.heard, ['10.77.0.16:5000 8 y']);
  assert.equal(x.nat.counters.udpNatFiltered, 2);
});

test('published › being opened when the gateway closes › closed too, and the caller is told', async () => {
  const host = new FakeHost();
  const net = await TestNetwork.open({}, () => host);
  const port = { hostAddress: null, guest: 'a', guestPort: 80, hostPort: 80 } as const;
  const opening = (['tcp', 'udp'] as const).map((protocol) =>
    net.gateway.publish({ ...port, protocol }),
  );
  net.gateway.close();
  host.binds[0]!();
  const closed = { ok: false, error: { kind: 'closed' } };
  assert.deepEqual(await Promise.all(opening), [closed, closed]);
  assert.deepEqual([host.closed, net.gateway.published], [2, []]);
  assert.deepEqual(await net.gateway.publish({ ...port, protocol: 'tcp' }), closed);
  assert.equal(host.closed, 2);
});

test('published › as many ports as there may be › one more is refused', async () => {
  const net = await TestNetwork.open({}, () => new FakeHost());
  const port = { protocol: 'tcp', hostAddress: null, guest: 'a', guestPort: 80 } as const;
  for (let i = 1; i <= publishedMax; i++) {
    assert((await net.gateway.publish({ ...port, hostPort: i })).ok);
  }
  const more = await net.gateway.publish({ ...port, hostPort: 9_999 });
  assert.deepEqual(more, { ok: false, error: { kind: 'too many ports' } });
  net.gateway.close();
  assert.deepEqual(net.gateway.published, []);
});

test('published UDP › as many clients as there may be › the longest idle goes; all go when idle', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('a');
  assert(guest.net.udp.open(7, { datagram() {} }).ok);
  const port = { protocol: 'udp', hostAddress: null, guest: 'a', guestPort: 7 } as const;
  const published = await net.gateway.publish({ ...port, hostPort: 7_000 });
  assert(published.ok);
  for (let i = 0; i <= publishedUdpClientsMax; i++) {
    const client = net.server.net.udp.open(0, { datagram() {} });
    assert(client.ok);
    client.value.send(bytesOf('x'), addressOf('192.0.2.1'), 7_000);
    await net.wait(0.01);
  }
  const { publishedUdpClients, publishedUdpEvicted } = net.gateway.counters();
  assert.deepEqual([publishedUdpClients, publishedUdpEvicted], [publishedUdpClientsMax + 1, 1]);
  await net.wait(publishedUdpIdle / 500_000);
  published.value.close();
});

test('networks › private ones of /16 to /27, and nothing else', () => {
  for (const text of ['10.0.0.0/16', '192.168.4.0/24', '172.31.255.224/27', '100.64.0.0/20']) {
    const made = gatewayNetwork(text);
    assert(made.ok, text);
    assert(made.value.pool.last > made.value.pool.first);
  }
  const wrong = [
    ...['', '10.77.0.0', '10.77.0.0/8', '10.77.0.0/28', '10.77.0.1/24', '10.77.0.0/024'],
    ...[
      '8.8.8.0/24',
      '172.32.0.0/16',
      '127.0.0.0/16',
      '169.254.0.0/16',
      'fd00::/64',
      '10.77.0.0/x',
    ],
  ];
  for (const text of wrong) assert.equal(gatewayNetwork(text).ok, false, text);
});
