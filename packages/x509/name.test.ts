import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DerReader, tag } from './der.ts';
import { der, derAscii, derOid, derSequence, derSet } from './der-writer.ts';
import { NAME_ATTRIBUTES_MAX } from './limits.ts';
import {
  commonName,
  formatName,
  isEmptyName,
  makeName,
  nameHas,
  nameKey,
  readName,
} from './name.ts';
import { oid } from './oid.ts';

const bytes = (text: string, encoding: BufferEncoding): Uint8Array =>
  new Uint8Array(Buffer.from(text, encoding));
const named = (type: number, contents: Uint8Array): Uint8Array =>
  derSequence(derSet(derSequence(derOid(oid.commonName), der(type, contents))));
const reads = (name: Uint8Array): boolean => {
  const reader = new DerReader(name);
  readName(reader);
  return reader.finish() === null;
};

test('one name in every string type, case and spacing › equal', () => {
  const wide = Buffer.from('Grün  CA', 'utf16le').swap16();
  const forms = [
    named(tag.utf8String, bytes('Grün CA', 'utf8')),
    named(tag.utf8String, bytes(' grün   ca ', 'utf8')),
    named(tag.teletexString, bytes('GRÜN CA', 'latin1')),
    named(tag.bmpString, new Uint8Array(wide)),
    named(
      tag.universalString,
      Uint8Array.from([...'Grün CA'].flatMap((c) => [0, 0, 0, c.charCodeAt(0)])),
    ),
  ];
  for (const form of forms) assert.equal(nameKey(form), nameKey(forms[0]!));
});

test('names that differ › differ', () => {
  const names = [
    commonName('a'),
    commonName('b'),
    commonName('a, b'),
    commonName('ab'),
    makeName([
      [oid.commonName, 'a'],
      [oid.commonName, 'b'],
    ]),
    makeName([
      [oid.commonName, 'b'],
      [oid.commonName, 'a'],
    ]),
    makeName([['2.5.4.10', 'a']]),
    makeName([]),
    named(tag.octetString, bytes('a', 'utf8')),
    named(tag.utf8String, bytes('ff', 'hex')),
    named(tag.utf8String, bytes('fe', 'hex')),
    named(tag.bmpString, bytes('a', 'utf8')),
    named(tag.universalString, bytes('00110000', 'hex')),
  ];
  assert.equal(new Set(names.map(nameKey)).size, names.length);
});

test('two attributes in one relative name › in any order the same, and not two names', () => {
  const pair = (text: string) =>
    derSequence(derOid(oid.commonName), derAscii(tag.printableString, text));
  const both = (a: string, b: string) => derSequence(der(tag.set, pair(a), pair(b)));
  assert.equal(nameKey(both('a', 'b')), nameKey(both('b', 'a')));
  assert.notEqual(
    nameKey(both('a', 'b')),
    nameKey(
      makeName([
        [oid.commonName, 'a'],
        [oid.commonName, 'b'],
      ]),
    ),
  );
  assert.equal(formatName(both('a', 'b')), 'CN=a+CN=b');
});

test('for people › short types, and nothing that a terminal obeys', () => {
  assert.equal(
    formatName(
      makeName([
        ['2.5.4.6', 'DE'],
        ['1.2.3', 'x'],
      ]),
    ),
    'C=DE, 1.2.3=x',
  );
  assert.equal(formatName(commonName('a\u001b[2J\n=b')), 'CN=a\\1b[2J\\0a\\3db');
  assert.equal(formatName(commonName('a\u202eb')), 'CN=a\\202eb');
  assert.equal(formatName(commonName('Piñata')), 'CN=Piñata');
  assert.equal(formatName(named(tag.octetString, Uint8Array.of(1, 255))), 'CN=#01ff');
  assert.equal(formatName(makeName([])), '');
});

test('attributes › at the bound read, one past it refused', () => {
  const many = (count: number) =>
    makeName(Array.from({ length: count }, () => [oid.commonName, 'a'] as const));
  assert.ok(reads(many(NAME_ATTRIBUTES_MAX)));
  assert.ok(!reads(many(NAME_ATTRIBUTES_MAX + 1)));
  assert.ok(isEmptyName(makeName([])));
  assert.ok(nameHas(commonName('a'), oid.commonName));
  assert.ok(!nameHas(commonName('a'), oid.emailAddress));
});
