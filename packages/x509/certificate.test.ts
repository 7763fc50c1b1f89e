import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseCertificate } from './certificate.ts';
import { createCertificate, randomSerial } from './create.ts';
import { contextHolder, contextTag, DerReader, tag } from './der.ts';
import {
  der,
  derAscii,
  derBits,
  derNull,
  derOctets,
  derOid,
  derSequence,
  derSmall,
  derTime,
  derTrue,
} from './der-writer.ts';
import {
  alternativeNames,
  authorityKey,
  hostName,
  keyUsages,
  subjectKey,
} from './extension-writer.ts';
import type { Extension } from './extensions.ts';
import type { GeneralName } from './general-name.ts';
import {
  CERTIFICATE_BYTES_MAX,
  EXTENSION_ITEMS_MAX,
  EXTENSIONS_MAX,
  SERIAL_BYTES_MAX,
} from './limits.ts';
import { commonName, formatName, makeName } from './name.ts';
import { oid } from './oid.ts';
import {
  authorityExtensions,
  entropy,
  forge,
  keyOf,
  leafExtensions,
  NOW,
  validity,
} from './test-authority.ts';

const spki = keyOf('leaf').spki;
const ECDSA = derSequence(derOid('1.2.840.10045.4.3.2'));

type Part =
  | 'version'
  | 'serial'
  | 'algorithm'
  | 'issuer'
  | 'validity'
  | 'subject'
  | 'spki'
  | 'uniqueIds'
  | 'extensions'
  | 'outerAlgorithm'
  | 'signature';

/** The parts of a certificate in order, to be replaced by others; the signature is a joke. */
const PARTS: Readonly<Record<Part, Uint8Array>> = {
  version: der(contextHolder(0), derSmall(2)),
  serial: derSmall(5),
  algorithm: ECDSA,
  issuer: commonName('issuer'),
  validity: derSequence(derTime(validity.notBefore), derTime(validity.notAfter)),
  subject: commonName('subject'),
  spki,
  uniqueIds: new Uint8Array(0),
  extensions: new Uint8Array(0),
  outerAlgorithm: ECDSA,
  signature: derBits(Uint8Array.of(1, 2, 3)),
};

function parse(parts: Partial<Record<Part, Uint8Array>>) {
  const { outerAlgorithm, signature, ...inner } = { ...PARTS, ...parts };
  return parseCertificate(
    derSequence(derSequence(...Object.values(inner)), outerAlgorithm, signature),
  );
}

const withExtension = (one: Extension, ...others: readonly Extension[]) => {
  const list = [one, ...others].map(({ oid: name, critical, value }) =>
    derSequence(derOid(name), ...(critical ? [derTrue()] : []), derOctets(value)),
  );
  return parse({ extensions: der(contextHolder(3), derSequence(...list)) });
};
const extensionOf = (name: string, value: Uint8Array, critical = false): Extension => ({
  oid: name,
  critical,
  value,
});

