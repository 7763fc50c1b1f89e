/** IPv6 formats against bytes as others write them, and bytes that nobody should. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIpv6Address, parseIpv6Address } from '../ipv6-text.ts';
import {
  duidOf,
  emitIpv6,
  emitNdp,
  formatDhcpv6,
  formatFragmentHeader,
  formatIcmpv6,
  formatIpv6,
  formatMld,
  formatNdp,
  formatOptionsHeader,
  formatRoutingHeader,
  groupMacOfIpv6,
  mldResponseMillis,
  type NdpOption,
  parseDhcpv6,
  parseFragmentHeader,
  parseIcmpv6,
  parseIpv6,
  parseMld,
  parseNdp,
  parseOptionsHeader,
  parseRoutingHeader,
} from './index.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const ip6 = (text: string) => parseIpv6Address(text)!;
const faultOf = (result: { ok: true } | { ok: false; error: { kind: string } }): string =>
  result.ok ? 'none' : result.error.kind;

/** A neighbour solicitation as Linux sends it. */
const SOLICITATION = `
  6000 0000 0020 3aff fe80 0000 0000 0000 5054 00ff fe12 3456
  ff02 0000 0000 0000 0000 0001 ff00 0002
  8700 0000 0000 0000 fe80 0000 0000 0000 0000 0000 0000 0002
  0101 5254 0012 3456`;

test('IPv6 header › as on the wire', () => {
  const parsed = parseIpv6(hex(SOLICITATION));
  assert.ok(parsed.ok);
  const { payload, source, destination, nextHeader, hopLimit } = parsed.value;
  assert.deepEqual([nextHeader, hopLimit, payload.length], [58, 255, 32]);
  assert.equal(formatIpv6Address(source), 'fe80::5054:ff:fe12:3456');
  assert.equal(formatIpv6Address(destination), 'ff02::1:ff00:2');
  const out = new Uint8Array(80);
  assert.equal(emitIpv6(out, 4, parsed.value), 72);
  assert.deepEqual(out.subarray(4, 76), hex(SOLICITATION));
  assert.match(formatIpv6(parsed.value), /next header 58/);
  const ndp = parseNdp(payload);
  assert.ok(ndp.ok);
  assert.equal(formatNdp(ndp.value), 'who has fe80::2 [link address]');
  const again = new Uint8Array(32);
  assert.equal(emitNdp(again, 0, ndp.value), 32);
  assert.deepEqual(again, payload);
});

test('IPv6 header › another version, or longer than the packet › a fault', () => {
  const b = hex(SOLICITATION);
  assert.equal(faultOf(parseIpv6(b.with(0, 0x45))), 'field');
  for (let count = 0; count < b.length; count++) {
    assert.equal(faultOf(parseIpv6(b.subarray(0, count))), 'short');
  }
});

/** radvd's, with a prefix, an MTU, a server and a search domain. */
const ADVERTISEMENT = `
  8600 0000 4048 0708 0000 7530 0000 03e8
  0304 40c0 0001 5180 0000 3840 0000 0000 2001 0db8 0000 0001 0000 0000 0000 0000
  0501 0000 0000 05dc
  1903 0000 0000 0258 2001 0db8 0000 0000 0000 0000 0000 0053
  1f03 0000 0000 0258 0765 7861 6d70 6c65 036f 7267 0000 0000
  1802 3008 0000 0708 2001 0db8 00ff 0000
  0101 5254 0012 3456`;

test('router advertisement › every option', () => {
  const parsed = parseNdp(hex(ADVERTISEMENT));
  assert.ok(parsed.ok && parsed.value.type === 134);
  const { hopLimit, isManaged, isOther, preference, lifetimeSeconds, options } = parsed.value;
  assert.deepEqual([hopLimit, isManaged, isOther, preference], [64, false, true, 1]);
  assert.deepEqual([lifetimeSeconds, parsed.value.reachableMillis], [1_800, 30_000]);
  assert.equal(parsed.value.retransmitMillis, 1_000);
  assert.deepEqual(
    options.map(({ kind }) => kind),
    ['prefix', 'mtu', 'dns servers', 'search list', 'route', 'link address'],
  );
  const [prefix, mtu, servers, search, route] = options as [
    Extract<NdpOption, { kind: 'prefix' }>,
    Extract<NdpOption, { kind: 'mtu' }>,
    Extract<NdpOption, { kind: 'dns servers' }>,
    Extract<NdpOption, { kind: 'search list' }>,
    Extract<NdpOption, { kind: 'route' }>,
  ];
  assert.ok(prefix.isOnLink && prefix.isAutonomous && prefix.prefix.equals(ip6('2001:db8:0:1::')));
  assert.deepEqual([prefix.validSeconds, prefix.preferredSeconds], [86_400, 14_400]);
  assert.equal(mtu.mtuBytes, 1_500);
  assert.deepEqual(servers.servers, [ip6('2001:db8::53')]);
  assert.deepEqual(search.names, ['example.org']);
  assert.ok(route.prefix.equals(ip6('2001:db8:ff::')) && route.preference === 1);
});

