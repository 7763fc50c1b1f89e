/** PKITS: what isn't about policies has the result that it should, or is listed with a reason. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { PKITS, runPkits } from './pkits.ts';

const skip = existsSync(PKITS)
  ? false
  : 'not installed: python3-cryptography-vectors; npm run setup';

/** Valid ones that we refuse, and why we may: what isn't understood isn't believed. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  'no DSA': ['DSASignaturesTest4', 'DSAParameterInheritanceTest5'],
  'a CA is no leaf here': [
    'pathLenConstraintTest8',
    'pathLenConstraintTest14',
    'onlyContainsCACertsTest13',
  ],
  'constraints on e-mail addresses and URIs aren’t understood': [
    'RFC822nameConstraintsTest21',
    'RFC822nameConstraintsTest23',
    'RFC822nameConstraintsTest25',
    'DNandRFC822nameConstraintsTest27',
    'URInameConstraintsTest34',
    'URInameConstraintsTest36',
  ],
  'lists signed with a key that isn’t on the path': [
    'BasicSelfIssuedNewWithOldTest3',
    'BasicSelfIssuedNewWithOldTest4',
    'BasicSelfIssuedCRLSigningKeyTest6',
    'SeparateCertificateandCRLKeysTest19',
  ],
  'lists for one distribution point or for some reasons don’t cover': [
    'distributionPointTest1',
    'distributionPointTest4',
    'distributionPointTest5',
    'distributionPointTest7',
    'onlySomeReasonsTest18',
    'onlySomeReasonsTest19',
  ],
  'no indirect and no delta lists': [
    'IDPwithindirectCRLTest22',
    'IDPwithindirectCRLTest24',
    'IDPwithindirectCRLTest25',
    'cRLIssuerTest28',
    'cRLIssuerTest29',
    'cRLIssuerTest30',
    'cRLIssuerTest33',
    'deltaCRLTest5',
  ],
};
/** What a delta list alone tells isn't known here. */
const BELIEVED = ['deltaCRLTest4'];

/** §4.8 to §4.12: all policies are acceptable here, and critical rules about them refused. */
const isAboutPolicies = (name: string): boolean => /polic|Qualifier/i.test(name);

const all = skip === false ? runPkits() : [];

test('PKITS › run › what is refused and believed beside its results is listed', { skip }, () => {
  const outcomes = all.filter(({ name }) => !isAboutPolicies(name));
  const refused = outcomes.filter(({ name, got }) => name.startsWith('Valid') && got !== 'valid');
  const believed = outcomes.filter(
    ({ name, got }) => name.startsWith('Invalid') && got === 'valid',
  );
  const short = (list: typeof outcomes): string[] =>
    list.map(({ name }) => name.replace(/^(Invalid|Valid)/, '')).sort();
  assert.deepEqual(short(refused), Object.values(REFUSED).flat().sort());
  assert.deepEqual(short(believed), BELIEVED);
  assert.equal(outcomes.length, 161);
});

test('PKITS › invalid › refused for the reason of the test', { skip }, () => {
  const got = new Map(all.map((one) => [one.name.replace('Invalid', ''), one.got]));
  const reasons = {
    EESignatureTest3: 'bad signature',
    CAnotBeforeDateTest1: 'not yet valid',
    EEnotAfterDateTest6: 'expired',
    pre2000UTCEEnotAfterDateTest7: 'expired',
    NameChainingTest1: 'unknown issuer',
    RevokedCATest2: 'revoked',
    RevokedEETest3: 'revoked',
    MissingCRLTest1: 'revocation unknown',
    MissingbasicConstraintsTest1: 'not a CA',
    cAFalseTest2: 'not a CA',
    pathLenConstraintTest5: 'path too long',
    SelfIssuedpathLenConstraintTest16: 'path too long',
    keyUsageCriticalkeyCertSignFalseTest1: 'wrong key usage',
    DNnameConstraintsTest2: 'name constraint',
    DNSnameConstraintsTest31: 'name constraint',
    UnknownCriticalCertificateExtensionTest2: 'unhandled critical extension',
  };
  for (const [name, reason] of Object.entries(reasons)) assert.equal(got.get(name), reason, name);
});
