import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DatagramSocket } from '#device';
import { formatIpv4Address } from '../ip-address.ts';
import { igmpGroupsMax } from '../limits.ts';
import { ip, STATIC, TestLink } from '../test-link.ts';
import {
  emitIgmp,
  formatIgmp,
  IGMP_LEAVE_V2,
  IGMP_REPORT_V2,
  type IgmpQuery,
  type IgmpRepr,
  igmpBytes,
  igmpCodeValue,
  parseIgmp,
} from '../wire/index.ts';

const ROUTER_ALERT = Uint8Array.of(148, 4, 0, 0);
const ALL_HOSTS = ip('224.0.0.1');
const ALL_HOSTS_MAC = Uint8Array.of(1, 0, 0x5e, 0, 0, 1);

class Bench {
  readonly link = new TestLink();
  readonly socket: DatagramSocket;

  constructor() {
    this.link.introduce();
    const bound = this.link.stack.udp.bind(7, { receive() {} });
    assert(bound.ok);
    this.socket = bound.value;
  }

  /** What was said since the last call, with destinations. */
  said(): string[] {
    return this.link.takeIpv4().map((packet) => {
      const parsed = parseIgmp(packet.payload);
      assert(parsed.ok && packet.protocol === 2);
      assert.deepEqual([packet.ttl, packet.options], [1, ROUTER_ALERT]);
      return `${formatIpv4Address(packet.destination)}: ${formatIgmp(parsed.value)}`;
    });
  }

  send(message: IgmpRepr, destination = ALL_HOSTS, ttl = 1, options = ROUTER_ALERT): void {
    const payload = new Uint8Array(igmpBytes(message));
    emitIgmp(payload, 0, message);
    this.link.sendIpv4({ protocol: 2, destination, ttl, options, payload }, ALL_HOSTS_MAC);
  }

  query(version: 1 | 2 | 3, code: number, group = '0.0.0.0', to = ALL_HOSTS): void {
    this.send(queryOf(version, code, group), to);
  }

  /** Joins, and lets the reports pass. */
  join(...groups: string[]): void {
    for (const group of groups) assert.equal(this.socket.join(group), true);
    this.link.wait(21_000);
    this.link.heard.length = 0;
  }
}

const queryOf = (version: 1 | 2 | 3, code: number, group: string): IgmpQuery => ({
  kind: 'query',
  version,
  code,
  group: ip(group),
  suppress: false,
  robustness: version === 3 ? 2 : 0,
  intervalCode: version === 3 ? 125 : 0,
  sources: [],
});

test('join, leave › told at once and once more within a second (RFC 3376 §5.1)', () => {
  const b = new Bench();
  b.socket.join('239.1.2.3');
  assert.equal(b.link.heard.length, 0, 'frames take a moment');
  b.link.wait(1);
  assert.deepEqual(b.said(), ['224.0.0.22: igmp v3 report 4 239.1.2.3']);
  b.link.wait(1_000);
  assert.deepEqual(b.said(), ['224.0.0.22: igmp v3 report 4 239.1.2.3']);
  b.socket.leave('239.1.2.3');
  b.link.wait(1_001);
  assert.deepEqual(b.said(), new Array(2).fill('224.0.0.22: igmp v3 report 3 239.1.2.3'));
  b.link.wait(100_000);
  assert.deepEqual(b.said(), []);
});

test('two sockets in a group › one leaves › nobody is told', () => {
  const b = new Bench();
  b.join('239.1.2.3');
  const second = b.link.stack.udp.bind(8, { receive() {} });
  assert(second.ok && second.value.join('239.1.2.3'));
  second.value.leave('239.1.2.3');
  b.link.wait(5_000);
  assert.deepEqual(b.said(), []);
});

test('224.0.0.1 › joined without a word, by every host (RFC 1112 §4)', () => {
  const b = new Bench();
  assert.equal(b.socket.join('224.0.0.1'), true);
  b.socket.leave('224.0.0.1');
  b.link.wait(5_000);
  assert.deepEqual(b.said(), []);
});

test('general query › one report of all groups within the time it gives', () => {
  const b = new Bench();
  b.query(3, 100);
  b.link.wait(11_000);
  assert.deepEqual(b.said(), [], 'nothing to tell');
  b.join('239.1.2.3', '239.1.2.4');
  b.query(3, 100);
  b.query(3, 100);
  b.link.wait(10_000);
  assert.deepEqual(b.said(), ['224.0.0.22: igmp v3 report 2 239.1.2.3, 2 239.1.2.4']);
});

test('group query › a report of that group, or none when we left it', () => {
  const b = new Bench();
  b.join('239.1.2.3', '239.1.2.4');
  b.query(3, 10, '239.1.2.4', ip('239.1.2.4'));
  b.query(3, 10, '239.9.9.9');
  b.link.wait(1_001);
  assert.deepEqual(b.said(), ['224.0.0.22: igmp v3 report 2 239.1.2.4']);
  b.query(3, 100, '239.1.2.3', ip('239.1.2.3'));
  b.socket.leave('239.1.2.3');
  b.link.wait(11_000);
  assert.deepEqual(b.said(), new Array(2).fill('224.0.0.22: igmp v3 report 3 239.1.2.3'));
});

