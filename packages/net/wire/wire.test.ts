/**
 * What the fuzz registry can't know: that fields are where the RFCs put them, and which faults are
 * found.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hot } from '#core';
import { ip } from '../test-link.ts';
import {
  DHCPV4_HEADER_BYTES,
  dhcpv4Bytes,
  dhcpv4MessageType,
  dhcpv4OptionAddresses,
  dhcpv4OptionBytes,
  dhcpv4OptionI32,
  emitDhcpv4,
  parseDhcpv4,
} from './dhcpv4.ts';
import {
  emitArp,
  emitUdp,
  formatArp,
  formatDhcpv4,
  formatEthernet,
  formatIcmpv4,
  formatIpv4,
  formatUdp,
  isStationMac,
  parseArp,
  parseEthernet,
  parseIcmpv4,
  parseIpv4,
  parseUdp,
  pseudoHeaderSum,
} from './index.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

test('checksum › the example of RFC 1071 §3 › ddf2 before inversion', () => {
  assert.equal(hot.checksum(hex('0001 f203 f4f5 f6f7'), 0, 8, 0), 0xddf2);
});

test('ethernet › a frame › fields; short or with a length for a type › a fault', () => {
  const frame = hex('ffffffffffff 525400123456 0806 0102');
  const parsed = parseEthernet(frame);
  assert(parsed.ok);
  assert.equal(
    formatEthernet(parsed.value),
    '52:54:00:12:34:56 > ff:ff:ff:ff:ff:ff type 0x0806, 2 bytes',
  );
  assert.deepEqual(parseEthernet(frame.subarray(0, 13)), {
    ok: false,
    error: { kind: 'short', needBytes: 14, haveBytes: 13 },
  });
  const lengthNotType = hex('ffffffffffff 525400123456 05ff 0102');
  assert.deepEqual(parseEthernet(lengthNotType), {
    ok: false,
    error: { kind: 'field', offset: 12, value: 0x05ff },
  });
});

test('station address › groups and zero are none', () => {
  assert.equal(isStationMac(hex('525400123456')), true);
  for (const mac of ['ffffffffffff', '01005e000001', '000000000000']) {
    assert.equal(isStationMac(hex(mac)), false);
  }
});

const ARP = '0001 0800 06 04 0001 525400123456 0a00020f 000000000000 0a000202';

test('arp › a request › fields and bytes', () => {
  const parsed = parseArp(hex(ARP));
  assert(parsed.ok);
  assert.equal(formatArp(parsed.value), 'who has 10.0.2.2, tell 10.0.2.15 at 52:54:00:12:34:56');
  const out = new Uint8Array(28);
  assert.equal(emitArp(out, 0, parsed.value), 28);
  assert.deepEqual(out, hex(ARP));
});

test('arp › other hardware, protocol, lengths or operations › a fault at their offset', () => {
  const faults: [string, string, number][] = [
    ['0001 0800', '0006 0800', 0],
    ['0001 0800', '0001 86dd', 2],
    ['06 04', '06 10', 4],
    ['04 0001', '04 0003', 6],
  ];
  for (const [from, to, offset] of faults) {
    const parsed = parseArp(hex(ARP.replace(from, to)));
    assert(!parsed.ok && parsed.error.kind === 'field');
    assert.equal(parsed.error.offset, offset);
  }
  assert.equal(parseArp(hex(ARP).subarray(0, 27)).ok, false);
});

// The header used as an example of the checksum in many textbooks; UDP, 192.168.0.1 to
// 192.168.0.199.
const IPV4 = '4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7';

test('ipv4 › a header › fields', () => {
  const packet = new Uint8Array(0x73 + 5);
  packet.set(hex(IPV4));
  const parsed = parseIpv4(packet);
  assert(parsed.ok);
  assert.equal(
    formatIpv4(parsed.value),
    '192.168.0.1 > 192.168.0.199 protocol 17, ttl 64, 95 bytes',
  );
  assert.equal(parsed.value.dontFragment, true);
});

test('ipv4 › version, lengths, checksum › a fault each', () => {
  const cases: [string, string, string][] = [
    ['4500', '6500', 'field'],
    ['4500', '4400', 'field'],
    ['4500', '4f00', 'short'],
    ['0073', '0013', 'field'],
    ['b861', 'b862', 'checksum'],
    ['4500 0073', '4500 0074', 'checksum'],
  ];
  for (const [from, to, kind] of cases) {
    const packet = new Uint8Array(from === '4500' && to === '4f00' ? 40 : 0x80);
    packet.set(hex(IPV4.replace(from, to)));
    const parsed = parseIpv4(packet);
    assert(!parsed.ok);
    assert.equal(parsed.error.kind, kind, to);
  }
  // The header is good, the packet is cut off.
  assert.deepEqual(parseIpv4(hex(IPV4)), {
    ok: false,
    error: { kind: 'short', needBytes: 0x73, haveBytes: 20 },
  });
});

test('icmp › echo request › fields; a wrong checksum or length › a fault', () => {
  const parsed = parseIcmpv4(hex('0800 f7fd 0001 0001'));
  assert(parsed.ok);
  assert.equal(formatIcmpv4(parsed.value), 'icmp type 8 code 0, 0 bytes');
  assert.deepEqual([parsed.value.word0, parsed.value.word1], [1, 1]);
  assert.equal(parseIcmpv4(hex('0800 f7fe 0001 0001')).ok, false);
  assert.equal(parseIcmpv4(hex('0800 f7fd 0001')).ok, false);
});

test('udp › written with a checksum › verifies, and not when a byte differs', () => {
  const sum = pseudoHeaderSum(ip('10.0.0.1'), ip('10.0.0.2'), 17, 11);
  const b = new Uint8Array(11);
  emitUdp(b, 0, { sourcePort: 53, destinationPort: 4000, payload: hex('0a0b0c') }, sum);
  const parsed = parseUdp(b, sum);
  assert(parsed.ok);
  assert.equal(formatUdp(parsed.value), 'udp 53 > 4000, 3 bytes');
  b[9] = b[9]! ^ 1;
  assert.deepEqual(parseUdp(b, sum), { ok: false, error: { kind: 'checksum', offset: 6 } });
  assert.equal(parseUdp(b, 'trusted').ok, true);
});

test('udp › checksum zero › accepted, and never sent', () => {
  assert.equal(parseUdp(hex('0001 0002 0009 0000 07'), 0x1234).ok, true);
  // 1 + 2 + 8 + the sum below is 0xffff, whose complement is 0.
  const b = new Uint8Array(8);
  emitUdp(b, 0, { sourcePort: 1, destinationPort: 2, payload: new Uint8Array(0) }, 0xffff - 11);
  assert.deepEqual(b, hex('0001 0002 0008 ffff'));
});

test('udp › length below the header or above the packet › a fault', () => {
  assert.equal(parseUdp(hex('0001 0002 0007 0000'), 'trusted').ok, false);
  assert.equal(parseUdp(hex('0001 0002 0009 0000'), 'trusted').ok, false);
  assert.equal(parseUdp(hex('0001 0002 0008 00'), 'trusted').ok, false);
});

/** A reply with `options` after the cookie. */
function dhcp(options: string): Uint8Array {
  const tail = hex(options);
  const b = new Uint8Array(DHCPV4_HEADER_BYTES + tail.length);
  b.set(hex('02 01 06 00 12345678 0003 8000 00000000 0a00020f'));
  b.set(hex('525400123456'), 28);
  b.set(hex('63825363'), 236);
  b.set(tail, DHCPV4_HEADER_BYTES);
  return b;
}

