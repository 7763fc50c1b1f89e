import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hot, type WallTime } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { parseCertificate } from './certificate.ts';
import { derSequence } from './der-writer.ts';
import {
  alternativeNames,
  authorityConstraints,
  authorityKey,
  hostName,
  keyUsages,
  nameConstraints,
  purposes,
  subjectKey,
} from './extension-writer.ts';
import { type Extension, keyUsage } from './extensions.ts';
import type { GeneralName } from './general-name.ts';
import {
  CHAIN_CERTIFICATES_MAX,
  PATH_COMPARISONS_MAX,
  PATH_INTERMEDIATES_MAX,
  PATH_SIGNATURES_MAX,
  PATH_STEPS_MAX,
} from './limits.ts';
import { commonName, makeName } from './name.ts';
import { oid } from './oid.ts';
import { type PathOptions, validatePath } from './path.ts';
import type { PathFaultKind } from './path-fault.ts';
import {
  anchorsOf,
  authority,
  authorityExtensions,
  daysFrom,
  leaf,
  leafExtensions,
  NOW,
} from './test-authority.ts';

const ROOT = authority('Root', 'Root');
const MIDDLE = authority('Middle', 'Root');
const LEAF = leaf('Middle');
const COMMON: Omit<PathOptions, 'chain'> = {
  crypto: nodeCrypto,
  anchors: anchorsOf(ROOT),
  at: NOW,
  purpose: 'serverAuth',
  name: 'example.com',
};

const validate = (chain: readonly Uint8Array[], options: Partial<PathOptions> = {}) =>
  validatePath({ ...COMMON, chain, ...options });

function accepts(
  chain: readonly Uint8Array[],
  options: Partial<PathOptions> = {},
): readonly Uint8Array[] {
  const found = validate(chain, options);
  assert.ok(found.ok, JSON.stringify(found));
  assert.equal(found.value.leaf, found.value.certificates[0]);
  return found.value.certificates.map(({ raw }) => raw);
}

function refuses(
  kind: PathFaultKind,
  certificate: number | null,
  chain: readonly Uint8Array[],
  options: Partial<PathOptions> = {},
): void {
  assert.deepEqual(validate(chain, options), { ok: false, error: { kind, certificate } });
}

describe('building', () => {
  test('the leaf right below the anchor › accepted', () => {
    const own = leaf('Root');
    assert.deepEqual(accepts([own]), [own]);
  });

  test('out of order, with strangers, the anchor and copies › the path alone', () => {
    const low = authority('Low', 'Middle');
    const own = leaf('Low');
    const stranger = authority('Stranger', 'Nobody');
    const chain = [own, ROOT, stranger, MIDDLE, low, MIDDLE, own];
    assert.deepEqual(accepts(chain), [own, low, MIDDLE]);
  });

  test('a missing link › unknown issuer', () => refuses('unknown issuer', 0, [LEAF]));
  test('another anchor › unknown issuer', () => {
    const anchors = anchorsOf(authority('Other', 'Other'));
    refuses('unknown issuer', 0, [LEAF, MIDDLE, ROOT], { anchors });
  });
  test('no anchors › unknown issuer', () => {
    refuses('unknown issuer', 0, [LEAF, MIDDLE, ROOT], { anchors: anchorsOf() });
  });
  test('an empty chain › malformed', () => refuses('malformed', 0, []));
  test('a self-signed leaf › unknown issuer', () => {
    const own = leaf('leaf', { signer: 'leaf' });
    refuses('unknown issuer', 0, [own]);
  });

  test('an anchor of the same name with another key › bad signature', () => {
    const anchors = anchorsOf(authority('Root', 'Root', { key: 'else', signer: 'else' }));
    refuses('bad signature', 1, [LEAF, MIDDLE], { anchors });
    const both = anchorsOf(authority('Root', 'Root', { key: 'else', signer: 'else' }), ROOT);
    accepts([LEAF, MIDDLE], { anchors: both });
  });

  test('cross-signed, one way expired or to nobody › the other way', () => {
    const old = authority('Middle', 'Root', { notAfter: daysFrom(NOW, -0.5) });
    const lost = authority('Middle', 'Gone');
    assert.deepEqual(accepts([LEAF, lost, old, MIDDLE]), [LEAF, MIDDLE]);
    refuses('expired', 2, [LEAF, lost, old]);
    const second = authority('Second', 'Root');
    const cross = authority('Middle', 'Second');
    assert.deepEqual(accepts([LEAF, lost, cross, second]), [LEAF, cross, second]);
  });

  test('CAs that sign each other › no loop', () => {
    const [a, b] = [authority('A', 'B'), authority('B', 'A')];
    refuses('unknown issuer', 0, [leaf('A'), a, b]);
    const way = authority('B', 'Root');
    const own = leaf('A');
    assert.deepEqual(accepts([own, b, a, way]), [own, a, way]);
  });

  test('several keys of one name › the key identifier comes first, no one is left out', () => {
    const ids = [1, 2, 3].map((id) => Uint8Array.of(id));
    const candidates = ids.map((id, i) =>
      authority('Many', 'Root', {
        key: `Many${i}`,
        extensions: [...authorityExtensions(), subjectKey(id)],
      }),
    );
    const of = (id: Uint8Array, signer: string) =>
      leaf('Many', { signer, extensions: [...leafExtensions(), authorityKey(id)] });
    const right = of(ids[2]!, 'Many2');
    assert.deepEqual(accepts([right, ...candidates]), [right, candidates[2]]);
    const misled = of(ids[0]!, 'Many1');
    assert.deepEqual(accepts([misled, ...candidates]), [misled, candidates[1]]);
  });
});

