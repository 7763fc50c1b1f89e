import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { wallTimeOfMillis } from '#core';
import { contextTag, DerReader, tag } from './der.ts';
import {
  der,
  derBits,
  derNamedBits,
  derNull,
  derOctets,
  derOid,
  derSequence,
  derSmall,
  derText,
  derTime,
  derTrue,
  derUnsigned,
} from './der-writer.ts';
import { DER_DEPTH_MAX, OID_BYTES_MAX } from './limits.ts';
import { parseTime, TIME_MAX } from './time.ts';

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What `read` gives of all of the bytes; null when they are refused. */
function readAll<T>(bytes: Uint8Array, read: (reader: DerReader) => T): T | null {
  const reader = new DerReader(bytes);
  const value = read(reader);
  return reader.finish() === null ? value : null;
}

const readers: Readonly<Record<string, (reader: DerReader) => unknown>> = {
  boolean: (reader) => reader.boolean(),
  flag: (reader) => reader.flag(),
  integer: (reader) => hex(reader.integer()),
  small: (reader) => reader.small(2 ** 31 - 1),
  bits: (reader) => hex(reader.bitString()),
  named: (reader) => reader.namedBits(),
  oid: (reader) => reader.oid(),
  null: (reader) => reader.null(),
  octets: (reader) => hex(reader.contents(tag.octetString)),
  ascii: (reader) => reader.ascii(tag.ia5String),
  any: (reader) => hex(reader.element()),
  time: (reader) => new Date(reader.time()).toISOString(),
};

