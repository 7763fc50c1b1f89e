import assert from 'node:assert/strict';
import { test } from 'node:test';
import { multicastGroupsMax } from '../ipv6/limits.ts';
import { Ipv6TestLink, ip6, ROUTER } from '../ipv6/test-link.ts';
import { type Ipv6Address, solicitedNodeOf } from '../ipv6-address.ts';
import { formatIpv6Address } from '../ipv6-text.ts';
import {
  emitMld,
  emitUdp,
  formatMac,
  type MldQuery,
  PROTOCOL_ICMPV6,
  parseMld,
  parseOptionsHeader,
  pseudoHeaderSum,
  sumIcmpv6,
} from '../wire/index.ts';

const GROUP = ip6('ff05::1234');
const text = formatIpv6Address;

/** "fe80::1 > ff02::16 [4 ff05::1234]", hop limit and router alert checked. */
function reports(link: Ipv6TestLink): string[] {
  return link.takeIpv6().flatMap(({ ip, icmp }) => {
    if (icmp === null || ip.nextHeader !== 0) return [];
    assert.equal(ip.hopLimit, 1);
    const alert = parseOptionsHeader(ip.payload);
    assert.ok(alert.ok && alert.value.options[0]?.type === 5);
    const message = parseMld(ip.payload.subarray(8));
    assert.ok(message.ok && message.value.kind !== 'query');
    const { value } = message;
    const records = value.kind === 'records' ? value.records : [value];
    const list = records.map(({ type, group }) => `${type} ${text(group)}`);
    return [`${text(ip.source)} > ${text(ip.destination)} [${list.join(', ')}]`];
  });
}

function query(
  link: Ipv6TestLink,
  more: Partial<MldQuery> = {},
  hopLimit = 1,
  source = ROUTER,
  alert = 5,
) {
  const repr: MldQuery = {
    kind: 'query',
    version: 2,
    responseCode: 10_000,
    group: ip6('::'),
    suppress: false,
    robustness: 2,
    intervalCode: 125,
    sources: [],
    ...more,
  };
  const message = new Uint8Array(64);
  const bytes = emitMld(message, 0, repr);
  const destination = ip6('ff02::1');
  sumIcmpv6(message, 0, bytes, pseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, bytes));
  // Router alert, or another option that is passed over.
  const payload = new Uint8Array(8 + bytes);
  payload.set([PROTOCOL_ICMPV6, 0, alert, 2, 0, 0, 1, 0]);
  payload.set(message.subarray(0, bytes), 8);
  link.sendIpv6({ nextHeader: 0, source, destination, hopLimit, payload });
}

/** Groups of the addresses, and GROUP. */
function joined(): Ipv6TestLink {
  const link = new Ipv6TestLink().online();
  const socket = link.stack.udp.bind(5_000, { receive() {} });
  assert.ok(socket.ok && socket.value.join(text(GROUP)));
  link.wait(2_000);
  link.heard.length = 0;
  return link;
}

test('start › the solicited-node group is told from nobody, and again when the address is ours', () => {
  const link = new Ipv6TestLink().start();
  link.wait(5);
  const group = text(solicitedNodeOf(link.linkLocal));
  assert.deepEqual(reports(link), [`:: > ff02::16 [4 ${group}]`]);
  link.wait(3_000);
  const own = text(link.linkLocal);
  const later = reports(link);
  assert.ok(later.includes(`${own} > ff02::16 [2 ${group}]`), `${later}`);
});

test('join and leave › told twice each; what is sent to the group arrives in between', () => {
  const link = new Ipv6TestLink().online();
  const own = text(link.linkLocal);
  const got: number[] = [];
  const bound = link.stack.udp.bind(5_000, { receive: (bytes) => got.push(bytes[0]!) });
  assert.ok(bound.ok);
  const socket = bound.value;
  const speak = (byte: number): void => {
    const payload = new Uint8Array(9);
    const datagram = { sourcePort: 9, destinationPort: 5_000, payload: Uint8Array.of(byte) };
    emitUdp(payload, 0, datagram, pseudoHeaderSum(ROUTER, GROUP, 17, 9));
    link.sendIpv6({ nextHeader: 17, source: ROUTER, destination: GROUP, payload });
  };
  speak(1);
  assert.equal(socket.join(text(GROUP)), true);
  link.wait(2_000);
  assert.deepEqual(reports(link), new Array(2).fill(`${own} > ff02::16 [4 ${text(GROUP)}]`));
  speak(2);
  socket.leave(text(GROUP));
  link.wait(2_000);
  assert.deepEqual(reports(link), new Array(2).fill(`${own} > ff02::16 [3 ${text(GROUP)}]`));
  speak(3);
  assert.deepEqual(got, [2]);
});