describe('signatures', () => {
  test('a changed byte of what is signed › bad signature', () => {
    const forged = LEAF.slice();
    const at = Buffer.from(forged).indexOf('example.com');
    forged[at] = 'f'.charCodeAt(0);
    refuses('bad signature', 0, [forged, MIDDLE], { name: 'fxample.com' });
  });
  test('a changed byte of the signature › never accepted', () => {
    const forged = LEAF.slice();
    forged[forged.length - 1]! ^= 1;
    refuses('bad signature', 0, [forged, MIDDLE]);
  });
  test('signed by somebody else › bad signature', () => {
    refuses('bad signature', 0, [leaf('Middle', { signer: 'Mallory' }), MIDDLE]);
  });
  test('signed by another leaf › not a CA', () => {
    const user = leaf('Root', { subject: 'user' });
    refuses('not a CA', 1, [leaf('user'), user]);
  });

  for (const type of ['RSA-2048', 'P-384', 'Ed25519'] as const) {
    test(`${type} › accepted`, () => {
      const root = authority(type, type, { keyType: type });
      accepts([leaf(type)], { anchors: anchorsOf(root) });
    });
  }
});

describe('a CA', () => {
  const middle = (extensions: Parameters<typeof authority>[2]) =>
    authority('Middle', 'Root', extensions);
  const { keyCertSign, crlSign, digitalSignature } = keyUsage;

  test('without basic constraints › not a CA', () => {
    refuses('not a CA', 1, [LEAF, middle({ extensions: [keyUsages(keyCertSign)] })]);
  });
  test('that may not sign certificates › wrong key usage', () => {
    const extensions = [authorityConstraints(null), keyUsages(crlSign + digitalSignature)];
    refuses('wrong key usage', 1, [LEAF, middle({ extensions })]);
  });
  test('without key usage › accepted', () => {
    accepts([LEAF, middle({ extensions: [authorityConstraints(null)] })]);
  });
  test('out of its time › expired, not yet valid; the first and last second count', () => {
    const ends = daysFrom(NOW, 0);
    accepts([LEAF, middle({ notAfter: ends })]);
    accepts([LEAF, middle({ notAfter: ends })], { at: (ends + 999) as WallTime });
    refuses('expired', 1, [LEAF, middle({ notAfter: ends })], { at: (ends + 1_000) as WallTime });
    accepts([LEAF, middle({ notBefore: NOW })]);
    const early = { at: (NOW - 1) as WallTime };
    refuses('not yet valid', 1, [LEAF, middle({ notBefore: NOW })], early);
  });
  test('with an extension that must be understood › refused', () => {
    const policy = { oid: '2.5.29.36', critical: true, value: derSequence() };
    const extensions = [...authorityExtensions(), policy];
    refuses('unhandled critical extension', 1, [LEAF, middle({ extensions })]);
    accepts([
      LEAF,
      middle({ extensions: [...authorityExtensions(), { ...policy, critical: false }] }),
    ]);
  });
  test('with other purposes › wrong purpose; with any › accepted', () => {
    const only = (list: Parameters<typeof purposes>[0]) =>
      middle({ extensions: [...authorityExtensions(), purposes(list)] });
    refuses('wrong purpose', 1, [LEAF, only(['clientAuth'])]);
    accepts([LEAF, only(['clientAuth', 'serverAuth'])]);
  });

  test('path lengths › counted without the leaf and self-issued ones', () => {
    const zero = authority('Middle', 'Root', { extensions: authorityExtensions(0) });
    accepts([LEAF, zero]);
    const low = authority('Low', 'Middle');
    refuses('path too long', 1, [leaf('Low'), zero, low]);
    const rolled = authority('Middle', 'Middle', { key: 'Middle new' });
    accepts([leaf('Middle', { signer: 'Middle new' }), zero, rolled]);
    const one = authority('Middle', 'Root', { extensions: authorityExtensions(1) });
    accepts([leaf('Low'), one, low]);
    const lower = authority('Lower', 'Low');
    refuses('path too long', 1, [leaf('Lower'), one, low, lower]);
  });
});

