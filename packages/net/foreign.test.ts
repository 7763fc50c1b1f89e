import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Result } from '#core';
import type { ConnectError, Flow } from '#device';
import type { ForeignAddresses } from './foreign.ts';
import {
  ForeignTcp,
  ForeignUdp,
  type ForeignUdpFlow,
  type ForeignUdpFlowHandler,
  formatIpAddress,
  type HeldSyn,
  type Ipv4Address,
  PROTOCOL_TCP,
  TcpStack,
} from './index.ts';
import {
  foreignDnsIdle,
  foreignFlowEvictIdle,
  foreignFlowsMax,
  foreignFlowsPerPeerMax,
  foreignUdpIdle,
} from './limits.ts';
import { HELD_SYN_LENGTH, HELD_SYNS_MAX, HELD_SYNS_PER_PEER_MAX } from './tcp/limits.ts';
import { ip, OURS, PEER, TestLink } from './test-link.ts';
import {
  emitIcmpv4,
  emitTcp,
  emitUdp,
  emptyTcpOptions,
  type Icmpv4Repr,
  parseIcmpv4,
  parseTcp,
  parseUdp,
  pseudoHeaderSum,
  TCP_ACK,
  TCP_RST,
  TCP_SYN,
  type TcpRepr,
} from './wire/index.ts';

const WORLD = ip('203.0.113.7');
const NEAR = ip('10.0.2.77');
const FORBIDDEN = ip('198.51.100.1');

const ADDRESSES: ForeignAddresses = {
  takes: (address) => typeof address === 'number' && address !== FORBIDDEN,
  isOnOurStation: (address) => address === NEAR,
  answersEcho: (address) => address === NEAR,
};

/** A stack that stands in for others, and a peer on its link. */
class Foreign {
  readonly link = new TestLink();
  readonly tcp: TcpStack;
  readonly foreignTcp: ForeignTcp;
  readonly foreignUdp: ForeignUdp;
  readonly syns: HeldSyn[] = [];
  readonly flows: ForeignUdpFlow[] = [];
  readonly datagrams: string[] = [];
  readonly closed: ForeignUdpFlow[] = [];
  refuses = false;

  constructor(addresses: ForeignAddresses = ADDRESSES) {
    const { link } = this;
    link.introduce();
    const { world, stack } = link;
    this.tcp = new TcpStack({
      ip: stack.ip,
      timers: world.timers,
      entropy: world.random.fork(),
      log: world.addHost('tcp').log.source('tcp'),
      offload: stack.device.offload,
      memory: stack.memory,
    });
    stack.registerTransport(PROTOCOL_TCP, this.tcp, this.tcp);
    const given = stack.takeForeign(addresses);
    const { timers } = world;
    this.foreignTcp = new ForeignTcp(this.tcp, given.addresses, given.errors, {
      opening: (syn) => this.syns.push(syn),
    });
    this.foreignUdp = new ForeignUdp(stack.udp, stack.ip, timers, given.addresses, given.errors, {
      opening: (flow) => this.opening(flow),
    });
    world.onCheck(() => this.tcp.checkInvariants());
  }

  private opening(flow: ForeignUdpFlow): ForeignUdpFlowHandler | null {
    if (this.refuses) return null;
    this.flows.push(flow);
    return {
      datagram: (bytes) => {
        this.datagrams.push(`${formatIpAddress(flow.destination)} ${Buffer.from(bytes)}`);
      },
      closed: () => this.closed.push(flow),
    };
  }