test('frames to a group › go to its Ethernet group', () => {
  const link = joined();
  const opened = link.stack.udp.open(0, { datagram() {} });
  assert.ok(opened.ok && opened.value.send(Uint8Array.of(1), GROUP, 9));
  link.wait(1);
  const [heard] = link.takeIpv6();
  assert.equal(formatMac(heard!.macTo), '33:33:00:00:12:34');
  assert.equal(heard!.ip.hopLimit, 1);
});

test('general query › all groups in one report, within the time that it allows', () => {
  const link = joined();
  query(link, { responseCode: 0 });
  link.wait(1);
  const [report, ...more] = reports(link);
  assert.deepEqual(more, []);
  const groups = [link.linkLocal, link.global].map((own) => text(solicitedNodeOf(own)));
  for (const group of [...groups, text(GROUP)]) assert.ok(report!.includes(`2 ${group}`), report);
  query(link);
  link.wait(10_100);
  assert.equal(reports(link).join().split('2 ff').length - 1, 3, 'each once');
  link.wait(20_000);
  assert.deepEqual(reports(link), []);
});

test('query about one group › only that one', () => {
  const link = joined();
  query(link, { group: GROUP, responseCode: 100 });
  link.wait(200);
  assert.deepEqual(reports(link), [`${text(link.linkLocal)} > ff02::16 [2 ${text(GROUP)}]`]);
  query(link, { group: ip6('ff05::9'), responseCode: 100 });
  link.wait(200);
  assert.deepEqual(reports(link), []);
});

test('an MLDv1 router › answered in its version, until it is long gone', () => {
  const link = joined();
  const own = text(link.linkLocal);
  query(link, { version: 1, group: GROUP, responseCode: 100 });
  link.wait(200);
  assert.deepEqual(reports(link), [`${own} > ${text(GROUP)} [131 ${text(GROUP)}]`]);
  const other = ip6('ff05::77');
  link.stack.ipv6!.mld.join(other);
  link.wait(2_000);
  assert.deepEqual(reports(link), new Array(2).fill(`${own} > ff05::77 [131 ff05::77]`));
  link.stack.ipv6!.mld.leave(other);
  link.wait(2_000);
  assert.deepEqual(reports(link), new Array(2).fill(`${own} > ff02::2 [132 ff05::77]`));
  link.wait(270_000);
  query(link, { group: GROUP, responseCode: 100 });
  link.wait(200);
  assert.match(reports(link).join(), /> ff02::16 \[2 ff05::1234\]/);
});

const ignored: readonly [string, (link: Ipv6TestLink) => void, string][] = [
  ['from beyond the link', (link) => query(link, {}, 1, ip6('2001:db8::1')), 'mldInvalid'],
  ['with another hop limit', (link) => query(link, {}, 2), 'mldInvalid'],
  ['without router alert', (link) => query(link, {}, 1, ROUTER, 30), 'mldInvalid'],
];
for (const [name, send, counter] of ignored) {
  test(`query › ${name} › ${counter}`, () => {
    const link = joined();
    send(link);
    link.wait(20_000);
    assert.equal(link.counter(counter), 1);
    assert.deepEqual(reports(link), []);
  });
}

test('a message cut short › malformed; another listener’s report › of no concern', () => {
  const link = joined();
  link.sendIcmpv6({ type: 130 }, { source: ROUTER });
  assert.equal(link.counter('mldMalformed'), 1);
  link.sendIcmpv6({ type: 143, word: 0 }, { source: ROUTER });
  assert.equal(link.counter('mldMalformed'), 1);
});

test('bounds › as many groups as fit, and one more; none that isn’t a group', () => {
  const link = new Ipv6TestLink().online();
  const { mld } = link.stack.ipv6!;
  const group = (i: number): Ipv6Address => ip6(`ff05::1:${i.toString(16)}`);
  const free = multicastGroupsMax - 2;
  for (let i = 0; i < free; i++) assert.equal(mld.join(group(i)), true);
  assert.equal(mld.join(group(free)), false);
  assert.equal(mld.join(group(0)), true, 'again');
  assert.equal(link.counter('mldGroupsFull'), 1);
  assert.equal(mld.join(ip6('fe80::1')), false);
  mld.leave(group(0));
  assert.equal(mld.isMember(group(0)), true, 'joined twice, left once');
  mld.leave(group(0));
  assert.equal(mld.isMember(group(0)), false);
  assert.throws(() => mld.leave(group(0)));
  link.wait(2_000);
  assert.equal(mld.join(group(free)), true);
});

test('groups of no link › joined, told to nobody', () => {
  const link = new Ipv6TestLink().online();
  const { mld } = link.stack.ipv6!;
  assert.ok(mld.join(ip6('ff01::5')) && mld.isMember(ip6('ff01::5')));
  link.wait(2_000);
  assert.deepEqual(reports(link), []);
  mld.leave(ip6('ff01::5'));
  assert.equal(mld.isMember(ip6('ff01::5')), false);
});