describe('an anchor', () => {
  const root = (parts: Parameters<typeof authority>[2]) => ({
    anchors: anchorsOf(authority('Root', 'Root', parts)),
  });
  test('expired, or not yet valid › refused as any other', () => {
    refuses('expired', null, [LEAF, MIDDLE], root({ notAfter: daysFrom(NOW, -0.1) }));
    refuses('not yet valid', null, [LEAF, MIDDLE], root({ notBefore: daysFrom(NOW, 1) }));
  });
  test('its own signature › not looked at', () => {
    accepts([LEAF, MIDDLE], root({ signer: 'Mallory', key: 'Root' }));
  });
  test('its constraints › bind', () => {
    refuses('path too long', null, [LEAF, MIDDLE], root({ extensions: authorityExtensions(0) }));
    refuses('not a CA', null, [LEAF, MIDDLE], root({ extensions: leafExtensions() }));
    const constraints = nameConstraints({ permitted: [hostName('example.org')!], excluded: [] });
    const extensions = [...authorityExtensions(), constraints];
    refuses('name constraint', null, [LEAF, MIDDLE], root({ extensions }));
  });
  test('an intermediate as anchor › accepted without its issuer', () => {
    accepts([LEAF], { anchors: anchorsOf(MIDDLE) });
  });
  test('a pinned leaf › accepted without an issuer, and still checked', () => {
    const own = leaf('leaf', { signer: 'leaf' });
    const anchors = anchorsOf(own);
    assert.deepEqual(accepts([own], { anchors }), [own]);
    refuses('name mismatch', 0, [own], { anchors, name: 'example.org' });
    refuses('expired', 0, [own], { anchors, at: daysFrom(NOW, 40) });
    const twin = leaf('leaf', { signer: 'leaf' });
    refuses('not a CA', null, [twin], { anchors });
  });
  test('sent as the leaf › CA as leaf', () => {
    refuses('CA as leaf', 0, [ROOT], { name: null });
  });
});

