import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressFamily, formatIpv6Text, parseIpv4Text, parseIpv6Text } from '#device';
import { a, aaaa, bytesOf, cname, soa } from '../test-server.ts';
import {
  DNS_RECORDS_MAX,
  type DnsMessage,
  emitDns,
  formatDns,
  isName,
  NAME_POINTERS_MAX,
  parseDns,
  readName,
  writeName,
} from './index.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));

const EMPTY: DnsMessage = {
  id: 0x1234,
  isResponse: true,
  opcode: 0,
  authoritative: false,
  truncated: false,
  recursionDesired: true,
  recursionAvailable: true,
  authenticData: false,
  checkingDisabled: false,
  code: 0,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
  edns: null,
};

test('a response of dig › parsed › every field', () => {
  // dig www.example.org A, an answer of BIND: one pointer to the question's name.
  const bytes = hex(
    'b28b 8180 0001 0001 0000 0001 03777777 076578616d706c65 036f7267 00 0001 0001' +
      'c00c 0001 0001 00000e10 0004 c0000201 00 0029 04d0 0000 0000 0000',
  );
  const parsed = parseDns(bytes);
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value, {
    ...EMPTY,
    id: 0xb28b,
    questions: [{ name: 'www.example.org', type: 1, class: 1 }],
    answers: [a('www.example.org', '192.0.2.1', 3_600)],
    edns: { datagramBytes: 1_232, extendedCode: 0, version: 0, dnssecOk: false, options: [] },
  });
  const out = new Uint8Array(512);
  assert.deepEqual(out.subarray(0, emitDns(out, parsed.value)), bytes, 'compressed as BIND does');
  assert.equal(
    formatDns(parsed.value),
    'dns 45707 response code 0: www.example.org type 1; records 1/0/0',
  );
});

test('names › pointers, escapes, root › text and back', () => {
  const bytes = ascii('\x03org\x00\x07example\xc0\x00\x05a.b\\\x01\xc0\x05\x00');
  assert.deepEqual(readName(bytes, 0), { name: 'org', nextAt: 5 });
  assert.deepEqual(readName(bytes, 5), { name: 'example.org', nextAt: 15 });
  assert.deepEqual(readName(bytes, 15), { name: 'a\\.b\\\\\\001.example.org', nextAt: 23 });
  assert.deepEqual(readName(bytes, 23), { name: '', nextAt: 24 });
  const out = new Uint8Array(64);
  const end = writeName(out, 0, 'a\\.b\\\\\\001.example.org', null);
  assert.deepEqual(readName(out, 0), { name: 'a\\.b\\\\\\001.example.org', nextAt: end });
});

test('names › loops, forward pointers, bad lengths › faults at the byte', () => {
  for (const [bytes, at, faultAt] of [
    ['\xc0\x00', 0, 0],
    ['\x01a\xc0\x00', 0, 2],
    ['\xc0\x02\x00', 0, 0],
    ['\x00\xc0\x01', 1, 1],
    ['\x01a\xc0\x04\x01b\xc0\x00', 4, 2],
    ['\x40a', 0, 0],
    ['\x80a', 0, 0],
    ['\x05abc', 0, 4],
    ['\xc0', 0, 1],
    ['', 0, 0],
  ] as const) {
    assert.deepEqual(readName(ascii(bytes), at), { faultAt }, JSON.stringify(bytes));
  }
});

test('names › pointers at the bound and one past it', () => {
  const chain = (count: number): Uint8Array => {
    const bytes = new Uint8Array(1 + 2 * count);
    for (let i = 0; i < count; i++) {
      const to = i === 0 ? 0 : 2 * i - 1;
      bytes.set([0xc0 + (to >> 8), to & 0xff], 1 + 2 * i);
    }
    return bytes;
  };
  const most = chain(NAME_POINTERS_MAX);
  assert.ok('name' in readName(most, most.length - 2));
  const more = chain(NAME_POINTERS_MAX + 1);
  assert.ok('faultAt' in readName(more, more.length - 2));
});

test('names › 255 bytes and one more; labels of 63 and 64', () => {
  const label = (count: number) => `${String.fromCharCode(count)}${'x'.repeat(count)}`;
  const longest = `${label(63)}${label(63)}${label(63)}${label(61)}\0`;
  assert.equal(longest.length, 255);
  assert.ok('name' in readName(ascii(longest), 0));
  assert.ok('faultAt' in readName(ascii(longest.replace(label(61), label(62))), 0));
  assert.equal(isName('x'.repeat(63)), true);
  assert.equal(isName('x'.repeat(64)), false);
  for (const bad of ['.', 'a.', '.a', 'a..b', 'ü', '€', '\\256', 'a\\']) {
    assert.equal(isName(bad), false, bad);
  }
});

test('any bytes as labels › text and back', () => {
  const labels = fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 10 });
  fc.assert(
    fc.property(labels, (list) => {
      const wire = Uint8Array.from([...list.flatMap((label) => [label.length, ...label]), 0]);
      const read = readName(wire, 0);
      assert.ok('name' in read && isName(read.name));
      const out = new Uint8Array(300);
      assert.deepEqual(out.subarray(0, writeName(out, 0, read.name, null)), wire);
    }),
    { seed: 1, numRuns: 300 },
  );
});