describe('a certificate', () => {
  test('all parts › read', () => {
    const raw = forge({ subject: 'leaf', issuer: 'Root', extensions: leafExtensions() });
    const parsed = parseCertificate(raw);
    assert.ok(parsed.ok);
    const { value } = parsed;
    assert.equal(value.version, 3);
    assert.equal(value.serial.length, SERIAL_BYTES_MAX);
    assert.ok(value.serial[0]! >= 0x40 && value.serial[0]! < 0x80);
    assert.equal(formatName(value.subject), 'CN=leaf');
    assert.equal(formatName(value.issuer), 'CN=Root');
    assert.deepEqual(value.algorithm, { kind: 'ECDSA', hash: 'SHA-256' });
    assert.equal(value.notBefore, validity.notBefore);
    assert.equal(value.notAfter, validity.notAfter);
    assert.deepEqual(value.spki, spki);
    assert.deepEqual(value.extensions.basicConstraints, { ca: false, pathLength: null });
    assert.equal(value.extensions.keyUsage, 1);
    assert.deepEqual(value.extensions.extendedKeyUsage, [oid.serverAuth]);
    assert.deepEqual(value.extensions.subjectAltNames, [{ kind: 'dns', text: 'example.com' }]);
    assert.equal(value.extensions.all.length, 4);
  });

  test('versions 1 and 2 › read, without extensions', () => {
    const first = parse({ version: new Uint8Array(0) });
    assert.ok(first.ok && first.value.version === 1);
    const second = parse({ version: der(contextHolder(0), derSmall(1)) });
    assert.ok(second.ok && second.value.version === 2);
    const ids = [1, 2].map((number) => der(contextTag(number), Uint8Array.of(0, 1)));
    assert.ok(parse({ uniqueIds: Uint8Array.of(...ids[0]!, ...ids[1]!) }).ok);
  });

  const list = derSequence(derSequence(derOid('2.5.29.99'), derOctets()));
  const faulty: Readonly<Record<string, Partial<Record<Part, Uint8Array>>>> = {
    'version 1 written out': { version: der(contextHolder(0), derSmall(0)) },
    'version 4': { version: der(contextHolder(0), derSmall(3)) },
    'a negative version': { version: der(contextHolder(0), der(tag.integer, Uint8Array.of(0xff))) },
    'extensions in version 1': {
      version: new Uint8Array(0),
      extensions: der(contextHolder(3), list),
    },
    'extensions in version 2': {
      version: der(contextHolder(0), derSmall(1)),
      extensions: der(contextHolder(3), list),
    },
    'unique identifiers in version 1': {
      version: new Uint8Array(0),
      uniqueIds: der(contextTag(1), Uint8Array.of(0)),
    },
    'unique identifiers the wrong way round': {
      uniqueIds: Uint8Array.of(0x82, 1, 0, 0x81, 1, 0),
    },
    'a serial number of 21 bytes': {
      serial: der(tag.integer, new Uint8Array(SERIAL_BYTES_MAX + 1).fill(1)),
    },
    'a serial number with a zero before': { serial: der(tag.integer, Uint8Array.of(0, 1)) },
    'no serial number': { serial: der(tag.integer) },
    'another algorithm outside': { outerAlgorithm: derSequence(derOid('1.2.840.10045.4.3.3')) },
    'other parameters outside': {
      outerAlgorithm: derSequence(derOid('1.2.840.10045.4.3.2'), derNull()),
    },
    'a time without seconds': {
      validity: derSequence(derAscii(tag.utcTime, '2612251200Z'), derTime(NOW)),
    },
    'one time': { validity: derSequence(derTime(NOW)) },
    'three times': { validity: derSequence(derTime(NOW), derTime(NOW), derTime(NOW)) },
    'no issuer': { issuer: derSequence() },
    'an empty relative name': { subject: derSequence(der(tag.set)) },
    'a name of no sequence': { subject: der(tag.set) },
    'an attribute without value': {
      issuer: derSequence(der(tag.set, derSequence(derOid('2.5.4.3')))),
    },
    'no key': { spki: derSequence() },
    'a key with unused bits': {
      spki: derSequence(ECDSA, der(tag.bitString, Uint8Array.of(1, 0))),
    },
    'an empty list of extensions': { extensions: der(contextHolder(3), derSequence()) },
    'extensions without a list': { extensions: der(contextHolder(3)) },
    'two lists of extensions': { extensions: der(contextHolder(3), list, list) },
    'something after the extensions': {
      extensions: Uint8Array.of(...der(contextHolder(3), list), 5, 0),
    },
    'a signature with unused bits': { signature: der(tag.bitString, Uint8Array.of(4, 0x10)) },
    'a signature that is none': { signature: derOctets(Uint8Array.of(0)) },
  };
  for (const [what, parts] of Object.entries(faulty)) {
    test(`${what} › refused`, () => assert.ok(!parse(parts).ok));
  }

  test('bytes › at the bound read, one past it refused', () => {
    const sized = (count: number) =>
      createCertificate(
        {
          serial: randomSerial(entropy),
          issuer: commonName('a'),
          subject: commonName('b'),
          ...validity,
          spki,
          extensions: [extensionOf('2.5.29.99', new Uint8Array(count))],
        },
        keyOf('ed', 'Ed25519'),
        entropy,
      );
    const base = sized(20_000).length - 20_000;
    const exact = sized(CERTIFICATE_BYTES_MAX - base);
    assert.equal(exact.length, CERTIFICATE_BYTES_MAX);
    assert.ok(parseCertificate(exact).ok);
    assert.ok(!parseCertificate(sized(CERTIFICATE_BYTES_MAX - base + 1)).ok);
  });
});