describe('reading', () => {
  const good: readonly (readonly [keyof typeof readers, string, unknown])[] = [
    ['boolean', '0101ff', true],
    ['boolean', '010100', false],
    ['flag', '0101ff', true],
    ['flag', '', false],
    ['integer', '020100', '00'],
    ['integer', '02020080', '0080'],
    ['integer', '0201ff', 'ff'],
    ['integer', '0202ff7f', 'ff7f'],
    ['small', '02047fffffff', 2 ** 31 - 1],
    ['bits', '030100', ''],
    ['bits', '0302 00a5', 'a5'],
    ['named', '03020780', 1],
    ['named', '03020106', 32 + 64],
    ['named', '0303070080', 256],
    ['named', '030100', 0],
    // Zeros after the last bit, as two roots of Trustwave have them.
    ['named', '0303070600', 32 + 64],
    ['oid', '06032a8648', '1.2.840'],
    ['oid', '0602883 7'.replace(' ', ''), '2.999'],
    ['oid', '060100', '0.0'],
    ['oid', '060127', '0.39'],
    ['oid', '060128', '1.0'],
    ['null', '0500', undefined],
    ['octets', '0400', ''],
    ['octets', `048180${'aa'.repeat(128)}`, 'aa'.repeat(128)],
    ['octets', `04820100${'aa'.repeat(256)}`, 'aa'.repeat(256)],
    ['ascii', '160161', 'a'],
    ['any', '3080'.replace('80', '03020101'), '3003020101'],
    ['time', `170d${Buffer.from('491231235959Z').toString('hex')}`, '2049-12-31T23:59:59.000Z'],
    ['time', `170d${Buffer.from('500101000000Z').toString('hex')}`, '1950-01-01T00:00:00.000Z'],
    ['time', `180f${Buffer.from('20000229120000Z').toString('hex')}`, '2000-02-29T12:00:00.000Z'],
  ];
  for (const [kind, text, want] of good) {
    test(`${kind} › ${text.slice(0, 40)} › read`, () => {
      assert.deepEqual(readAll(bytesOf(text), readers[kind]!), want);
    });
  }

  const bad: readonly (readonly [keyof typeof readers, string, string])[] = [
    ['boolean', '010101', 'neither 00 nor ff'],
    ['boolean', '0102ffff', 'two bytes'],
    ['boolean', '0100', 'no byte'],
    ['flag', '010100', 'the default written'],
    ['integer', '0200', 'no byte'],
    ['integer', '02020001', 'a zero too many'],
    ['integer', '0202ffff', 'ones too many'],
    ['integer', '82010 1'.replace(' ', ''), 'another class'],
    ['small', '0201ff', 'negative'],
    ['small', '02050080000000', 'too large'],
    ['small', '02060100000000000', 'odd hex'],
    ['small', '0209010000000000000000', 'much too large'],
    ['bits', '0300', 'no count of unused bits'],
    ['bits', '03020100', 'unused bits'],
    ['named', '03020880', 'eight unused bits'],
    ['named', '03020181', 'a bit in what is unused'],
    ['named', '030107', 'unused bits of nothing'],
    ['named', '03040080 0001'.replace(' ', ''), 'three bytes'],
    ['oid', '0600', 'no byte'],
    ['oid', '060180', 'an end that goes on'],
    ['oid', '0602 8001'.replace(' ', ''), 'a zero too many'],
    ['oid', '06032a8001', 'a zero too many inside'],
    ['oid', '06022a86', 'cut inside of an arc'],
    ['null', '050100', 'something in nothing'],
    ['octets', '0480', 'an indefinite length'],
    ['octets', '0480aa0000', 'an indefinite length with an end'],
    ['octets', '048101aa', 'a long form of a short length'],
    ['octets', `0482007f${'aa'.repeat(127)}`, 'a length with a zero'],
    ['octets', `04820080${'aa'.repeat(128)}`, 'a length with a zero before'],
    ['octets', '04850000000001aa', 'five bytes of length'],
    ['octets', '0484ffffffffaa', 'a length of four gigabytes'],
    ['octets', '04ff', 'the reserved length'],
    ['octets', '0402aa', 'short'],
    ['octets', '04', 'a tag alone'],
    ['octets', '', 'nothing'],
    ['octets', '0401aa00', 'something left over'],
    ['octets', '2403 0401aa'.replace(' ', ''), 'in pieces'],
    ['ascii', '160180', 'not ASCII'],
    ['any', '1f810100', 'a long tag'],
    ['any', '3003020201', 'short inside'],
    ['any', '3005020101', 'less than it says'],
    ['any', '300402010100', 'left over inside'],
    ['any', '30800000', 'an indefinite length'],
  ];
  for (const [kind, text, what] of bad) {
    test(`${kind} › ${what} › refused`, () => {
      assert.equal(readAll(bytesOf(text), readers[kind]!), null);
    });
  }

  test('after a fault › everything is empty, and the first fault stays', () => {
    const reader = new DerReader(bytesOf('3006 010107 020101'));
    const outer = reader.open(tag.sequence);
    assert.equal(reader.boolean(), false);
    const { fault } = reader;
    assert.deepEqual(fault, { kind: 'field', offset: 2, value: 1 });
    assert.equal(reader.more, false);
    assert.equal(reader.small(9), 0);
    assert.equal(reader.oid(), '');
    assert.equal(reader.element().length, 0);
    reader.close(reader.open(tag.sequence));
    reader.close(outer);
    assert.equal(reader.finish(), fault);
  });

  test('depth › at the bound read, one past it refused', () => {
    const nested = (depth: number): Uint8Array =>
      Array.from({ length: depth }).reduce<Uint8Array>((inner) => derSequence(inner), derNull());
    assert.ok(readAll(nested(DER_DEPTH_MAX), (reader) => reader.element()));
    assert.equal(
      readAll(nested(DER_DEPTH_MAX + 1), (reader) => reader.element()),
      null,
    );
  });

  test('identifiers › at the bound read, one past it refused; large arcs as they are', () => {
    const long = (count: number) => der(tag.oid, new Uint8Array(count).fill(0x2a));
    assert.ok(readAll(long(OID_BYTES_MAX), (reader) => reader.oid()));
    assert.equal(
      readAll(long(OID_BYTES_MAX + 1), (reader) => reader.oid()),
      null,
    );
    const uuid = '2.25.305821105408246119474742976030998643995';
    assert.equal(
      readAll(derOid(uuid), (reader) => reader.oid()),
      uuid,
    );
  });
});

