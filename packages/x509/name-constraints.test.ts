import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCertificate } from './certificate.ts';
import { alternativeNames, hostName } from './extension-writer.ts';
import type { NameConstraints } from './extensions.ts';
import type { GeneralName } from './general-name.ts';
import { commonName, makeName } from './name.ts';
import { allowsNames } from './name-constraints.ts';
import { oid } from './oid.ts';
import { leaf } from './test-authority.ts';

const dns = (text: string): GeneralName => ({ kind: 'dns', text });
const range = (...bytes: number[]): GeneralName => ({ kind: 'ip', bytes: Uint8Array.from(bytes) });
const directory = (...pairs: [string, string][]): GeneralName => ({
  kind: 'directory',
  name: makeName(pairs),
});
const email: GeneralName = { kind: 'email', text: 'a@example.com' };
const uri: GeneralName = { kind: 'uri', text: 'https://example.com/' };
const other: GeneralName = { kind: 'other', der: Uint8Array.of(0x88, 1, 42) };
const O = '2.5.4.10';
const OU = '2.5.4.11';

function allows(
  names: readonly GeneralName[],
  constraints: Partial<NameConstraints>,
  subjectName = makeName([]),
): boolean {
  const extensions = names.length === 0 ? [] : [alternativeNames(names)];
  const parsed = parseCertificate(leaf('Root', { subjectName, extensions }));
  assert.ok(parsed.ok);
  return allowsNames({ permitted: [], excluded: [], ...constraints }, parsed.value, () => true);
}

test('a permitted subtree › its name and all below it', () => {
  const permitted = [dns('example.com')];
  for (const name of ['example.com', 'a.example.com', 'a.b.EXAMPLE.com', '*.example.com']) {
    assert.ok(allows([dns(name)], { permitted }), name);
  }
  for (const name of ['example.org', 'badexample.com', 'com', '*.com', 'example.com.', '']) {
    assert.ok(!allows([dns(name)], { permitted }), name);
  }
  assert.ok(!allows([dns('example.com'), dns('example.org')], { permitted }));
  assert.ok(allows([dns('a.example.org')], { permitted: [...permitted, dns('example.org')] }));
});

test('an excluded subtree › its name and all below it, and wildcards that reach it', () => {
  const excluded = [dns('bad.example.com')];
  for (const name of [
    'bad.example.com',
    'a.bad.example.com',
    '*.example.com',
    '*.bad.example.com',
  ]) {
    assert.ok(!allows([dns(name)], { excluded }), name);
  }
  for (const name of ['example.com', 'good.example.com', '*.good.example.com', '*.example.org']) {
    assert.ok(allows([dns(name)], { excluded }), name);
  }
  assert.ok(!allows([dns('a.bad.example.com')], { permitted: [dns('example.com')], excluded }));
});

test('a leading dot › permits what is below, excludes the name too', () => {
  const bases = [dns('.example.com')];
  assert.ok(allows([dns('a.example.com')], { permitted: bases }));
  assert.ok(!allows([dns('example.com')], { permitted: bases }));
  assert.ok(!allows([dns('a.example.com')], { excluded: bases }));
  assert.ok(!allows([dns('example.com')], { excluded: bases }));
});

test('the empty subtree › every name; a malformed one › none, or all', () => {
  assert.ok(allows([dns('a.example')], { permitted: [dns('')] }));
  assert.ok(!allows([dns('a.example')], { excluded: [dns('')] }));
  assert.ok(!allows([dns('a.example')], { permitted: [dns('a..example')] }));
  assert.ok(!allows([dns('a.example')], { excluded: [dns('b..example')] }));
  assert.ok(!allows([dns('not a name')], { excluded: [dns('example.com')] }));
});

test('addresses › by family and mask', () => {
  const ten = range(10, 0, 0, 0, 255, 0, 0, 0);
  const all4 = range(0, 0, 0, 0, 0, 0, 0, 0);
  const ours6 = range(
    0x20,
    1,
    13,
    0xb8,
    ...new Array(12).fill(0),
    255,
    255,
    255,
    255,
    ...new Array(12).fill(0),
  );
  assert.ok(allows([hostName('10.200.1.1')!], { permitted: [ten] }));
  assert.ok(!allows([hostName('11.0.0.1')!], { permitted: [ten] }));
  assert.ok(!allows([hostName('10.0.0.1')!], { excluded: [ten] }));
  assert.ok(allows([hostName('11.0.0.1')!], { excluded: [ten] }));
  assert.ok(allows([hostName('2001:db8::1')!], { permitted: [ours6] }));
  assert.ok(!allows([hostName('2001:db9::1')!], { permitted: [ours6] }));
  assert.ok(!allows([hostName('2001:db8::1')!], { permitted: [all4] }));
  assert.ok(allows([hostName('2001:db8::1')!], { excluded: [all4] }));
});

test('directory names › by what they begin with, letters and spaces aside', () => {
  const permitted = [directory([O, 'Example  Org'])];
  assert.ok(
    allows(
      [],
      { permitted },
      makeName([
        [O, 'example org'],
        [OU, 'x'],
      ]),
    ),
  );
  assert.ok(
    !allows(
      [],
      { permitted },
      makeName([
        [OU, 'x'],
        [O, 'Example Org'],
      ]),
    ),
  );
  assert.ok(!allows([], { permitted }, commonName('x')));
  assert.ok(!allows([], { excluded: permitted }, makeName([[O, 'EXAMPLE ORG']])));
  assert.ok(!allows([directory([O, 'Else'])], { permitted }, makeName([[O, 'Example Org']])));
  // No subject: nothing that the constraint is about.
  assert.ok(allows([dns('example.com')], { permitted }));
});

test('forms that aren’t understood › no name of them, others as they are', () => {
  for (const name of [email, uri, other]) {
    assert.ok(!allows([name], { permitted: [name] }), name.kind);
    assert.ok(!allows([name], { excluded: [name] }), name.kind);
    assert.ok(allows([dns('example.com')], { permitted: [name], excluded: [name] }));
  }
  const subject = makeName([[oid.emailAddress, 'a@example.com']]);
  assert.ok(!allows([], { permitted: [email] }, subject));
  assert.ok(allows([], { permitted: [dns('example.com')] }, subject));
});

test('constraints of another form › don’t matter', () => {
  assert.ok(allows([hostName('10.0.0.1')!], { permitted: [dns('example.com')] }));
  assert.ok(allows([dns('example.com')], { permitted: [range(10, 0, 0, 0, 255, 0, 0, 0)] }));
});