describe('extensions', () => {
  const malformed: Readonly<Record<string, Extension>> = {
    'CA:FALSE written out': extensionOf(oid.basicConstraints, Uint8Array.of(0x30, 3, 1, 1, 0)),
    'CA of another truth': extensionOf(oid.basicConstraints, Uint8Array.of(0x30, 3, 1, 1, 1)),
    'a negative path length': extensionOf(
      oid.basicConstraints,
      derSequence(derTrue(), der(2, Uint8Array.of(0xff))),
    ),
    'basic constraints with more': extensionOf(
      oid.basicConstraints,
      derSequence(derTrue(), derSmall(1), derNull()),
    ),
    'basic constraints and more': extensionOf(oid.basicConstraints, Uint8Array.of(0x30, 0, 5, 0)),
    'no key usage': keyUsages(0),
    'no purpose': extensionOf(oid.extendedKeyUsage, derSequence()),
    'no names': extensionOf(oid.subjectAltName, derSequence()),
    'a name that is not ASCII': extensionOf(
      oid.subjectAltName,
      derSequence(der(contextTag(2), Uint8Array.of(0xe4))),
    ),
    'an address of five bytes': extensionOf(
      oid.subjectAltName,
      derSequence(der(contextTag(7), new Uint8Array(5))),
    ),
    'an address with a mask as name': extensionOf(
      oid.subjectAltName,
      derSequence(der(contextTag(7), new Uint8Array(8))),
    ),
    'a name of no form': extensionOf(
      oid.subjectAltName,
      derSequence(der(contextTag(9), new Uint8Array(1))),
    ),
    'a directory name without its tag': extensionOf(
      oid.subjectAltName,
      derSequence(der(contextHolder(4))),
    ),
    'constraints of nothing': extensionOf(oid.nameConstraints, derSequence()),
    'an empty list of subtrees': extensionOf(
      oid.nameConstraints,
      derSequence(der(contextHolder(0))),
    ),
    'a subtree with a minimum': extensionOf(
      oid.nameConstraints,
      derSequence(
        der(
          contextHolder(0),
          derSequence(derAscii(contextTag(2), 'a'), der(contextTag(0), Uint8Array.of(1))),
        ),
      ),
    ),
    'a mask with holes': extensionOf(
      oid.nameConstraints,
      derSequence(
        der(
          contextHolder(0),
          derSequence(der(contextTag(7), Uint8Array.of(10, 0, 0, 0, 255, 0, 255, 0))),
        ),
      ),
    ),
    'an address without mask': extensionOf(
      oid.nameConstraints,
      derSequence(der(contextHolder(0), derSequence(der(contextTag(7), new Uint8Array(4))))),
    ),
    'a key identifier that is none': extensionOf(oid.subjectKeyIdentifier, derNull()),
    'an issuer’s key that is none': extensionOf(oid.authorityKeyIdentifier, derNull()),
    'policies that are none': extensionOf(oid.certificatePolicies, derSequence()),
    'distribution points that are none': extensionOf(oid.crlDistributionPoints, derNull()),
  };
  for (const [what, extension] of Object.entries(malformed)) {
    test(`${what} › refused`, () => assert.ok(!withExtension(extension).ok));
  }

  test('the same twice › refused', () => {
    const one = extensionOf('2.5.29.99', derNull());
    assert.ok(withExtension(one).ok);
    assert.ok(!withExtension(one, one).ok);
  });

  test('not critical, written out › refused', () => {
    const written = derSequence(derOid('2.5.29.99'), der(1, Uint8Array.of(0)), derOctets());
    assert.ok(!parse({ extensions: der(contextHolder(3), derSequence(written)) }).ok);
  });

  test('unknown › kept; critical › told', () => {
    const found = withExtension(
      extensionOf('1.2.3.4', Uint8Array.of(1)),
      extensionOf('1.2.3.5', Uint8Array.of(2), true),
      extensionOf('1.2.3.6', Uint8Array.of(2), true),
    );
    assert.ok(found.ok);
    const { all, unhandledCritical } = found.value.extensions;
    assert.equal(unhandledCritical, '1.2.3.5');
    assert.deepEqual(all[0], { oid: '1.2.3.4', critical: false, value: Uint8Array.of(1) });
  });

  test('all forms of names › read', () => {
    const names: GeneralName[] = [
      hostName('*.Example.com')!,
      hostName('2001:db8::1')!,
      { kind: 'email', text: 'a@example.com' },
      { kind: 'uri', text: 'https://example.com/' },
      { kind: 'directory', name: makeName([['2.5.4.10', 'Exämple']]) },
      {
        kind: 'other',
        der: der(contextHolder(0), derOid('1.2.3'), der(contextHolder(0), derNull())),
      },
      { kind: 'other', der: der(contextTag(8), Uint8Array.of(42)) },
    ];
    const found = withExtension(alternativeNames(names));
    assert.ok(found.ok);
    assert.deepEqual(found.value.extensions.subjectAltNames, names);
  });

  test('key identifiers › read, with the issuer’s name beside', () => {
    const id = Uint8Array.of(7, 8);
    const found = withExtension(subjectKey(id), authorityKey(id));
    assert.ok(found.ok);
    assert.deepEqual(found.value.extensions.subjectKeyId, id);
    assert.deepEqual(found.value.extensions.authorityKeyId, id);
    const name = der(contextHolder(4), commonName('issuer'));
    const full = derSequence(
      der(contextTag(0), id),
      der(contextHolder(1), name),
      der(contextTag(2), id),
    );
    const other = withExtension(extensionOf(oid.authorityKeyIdentifier, full));
    assert.ok(other.ok);
    assert.deepEqual(other.value.extensions.authorityKeyId, id);
  });

  test('how many › at the bound read, one past it refused', () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, i) => extensionOf(`1.2.3.${i}`, derNull()));
    const [first, ...rest] = many(EXTENSIONS_MAX);
    assert.ok(withExtension(first!, ...rest).ok);
    assert.ok(!withExtension(first!, ...rest, extensionOf('1.2.4', derNull())).ok);
    const named = (count: number) =>
      withExtension(alternativeNames(Array.from({ length: count }, () => hostName('a')!)));
    assert.ok(named(EXTENSION_ITEMS_MAX).ok);
    assert.ok(!named(EXTENSION_ITEMS_MAX + 1).ok);
    const purposed = (count: number) => {
      const list = Array.from({ length: count }, () => derOid('1.2'));
      return withExtension(extensionOf(oid.extendedKeyUsage, derSequence(...list)));
    };
    assert.ok(purposed(EXTENSION_ITEMS_MAX).ok);
    assert.ok(!purposed(EXTENSION_ITEMS_MAX + 1).ok);
  });

  test('a CA’s › read', () => {
    const found = withExtension(...(authorityExtensions(3) as [Extension, Extension]));
    assert.ok(found.ok);
    assert.deepEqual(found.value.extensions.basicConstraints, { ca: true, pathLength: 3 });
    assert.equal(found.value.extensions.keyUsage, 96);
  });
});

test('a fault › where it is', () => {
  const found = parse({ serial: der(tag.integer) });
  assert.ok(!found.ok && found.error.kind === 'field');
  assert.equal(new DerReader(new Uint8Array(0)).finish(), null);
});
