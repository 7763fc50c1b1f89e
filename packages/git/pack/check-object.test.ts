/** What is let in, with `git index-pack --strict` as the judge of each. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { MemoryBackend } from '../memory-backend.ts';
import { hashObject, type ObjectKind } from '../object.ts';
import type { ObjectHash } from '../object-id.ts';
import { must } from '../test-must.ts';
import { checkObject } from './check-object.ts';
import { piecesOf, TestGit, tools } from './test-git.ts';
import { packOf } from './test-pack.ts';
import { unpackObjects } from './unpack-objects.ts';

const git = new TestGit();
after(() => git.close());
const utf8 = (text: string) => new TextEncoder().encode(text);
const latin1 = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));

const repositories = { 'SHA-1': git.repository('SHA-1'), 'SHA-256': git.repository('SHA-256') };

/** Whether Git takes a pack of these objects, and else its name for what is wrong. */
function judge(objects: readonly { kind: ObjectKind; bytes: Uint8Array }[], hash: ObjectHash) {
  const { pack } = packOf(objects, hash);
  const ended = git.run(repositories[hash], ['index-pack', '--strict', '--stdin'], pack);
  const named = /(?:error|warning): object [0-9a-f]+: (\w+): /.exec(ended.stderr);
  return { isTaken: ended.status === 0, named: named?.[1] ?? null, stderr: ended.stderr };
}

for (const hash of ['SHA-1', 'SHA-256'] as const) {
  const idBytes = hash === 'SHA-1' ? 20 : 32;
  const blob = { kind: 'blob' as const, bytes: utf8('x') };
  const empty = { kind: 'tree' as const, bytes: new Uint8Array(0) };
  const blobId = hashObject(tools.crypto, hash, 'blob', blob.bytes);
  const treeId = hashObject(tools.crypto, hash, 'tree', empty.bytes);
  const idText = (id: string) => Buffer.from(id, 'hex').toString('latin1');
  const entry = (mode: string, name: string, id: string = blobId) =>
    `${mode} ${name}\0${idText(id)}`;
  const who = 'A <a@x> 1 +0000';
  const commit = {
    kind: 'commit' as const,
    bytes: utf8(`tree ${treeId}\nauthor ${who}\ncommitter ${who}\n\nm`),
  };
  const commitId = hashObject(tools.crypto, hash, 'commit', commit.bytes);
  const commits = (change: (text: string) => string) =>
    change(Buffer.from(commit.bytes).toString());
  const tag = `object ${commitId}\ntype commit\ntag v\ntagger ${who}\n\nm\n`;

  const cases: readonly (readonly [ObjectKind, string])[] = [
    ['tree', entry('100644', 'a') + entry('100755', 'b') + entry('40000', 'c', treeId)],
    ['tree', entry('100664', 'a')],
    ['tree', entry('100600', 'a')],
    ['tree', entry('160000', 'sub', commitId)],
    ['tree', entry('120000', 'link')],
    ['tree', entry('040000', 'a', treeId)],
    ['tree', entry('100644', 'b') + entry('100644', 'a')],
    ['tree', entry('100644', 'a') + entry('100644', 'a')],
    ['tree', entry('100644', 'a') + entry('40000', 'a', treeId)],
    ['tree', entry('100644', 'a') + entry('100644', 'a.b') + entry('40000', 'a', treeId)],
    ['tree', entry('100644', 'a') + entry('100644', 'a-b') + entry('40000', 'a', treeId)],
    ['tree', entry('40000', 'a', treeId) + entry('100644', 'a.b')],
    ['tree', entry('100644', 'a.b') + entry('40000', 'a', treeId)],
    ['tree', entry('100644', 'a/b')],
    ['tree', entry('100644', '.')],
    ['tree', entry('100644', '..')],
    ['tree', entry('100644', '...')],
    ['tree', entry('40000', '.git', treeId)],
    ['tree', entry('40000', '.GiT', treeId)],
    ['tree', entry('40000', '.git ', treeId)],
    ['tree', entry('40000', '.git . ', treeId)],
    ['tree', entry('40000', 'git~1', treeId)],
    ['tree', entry('40000', 'GIT~1.', treeId)],
    ['tree', entry('40000', 'git~2', treeId)],
    ['tree', entry('40000', '.gitx', treeId)],
    ['tree', entry('40000', '.git:stream', treeId)],
    ['tree', entry('40000', 'a\\.git', treeId)],
    ['tree', entry('40000', '.git\\a', treeId)],
    ['tree', entry('40000', '.g\xe2\x80\x8cit', treeId)],
    ['tree', entry('40000', '\xef\xbb\xbf.git', treeId)],
    ['tree', entry('40000', '\xe2\x80\x8c', treeId)],
    ['tree', entry('120000', '.gitmodules')],
    ['tree', entry('120000', '.GITMODULES ')],
    ['tree', entry('120000', 'gitmod~1')],
    ['tree', entry('120000', 'gi7eba~1')],
    ['tree', entry('120000', 'gi7eb~10')],
    ['tree', entry('120000', 'gitmod~5')],
    ['tree', entry('120000', '.gitignore')],
    ['tree', entry('100644', 'a', '0'.repeat(idBytes * 2))],
    ['tree', entry('10064x', 'a')],
    ['tree', entry('', 'a')],
    ['tree', `100644 a\0${'x'.repeat(idBytes - 1)}`],
    ['tree', '100644 a'],
    ['tree', `100644 \0${idText(blobId)}`],
    ['commit', commits((text) => text)],
    ['commit', commits((text) => text.replace('\n\nm', '\n'))],
    ['commit', commits((text) => text.replace('\n\nm', ''))],
    ['commit', commits((text) => text.replace('\nm', '\nm\0m'))],
    ['commit', commits((text) => text.replace('A <', 'A\0 <'))],
    ['commit', commits((text) => text.replace('tree', 'trie'))],
    ['commit', commits((text) => text.replace(treeId, treeId.slice(1)))],
    ['commit', commits((text) => text.replace('author', 'parent x\nauthor'))],
    ['commit', commits((text) => text.replace('author', `parent ${commitId}\nauthor`))],
    ['commit', commits((text) => text.replace('author', 'author A <a@x> 1 +0000\nauthor'))],
    ['commit', commits((text) => text.replace(/author.*\n/, ''))],
    ['commit', commits((text) => text.replace(/committer.*\n/, ''))],
    ...['', 'A', '<a@x> 1 +0000', 'A> <a@x> 1 +0000', 'A<a@x> 1 +0000', 'A <a@x 1 +0000'].map(
      (line) => ['commit', commits((text) => text.replace(who, line))] as const,
    ),
    ...['', ' ', ' x +0000', ' 01 +0000', ' 0 +0000', ' 1 0000', ' 1 +000', ' 1 +00000'].map(
      (rest) => ['commit', commits((text) => text.replace(' 1 +0000', rest))] as const,
    ),
    ...[' 99999999999999999999 +0000', ' 9223372036854775807 +0000', ' -1 +0000', ' 1 -1234'].map(
      (rest) => ['commit', commits((text) => text.replace(' 1 +0000', rest))] as const,
    ),
    ['commit', commits((text) => text.replace('A <a@x>', ' <>'))],
    ['commit', commits((text) => text.replace('\n\nm', '\nencoding x\ngpgsig y\n z\n\nm'))],
    ['tag', tag],
    ['tag', tag.replace('object', 'objekt')],
    ['tag', tag.replace(commitId, 'x')],
    ['tag', tag.replace('type commit', 'typ commit')],
    ['tag', tag.replace('type commit', 'type committ')],
    ['tag', tag.replace('tag v\n', '')],
    ['tag', tag.replace('tag v', 'tag .v..')],
    ['tag', tag.replace(/tagger.*\n/, '')],
    ['tag', tag.replace('<a@x>', 'a')],
    ['tag', tag.replace('\n\nm\n', '')],
  ];

  test(`${hash} › objects, right and wrong › let in as by Git, and by its names`, async () => {
    for (const [kind, text] of hash === 'SHA-1' ? cases : cases.filter((_, i) => i % 6 === 0)) {
      const object = { kind, bytes: latin1(text) };
      const isOther = kind !== 'commit' || text !== commits((same) => same);
      const objects = [blob, empty, ...(isOther ? [commit] : []), object];
      const git = judge(objects, hash);
      const named = checkObject(kind, object.bytes, idBytes);
      const what = `${kind} ${JSON.stringify(text)}: ${git.stderr}`;
      const backend = new MemoryBackend({ hash });
      const pieces = piecesOf(packOf(objects, hash).pack, 1e6);
      const ours = await unpackObjects(pieces, backend, tools, { check: 'objects' });
      assert.equal(ours.ok, git.isTaken, `${what} ${JSON.stringify(ours)}`);
      if (named !== null && git.named !== null) assert.equal(named, git.named, what);
    }
  });
}

