import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { PARENTS_MAX } from '../limits.ts';
import { hashObject } from '../object.ts';
import { type ObjectId, parseObjectId } from '../object-id.ts';
import { emitCommit, formatCommit, parseCommit } from './commit.ts';
import { formatSignature, parseSignature } from './signature.ts';
import { emitTag, formatTag, parseTag } from './tag.ts';

const directory = mkdtempSync(join(tmpdir(), 'commit-'));
after(() => rmSync(directory, { recursive: true }));
const env = {
  ...process.env,
  GIT_CONFIG_NOSYSTEM: '1',
  HOME: directory,
  GIT_DIR: directory,
  GIT_AUTHOR_NAME: 'Ada Größe',
  GIT_AUTHOR_EMAIL: 'ada@example.org',
  GIT_AUTHOR_DATE: '1800000000 -0330',
  GIT_COMMITTER_NAME: 'C',
  GIT_COMMITTER_EMAIL: 'c@example.org',
  GIT_COMMITTER_DATE: '1800000001 +0100',
};
const git = (args: string[], input: Uint8Array | string = ''): Buffer =>
  execFileSync('git', args, { env, input });
git(['init', '-q', '--bare', directory]);
const line = (args: string[], input: Uint8Array | string = ''): ObjectId =>
  parseObjectId(git(args, input).toString().trim())!;

const TREE = line(['mktree'], '');
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const WHO = 'A <a@b> 1 +0000';
const HEAD = `tree ${TREE}\nauthor ${WHO}\ncommitter ${WHO}\n`;

test('commits and tags of git › parsed › what git was told; written › byte for byte', () => {
  const first = line(['commit-tree', TREE, '-m', 'first']);
  const second = line(['commit-tree', TREE, '-p', first, '-F', '-'], 'Größe\n\nmore\n');
  const merge = line(['commit-tree', TREE, '-p', second, '-p', first, '-m', 'merge']);
  for (const id of [first, second, merge]) {
    const bytes = Uint8Array.from(git(['cat-file', 'commit', id]));
    const parsed = parseCommit(bytes, 20);
    assert.ok(parsed.ok);
    assert.deepEqual(emitCommit(parsed.value), bytes);
    assert.equal(hashObject(nodeCrypto, 'SHA-1', 'commit', bytes), id);
    const { author, committer } = parsed.value;
    assert.deepEqual([author.name, author.seconds], ['Ada Größe', 1_800_000_000]);
    assert.deepEqual([author.zoneMinutes, committer.zoneMinutes], [-210, 60]);
    if (id === merge) assert.deepEqual(parsed.value.parents, [second, first]);
    if (id === second) assert.equal(parsed.value.message, 'Größe\n\nmore\n');
    if (id === first) assert.match(formatCommit(parsed.value), /^[0-9a-f]{40} by Ada .*: first$/);
  }
  git(['tag', '-a', 'v1', '-m', 'a tag', merge]);
  const bytes = Uint8Array.from(git(['cat-file', 'tag', 'v1']));
  const tag = parseTag(bytes, 20);
  assert.ok(tag.ok);
  assert.deepEqual(emitTag(tag.value), bytes);
  assert.deepEqual([tag.value.object, tag.value.kind, tag.value.name], [merge, 'commit', 'v1']);
  assert.equal(formatTag(tag.value), `v1: commit ${merge}`);
});

test('signed, in another encoding, with odd identities › written as it was', () => {
  const signed = `${HEAD}encoding ISO-8859-1\ngpgsig -----BEGIN\n \n x\n -----END\n\nGr\xf6\xdfe`;
  const odd = [
    'A <a@b> 1 -0000',
    'A <a@b> 1 +051800',
    'A <a@b> 99999999999999999999 +0000',
    'A <a@b>',
    'A<a@b> 1 +0000',
    'nobody at all',
    '',
    ' <> 0 +0000',
    'A <a <b>> 1 +0000',
    'A  <a@b>  1 +0099',
  ];
  const texts = odd.map((who) => `tree ${TREE}\nauthor ${who}\ncommitter ${WHO}\n\n`);
  for (const text of [signed, ...texts]) {
    const bytes = bytesOf(text);
    const parsed = parseCommit(bytes, 20);
    assert.ok(parsed.ok, text);
    assert.deepEqual(emitCommit(parsed.value), bytes, text);
  }
  assert.deepEqual(parseSignature('A <a@b> 1 +0130'), {
    name: 'A',
    email: 'a@b',
    seconds: 1,
    zoneMinutes: 90,
  });
  assert.equal(formatSignature({ name: '', email: '', seconds: 0, zoneMinutes: 0 }), ' <> 0 +0000');
});

test('without a blank line at its end › parsed as Git does › no message', () => {
  const parsed = parseCommit(bytesOf(HEAD), 20);
  assert.equal(parsed.ok && parsed.value.message, '');
});

test('malformed commits › parsed › a fault', () => {
  const texts = [
    '',
    'tree',
    `tree ${TREE}`,
    `tree ${TREE.slice(1)}\nauthor ${WHO}\ncommitter ${WHO}\n\n`,
    `tree ${TREE.toUpperCase()}\nauthor ${WHO}\ncommitter ${WHO}\n\n`,
    `tree ${TREE}\nparent ${TREE}0\nauthor ${WHO}\ncommitter ${WHO}\n\n`,
    `tree ${TREE}\ncommitter ${WHO}\nauthor ${WHO}\n\n`,
    `tree ${TREE}\nauthor ${WHO}\n\n`,
    `tree ${TREE}\nauthor A\0B <a@b> 1 +0000\ncommitter ${WHO}\n\n`,
    `${HEAD}gpgsig x`,
  ];
  for (const text of texts) assert.equal(parseCommit(bytesOf(text), 20).ok, false, text);
});

test('parents at the bound › parsed › taken; one more › a fault', () => {
  const of = (count: number): Uint8Array => {
    const parents = `parent ${TREE}\n`.repeat(count);
    return bytesOf(`tree ${TREE}\n${parents}author ${WHO}\ncommitter ${WHO}\n\n`);
  };
  const parsed = parseCommit(of(PARENTS_MAX), 20);
  assert.equal(parsed.ok && parsed.value.parents.length, PARENTS_MAX);
  assert.equal(parseCommit(of(PARENTS_MAX + 1), 20).ok, false);
});

test('malformed tags › parsed › a fault; without a tagger › taken', () => {
  const head = `object ${TREE}\ntype tree\ntag v1\n`;
  assert.equal(parseTag(bytesOf(`${head}\nold`), 20).ok, true);
  for (const text of [
    '',
    `object ${TREE}\n`,
    `object ${TREE}\ntype thing\ntag v1\n\n`,
    `object ${TREE}\ntag v1\ntype tree\n\n`,
    `type tree\n${head}\n`,
  ]) {
    assert.equal(parseTag(bytesOf(text), 20).ok, false, text);
  }
});
