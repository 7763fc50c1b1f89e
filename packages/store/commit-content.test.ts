import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok } from '#core';
import { type KvFile, kvCases } from '#device/conformance';
import { MemoryBackend, nameObject, type ObjectId } from '#git';
import { emitTree } from '#git/wire';
import { nodeCrypto } from '#targets/node/crypto';
import { CONTENT_ENTRIES_MAX, CommitContent, type ContentOptions } from './commit-content.ts';
import { START_SECONDS, testRepository, value } from './test-world.ts';

const ALL = { bytesMax: 1 << 20 };

class Site {
  readonly repository = testRepository();

  /** Commits these changes; null removes. */
  async commit(files: Readonly<Record<string, string | null>>): Promise<ObjectId> {
    const store = this.repository.branch('main');
    const done = await store.withTree([], async (found) => {
      let tree = found;
      for (const [path, text] of Object.entries(files)) {
        const steps = path.split('/');
        const next =
          text === null
            ? await tree.remove(steps)
            : await tree.set(steps, new Uint8Array(Buffer.from(text)));
        tree = value(next);
      }
      return ok(tree);
    });
    value(done);
    return value(await store.head())!;
  }

  async load(id: ObjectId, options: ContentOptions = ALL): Promise<CommitContent> {
    return value(await CommitContent.load(this.repository, id, options));
  }
}

async function make(files: readonly KvFile[]): Promise<CommitContent> {
  const { repository } = new Site();
  let tree = repository.emptyTree();
  for (const { path, bytes } of files) tree = value(await tree.set(path.split('/'), bytes));
  const written = value(await tree.toWrite());
  const id = value(await repository.writeCommit(written, [], {}));
  return value(await CommitContent.load(repository, id, ALL));
}

for (const { name, run } of kvCases) test(`a commit › ${name}`, () => run(make));

test('digests › are the blobs’ own names; times › of the commit', async () => {
  const site = new Site();
  const id = await site.commit({ 'a/b': 'hello\n' });
  const entry = (await site.load(id)).get('a/b')!;
  assert.equal(entry.digest, 'ce013625030ba8dba906f756967f9e9ca394464a');
  assert.ok(entry.modifiedSeconds >= START_SECONDS);
});

test('another commit › what did not change is the same entry; what did is another', async () => {
  const site = new Site();
  const before = await site.load(await site.commit({ a: '1', b: '2', c: '3' }));
  const id = await site.commit({ b: 'two', c: null, d: '1' });
  const after = await site.load(id, { ...ALL, previous: before });
  assert.equal(after.get('a'), before.get('a'));
  assert.notEqual(after.get('b')?.digest, before.get('b')?.digest);
  assert.deepEqual(after.paths(), ['a', 'b', 'd']);
  assert.equal(after.get('d')?.digest, before.get('a')?.digest);
  assert.deepEqual(before.paths(), ['a', 'b', 'c'], 'the old one stays as it was');
});

test('x.gz and x.br › forms of x, where shorter; another form is another entry', async () => {
  const site = new Site();
  const files = { 'a.css': 'long content', 'a.css.gz': 'GZ', 'a.css.br': 'longer than it', b: 'b' };
  const before = await site.load(await site.commit(files));
  const forms = before.get('a.css')!.variants.map((form) => [form.encoding, form.bytes.length]);
  assert.deepEqual(forms, [['gzip', 2]]);
  const id = await site.commit({ 'a.css.gz': null });
  const after = await site.load(id, { ...ALL, previous: before });
  assert.deepEqual(after.get('a.css')?.variants, []);
  assert.equal(after.get('b'), before.get('b'));
});

test('bytes and files › at the bound fine, one past it an error', async () => {
  const site = new Site();
  const id = await site.commit({ a: '12345', b: '67890' });
  const kind = async (options: ContentOptions): Promise<string> => {
    const loaded = await CommitContent.load(site.repository, id, options);
    return loaded.ok ? 'ok' : loaded.error.kind;
  };
  assert.equal(await kind({ bytesMax: 10 }), 'ok');
  assert.equal(await kind({ bytesMax: 9 }), 'too large');
  assert.equal(await kind({ bytesMax: 10, filesMax: 2 }), 'ok');
  assert.equal(await kind({ bytesMax: 10, filesMax: 1 }), 'too many files');
});

test('a commit or a blob that is not here › dangling', async () => {
  const site = new Site();
  const id = await site.commit({ a: '1' });
  const none = '0'.repeat(40) as ObjectId;
  const missing = await CommitContent.load(site.repository, none, ALL);
  assert.equal(!missing.ok && missing.error.kind, 'dangling');
  // Everything but the blob.
  const part = new MemoryBackend();
  const commit = value(await site.repository.commit(id));
  for (const one of [id, commit.tree]) {
    const object = value(await site.repository.backend.readObject(one))!;
    value(await part.writeObjects([{ id: one, ...object }]));
  }
  const cut = await CommitContent.load(testRepository(part), id, ALL);
  assert.equal(!cut.ok && cut.error.kind, 'dangling');
});

test('small trees that hold each other many times › refused once as many entries were seen', async () => {
  const { repository } = new Site();
  let id = 'a'.repeat(40) as ObjectId;
  let below = 1;
  let leaf: ObjectId | undefined;
  for (const [mode, width] of [
    [0o160000, 16],
    [0o040000, 16],
    [0o040000, 16],
    [0o040000, 32],
    [0o040000, 32],
    [0o040000, 32],
  ] as const) {
    const entries = Array.from({ length: width }, (_, i) => ({
      mode,
      name: String.fromCharCode(0x40 + i),
      id,
    }));
    const tree = nameObject(nodeCrypto, 'SHA-1', 'tree', emitTree(entries, 20));
    value(await repository.backend.writeObjects([tree]));
    id = tree.id;
    leaf ??= id;
    below *= width;
  }
  assert(below > 100 * CONTENT_ENTRIES_MAX);
  const commit = value(await repository.writeCommit({ id, objects: [] }, [], {}));
  const of = (entriesMax: number) => CommitContent.load(repository, commit, { ...ALL, entriesMax });
  const loaded = await of(1_000);
  assert(!loaded.ok && loaded.error.kind === 'too many entries');
  const flat = value(await repository.writeCommit({ id: leaf!, objects: [] }, [], {}));
  assert((await CommitContent.load(repository, flat, { ...ALL, entriesMax: 16 })).ok);
  assert(!(await CommitContent.load(repository, flat, { ...ALL, entriesMax: 15 })).ok);
});