test('a querier of version 2 › its reports and leave, and no answer after another’s', () => {
  const b = new Bench();
  b.join('239.1.2.3', '239.1.2.4');
  b.query(2, 100);
  const report = { kind: 'group', type: IGMP_REPORT_V2, group: ip('239.1.2.4') } as const;
  b.send(report, ip('239.1.2.4'));
  b.link.wait(10_000);
  assert.deepEqual(b.said(), ['239.1.2.3: igmp type 0x16 239.1.2.3']);
  b.socket.join('239.1.2.5');
  b.socket.leave('239.1.2.3');
  b.link.wait(20_000);
  const joined = '239.1.2.5: igmp type 0x16 239.1.2.5';
  assert.deepEqual(b.said(), [joined, '224.0.0.2: igmp type 0x17 239.1.2.3', joined]);
  b.link.wait(260_000);
  b.socket.leave('239.1.2.5');
  b.link.wait(1);
  assert.deepEqual(b.said(), ['224.0.0.22: igmp v3 report 3 239.1.2.5'], 'it is gone');
});

test('a querier of version 1 › its reports, no leave; a newer one changes nothing meanwhile', () => {
  const b = new Bench();
  b.join('239.1.2.3');
  b.send(queryOf(1, 0, '0.0.0.0'), ALL_HOSTS, 1, new Uint8Array(0));
  b.link.wait(10_000);
  assert.deepEqual(b.said(), ['239.1.2.3: igmp type 0x12 239.1.2.3']);
  b.query(3, 10);
  b.link.wait(1_001);
  assert.deepEqual(b.said(), ['239.1.2.3: igmp type 0x12 239.1.2.3']);
  b.socket.leave('239.1.2.3');
  b.link.wait(20_000);
  assert.deepEqual(b.said(), []);
});

test('a query waits, then one of an older version comes › the answer is only in that', () => {
  const b = new Bench();
  b.join('239.1.2.3');
  b.query(3, 100);
  b.query(2, 1);
  b.link.wait(11_000);
  assert.deepEqual(b.said(), ['239.1.2.3: igmp type 0x16 239.1.2.3']);
});

test('queries from afar, without router alert, to the wrong address, malformed › ignored', () => {
  const b = new Bench();
  b.join('239.1.2.3');
  b.send(queryOf(3, 1, '0.0.0.0'), ALL_HOSTS, 2);
  b.send(queryOf(3, 1, '0.0.0.0'), ALL_HOSTS, 1, new Uint8Array(0));
  b.send(queryOf(2, 1, '0.0.0.0'), ALL_HOSTS, 1, Uint8Array.of(1, 1, 1, 0));
  b.query(3, 1, '0.0.0.0', ip('239.1.2.3'));
  b.query(3, 1, '239.1.2.4', ip('239.1.2.3'));
  b.send({ kind: 'group', type: IGMP_LEAVE_V2, group: ip('239.1.2.3') });
  assert.equal(b.link.counter('igmpIgnored'), 6);
  const payload = new Uint8Array(8).fill(1);
  b.link.sendIpv4({ protocol: 2, destination: ALL_HOSTS, ttl: 1, payload }, ALL_HOSTS_MAC);
  assert.equal(b.link.counter('igmpMalformed'), 1);
  b.link.wait(1_000);
  assert.deepEqual(b.said(), []);
});

test('a query from 0.0.0.0, as switches send › answered; other protocols from it are not', () => {
  const b = new Bench();
  b.join('239.1.2.3');
  const payload = new Uint8Array(12);
  emitIgmp(payload, 0, queryOf(3, 1, '0.0.0.0'));
  const from = { source: ip('0.0.0.0'), destination: ALL_HOSTS, ttl: 1, options: ROUTER_ALERT };
  b.link.sendIpv4({ ...from, protocol: 2, payload }, ALL_HOSTS_MAC);
  b.link.sendIpv4({ ...from, protocol: 17, payload }, ALL_HOSTS_MAC);
  b.link.wait(200);
  assert.equal(b.said().length, 1);
  assert.equal(b.link.counter('ipv4SourceNone'), 1);
});

test('joined before there is an address, or it changes › told from the new one', () => {
  const link = new TestLink();
  const bound = link.stack.udp.bind(7, { receive() {} });
  assert(bound.ok && bound.value.join('239.1.2.3'));
  link.wait(5_000);
  assert.deepEqual(link.heard, []);
  link.stack.configure(STATIC);
  link.wait(2_000);
  assert.equal(link.takeIpv4().length, 2);
  link.stack.configure({ ...STATIC, addresses: [{ address: ip('10.0.2.9'), prefixBits: 24 }] });
  link.wait(2_000);
  assert.deepEqual(
    link.takeIpv4().map((packet) => formatIpv4Address(packet.source)),
    ['10.0.2.9', '10.0.2.9'],
  );
});

test('as many groups as may be, all left and others joined at once › bounded', () => {
  const b = new Bench();
  for (let i = 0; i < igmpGroupsMax; i++) b.socket.join(`239.0.0.${i}`);
  for (let i = 0; i < igmpGroupsMax; i++) b.socket.leave(`239.0.0.${i}`);
  for (let i = 0; i < igmpGroupsMax; i++) assert.equal(b.socket.join(`239.0.1.${i}`), true);
  assert.equal(b.socket.join('239.0.2.0'), false);
  b.link.wait(2_000);
  b.link.heard.length = 0;
  b.query(3, 1);
  b.link.wait(200);
  assert.equal(b.said()[0]?.split(',').length, igmpGroupsMax);
});

test('codes › as they are to 127, floats above (RFC 3376 §4.1.1)', () => {
  assert.deepEqual([0, 127, 128, 0x8f, 0xff].map(igmpCodeValue), [0, 127, 128, 248, 31_744]);
});