  /** A segment from the peer, to the world unless said otherwise; what the stack sends back. */
  send(
    repr: Partial<TcpRepr>,
    destination: Ipv4Address = WORLD,
    source: Ipv4Address = PEER,
  ): TcpRepr[] {
    const whole: TcpRepr = {
      sourcePort: 5_000,
      destinationPort: 80,
      seq: 1_000,
      ack: 0,
      flags: TCP_SYN,
      window: 65_535,
      urgent: 0,
      options: { ...emptyTcpOptions(), mss: 1_460 },
      payload: new Uint8Array(0),
      ...repr,
    } as TcpRepr;
    const bytes = new Uint8Array(100 + whole.payload.length);
    const length = emitTcp(bytes, 0, whole, 0);
    const sum = pseudoHeaderSum(source, destination, PROTOCOL_TCP, length);
    emitTcp(bytes, 0, whole, sum);
    this.link.heard.length = 0;
    this.link.sendIpv4({
      protocol: PROTOCOL_TCP,
      source,
      destination,
      payload: bytes.slice(0, length),
    });
    return this.segments(destination);
  }

  segments(from: Ipv4Address = WORLD): TcpRepr[] {
    return this.link.takeIpv4().flatMap(({ source, destination, protocol, payload }) => {
      if (protocol !== PROTOCOL_TCP || source !== from) return [];
      const sum = pseudoHeaderSum(source, destination, PROTOCOL_TCP, payload.length);
      const parsed = parseTcp(payload, sum);
      if (!parsed.ok) throw new TypeError('a bad segment');
      return [parsed.value];
    });
  }

  icmp(): { readonly from: Ipv4Address; readonly message: Icmpv4Repr }[] {
    return this.link.takeIpv4().flatMap(({ source, protocol, payload }) => {
      const parsed = protocol === 1 ? parseIcmpv4(payload) : null;
      return parsed?.ok === true ? [{ from: source, message: parsed.value }] : [];
    });
  }

  datagram(
    text: string,
    destination: Ipv4Address = WORLD,
    port = 7,
    sourcePort = 6_000,
    source: Ipv4Address = PEER,
  ): void {
    const payload = Uint8Array.from(Buffer.from(text));
    const bytes = new Uint8Array(8 + payload.length);
    const sum = pseudoHeaderSum(source, destination, 17, bytes.length);
    emitUdp(bytes, 0, { sourcePort, destinationPort: port, payload }, sum);
    this.link.sendIpv4({ source, destination, payload: bytes });
  }

  /** Another neighbour, known to the stack. */
  neighbor(number: number): Ipv4Address {
    const address = ip(`10.0.2.${number}`);
    this.link.sendArp({ senderAddress: address });
    return address;
  }
}

function accepted(syn: HeldSyn): { flow: Flow | null; error: ConnectError | null } {
  const box: { flow: Flow | null; error: ConnectError | null } = { flow: null, error: null };
  syn.accept((result: Result<Flow, ConnectError>) => {
    if (result.ok) {
      box.flow = result.value;
      result.value.attach({ data() {}, drained() {}, end() {}, closed() {} });
    } else box.error = result.error;
  });
  return box;
}

test('SYN for another host › held in silence, however often it comes; accepted › SYN-ACK from it', () => {
  const x = new Foreign();
  assert.deepEqual(x.send({}), []);
  x.link.wait(1_000);
  assert.deepEqual(x.send({}), []);
  assert.deepEqual([x.syns.length, x.foreignTcp.counters.foreignSynsRepeated], [1, 1]);
  const [syn] = x.syns;
  assert.deepEqual([syn?.source, syn?.sourcePort], [PEER, 5_000]);
  assert.deepEqual([syn?.destination, syn?.port], [WORLD, 80]);
  const box = accepted(syn!);
  x.link.wait(1);
  const [synAck, ...more] = x.segments();
  assert(synAck !== undefined && more.length === 0);
  assert.deepEqual([synAck.flags, synAck.ack], [TCP_SYN | TCP_ACK, 1_001]);
  assert.equal(box.flow, null, 'the peer has not answered yet');
  x.send({ flags: TCP_ACK, seq: 1_001, ack: synAck.seq + 1 });
  const flow = box.flow as Flow | null;
  assert(flow !== null);
  assert.deepEqual(flow.local, { address: '203.0.113.7', port: 80 });
  flow.write(Uint8Array.of(1, 2, 3));
  x.link.wait(1);
  assert.deepEqual([...(x.segments()[0]?.payload ?? [])], [1, 2, 3]);
  assert.equal(x.foreignTcp.heldCount, 0);
});

