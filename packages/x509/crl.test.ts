import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { WallTime } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { parseCertificate } from './certificate.ts';
import { createRevocationList } from './create.ts';
import { parseRevocationList } from './crl.ts';
import { contextHolder, contextTag } from './der.ts';
import { der, derNull, derSequence, derTime } from './der-writer.ts';
import { authorityConstraints, crlNumber, keyUsages } from './extension-writer.ts';
import { type Extension, keyUsage } from './extensions.ts';
import { CRL_BYTES_MAX } from './limits.ts';
import { commonName } from './name.ts';
import { oid } from './oid.ts';
import { validatePath } from './path.ts';
import { anchorsOf, authority, daysFrom, entropy, keyOf, leaf, NOW } from './test-authority.ts';

const ROOT = authority('Root', 'Root');
const MIDDLE = authority('Middle', 'Root');
const LEAF = leaf('Middle');
const serialOf = (raw: Uint8Array): Uint8Array => {
  const parsed = parseCertificate(raw);
  assert.ok(parsed.ok);
  return parsed.value.serial;
};

interface ListParts {
  readonly signer: string;
  readonly thisUpdate: WallTime;
  readonly nextUpdate: WallTime;
  readonly extensions: readonly Extension[];
}

function rawList(issuer: string, revoked: readonly Uint8Array[], parts: Partial<ListParts> = {}) {
  const { signer, thisUpdate, nextUpdate, extensions } = {
    signer: issuer,
    thisUpdate: daysFrom(NOW, -1),
    nextUpdate: daysFrom(NOW, 1),
    extensions: [crlNumber(1)],
    ...parts,
  };
  const entries = revoked.map((raw) => ({ serial: serialOf(raw), at: thisUpdate }));
  const contents = {
    issuer: commonName(issuer),
    thisUpdate,
    nextUpdate,
    revoked: entries,
    extensions,
  };
  return createRevocationList(contents, keyOf(signer), entropy);
}

function list(...args: Parameters<typeof rawList>) {
  const parsed = parseRevocationList(rawList(...args));
  assert.ok(parsed.ok);
  return parsed.value;
}

function outcome(
  revocationLists: Parameters<typeof validatePath>[0]['revocationLists'] & object,
  { chain = [LEAF, MIDDLE], at = NOW, root = ROOT } = {},
): string {
  const options = { crypto: nodeCrypto, chain, anchors: anchorsOf(root), at, revocationLists };
  const found = validatePath({ ...options, purpose: 'serverAuth', name: null });
  return found.ok ? 'valid' : `${found.error.kind} ${found.error.certificate}`;
}

const scope = (...parts: readonly Uint8Array[]): Extension => ({
  oid: oid.issuingDistributionPoint,
  critical: true,
  value: derSequence(...parts),
});
const yes = (number: number): Uint8Array => der(contextTag(number), Uint8Array.of(0xff));

