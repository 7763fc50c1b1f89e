import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { CertificateAuthority } from './authority.ts';
import { parseRevocationList } from './crl.ts';
import { hostName } from './extension-writer.ts';
import { formatName, isEmptyName } from './name.ts';
import { validatePath } from './path.ts';
import { anchorsOf, keyOf, NOW, tools, validity } from './test-authority.ts';

const { spki } = keyOf('leaf');
const validate = (
  chain: readonly Uint8Array[],
  root: CertificateAuthority,
  name: string | null,
  purpose: 'serverAuth' | 'clientAuth' = 'serverAuth',
) =>
  validatePath({
    crypto: nodeCrypto,
    chain,
    anchors: anchorsOf(root.certificate.raw),
    at: NOW,
    purpose,
    name,
  });

describe('an authority', () => {
  test('with an intermediate › its leaves are valid for their names', () => {
    const root = CertificateAuthority.create(tools, { name: 'Root', pathLength: 1, ...validity });
    const middle = root.createIntermediate({ name: 'Middle', ...validity });
    const names = ['example.com', '*.example.com', '192.0.2.1', '2001:db8::1'];
    const leaf = middle.issue({ names, spki, purposes: ['serverAuth'], ...validity });
    const chain = [leaf, middle.certificate.raw];
    for (const name of ['example.com', 'a.example.com', '192.0.2.1', '2001:db8::1']) {
      const found = validate(chain, root, name);
      assert.ok(found.ok);
      assert.equal(formatName(found.value.leaf.subject), 'CN=example.com');
      assert.equal(found.value.anchor.raw, root.certificate.raw);
    }
    assert.ok(!validate(chain, root, 'example.org').ok);
    assert.ok(!validate(chain, root, 'example.com', 'clientAuth').ok);
    // One more below: its path length is 0.
    const low = middle.createIntermediate({ name: 'Low', ...validity });
    const below = low.issue({ names, spki, purposes: ['serverAuth'], ...validity });
    const found = validate([below, low.certificate.raw, middle.certificate.raw], root, null);
    assert.ok(!found.ok && found.error.kind === 'path too long');
  });

  test('with constraints › its leaves elsewhere are refused', () => {
    const constraints = { permitted: [hostName('example.com')!], excluded: [] };
    const root = CertificateAuthority.create(tools, { name: 'Root', constraints, ...validity });
    const issue = (name: string) =>
      root.issue({ names: [name], spki, purposes: ['serverAuth'], ...validity });
    assert.ok(validate([issue('a.example.com')], root, 'a.example.com').ok);
    const found = validate([issue('example.org')], root, 'example.org');
    assert.ok(!found.ok && found.error.kind === 'name constraint');
  });

  test('a leaf without a name that fits › an empty subject and critical names', () => {
    const root = CertificateAuthority.create(tools, { name: 'Root', ...validity });
    const name = `${'a'.repeat(60)}.example`;
    const leaf = root.issue({ names: [name], spki, purposes: ['serverAuth'], ...validity });
    const found = validate([leaf], root, name);
    assert.ok(found.ok && isEmptyName(found.value.leaf.subject));
    assert.ok(
      found.value.leaf.extensions.all.some((one) => one.oid === '2.5.29.17' && one.critical),
    );
  });

  test('what is no name › our own mistake', () => {
    const root = CertificateAuthority.create(tools, { name: 'Root', ...validity });
    for (const name of ['', 'a b', '*', '*.com', 'a.*.com', '1.2.3.4.', 'https://a/']) {
      const issue = () => root.issue({ names: [name], spki, purposes: [], ...validity });
      assert.throws(issue, { name: 'AssertionError' }, name);
    }
  });

  test('its list of revoked ones › refuses them', () => {
    const root = CertificateAuthority.create(tools, { name: 'Root', ...validity });
    const leaf = root.issue({ names: ['a'], spki, purposes: ['clientAuth'], ...validity });
    const before = validate([leaf], root, null, 'clientAuth');
    assert.ok(before.ok);
    const parsed = parseRevocationList(
      root.revoke([before.value.leaf.serial], validity.notBefore, validity.notAfter, 1),
    );
    assert.ok(parsed.ok);
    const found = validatePath({
      crypto: nodeCrypto,
      chain: [leaf],
      anchors: anchorsOf(root.certificate.raw),
      at: NOW,
      purpose: 'clientAuth',
      name: null,
      revocationLists: [parsed.value],
    });
    assert.ok(!found.ok && found.error.kind === 'revoked');
  });

  test('destroyed › signs no more', () => {
    const root = CertificateAuthority.create(tools, { name: 'Root', ...validity });
    root.destroy();
    assert.throws(() => root.issue({ names: ['a'], spki, purposes: [], ...validity }));
  });

  test('another’s key › our own mistake', () => {
    const root = CertificateAuthority.create(tools, { name: 'Root', ...validity });
    assert.throws(() => new CertificateAuthority(tools, root.certificate, keyOf('leaf')));
  });
});