test('links › to what is missing, to another kind › refused as by Git', async () => {
  const blob = { kind: 'blob' as const, bytes: utf8('x') };
  const id = hashObject(tools.crypto, 'SHA-1', 'blob', blob.bytes);
  const raw = Buffer.from(id, 'hex').toString('latin1');
  const who = 'A <a@x> 1 +0000';
  const commit = utf8(`tree ${id}\nauthor ${who}\ncommitter ${who}\n\nm`);
  const cases = [
    [{ kind: 'tree' as const, bytes: latin1(`100644 a\0${raw}`) }],
    [{ kind: 'tree' as const, bytes: latin1(`40000 a\0${raw}`) }, blob],
    [{ kind: 'commit' as const, bytes: commit }, blob],
    [blob, { kind: 'commit' as const, bytes: commit }],
    [blob, { kind: 'tag' as const, bytes: utf8(`object ${id}\ntype tree\ntag v\n\n`) }],
    [blob, blob],
  ];
  for (const objects of cases) {
    const { pack } = packOf(objects);
    const path = git.repository();
    assert.notEqual(git.run(path, ['index-pack', '--strict', '--stdin'], pack).status, 0);
    const done = await unpackObjects(piecesOf(pack, 1e6), new MemoryBackend(), tools, {
      check: 'objects',
    });
    assert.ok(!done.ok && ['broken link', 'duplicate'].includes(done.error.kind));
  }
  // What is here already may be named.
  const backend = new MemoryBackend();
  must(await unpackObjects(piecesOf(packOf([blob]).pack, 9), backend, tools, { check: 'objects' }));
  const tree = packOf([{ kind: 'tree', bytes: latin1(`100644 a\0${raw}`) }]).pack;
  must(await unpackObjects(piecesOf(tree, 9), backend, tools, { check: 'objects' }));
});
