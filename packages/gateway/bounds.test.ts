/** The gateway's parts at their bounds, with flows and sockets played by the test. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err, ok, type Result } from '#core';
import type { ConnectError, Connecting, DatagramHandler, Flow, FlowHandler, Stack } from '#device';
import { type ForeignUdpFlow, type HeldSyn, type IpAddress, parseIpAddress } from '#net';
import { Destinations } from './destinations.ts';
import {
  publishedMax,
  publishedUdpClientsMax,
  publishedUdpIdle,
  relayBytesMax,
  relayBytesMin,
  relaysMax,
  udpMappingsMax,
  udpWaitingBytesMax,
  udpWaitingMax,
} from './limits.ts';
import { gatewayNetwork } from './network.ts';
import { Relays } from './relay.ts';
import { TcpNat } from './tcp-nat.ts';
import { addressOf, bytesOf, TestNetwork } from './test-network.ts';
import { UdpNat } from './udp-nat.ts';

class FakeFlow implements Flow {
  readonly local = { address: '192.0.2.1', port: 1 };
  readonly remote = { address: '192.0.2.2', port: 2 };
  queuedBytes = 0;
  lowWaterBytes = 65_536;
  noDelay = false;
  handler: FlowHandler | null = null;
  readonly calls: string[] = [];

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }
  write(bytes: Uint8Array): void {
    this.queuedBytes += bytes.length;
  }
  shutdown(): void {
    this.calls.push('shutdown');
  }
  abort(): void {
    this.calls.push('abort');
    this.handler?.closed('reset');
  }
  askIfAlive(): void {}
  pause(): void {
    this.calls.push('pause');
  }
  resume(): void {
    this.calls.push('resume');
  }
  take(): string[] {
    return this.calls.splice(0);
  }
}

function joined(): { relays: Relays; first: FakeFlow; second: FakeFlow } {
  const relays = new Relays();
  const [first, second] = [new FakeFlow(), new FakeFlow()];
  const relay = relays.start(first);
  assert(relay !== null);
  assert.deepEqual(first.take(), ['pause']);
  relay.join(second);
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
  const relay = relays.start(first)!;
  first.handler!.end();
  relay.join(second);
  assert.deepEqual(second.take(), ['shutdown']);
  const [gone, late] = [new FakeFlow(), new FakeFlow()];
  let lost = 0;
  const other = relays.start(gone)!;
  other.lost = () => {
    lost += 1;
  };
  gone.handler!.closed('reset');
  assert.deepEqual([lost, relays.size], [1, 1]);
  other.join(late);
  assert.deepEqual(late.take(), ['abort']);
});

test('relays › as many as there may be › one more is aborted; shares shrink to the least', () => {
  const relays = new Relays();
  assert.equal(relays.shareBytes, relayBytesMax);
  for (let i = 0; i < relaysMax; i++) assert(relays.start(new FakeFlow()) !== null);
  assert.equal(relays.shareBytes, relayBytesMin);
  const more = new FakeFlow();
  assert.equal(relays.start(more), null);
  assert.deepEqual([more.take(), relays.counters.relaysFull], [['abort'], 1]);
  relays.abort();
  assert.equal(relays.size, 0);
});

/** A host whose answers the test gives. */
class FakeHost implements Stack {
  readonly connects: ((result: Result<Flow, ConnectError>) => void)[] = [];
  readonly binds: (() => void)[] = [];
  readonly sent: string[] = [];
  cancelled = 0;
  closed = 0;

  connect(
    _: string,
    _port: number,
    opened: (result: Result<Flow, ConnectError>) => void,
  ): Connecting {
    this.connects.push(opened);
    return {
      cancel: () => {
        this.cancelled += 1;
      },
    };
  }
  bind(port: number, _: DatagramHandler): ReturnType<Stack['bind']> {
    return new Promise((resolve) => {
      this.binds.push(() =>
        resolve(
          ok({
            local: { address: '0.0.0.0', port: port || 1_000 },
            send: (bytes, to) => {
              this.sent.push(`${to.address}:${to.port} ${bytes.length}`);
              return true;
            },
            join: () => false,
            leave: () => {},
            close: () => {
              this.closed += 1;
            },
          }),
        ),
      );
    });
  }
  listen(port: number): ReturnType<Stack['listen']> {
    return Promise.resolve(ok({ port, close() {} }));
  }
  resolve(): ReturnType<Stack['resolve']> {
    return Promise.resolve(err({ kind: 'no name servers' }));
  }
  addresses(): string[] {
    return [];
  }
  counters(): Record<string, number> {
    return {};
  }
}

const network = (() => {
  const made = gatewayNetwork('10.77.0.0/24');
  if (!made.ok) throw new TypeError(made.error.message);
  return made.value;
})();

class FakeSyn {
  readonly port = 80;
  cancelled: () => void = () => {};
  readonly calls: string[] = [];
  readonly destination: IpAddress;
  accepted: ((result: Result<Flow, ConnectError>) => void) | null = null;

  constructor(destination: string) {
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
  open(to?: string): FakeSyn;
} {
  const host = new FakeHost();
  const relays = new Relays();
  const nat = new TcpNat(host, new Destinations(network), relays);
  const open = (to = '192.0.2.7'): FakeSyn => {
    const syn = new FakeSyn(to);
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
  for (let i = 0; i < relaysMax; i++) assert.deepEqual(x.open().calls, []);
  assert.deepEqual(x.open().calls, ['drop']);
  assert.equal(x.nat.counters.tcpNatHostFull, 1);
  x.host.connects[0]!(err({ kind: 'refused' }));
  assert.deepEqual(x.open().calls, []);
});

function udpFlow(sourcePort: number, port = 7): ForeignUdpFlow {
  const peer = '10.77.0.16';
  const destination = parseIpAddress('192.0.2.7')!;
  const flow = { peer, sourcePort, destination, port, send: () => true, close() {} };
  return flow as unknown as ForeignUdpFlow;
}

test('UDP › before the host gave a socket › so many wait, more are dropped, then all leave', async () => {
  const host = new FakeHost();
  const nat = new UdpNat(host, new Destinations(network));
  const handler = nat.opening(udpFlow(5_000))!;
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
  const nat = new UdpNat(new FakeHost(), new Destinations(network));
  const half = new Uint8Array(udpWaitingBytesMax / 2);
  const handlers = [1, 2, 3].map((port) => nat.opening(udpFlow(port))!);
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

test('UDP › as many mappings as there may be › one more is refused; a flow of a known one isn’t', () => {
  const nat = new UdpNat(new FakeHost(), new Destinations(network));
  for (let i = 0; i < udpMappingsMax; i++) assert(nat.opening(udpFlow(1 + i)) !== null);
  assert.equal(nat.opening(udpFlow(60_000)), null);
  assert.equal(nat.counters.udpNatFull, 1);
  assert(nat.opening(udpFlow(1, 8)) !== null);
  nat.checkInvariants();
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
