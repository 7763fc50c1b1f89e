/** What the cache asks its table, and tells it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, FOREVER, seconds } from '#core';
import type { Ipv4Address } from '../ip.ts';
import { formatIpv4Address } from '../ip-address.ts';
import { ip, OURS, PEER, STATIC, TestLink } from '../test-link.ts';
import { ARP_REPLY, formatMac, MAC_BROADCAST } from '../wire/index.ts';
import { ARP_POLICY, type ArpEntries, type ArpPolicy, type ArpRecord } from './arp-table.ts';

const OTHER = ip('10.0.2.9');
const OTHER_MAC = Uint8Array.of(0x52, 0x54, 0, 9, 9, 9);

/** Knows what is put into `records`, and keeps what it is told. */
class Told {
  readonly records = new Map<Ipv4Address, ArpRecord>();
  readonly heard: string[] = [];
  entries: ArpEntries | null = null;
  attach(entries: ArpEntries): void {
    this.entries = entries;
  }
  find(address: Ipv4Address): ArpRecord | null {
    return this.records.get(address) ?? null;
  }
  learned(address: Ipv4Address, mac: Uint8Array, cause: string): void {
    this.heard.push(`${cause}: ${formatIpv4Address(address)} is ${formatMac(mac)}`);
  }
  silent(address: Ipv4Address): void {
    this.heard.push(`silent: ${formatIpv4Address(address)}`);
  }
  conflict(address: Ipv4Address, mac: Uint8Array): void {
    this.heard.push(`conflict: ${formatIpv4Address(address)} is ${formatMac(mac)}`);
  }
}

function linkWith(table: Told, policy: Partial<ArpPolicy> = {}): TestLink {
  const link = new TestLink({}, { ...ARP_POLICY, ...policy, table });
  link.stack.configure({ ...STATIC, gateway: null });
  link.wait(3_000);
  link.heard.length = 0;
  return link;
}

function sendTo(link: TestLink, to: Ipv4Address): void {
  const opened = link.stack.udp.open(0, { datagram() {} });
  assert(opened.ok);
  opened.value.send(Uint8Array.of(1), to, 9);
  opened.value.close();
  link.wait(1);
}

/** Stations that datagrams went to, and how many requests there were. */
function sent(link: TestLink): [stations: string[], requests: number] {
  const frames = link.heard.splice(0);
  const stations = frames.filter((f) => f[13] === 0).map((f) => formatMac(f.subarray(0, 6)));
  return [stations, frames.filter((f) => f[13] === 6).length];
}

test('each kind of frame › told with its cause', () => {
  const table = new Told();
  const link = linkWith(table);
  sendTo(link, PEER);
  link.sendArp({ operation: ARP_REPLY });
  link.sendArp({ senderAddress: OTHER, senderMac: OTHER_MAC }, MAC_BROADCAST);
  link.sendArp({ targetAddress: PEER }, MAC_BROADCAST);
  link.sendArp({ targetAddress: ip('10.0.2.77') }, MAC_BROADCAST);
  link.sendArp({ operation: ARP_REPLY });
  link.sendArp({ senderAddress: OURS, senderMac: OTHER_MAC });
  const peer = `10.0.2.2 is ${formatMac(link.peer.mac)}`;
  assert.deepEqual(table.heard, [
    `answer: ${peer}`,
    'request: 10.0.2.9 is 52:54:00:09:09:09',
    `announcement: ${peer}`,
    `overheard: ${peer}`,
    `unasked reply: ${peer}`,
    'conflict: 10.0.2.15 is 52:54:00:09:09:09',
  ]);
});

test('replies and announcements that nobody asked for › not told, unless the policy believes', () => {
  for (const believesUnasked of [false, true]) {
    const table = new Told();
    const link = linkWith(table, { believesUnasked });
    link.sendArp({ operation: ARP_REPLY });
    link.sendArp({ senderAddress: OTHER, targetAddress: OTHER }, MAC_BROADCAST);
    link.sendArp({ targetAddress: ip('10.0.2.77'), senderAddress: ip('10.0.2.5') });
    assert.equal(table.heard.length, believesUnasked ? 2 : 0);
    link.sendArp({ operation: ARP_REPLY, senderMac: OTHER_MAC });
    assert.equal(table.heard.length, believesUnasked ? 3 : 0);
  }
});