test('refused › RST from the host; no way › an ICMP error from us, that quotes the SYN', () => {
  const x = new Foreign();
  x.send({});
  x.syns[0]!.refuse();
  x.link.wait(1);
  const [rst] = x.segments();
  assert.deepEqual([rst?.flags, rst?.ack, rst?.seq], [TCP_RST | TCP_ACK, 1_001, 0]);
  for (const [fault, code] of [
    ['host', 1],
    ['prohibited', 13],
  ] as const) {
    x.send({ sourcePort: 5_100 + code });
    x.syns.at(-1)!.fail(fault);
    x.link.wait(1);
    const [error] = x.icmp();
    assert.deepEqual([error?.from, error?.message.type, error?.message.code], [OURS, 3, code]);
    const quoted = error!.message.body.subarray(20);
    assert.deepEqual([quoted[0]! * 256 + quoted[1]!], [5_100 + code]);
  }
  x.send({ sourcePort: 5_300 });
  x.syns.at(-1)!.drop();
  x.link.wait(1);
  assert.deepEqual(x.link.takeIpv4(), []);
  x.send({ sourcePort: 5_300 });
  assert.equal(x.syns.length, 5, 'the next SYN is a new one');
});

test('held › the peer resets, begins anew, or the time is over › who waits is told; late calls do nothing', () => {
  const x = new Foreign();
  let told = 0;
  const watch = (): HeldSyn => {
    const syn = x.syns.at(-1)!;
    syn.cancelled = () => {
      told += 1;
    };
    return syn;
  };
  x.send({});
  const first = watch();
  x.send({ flags: TCP_RST, seq: 5 });
  assert.equal(told, 0, 'a guess');
  x.send({ flags: TCP_RST, seq: 1_001 });
  assert.equal(told, 1);
  first.refuse();
  first.fail('host');
  assert.equal(accepted(first).error, null);
  x.link.wait(1);
  assert.deepEqual(x.link.takeIpv4(), []);
  x.send({});
  watch();
  x.send({ seq: 9_000 });
  assert.deepEqual([told, x.syns.length, x.foreignTcp.heldCount], [2, 3, 1]);
  watch();
  x.link.wait(HELD_SYN_LENGTH / 1_000);
  assert.deepEqual([told, x.foreignTcp.heldCount], [3, 0]);
  assert.equal(x.foreignTcp.counters.foreignTimeouts, 1);
});

test('segments of no connection to another host › RST for an ACK; others nothing', () => {
  const x = new Foreign();
  const [rst] = x.send({ flags: TCP_ACK, ack: 77 });
  assert.deepEqual([rst?.flags, rst?.seq], [TCP_RST, 77]);
  assert.deepEqual(x.send({ flags: 0 }), []);
  assert.deepEqual(x.send({ flags: TCP_RST }), []);
  assert.equal(x.syns.length, 0);
  x.send({}, FORBIDDEN);
  x.send({}, ip('224.0.0.9'));
  x.send({}, ip('127.0.0.1'));
  x.send({}, WORLD, ip('192.0.2.1'));
  assert.equal(x.syns.length, 0);
  assert.equal(x.link.counter('ipv4ForeignSource'), 1);
  const [own] = x.send({}, OURS);
  assert.equal(own?.flags, TCP_RST | TCP_ACK, 'what is ours is ours');
});

test('as many as are held › of one peer, then of all; one more is dropped', () => {
  const x = new Foreign();
  const many = (count: number, source: Ipv4Address): void => {
    for (let i = 0; i < count; i++) x.send({ sourcePort: 1_024 + i }, WORLD, source);
  };
  many(HELD_SYNS_PER_PEER_MAX + 1, PEER);
  const { counters } = x.foreignTcp;
  assert.deepEqual([x.foreignTcp.heldCount, counters.foreignSynsPeerFull], [512, 1]);
  many(HELD_SYNS_MAX - HELD_SYNS_PER_PEER_MAX, x.neighbor(20));
  many(1, x.neighbor(21));
  assert.deepEqual([x.foreignTcp.heldCount, counters.foreignSynsFull], [HELD_SYNS_MAX, 1]);
  x.foreignTcp.close();
  assert.equal(x.foreignTcp.heldCount, 0);
  assert.equal(x.send({})[0]?.flags, TCP_RST | TCP_ACK, 'closed: nobody stands in');
});

