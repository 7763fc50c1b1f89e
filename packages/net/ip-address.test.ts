import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatIpv4Address,
  ipv4AddressOf,
  isHostAddress,
  isMulticast,
  isPrivateAddress,
  netmaskOf,
  parseIpv4Address,
  prefixBitsOf,
} from './ip-address.ts';
import { ip } from './test-link.ts';

test('text › four decimal numbers › survives both ways', () => {
  for (const text of ['0.0.0.0', '10.0.2.15', '127.0.0.1', '192.168.255.1', '255.255.255.255']) {
    assert.equal(formatIpv4Address(ip(text)), text);
  }
  assert.equal(ip('10.0.2.15'), 0x0a00020f);
  assert.equal(ip('255.255.255.255'), -1);
});

test('text › anything else › null', () => {
  const wrong = ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.4 ', ' 1.2.3.4'];
  for (const text of [...wrong, '1..2.3', '1.2.3.-4', '0x1.2.3.4', '1.2.3.4\n', '1e1.0.0.1']) {
    assert.equal(parseIpv4Address(text), null, text);
  }
});

test('netmask › every prefix › its length again', () => {
  for (let bits = 0; bits <= 32; bits++) assert.equal(prefixBitsOf(netmaskOf(bits)), bits);
  assert.equal(netmaskOf(24), ip('255.255.255.0'));
});

test('netmask › with holes › null', () => {
  for (const text of ['255.0.255.0', '0.255.255.255', '255.255.255.253', '0.0.0.1']) {
    assert.equal(prefixBitsOf(ip(text)), null);
  }
});

test('a host address › RFC 1122 §3.2.1.3 › neither special nor a group', () => {
  for (const text of ['1.0.0.1', '10.0.2.15', '126.255.255.255', '223.255.255.255']) {
    assert.equal(isHostAddress(ip(text)), true);
  }
  for (const text of [
    '0.0.0.0',
    '0.1.2.3',
    '127.0.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
  ]) {
    assert.equal(isHostAddress(ip(text)), false, text);
  }
});

test('multicast › 224/4 only', () => {
  for (const text of ['224.0.0.0', '239.255.255.255']) assert.equal(isMulticast(ip(text)), true);
  for (const text of ['223.255.255.255', '240.0.0.0', '0.0.0.0']) {
    assert.equal(isMulticast(ip(text)), false);
  }
  assert.equal(isMulticast(ipv4AddressOf(0xe0000001)), true);
});

test('a private address › RFC 1918, RFC 6598 › the first and last of each, not their neighbours', () => {
  const ranges = [
    ['9.255.255.255', '10.0.0.0', '10.255.255.255', '11.0.0.0'],
    ['100.63.255.255', '100.64.0.0', '100.127.255.255', '100.128.0.0'],
    ['172.15.255.255', '172.16.0.0', '172.31.255.255', '172.32.0.0'],
    ['192.167.255.255', '192.168.0.0', '192.168.255.255', '192.169.0.0'],
  ];
  for (const range of ranges) {
    const found = range.map((text) => isPrivateAddress(ip(text)));
    assert.deepEqual(found, [false, true, true, false], range[1]);
  }
});