describe('times', () => {
  const parse = (text: string) =>
    parseTime(new Uint8Array(Buffer.from(text)), text.length === 15 || text.length > 16);
  for (const text of [
    '2612251200Z',
    '261225120000',
    '261225120000+0000',
    '2612251200000Z',
    '261325120000Z',
    '260025120000Z',
    '261232120000Z',
    '261200120000Z',
    '270229120000Z',
    '261225240000Z',
    '261225126000Z',
    '261225120060Z',
    '2612251200 0Z',
    '20261225120000.5Z',
    '20261225120000.0Z',
    '2026122512000Z',
    '19000229120000Z',
    '２６１２２５120000Z',
  ]) {
    test(`${text} › refused`, () => assert.equal(parse(text), null));
  }
  test('years before 100 › themselves, not those of 1900', () => {
    assert.equal(new Date(parse('00500101000000Z')!).toISOString(), '0050-01-01T00:00:00.000Z');
    assert.equal(new Date(parse('00000229000000Z')!).toISOString(), '0000-02-29T00:00:00.000Z');
  });
  test('no end › 99991231235959Z', () => {
    assert.equal(parse('99991231235959Z'), TIME_MAX);
    assert.equal(hex(derTime(TIME_MAX)).slice(0, 4), '180f');
  });
  test('any second from 1950 to 9999 › written and read again', () => {
    const [min, max] = [Date.UTC(1950, 0, 1) / 1000, TIME_MAX / 1000];
    fc.assert(
      fc.property(fc.integer({ min, max }), (second) => {
        const time = wallTimeOfMillis(second * 1000);
        const written = derTime(time);
        assert.equal(
          readAll(written, (reader) => reader.time()),
          time,
        );
        assert.equal(written[0], time < Date.UTC(2050, 0, 1) ? tag.utcTime : tag.generalizedTime);
      }),
      { seed: 5280 },
    );
  });
});

describe('writing', () => {
  test('values › as DER has them', () => {
    const cases: readonly (readonly [Uint8Array, string])[] = [
      [derSmall(0), '020100'],
      [derSmall(127), '02017f'],
      [derSmall(128), '02020080'],
      [derSmall(65_536), '0203010000'],
      [derUnsigned(bytesOf('0000ff')), '020200ff'],
      [derUnsigned(bytesOf('00')), '020100'],
      [derTrue(), '0101ff'],
      [derNamedBits(0), '030100'],
      [derNamedBits(1), '03020780'],
      [derNamedBits(96), '03020106'],
      [derNamedBits(256), '0303070080'],
      [derBits(bytesOf('aa')), '030200aa'],
      [derOctets(), '0400'],
      [derText('A b-1'), '13054120622d31'],
      [derText('ñ'), '0c02c3b1'],
      [derText('a@b'), '0c03614062'],
      [der(contextTag(2), bytesOf('61')), '820161'],
      [derOid('2.999'), '06028837'],
    ];
    for (const [value, want] of cases) assert.equal(hex(value), want);
  });

  test('lengths around each form › read again', () => {
    for (const count of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const value = derOctets(new Uint8Array(count));
      assert.equal(readAll(value, (reader) => reader.contents(tag.octetString))?.length, count);
    }
  });

  test('any identifier › written and read again', () => {
    const arcs = fc.array(fc.bigInt({ min: 0n, max: 2n ** 70n }), { maxLength: 3 });
    const first = fc.oneof(
      fc.tuple(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 39 })),
      fc.tuple(fc.constant(2), fc.integer({ min: 0, max: 5_000 })),
    );
    fc.assert(
      fc.property(first, arcs, (start, rest) => {
        const text = [...start, ...rest].join('.');
        assert.equal(
          readAll(derOid(text), (reader) => reader.oid()),
          text,
        );
      }),
      { seed: 5280 },
    );
  });
});