describe('a chain', () => {
  const rootList = list('Root', []);
  const middleList = list('Middle', []);

  test('on no list › valid', () => assert.equal(outcome([rootList, middleList]), 'valid'));
  test('the leaf on its issuer’s list › revoked', () => {
    assert.equal(outcome([rootList, list('Middle', [MIDDLE, LEAF])]), 'revoked 0');
  });
  test('an intermediate on the anchor’s list › revoked', () => {
    assert.equal(outcome([middleList, list('Root', [MIDDLE])]), 'revoked 1');
  });
  test('the serial number on another issuer’s list › valid', () => {
    assert.equal(outcome([rootList, middleList, list('Other', [LEAF])]), 'valid');
  });
  test('no list for one issuer › revocation unknown', () => {
    assert.equal(outcome([rootList]), 'revocation unknown 0');
    assert.equal(outcome([middleList]), 'revocation unknown 1');
    assert.equal(outcome([]), 'revocation unknown 0');
  });
  test('a list out of its time › counts as none', () => {
    const old = list('Middle', [], { nextUpdate: daysFrom(NOW, -0.5) });
    assert.equal(outcome([rootList, old]), 'revocation unknown 0');
    const next = list('Middle', [], { thisUpdate: daysFrom(NOW, 0.5) });
    assert.equal(outcome([rootList, next]), 'revocation unknown 0');
    const last = list('Middle', [], { nextUpdate: NOW });
    assert.equal(outcome([rootList, last], { at: (NOW + 999) as WallTime }), 'valid');
  });
  test('a list signed by somebody else › counts as none', () => {
    const forged = list('Middle', [], { signer: 'Mallory' });
    assert.equal(outcome([rootList, forged]), 'revocation unknown 0');
    assert.equal(
      outcome([rootList, list('Middle', [LEAF], { signer: 'Mallory' }), middleList]),
      'valid',
    );
  });
  test('an issuer that may not sign lists › revocation unknown', () => {
    const extensions = [authorityConstraints(null), keyUsages(keyUsage.keyCertSign)];
    const middle = authority('Middle', 'Root', { extensions });
    const chain = [LEAF, middle];
    assert.equal(outcome([rootList, middleList], { chain }), 'revocation unknown 0');
  });
  test('several lists › any of them revokes', () => {
    assert.equal(outcome([rootList, middleList, list('Middle', [LEAF])]), 'revoked 0');
  });
  test('a list with what must be understood › counts as none', () => {
    const unknown = { oid: '1.2.3', critical: true, value: derNull() };
    const delta = { ...crlNumber(1), oid: '2.5.29.27', critical: true };
    for (const one of [unknown, delta, scope(yes(4))]) {
      const odd = list('Middle', [], { extensions: [one] });
      assert.equal(outcome([rootList, odd]), 'revocation unknown 0');
    }
  });
  test('a list for leaves, or for CAs › covers them only', () => {
    const leaves = { extensions: [scope(yes(1))] };
    const authorities = { extensions: [scope(yes(2))] };
    assert.equal(outcome([list('Root', [], authorities), list('Middle', [], leaves)]), 'valid');
    assert.equal(outcome([rootList, list('Middle', [], authorities)]), 'revocation unknown 0');
    assert.equal(outcome([list('Root', [], leaves), middleList]), 'revocation unknown 1');
  });
  test('a list for one place, reason or kind › revokes, and covers nothing', () => {
    const place = der(
      contextHolder(0),
      der(contextHolder(0), der(contextTag(6), Uint8Array.of(97))),
    );
    const reasons = der(contextTag(3), Uint8Array.of(1, 2));
    for (const one of [place, reasons, yes(5)]) {
      const part = { extensions: [scope(one)] };
      assert.equal(outcome([rootList, list('Middle', [], part)]), 'revocation unknown 0');
      assert.equal(outcome([rootList, middleList, list('Middle', [LEAF], part)]), 'revoked 0');
    }
  });
  test('a list signed with the new key of an authority › counts for the old one’s', () => {
    const rolled = authority('Middle', 'Middle', { key: 'Middle old' });
    const own = leaf('Middle', { signer: 'Middle old' });
    const chain = [own, rolled, MIDDLE];
    assert.equal(outcome([rootList, middleList], { chain }), 'valid');
    assert.equal(outcome([rootList, list('Middle', [own])], { chain }), 'revoked 0');
  });
});

describe('a list', () => {
  test('every length and changed byte › a fault, or not believed', () => {
    const raw = rawList('Middle', [LEAF]);
    for (let i = 0; i < raw.length; i++) {
      assert.ok(!parseRevocationList(raw.subarray(0, i)).ok);
      const changed = raw.slice();
      changed[i]! ^= 0x81;
      const parsed = parseRevocationList(changed);
      if (parsed.ok) {
        assert.equal(outcome([list('Root', []), parsed.value]), 'revocation unknown 0');
      }
    }
  });

  test('malformed › refused', () => {
    const ecdsa = derSequence(der(6, Uint8Array.from(Buffer.from('2a8648ce3d040302', 'hex'))));
    const time = derTime(NOW);
    const build = (...parts: readonly Uint8Array[]) =>
      parseRevocationList(derSequence(derSequence(...parts), ecdsa, der(3, Uint8Array.of(0, 1))))
        .ok;
    const one = der(2, Uint8Array.of(1));
    const name = commonName('a');
    assert.ok(build(one, ecdsa, name, time));
    assert.ok(build(ecdsa, name, time, time));
    assert.ok(!build(der(2, Uint8Array.of(0)), ecdsa, name, time));
    assert.ok(!build(der(2, Uint8Array.of(2)), ecdsa, name, time));
    assert.ok(!build(one, ecdsa, name));
    assert.ok(!build(one, ecdsa, name, time, time, derSequence()));
    assert.ok(!build(one, ecdsa, name, time, time, derSequence(derSequence(one))));
    assert.ok(!build(one, ecdsa, name, time, time, derNull()));
    assert.ok(!build(ecdsa, name, time, time, der(contextHolder(0), derSequence())));
  });

  test('bytes › at the bound read, one past it refused', () => {
    const sized = (count: number) =>
      rawList('Middle', [], {
        signer: 'ed list',
        extensions: [{ oid: '1.2.3', critical: false, value: new Uint8Array(count) }],
      });
    keyOf('ed list', 'Ed25519');
    const base = sized(1_000_000).length - 1_000_000;
    assert.ok(parseRevocationList(sized(CRL_BYTES_MAX - base)).ok);
    assert.ok(!parseRevocationList(sized(CRL_BYTES_MAX - base + 1)).ok);
  });
});