test('accepted without memory for it › the caller is told, and can be refused no more', () => {
  const x = new Foreign();
  x.send({});
  const { memory } = x.link.stack;
  const taken = memory.account('connections');
  while (taken.take(65_536));
  assert.deepEqual(accepted(x.syns[0]!).error, { kind: 'no port' });
  assert.equal(x.foreignTcp.counters.foreignNoRoom, 1);
});

test('UDP to another host › a flow; answers come from it, and later messages find it', () => {
  const x = new Foreign();
  x.datagram('one');
  x.datagram('two');
  x.datagram('three', WORLD, 8);
  assert.deepEqual(x.datagrams, ['203.0.113.7 one', '203.0.113.7 two', '203.0.113.7 three']);
  assert.equal(x.flows.length, 2);
  x.link.heard.length = 0;
  assert(x.flows[1]!.send(Uint8Array.of(5)));
  x.link.wait(1);
  const [answer] = x.link.takeIpv4();
  assert.deepEqual([answer?.source, answer?.destination], [WORLD, PEER]);
  const sum = pseudoHeaderSum(WORLD, PEER, 17, answer!.payload.length);
  const udp = parseUdp(answer!.payload, sum);
  assert(udp.ok);
  assert.deepEqual([udp.value.sourcePort, udp.value.destinationPort], [8, 6_000]);
  x.flows[0]!.unreachable();
  x.link.wait(1);
  const [error] = x.icmp();
  assert.deepEqual([error?.from, error?.message.type, error?.message.code], [WORLD, 3, 3]);
});

test('UDP in fragments › one message; too long an answer › fragments', () => {
  const x = new Foreign();
  const payload = new Uint8Array(2_000).fill(0x61);
  const bytes = new Uint8Array(8 + payload.length);
  const sum = pseudoHeaderSum(PEER, WORLD, 17, bytes.length);
  emitUdp(bytes, 0, { sourcePort: 6_000, destinationPort: 7, payload }, sum);
  const piece = { destination: WORLD, identification: 9 };
  x.link.sendIpv4({ ...piece, moreFragments: true, payload: bytes.slice(0, 1_200) });
  x.link.sendIpv4({ ...piece, fragmentOffset: 1_200 / 8, payload: bytes.slice(1_200) });
  assert.equal(x.datagrams[0]?.length, '203.0.113.7 '.length + 2_000);
  x.link.heard.length = 0;
  assert(x.flows[0]!.send(payload));
  x.link.wait(1);
  assert.equal(x.link.takeIpv4().length, 2);
});

test('UDP flows › end when idle, those to name servers sooner; a use puts it off', () => {
  const x = new Foreign();
  x.datagram('dns', WORLD, 53);
  x.datagram('other');
  x.link.wait(foreignDnsIdle / 1_000 + 1_500);
  assert.deepEqual(x.closed, [x.flows[0]]);
  x.link.wait(foreignUdpIdle / 1_000 - 30_000);
  x.flows[1]!.send(Uint8Array.of(1));
  x.link.wait(foreignUdpIdle / 1_000 - 2_000);
  assert.equal(x.closed.length, 1);
  x.link.wait(4_000);
  assert.deepEqual([x.closed.length, x.foreignUdp.flowCount], [2, 0]);
  assert.equal(x.flows[1]!.send(Uint8Array.of(1)), false);
});

