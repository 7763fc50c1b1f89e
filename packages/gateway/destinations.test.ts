import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Destinations } from './destinations.ts';
import { gatewayNetwork } from './network.ts';
import { anyAddressOf } from './test-network.ts';

const destinations = (allowsHost: boolean): Destinations => {
  const network = gatewayNetwork('10.77.0.0/24', { allowsHost });
  if (!network.ok) throw new TypeError(network.error.message);
  return new Destinations(network.value);
};

test('the world › by its own address; the host › by its loopback’s, when guests may', () => {
  const open = destinations(true);
  const world = [
    ...['192.0.2.7', '8.8.8.8', '10.78.0.1', '100.100.100.201', '169.253.255.255', '169.255.0.0'],
    ...['2001:db8::7', 'fd00:ec2::253', 'fd00::254', '2003::1'],
    // NAT64 and 6to4 of 192.0.2.7.
    ...['64:ff9b::c000:207', '64:ff9b:1::c000:207', '2002:c000:207::1'],
  ];
  for (const text of world) assert.equal(open.onHost(anyAddressOf(text)), text);
  const host = ['10.77.0.2', 'fd6d:6f72:6761:cd0a::2'].map(anyAddressOf);
  assert.deepEqual(
    host.map((address) => open.onHost(address)),
    ['127.0.0.1', '::1'],
  );
  assert.deepEqual(
    host.map((address) => destinations(false).onHost(address)),
    [null, null],
  );
});

test('loopback, link-local, metadata of rented machines › never, in whatever IPv6 clothes', () => {
  const closed = [
    ...['127.0.0.1', '127.255.255.255', '0.0.0.0', '224.0.0.1', '255.255.255.255'],
    ...['169.254.0.0', '169.254.169.254', '169.254.255.255'],
    ...['168.63.129.16', '100.100.100.200', '192.0.0.192'],
    ...['::', '::1', 'fe80::1', 'febf::1', 'ff02::1', 'ff0e::1'],
    ...['fd00:ec2::254', 'fd20:ce::254', 'fd00:c1::a9fe:a9fe'],
    // 127.0.0.1 and 169.254.169.254: mapped, compatible, translated, by NAT64, by 6to4.
    ...['::ffff:7f00:1', '::ffff:a9fe:a9fe', '::7f00:1', '::a9fe:a9fe', '::ffff:0:7f00:1'],
    ...['64:ff9b::a9fe:a9fe', '64:ff9b::7f00:1', '64:ff9b:1::a9fe:a9fe', '64:ff9b:1:2::a9fe:a9fe'],
    ...['2002:7f00:1::', '2002:7f00:1::1', '2002:a9fe:a9fe::1', '64:ff9b::a83f:8110'],
  ];
  for (const text of closed)
    assert.equal(destinations(true).onHost(anyAddressOf(text)), null, text);
});