test('dhcp › an offer › fields and options', () => {
  const parsed = parseDhcpv4(dhcp('35 01 02  33 04 00000e10  00 00  03 04 0a000202  ff 35 01 06'));
  assert(parsed.ok);
  const repr = parsed.value;
  assert.equal(
    formatDhcpv4(repr),
    'dhcp type 2 client 52:54:00:12:34:56 your 10.0.2.15, options 53 51 3',
  );
  assert.deepEqual([repr.xid, repr.seconds, repr.broadcast], [0x12345678, 3, true]);
  assert.equal(dhcpv4OptionI32(repr, 51), 3600);
  assert.deepEqual(dhcpv4OptionAddresses(repr, 3, 4), [ip('10.0.2.2')]);
});

test('dhcp › an option in pieces › joined (RFC 3396), in the fields lent by overload too', () => {
  const b = dhcp('34 01 03  0f 02 6578  35 01 05  0f 01 61  ff');
  b.set(hex('0f 03 6d706c ff'), 108);
  b.set(hex('00 0f 01 65 ff'), 44);
  const parsed = parseDhcpv4(b);
  assert(parsed.ok);
  assert.equal(Buffer.from(dhcpv4OptionBytes(parsed.value, 15) ?? []).toString(), 'example');
  assert.equal(dhcpv4OptionBytes(parsed.value, 52), null);
});

test('dhcp › name and file without overload › are not options', () => {
  const b = dhcp('35 01 05 ff');
  b.set(hex('0f 03 6d706c ff'), 108);
  const parsed = parseDhcpv4(b);
  assert(parsed.ok);
  assert.equal(dhcpv4OptionBytes(parsed.value, 15), null);
});

test('dhcp › an option of 600 bytes › travels in three pieces', () => {
  const first = parseDhcpv4(dhcp('35 01 05 ff'));
  assert(first.ok);
  const value = Uint8Array.from({ length: 600 }, (_, i) => i);
  const repr = { ...first.value, options: [{ code: 119, value }] };
  const b = new Uint8Array(dhcpv4Bytes(repr));
  assert.equal(emitDhcpv4(b, repr), 240 + 606 + 1);
  const second = parseDhcpv4(b);
  assert(second.ok);
  assert.deepEqual(second.value, repr);
});

test('dhcp › options past their field, a bad overload, another cookie › a fault', () => {
  const bad = [
    '35 02 02',
    '35',
    '35 ff 02',
    '34 01 04 ff',
    '34 01 00 ff',
    '34 02 0101 ff',
    '34 00 ff',
  ];
  for (const options of bad) assert.equal(parseDhcpv4(dhcp(options)).ok, false, options);
  const overrun = dhcp('34 01 01 ff');
  overrun.fill(0, 108, 236);
  overrun.set([15, 10], 234);
  assert.equal(parseDhcpv4(overrun).ok, false);
  for (const at of [0, 1, 2, 236]) {
    const b = dhcp('35 01 02 ff');
    b[at] = 9;
    const parsed = parseDhcpv4(b);
    assert(!parsed.ok && parsed.error.kind === 'field');
  }
});

test('dhcp › options of a wrong length › as if absent', () => {
  const parsed = parseDhcpv4(dhcp('35 02 0102  33 03 000e10  03 05 0a00020200 ff'));
  assert(parsed.ok);
  assert.equal(dhcpv4MessageType(parsed.value), null);
  assert.equal(dhcpv4OptionI32(parsed.value, 51), null);
  assert.deepEqual(dhcpv4OptionAddresses(parsed.value, 3, 4), []);
  assert.equal(dhcpv4OptionI32(parsed.value, 99), null);
});