test('UDP flows › as many as fit one peer, then all; the longest idle goes, else the new one', () => {
  const x = new Foreign();
  const { counters } = x.foreignUdp;
  for (let i = 0; i <= foreignFlowsPerPeerMax; i++) x.datagram('x', WORLD, 1_000 + i);
  assert(x.foreignUdp.flowCount <= foreignFlowsPerPeerMax);
  x.link.wait(foreignFlowEvictIdle / 1_000);
  x.datagram('x', WORLD, 9_000);
  assert.equal(x.foreignUdp.flowCount, foreignFlowsPerPeerMax);
  assert(counters.foreignFlowsEvicted >= 1);
  const other = x.neighbor(20);
  const more = foreignFlowsMax - foreignFlowsPerPeerMax;
  for (let i = 0; i < more; i++) x.datagram('x', WORLD, 1_000 + i, 6_000, other);
  assert.equal(x.foreignUdp.flowCount, foreignFlowsMax);
  x.datagram('x', WORLD, 1, 6_000, x.neighbor(21));
  assert.equal(x.foreignUdp.flowCount, foreignFlowsMax);
  x.foreignUdp.close();
  assert.equal(x.closed.length, x.flows.length);
});

test('UDP › refused by the handler, port 0, from beyond the link, wrong checksum › no flow', () => {
  const x = new Foreign();
  x.refuses = true;
  x.datagram('a');
  x.refuses = false;
  x.datagram('b', WORLD, 0);
  x.datagram('c', WORLD, 7, 0);
  x.datagram('d', WORLD, 7, 6_000, ip('192.0.2.1'));
  x.datagram('e', FORBIDDEN);
  const bytes = new Uint8Array(12);
  emitUdp(bytes, 0, { sourcePort: 1, destinationPort: 2, payload: new Uint8Array(4) }, 0x1234);
  x.link.sendIpv4({ destination: WORLD, payload: bytes });
  assert.deepEqual([x.flows, x.datagrams], [[], []]);
  const { foreignFlowsRefused, foreignPortZero } = x.foreignUdp.counters;
  assert.deepEqual([foreignFlowsRefused, foreignPortZero], [1, 2]);
});

test('echo › answered in the name of whom we may; for others prohibited; the last hop is told', () => {
  const x = new Foreign();
  const payload = new Uint8Array(12);
  emitIcmpv4(payload, 0, { type: 8, code: 0, word0: 1, word1: 2, body: Uint8Array.of(1, 2, 3, 4) });
  const ping = (destination: Ipv4Address, ttl = 64): [string, number, number][] => {
    x.link.heard.length = 0;
    x.link.sendIpv4({ protocol: 1, destination, payload, ttl });
    return x.icmp().map(({ from, message }) => [formatIpAddress(from), message.type, message.code]);
  };
  assert.deepEqual(ping(NEAR), [['10.0.2.77', 0, 0]]);
  assert.deepEqual(ping(WORLD), [['10.0.2.15', 3, 13]]);
  assert.deepEqual(ping(WORLD, 1), [['10.0.2.15', 11, 0]]);
  assert.deepEqual(ping(NEAR, 1), [['10.0.2.77', 0, 0]], 'no farther than we are');
  assert.deepEqual(ping(FORBIDDEN), []);
  assert.equal(x.link.counter('icmpEchoProhibited'), 1);
  assert.equal(x.link.counter('ipv4ForeignTtl'), 1);
});

test('ARP › answered for those on our station, in their name; not for others', () => {
  const x = new Foreign();
  x.link.heard.length = 0;
  x.link.sendArp({ targetAddress: NEAR });
  const [reply] = x.link.takeArp();
  assert.deepEqual([reply?.senderAddress, reply?.operation], [NEAR, 2]);
  x.link.sendArp({ targetAddress: ip('10.0.2.78') });
  x.link.sendArp({ targetAddress: WORLD });
  assert.deepEqual(x.link.takeArp(), []);
});

test('nobody stands in › packets for others are dropped as ever', () => {
  const link = new TestLink();
  link.introduce();
  link.sendIpv4({ destination: WORLD, payload: new Uint8Array(8) });
  assert.equal(link.counter('ipv4NotOurs'), 1);
  assert.equal(link.stack.ip.route(PEER, WORLD), null);
});
