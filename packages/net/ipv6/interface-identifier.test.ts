import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIpv6Address } from '../ipv6-text.ts';
import {
  InterfaceIdentifiers,
  isReservedIdentifier,
  secretOfText,
} from './interface-identifier.ts';
import { sipHash, sipKeyOf } from './siphash.ts';
import { ip6 } from './test-link.ts';

const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => i);
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);

test('SipHash-2-4 › the reference vectors, key 00..0f, messages 00..', () => {
  const key = sipKeyOf(bytes(16));
  for (const [count, hash] of [
    [0, 0x726fdb47dd0e0e31n],
    [1, 0x74f839c593dc67fdn],
    [8, 0x93f5f5799a932462n],
    [15, 0xa129ca6149be45e5n],
    [63, 0x958a324ceb064572n],
  ] as const) {
    assert.equal(sipHash(key, bytes(count)), hash, `${count} bytes`);
  }
  assert.throws(() => sipKeyOf(bytes(15)));
});

test('identifiers › differ by secret, hardware, network and attempt; the prefix stays', () => {
  const prefix = ip6('2001:db8:0:1::');
  const make = (secret: string, mac: Uint8Array, network: string, attempt: number): string =>
    formatIpv6Address(
      new InterfaceIdentifiers(secretOfText(secret), mac).addressIn(ip6(network), attempt),
    );
  const first = make('a', MAC, '2001:db8:0:1::', 0);
  assert.equal(make('a', MAC, '2001:db8:0:1::', 0), first);
  assert.match(first, /^2001:db8:0:1:/);
  const others = [
    make('b', MAC, '2001:db8:0:1::', 0),
    make('a', MAC.with(5, 2), '2001:db8:0:1::', 0),
    make('a', MAC, '2001:db8:0:1::', 1),
  ];
  assert.equal(new Set([first, ...others]).size, 4);
  const tail = (text: string): string => text.split(':').slice(-4).join(':');
  assert.notEqual(tail(make('a', MAC, '2001:db8:0:2::', 0)), tail(first));
  const identifiers = new InterfaceIdentifiers(secretOfText('a'), MAC);
  assert.throws(() => identifiers.addressIn(prefix, 256));
});

test('identifiers that no host may take (RFC 5453) › known, their neighbours free', () => {
  for (const [text, isReserved] of [
    ['2001:db8::', true],
    ['2001:db8::1', false],
    ['2001:db8::200:5eff:fe00:0', true],
    ['2001:db8::200:5eff:feff:ffff', true],
    ['2001:db8::200:5eff:ff00:0', false],
    ['2001:db8::fdff:ffff:ffff:ff7f', false],
    ['2001:db8::fdff:ffff:ffff:ff80', true],
    ['2001:db8::fdff:ffff:ffff:ffff', true],
    ['2001:db8::fdff:fffe:ffff:ffff', false],
  ] as const) {
    assert.equal(isReservedIdentifier(ip6(text)), isReserved, text);
  }
});