test('NDP › options of length zero or beyond the end › a fault; malformed ones › set aside', () => {
  const head = '8700 0000 0000 0000 fe80 0000 0000 0000 0000 0000 0000 0002';
  for (const [option, kind] of [
    ['0100 0000 0000 0000', 'field'],
    ['0102 0000 0000 0000', 'short'],
    ['01', 'field'],
  ] as const) {
    assert.equal(faultOf(parseNdp(hex(head + option))), kind, option);
  }
  for (const option of [
    '0102 5254 0012 3456 0000 0000 0000 0000',
    '0301 40c0 0000 0000',
    `0304 81c0 ${'00'.repeat(28)}`,
    '0502 0000 0000 05dc 0000 0000 0000 0000',
    '1801 4000 0000 0708',
    '1802 3010 0000 0708 2001 0db8 00ff 0000',
    '1901 0000 0000 0258',
    '1902 0000 0000 0258 0000 0000 0000 0000',
    '1f02 0000 0000 0258 ff00 0000 0000 0000',
    '1f02 0000 0000 0258 0000 0000 0000 0000',
    '2601 0000 0000 0000',
  ]) {
    const parsed = parseNdp(hex(head + option));
    assert.ok(parsed.ok, option);
    assert.equal(parsed.value.options[0]?.kind, 'other', option);
  }
  assert.equal(faultOf(parseNdp(hex(SOLICITATION).subarray(40).with(1, 1))), 'field', 'a code');
  assert.equal(faultOf(parseNdp(hex('80'))), 'field', 'another type');
});

test('MLD › response codes › a float from 32,768 on (RFC 3810 §5.1.3)', () => {
  assert.deepEqual(
    [0, 1, 10_000, 32_767, 32_768, 0xffff].map(mldResponseMillis),
    [0, 1, 10_000, 32_767, 32_768, 8_387_584],
  );
});

test('MLD › lengths between the versions › a fault', () => {
  for (let count = 0; count < 28; count++) {
    const b = new Uint8Array(count);
    b[0] = 130;
    const expected = count === 0 ? 'field' : count === 24 ? 'none' : 'short';
    assert.equal(faultOf(parseMld(b)), expected, `${count}`);
  }
});

test('DHCPv6 › a reply of dnsmasq', () => {
  const parsed = parseDhcpv6(
    hex(`07 abcdef 0001 000a 0003 0001 5254 0012 3456 0002 000a 0003 0001 0200 0000 0001
         0017 0010 2001 0db8 0000 0000 0000 0000 0000 0053
         0018 000d 0765 7861 6d70 6c65 036f 7267 00
         0020 0004 0000 0e10`),
  );
  assert.ok(parsed.ok);
  const { transaction, clientId, dnsServers, searchList, refreshSeconds } = parsed.value;
  assert.equal(transaction, 0xabcdef);
  assert.deepEqual(clientId, duidOf(hex('525400123456')));
  assert.deepEqual(dnsServers, [ip6('2001:db8::53')]);
  assert.deepEqual([searchList, refreshSeconds], [['example.org'], 3_600]);
});

test('DHCPv6 › options of wrong lengths › a fault', () => {
  for (const option of [
    '0001 0002 0003',
    `0002 0083 ${'00'.repeat(131)}`,
    '0006 0001 00',
    '0008 0001 00',
    '000d 0001 00',
    '0017 000f 000000000000000000000000000000',
    '0018 0002 0561',
    '0020 0003 000000',
    '0053 0005 0000000000',
  ]) {
    assert.equal(faultOf(parseDhcpv6(hex(`07 000001 ${option}`))), 'field', option);
  }
  assert.equal(faultOf(parseDhcpv6(hex('07 000001 0001 0009 00'))), 'short');
});

test('Ethernet groups › the last four bytes behind 33:33', () => {
  const mac = groupMacOfIpv6(ip6('ff02::1:ff12:3456'));
  assert.deepEqual([...mac], [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
});

test('formats for people › any repr', () => {
  const zero = new Uint8Array(64);
  const lines = [
    [parseIcmpv6(zero, 'trusted'), formatIcmpv6],
    [parseOptionsHeader(zero), formatOptionsHeader],
    [parseRoutingHeader(zero), formatRoutingHeader],
    [parseFragmentHeader(zero), formatFragmentHeader],
    [parseMld(zero.with(0, 143)), formatMld],
    [parseDhcpv6(zero), formatDhcpv6],
  ] as const;
  for (const [parsed, format] of lines) {
    assert.ok(parsed.ok);
    assert.ok((format as (repr: unknown) => string)(parsed.value).length >= 0);
  }
});