test('group link addresses, foreign senders, malformed frames › not told whatever is believed', () => {
  const table = new Told();
  const link = linkWith(table, { believesUnasked: true });
  for (const senderMac of [MAC_BROADCAST, new Uint8Array(6), Uint8Array.of(1, 0, 0x5e, 0, 0, 5)]) {
    link.sendArp({ senderMac });
    link.sendArp({ senderMac, operation: ARP_REPLY });
  }
  link.sendArp({ senderAddress: ip('192.168.1.1') });
  link.sendArp({ senderAddress: ip('0.0.0.0') });
  link.sendEthernet(0x0806, new Uint8Array(27));
  assert.deepEqual(table.heard, []);
  assert.equal(link.counter('arpBadSender'), 6);
});

test('the table knows › used without a question, and never after its time', () => {
  const table = new Told();
  const link = linkWith(table, { freshTime: seconds(45), staleTime: seconds(15) });
  table.records.set(OTHER, { mac: OTHER_MAC, until: after(link.world.timers.now, seconds(60)) });
  sendTo(link, OTHER);
  assert.deepEqual(sent(link), [['52:54:00:09:09:09'], 0]);
  link.wait(44_000);
  sendTo(link, OTHER);
  assert.deepEqual(sent(link), [['52:54:00:09:09:09'], 0]);
  link.wait(15_000);
  sendTo(link, OTHER);
  assert.deepEqual(sent(link), [['52:54:00:09:09:09'], 1], 'asked for while it is used on');
  table.records.delete(OTHER);
  link.wait(1_000);
  link.heard.length = 0;
  sendTo(link, OTHER);
  assert.deepEqual(sent(link)[0], [], 'its time is over');
  link.sendArp({ operation: ARP_REPLY, senderAddress: OTHER, senderMac: OTHER_MAC });
  assert.deepEqual(sent(link)[0], ['52:54:00:09:09:09']);
});

test('static › no frame changes it, no time ends it', () => {
  const table = new Told();
  const link = linkWith(table, { believesUnasked: true });
  table.records.set(OTHER, { mac: OTHER_MAC, until: FOREVER });
  sendTo(link, OTHER);
  link.wait(5_000);
  link.sendArp({ operation: ARP_REPLY, senderAddress: OTHER });
  link.sendArp({ senderAddress: OTHER });
  link.wait(3_600_000);
  link.heard.length = 0;
  sendTo(link, OTHER);
  assert.deepEqual(sent(link), [['52:54:00:09:09:09'], 0]);
  assert.equal(link.counter('arpUnsolicited'), 2);
  assert.deepEqual(table.heard, []);
});

test('the table changes › waiting packets leave, a removed entry is asked for again', () => {
  const table = new Told();
  const link = linkWith(table);
  sendTo(link, OTHER);
  assert.deepEqual(sent(link), [[], 1]);
  table.records.set(OTHER, { mac: OTHER_MAC, until: FOREVER });
  table.entries?.reread(OTHER);
  link.wait(1);
  assert.deepEqual(sent(link), [['52:54:00:09:09:09'], 0]);
  table.records.delete(OTHER);
  table.entries?.reread(OTHER);
  sendTo(link, OTHER);
  assert.deepEqual(sent(link), [[], 1]);
  table.entries?.reread(OTHER);
  table.entries?.reread(PEER);
  link.wait(4_000);
  assert.deepEqual(table.heard, ['silent: 10.0.2.9']);
});

test('other times and counts of requests › kept to', () => {
  const link = linkWith(new Told(), { requestInterval: seconds(1.5), requestsMax: 4 });
  sendTo(link, OTHER);
  link.wait(4_400);
  assert.equal(sent(link)[1], 3);
  link.wait(10_000);
  assert.equal(sent(link)[1], 1);
});

test('who may be a neighbour › hosts on our link that we are not; any while we have no address', () => {
  const table = new Told();
  const link = linkWith(table);
  const mayHave = (text: string) => table.entries!.mayHave(ip(text));
  assert(mayHave('10.0.2.9') && mayHave(formatIpv4Address(PEER)));
  const none = [formatIpv4Address(OURS), '10.0.2.255', '192.0.2.1', '255.255.255.255', '0.0.0.0'];
  for (const text of [...none, '127.0.0.1', '224.0.0.1']) assert(!mayHave(text), text);
  link.stack.configure(null);
  assert(mayHave('192.0.2.1') && mayHave(formatIpv4Address(OURS)) && !mayHave('224.0.0.1'));
});