describe('a leaf', () => {
  const own = (extensions: readonly Extension[]) => leaf('Root', { extensions });
  const [constraints, usage, purpose, names] = leafExtensions();

  test('that is a CA › CA as leaf', () => {
    refuses('CA as leaf', 0, [own([authorityConstraints(null), usage, purpose, names])]);
  });
  test('that may not sign › wrong key usage; without key usage › accepted', () => {
    const { keyEncipherment, digitalSignature, keyCertSign } = keyUsage;
    for (const bits of [keyEncipherment, digitalSignature + keyCertSign]) {
      refuses('wrong key usage', 0, [own([constraints, keyUsages(bits), purpose, names])]);
    }
    accepts([own([constraints, purpose, names])]);
  });
  test('for another purpose › wrong purpose; for any, or without › accepted', () => {
    refuses('wrong purpose', 0, [LEAF, MIDDLE], { purpose: 'clientAuth' });
    const client = leaf('Root', { extensions: leafExtensions(['example.com'], 'clientAuth') });
    refuses('wrong purpose', 0, [client]);
    accepts([client], { purpose: 'clientAuth', name: null });
    accepts([own([constraints, usage, names])]);
  });
  test('out of its time › expired, not yet valid', () => {
    refuses('expired', 0, [leaf('Middle', { notAfter: daysFrom(NOW, -0.1) }), MIDDLE]);
    const late = leaf('Middle', { notBefore: daysFrom(NOW, 1) });
    refuses('not yet valid', 0, [late, MIDDLE]);
  });
  test('with an extension that must be understood › refused', () => {
    const acme = { oid: '1.3.6.1.5.5.7.1.31', critical: true, value: Uint8Array.of(4, 0) };
    refuses('unhandled critical extension', 0, [own([...leafExtensions(), acme])]);
  });
  test('with name constraints › refused', () => {
    const extension = nameConstraints({ permitted: [hostName('example.com')!], excluded: [] });
    refuses('name constraint', 0, [own([...leafExtensions(), extension])]);
  });
  test('that names no host but in its common name › name mismatch', () => {
    const subjectName = makeName([[oid.commonName, 'example.com']]);
    const bare = leaf('Root', { subjectName, extensions: [constraints, usage, purpose] });
    refuses('name mismatch', 0, [bare]);
    accepts([bare], { name: null });
  });
  test('without a subject › accepted by its names', () => {
    const subjectName = makeName([]);
    accepts([leaf('Root', { subjectName })]);
    const other = alternativeNames([hostName('example.org')!], true);
    const extensions = [constraints, usage, purpose, other];
    refuses('name mismatch', 0, [leaf('Root', { subjectName, extensions })]);
  });
  test('untrusted and wrong otherwise › untrusted is said first', () => {
    refuses('unknown issuer', 0, [LEAF], { name: 'example.org', at: daysFrom(NOW, 90) });
  });
});

