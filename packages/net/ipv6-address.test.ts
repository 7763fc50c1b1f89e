import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IpAddress } from './ip.ts';
import { parseIpv4Address } from './ip-address.ts';
import { formatIpAddress, parseIpAddress, sameAddress } from './ip-family.ts';
import {
  commonPrefixBits,
  hasPrefix,
  IPV6_ANY,
  IPV6_LOOPBACK,
  Ipv6Address,
  ipv6AddressAt,
  ipv6Scope,
  isIpv4Mapped,
  isIpv6Documentation,
  isIpv6HostAddress,
  isIpv6LinkLocal,
  isIpv6Multicast,
  isIpv6UniqueLocal,
  prefixOf,
  solicitedNodeOf,
  writeIpv6Address,
} from './ipv6-address.ts';
import { formatIpv6Address, parseIpv6Address } from './ipv6-text.ts';

function at(text: string): Ipv6Address {
  const address = parseIpv6Address(text);
  assert.ok(address !== null, text);
  return address;
}

test('text › read and written as RFC 5952 says', () => {
  for (const [text, canonical] of [
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8::1', '2001:db8::1'],
    // §4.2.3: the first of equally long runs, else the longest; §4.2.2: not one group.
    ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['fe80::1:2:3:4', 'fe80::1:2:3:4'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7.8.9.10', '1:2:3:4:5:6:708:90a'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ] as const) {
    assert.equal(formatIpv6Address(at(text)), canonical, text);
  }
});

test('text › anything else › refused', () => {
  for (const text of [
    '',
    ':',
    ':::',
    '1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '1::2::3',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '1:::2',
    '12345::',
    'g::',
    '::1%eth0',
    'fe80::1%1',
    '[::1]',
    '::1/64',
    ' ::1',
    '::1 ',
    '::1.2.3',
    '::1.2.3.256',
    '::01.2.3.4',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    '-1::',
    '0x1::',
    '0000:0000:0000:0000:0000:0000:0000:0000:0000:0000',
    '1.2.3.4',
  ]) {
    assert.equal(parseIpv6Address(text), null, text);
  }
});

test('any address › text and bytes give it back', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const some = fc.oneof(word, fc.constantFrom(0, 1, 0xffff, -1));
  fc.assert(
    fc.property(some, some, some, some, (w0, w1, w2, w3) => {
      const address = new Ipv6Address(w0, w1, w2, w3);
      assert.ok(at(formatIpv6Address(address)).equals(address));
      const bytes = new Uint8Array(20).fill(0xa5);
      writeIpv6Address(bytes, 2, address);
      assert.ok(ipv6AddressAt(bytes, 2).equals(address));
      assert.deepEqual([bytes[1], bytes[18]], [0xa5, 0xa5]);
    }),
    { seed: 1 },
  );
});

test('ranges › the first and last of each are in, their neighbours out', () => {
  const inside = (is: (a: Ipv6Address) => boolean, yes: string[], no: string[]): void => {
    for (const text of yes) assert.equal(is(at(text)), true, text);
    for (const text of no) assert.equal(is(at(text)), false, text);
  };
  inside(isIpv6Multicast, ['ff00::', 'ffff::1'], ['feff::1', '::ff00']);
  inside(isIpv6LinkLocal, ['fe80::', 'febf:ffff::1'], ['fe7f::1', 'fec0::']);
  inside(isIpv6UniqueLocal, ['fc00::', 'fdff::1'], ['fbff::1', 'fe00::']);
  inside(isIpv6Documentation, ['2001:db8::', '3fff:fff::1'], ['2001:db9::', '3fff:1000::']);
  inside(isIpv4Mapped, ['::ffff:1.2.3.4'], ['::fffe:1.2.3.4', '::1.2.3.4', '::1:ffff:1.2.3.4']);
  inside(
    isIpv6HostAddress,
    ['2001:db8::1', 'fe80::1', 'fd00::1', '::2', '::fffe:0:1'],
    ['::', '::1', 'ff02::1', '::ffff:10.0.0.1'],
  );
});

test('scopes › of multicast from its nibble, of unicast by RFC 6724 §3.1', () => {
  const scopes = ['ff02::1', 'ff05::2', 'ff0e::1', 'fe80::1', '::1', 'fd00::1', '2001:db8::1'];
  assert.deepEqual(
    scopes.map((text) => ipv6Scope(at(text))),
    [2, 5, 14, 2, 2, 14, 14],
  );
});

test('prefixes › compared and cut at every length', () => {
  const all = at('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff');
  for (let bits = 0; bits <= 128; bits++) {
    const prefix = prefixOf(all, bits);
    assert.equal(commonPrefixBits(prefix, all), bits);
    assert.ok(hasPrefix(all, prefix, bits));
    assert.equal(bits < 128 && hasPrefix(all, prefix, bits + 1), false);
  }
  assert.ok(prefixOf(all, 0).equals(IPV6_ANY));
  assert.throws(() => prefixOf(all, 129));
  assert.equal(formatIpv6Address(prefixOf(at('2001:db8:1:2:3::4'), 64)), '2001:db8:1:2::');
});

test('solicited-node group › the last 24 bits (RFC 4291 §2.7.1)', () => {
  const group = solicitedNodeOf(at('4037::1:800:200e:8c6c'));
  assert.equal(formatIpv6Address(group), 'ff02::1:ff0e:8c6c');
});

test('either family › parsed, printed, compared', () => {
  const texts = ['10.0.2.15', '2001:db8::1', '::1', '0.0.0.0', '::'];
  const parsed = texts.map((text) => parseIpAddress(text)) as IpAddress[];
  assert.deepEqual(parsed.map(formatIpAddress), texts);
  parsed.forEach((a, i) => {
    parsed.forEach((b, j) => {
      assert.equal(sameAddress(a, b), i === j);
    });
    assert.ok(sameAddress(a, parseIpAddress(texts[i]!)!), 'another object of the same');
  });
  assert.equal(parseIpAddress('::ffff:10.0.2.15'), parseIpv4Address('10.0.2.15'));
  assert.equal(parseIpAddress('host'), null);
  assert.ok(IPV6_LOOPBACK.equals(at('::1')));
});