test('records of every kind › written and read again › the same', () => {
  const message: DnsMessage = {
    ...EMPTY,
    answers: [
      a('a.example', '192.0.2.1'),
      aaaa('a.example', '2001:db8::1'),
      cname('b.example', 'A.example'),
      {
        name: 'example',
        type: 15,
        class: 1,
        ttlSeconds: 1,
        data: { kind: 'mx', preference: 10, exchange: 'a.example' },
      },
      {
        name: 'example',
        type: 16,
        class: 1,
        ttlSeconds: 1,
        data: { kind: 'txt', texts: [ascii('hi'), new Uint8Array(0)] },
      },
      {
        name: '_x._tcp.example',
        type: 33,
        class: 1,
        ttlSeconds: 1,
        data: { kind: 'srv', priority: 1, weight: 2, port: 3, target: 'a.example' },
      },
      {
        name: 'example',
        type: 65,
        class: 1,
        ttlSeconds: 1,
        data: {
          kind: 'svcb',
          priority: 1,
          target: '',
          params: [
            { key: 1, value: ascii('\x02h2') },
            { key: 4, value: ascii('\xc0\0\x02\x01') },
          ],
        },
      },
      {
        name: 'example',
        type: 99,
        class: 1,
        ttlSeconds: 1,
        data: { kind: 'other', bytes: ascii('abc') },
      },
      {
        name: 'example',
        type: 1,
        class: 3,
        ttlSeconds: 1,
        data: { kind: 'other', bytes: ascii('chaos') },
      },
    ],
    authorities: [soa('example', 60)],
    edns: {
      datagramBytes: 4_096,
      extendedCode: 1,
      version: 0,
      dnssecOk: true,
      options: [{ code: 10, value: ascii('cookie!!') }],
    },
  };
  const parsed = parseDns(bytesOf(message));
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value, message);
});

const HEADER = '1234 8180 0000 0001 0000 0000';
for (const [what, bytes] of [
  ['an A record of three bytes', `${HEADER} 00 0001 0001 00000001 0003 c00002`],
  ['an AAAA record of four bytes', `${HEADER} 00 001c 0001 00000001 0004 c0000201`],
  [
    'a CNAME with something after its name',
    `${HEADER} 00 0005 0001 00000001 0003 016100 00`.replace('0003', '0004'),
  ],
  ['a CNAME that ends after its data', `${HEADER} 00 0005 0001 00000001 0002 016100`],
  ['an MX without a name', `${HEADER} 00 000f 0001 00000001 0002 000a`],
  ['an empty TXT', `${HEADER} 00 0010 0001 00000001 0000`],
  ['a TXT longer than its record', `${HEADER} 00 0010 0001 00000001 0002 0261`],
  ['an SOA that lacks a number', `${HEADER} 00 0006 0001 00000001 0003 00 00 00`],
  [
    'an SVCB with keys out of order',
    `${HEADER} 00 0040 0001 00000001 000b 0001 00 0002 0000 0001 0000`,
  ],
  ['an SVCB with a compressed target', `${HEADER} 00 0040 0001 00000001 0004 0001 c00c`],
  ['an OPT among the answers', `${HEADER} 00 0029 0200 00000000 0000`],
  [
    'two OPTs',
    '1234 8180 0000 0000 0000 0002 00 0029 0200 00000000 0000 00 0029 0200 00000000 0000',
  ],
  ['an OPT with a name', '1234 8180 0000 0000 0000 0001 016100 0029 0200 00000000 0000'],
  [
    'an OPT whose option is too long',
    '1234 8180 0000 0000 0000 0001 00 0029 0200 00000000 0004 000a 0001',
  ],
  ['more records than there are bytes', '1234 8180 0000 00ff 0000 0000'],
] as const) {
  test(`${what} › a fault`, () => {
    const parsed = parseDns(hex(bytes));
    assert.ok(!parsed.ok, what);
  });
}

test('records › at the bound and one past it', () => {
  const many = (count: number) =>
    parseDns(bytesOf({ ...EMPTY, answers: new Array(count).fill(a('x', '192.0.2.1')) }));
  assert.ok(many(DNS_RECORDS_MAX).ok);
  assert.ok(!many(DNS_RECORDS_MAX + 1).ok);
});

test('a time to live above 2^31 › counts as 0 (RFC 2181 §8)', () => {
  const parsed = parseDns(bytesOf({ ...EMPTY, answers: [a('x', '192.0.2.1', 0x80000000)] }));
  assert.ok(parsed.ok);
  assert.equal(parsed.value.answers[0]!.ttlSeconds, 0);
});

test('addresses as text › RFC 5952 written, RFC 4291 read', () => {
  for (const [text, canonical] of [
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ] as const) {
    assert.equal(formatIpv6Text(parseIpv6Text(text)!), canonical);
  }
  for (const bad of [
    '',
    ':',
    ':::',
    '1:2:3',
    '1::2::3',
    '12345::',
    '1:2:3:4:5:6:7:8:9',
    '::1.2.3',
    'g::',
    '1:2:3:4:5:6:7:8::',
    '::1%',
    '1.2.3.4::',
  ]) {
    assert.equal(addressFamily(bad), null, bad);
  }
  for (const bad of ['1.2.3', '01.2.3.4', '1.2.3.256', '1.2.3.4.', ' 1.2.3.4', '1.2.3.4/8']) {
    assert.equal(parseIpv4Text(bad), null, bad);
  }
  assert.equal(addressFamily('fe80::1%eth0'), 'ipv6');
});