describe('bounds', () => {
  const chainOf = (count: number): Uint8Array[] => {
    const names = ['Root', ...Array.from({ length: count }, (_, i) => `CA ${i}`)];
    const between = names.slice(1).map((name, i) => authority(name, names[i]!, { key: name }));
    return [leaf(names.at(-1)!), ...between.reverse()];
  };

  test('intermediates › so many, and one more is not looked for', () => {
    assert.equal(accepts(chainOf(PATH_INTERMEDIATES_MAX)).length, PATH_INTERMEDIATES_MAX + 1);
    refuses('unknown issuer', 0, chainOf(PATH_INTERMEDIATES_MAX + 1));
  });

  test('certificates sent › so many, and one more is too much', () => {
    const filler = Array.from({ length: CHAIN_CERTIFICATES_MAX - 2 }, () => ROOT);
    accepts([LEAF, MIDDLE, ...filler]);
    refuses('too much work', CHAIN_CERTIFICATES_MAX, [LEAF, MIDDLE, ...filler, ROOT]);
  });

  test('a mesh of CAs that all sign each other › too much work, soon', () => {
    const names = ['a', 'b', 'c', 'd'];
    const mesh = names.flatMap((subject) =>
      names.filter((issuer) => issuer !== subject).map((issuer) => authority(subject, issuer)),
    );
    const found = validate([leaf('a'), ...mesh]);
    assert.ok(!found.ok && ['unknown issuer', 'too much work'].includes(found.error.kind));
  });

  test('signatures › so many, and one more is too much', () => {
    const anchorsWith = (count: number) =>
      anchorsOf(
        ...Array.from({ length: count }, (_, i) =>
          authority('Root', 'Root', { key: `wrong ${i % 4}`, signer: 'Root' }),
        ),
        ROOT,
      );
    const own = leaf('Root');
    accepts([own], { anchors: anchorsWith(PATH_SIGNATURES_MAX - 1) });
    refuses('too much work', 0, [own], { anchors: anchorsWith(PATH_SIGNATURES_MAX) });
  });

  test('steps › so many, and one more is too much', () => {
    const expired = { notAfter: daysFrom(NOW, -0.5) };
    const old = authority('Root', 'Root', expired);
    const anchorsWith = (count: number) =>
      anchorsOf(...Array.from({ length: count }, () => old), ROOT);
    const own = leaf('Root');
    accepts([own], { anchors: anchorsWith(PATH_STEPS_MAX - 1) });
    refuses('too much work', null, [own], { anchors: anchorsWith(PATH_STEPS_MAX) });
  });

  test('comparisons with constraints › so many, and one more is too much', () => {
    const excluded = Array.from({ length: 64 }, (_, i) => hostName(`x${i}.example.org`)!);
    const extension = nameConstraints({ permitted: [], excluded });
    const anchors = anchorsOf(
      authority('Root', 'Root', { extensions: [...authorityExtensions(), extension] }),
    );
    const named = (count: number) => {
      const names = Array.from({ length: count }, (_, i) => `y${i}.example.com`);
      return leaf('Root', { extensions: leafExtensions(names) });
    };
    const count = PATH_COMPARISONS_MAX / 64;
    accepts([named(count)], { anchors, name: 'y0.example.com' });
    refuses('too much work', null, [named(count + 1)], { anchors, name: 'y0.example.com' });
  });
});

test('a long name and many constraints on names, signed by nobody › each is read once', (t) => {
  const text = 'É '.repeat(60);
  const long = makeName(Array.from({ length: 28 }, (_, i) => ['2.5.4.10', `${text}${i}`]));
  const bases = Array.from({ length: 300 }, (_, i): GeneralName => {
    return { kind: 'directory', name: makeName([['2.5.4.10', `é${i}`]]) };
  });
  const constraints = nameConstraints({ permitted: [], excluded: bases });
  const middle = authority('Middle', 'Root', {
    extensions: [...authorityExtensions(), constraints],
  });
  const extensions = leafExtensions().slice(0, 3);
  const named = alternativeNames([{ kind: 'directory', name: long }]);
  const read = t.mock.method(hot, 'utf8Decode');
  refuses('bad signature', 0, [
    leaf('Middle', { signer: 'Nobody', extensions: [...extensions, named] }),
    middle,
  ]);
  assert.ok(read.mock.callCount() < 28 + bases.length + 20, `${read.mock.callCount()} texts`);
});

test('every byte of a chain changed, and every length of a leaf › a fault, never a path', () => {
  const at = NOW;
  for (let i = 0; i < LEAF.length; i++) {
    const cut = validate([LEAF.subarray(0, i), MIDDLE], { at });
    assert.ok(!cut.ok && cut.error.kind === 'malformed', `cut at ${i}`);
  }
  assert.ok(!parseCertificate(Uint8Array.of(...LEAF, 0)).ok);
  for (const [index, certificate] of [LEAF, MIDDLE].entries()) {
    for (let i = 0; i < certificate.length; i++) {
      for (const change of [1 << (i % 8), 0xff]) {
        const changed = certificate.slice();
        changed[i]! ^= change;
        const chain = index === 0 ? [changed, MIDDLE] : [LEAF, changed];
        assert.ok(!validate(chain).ok, `byte ${i} of certificate ${index}`);
      }
    }
  }
});

test('a leaf that has the name of its issuer › name constraints are for it all the same', () => {
  const constraints = nameConstraints({ permitted: [hostName('example.org')!], excluded: [] });
  const middle = authority('Middle', 'Root', {
    extensions: [...authorityExtensions(), constraints],
  });
  refuses('name constraint', 1, [leaf('Middle', { subjectName: commonName('Middle') }), middle]);
});
