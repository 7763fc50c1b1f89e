/** What selecting reads, by count; and that passing over what trees share loses nothing. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toI32 } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { IdTable } from '../id-table.ts';
import { MemoryBackend } from '../memory-backend.ts';
import { type GitObject, nameObject, type ObjectKind } from '../object.ts';
import { type ObjectId, writeId } from '../object-id.ts';
import { must } from '../test-must.ts';
import { formatObjectFilter, type ObjectFilter, objectFilterOf } from '../wire/object-filter.ts';
import { emitTree, type TreeEntry } from '../wire/tree.ts';
import { selectObjects } from './select-objects.ts';

const encoder = new TextEncoder();

/** A directory: files by their text, and directories. */
interface Folder {
  readonly [name: string]: string | Folder;
}

class CountingBackend extends MemoryBackend {
  readonly all = new Map<ObjectId, GitObject>();
  readonly reads: ObjectId[] = [];
  private readonly files = new Map<string, ObjectId>();

  override readObject(id: ObjectId) {
    this.reads.push(id);
    return super.readObject(id);
  }

  async add(kind: ObjectKind, bytes: Uint8Array): Promise<ObjectId> {
    const object = nameObject(nodeCrypto, 'SHA-1', kind, bytes);
    if (!this.all.has(object.id)) must(await this.writeObjects([object]));
    this.all.set(object.id, object);
    return object.id;
  }

  async addFile(text: string): Promise<ObjectId> {
    const id = this.files.get(text) ?? (await this.add('blob', encoder.encode(text)));
    this.files.set(text, id);
    return id;
  }

  async addFolder(folder: Folder): Promise<ObjectId> {
    const entries: TreeEntry[] = [];
    for (const [name, what] of Object.entries(folder)) {
      const isFile = typeof what === 'string';
      const id = isFile ? await this.addFile(what) : await this.addFolder(what);
      entries.push({ mode: isFile ? 0o100644 : 0o40000, name, id });
    }
    const key = (entry: TreeEntry) => (entry.mode === 0o40000 ? `${entry.name}/` : entry.name);
    entries.sort((a, b) => (key(a) < key(b) ? -1 : 1));
    return this.add('tree', emitTree(entries, 20));
  }

  addCommit(tree: ObjectId, parents: readonly ObjectId[], seconds: number): Promise<ObjectId> {
    const lines = [`tree ${tree}`, ...parents.map((id) => `parent ${id}`)];
    lines.push(`author A <a@b> ${seconds} +0000`, `committer A <a@b> ${seconds} +0000`, '', 'm');
    return this.add('commit', encoder.encode(lines.join('\n')));
  }

  kinds(ids: readonly ObjectId[]): Partial<Record<ObjectKind, number>> {
    const counts: Partial<Record<ObjectKind, number>> = {};
    for (const id of ids) {
      const { kind } = this.all.get(id)!;
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
  }
}

/** Each commit changes one of `files` files in one of four directories. */
async function linearHistory(backend: CountingBackend, commits: number, files: number) {
  const folders = Array.from({ length: 4 }, () => ({}) as Record<string, string>);
  for (let i = 0; i < files; i++) folders[i % 4]![`file${i}`] = 'first';
  let tip: ObjectId | null = null;
  for (let i = 0; i < commits; i++) {
    folders[i % 4]![`file${(i * 4 + (i % 4)) % files}`] = `${i}`;
    const tree = await backend.addFolder({ ...folders } as unknown as Folder);
    tip = await backend.addCommit(tree, tip === null ? [] : [tip], 1_000 + i);
  }
  return tip!;
}

test('a long history › selected › each commit and tree is read once, no file, all are chosen', async () => {
  const backend = new CountingBackend();
  const tip = await linearHistory(backend, 60, 40);
  backend.reads.length = 0;
  const selection = must(await selectObjects(backend, { wants: [tip], haves: [] }));
  const { commit, tree } = backend.kinds([...backend.all.keys()]);
  assert.deepEqual(backend.kinds(backend.reads), { commit, tree });
  assert.equal(selection.count, backend.all.size);
});

test('twice the history, of wide trees › selected › as many more entries are looked at', async (t) => {
  const files = 400;
  const looks: number[] = [];
  for (const commits of [10, 20]) {
    const backend = new CountingBackend();
    const tip = await linearHistory(backend, commits, files);
    const add = t.mock.method(IdTable.prototype, 'add');
    must(await selectObjects(backend, { wants: [tip], haves: [] }));
    looks.push(add.mock.callCount());
    add.mock.restore();
  }
  // The first tree whole; then of each commit itself, its parent, a tree of two, and a file.
  assert.ok(looks[0]! < files + 10 * 20, `${looks[0]}`);
  assert.ok(looks[1]! - looks[0]! < 10 * 20, `${looks}`);
});

test('a fault in two trees alike › selected › what is behind it is looked at in neither', async () => {
  const backend = new CountingBackend();
  const entries: Uint8Array[] = [];
  for (const text of ['a', 'b', 'c']) {
    const bytes = new Uint8Array(29);
    bytes.set(encoder.encode(`100644 ${text}`));
    writeId(bytes, 9, await backend.addFile(text));
    entries.push(bytes);
  }
  const [a, b, c] = entries;
  const fault = encoder.encode('x');
  const older = await backend.add('tree', Buffer.concat([a!, fault, b!, c!]));
  const newer = await backend.add('tree', Buffer.concat([a!, fault, b!]));
  const parent = await backend.addCommit(older, [], 1);
  const tip = await backend.addCommit(newer, [parent], 2);
  const { ids } = await chosen(backend, tip, []);
  assert.deepEqual(ids, new Set([tip, parent, newer, older, await backend.addFile('a')]));
});

function random(seed: number): (below: number) => number {
  let state = toI32(seed * 2_654_435_761) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Few names and texts, so that what moves, comes back and changes its kind is met often. */
function randomFolder(draw: (below: number) => number, depth: number): Folder {
  const folder: Record<string, string | Folder> = {};
  for (const name of ['a', 'a.b', 'ab', 'b', 'c', 'd']) {
    const what = draw(4);
    if (what === 0) continue;
    folder[name] = what < 3 || depth === 0 ? `${draw(8)}` : randomFolder(draw, depth - 1);
  }
  return folder;
}

function changed(draw: (below: number) => number, folder: Folder, depth: number): Folder {
  const next: Record<string, string | Folder> = { ...folder };
  const names = Object.keys(folder);
  const name = names[draw(names.length + 1)] ?? 'e';
  const was = folder[name];
  if (draw(4) === 0) delete next[name];
  else if (typeof was === 'object' && draw(4) > 0) next[name] = changed(draw, was, depth - 1);
  else next[name] = draw(2) === 0 || depth <= 0 ? `${draw(8)}` : randomFolder(draw, depth - 1);
  return next;
}

/** What is reached, by the plainest of walks. */
function reached(backend: CountingBackend, tip: ObjectId): Set<ObjectId> {
  const met = new Set<ObjectId>();
  const stack = [tip];
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    if (met.has(id)) continue;
    met.add(id);
    const { kind, bytes } = backend.all.get(id)!;
    const text = Buffer.from(bytes);
    if (kind === 'commit') {
      for (const [, other] of text.toString().matchAll(/^(?:tree|parent) (\w+)$/gm)) {
        stack.push(other as ObjectId);
      }
    }
    for (let at = 0; kind === 'tree' && at < text.length; ) {
      const end = text.indexOf(0, at) + 1;
      stack.push(text.toString('hex', end, end + 20) as ObjectId);
      at = end + 20;
    }
  }
  return met;
}

test('histories at random › selected › all that the other side lacks, and nothing else', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const draw = random(seed);
    const backend = new CountingBackend();
    let folder = randomFolder(draw, 2);
    const commits: ObjectId[] = [];
    for (let i = 0; i < 15; i++) {
      folder = changed(draw, folder, 2);
      const parents = commits.slice(-1 - draw(3)).slice(0, 1 + draw(2));
      commits.push(await backend.addCommit(await backend.addFolder(folder), parents, 1_000 + i));
    }
    const tip = commits.at(-1)!;
    for (const have of [null, commits[draw(12)]!]) {
      const haves = have === null ? [] : [have];
      const { count, ...selection } = await chosen(backend, tip, haves);
      const wanted = reached(backend, tip);
      const theirs = have === null ? new Set<ObjectId>() : reached(backend, have);
      for (const id of wanted) {
        assert.ok(selection.ids.has(id) || theirs.has(id), `seed ${seed}: ${id} is missing`);
      }
      for (const id of selection.ids) assert.ok(wanted.has(id), `seed ${seed}: ${id} is too much`);
      assert.equal(count, selection.ids.size);
    }
  }
});

async function chosen(backend: MemoryBackend, tip: ObjectId, haves: readonly ObjectId[]) {
  const selection = must(await selectObjects(backend, { wants: [tip], haves }));
  const ids = new Set<ObjectId>();
  for (let i = 0; i < selection.count; i++) ids.add(selection.idAt(i));
  return { count: selection.count, ids };
}

test('a filter › blobs at its length and a byte shorter, one that is wanted, trees › left out, sent', async () => {
  const backend = new CountingBackend();
  const folder = { a: '123456789', b: '1234567890', c: { d: '12345678901', e: '123456789' } };
  const tree = await backend.addFolder(folder);
  const first = await backend.addCommit(tree, [], 1);
  const root = await backend.addFolder({ ...folder, f: '12345678901' });
  const commit = await backend.addCommit(root, [first], 2);
  const long = await backend.addFile('12345678901');
  const select = async (filter: ObjectFilter, wants: ObjectId[]) => {
    const selection = must(await selectObjects(backend, { wants, haves: [], filter }));
    const ids = Array.from({ length: selection.count }, (_, i) => selection.idAt(i));
    assert.equal(new Set(ids).size, ids.length);
    return ids;
  };
  const short = await select({ kind: 'blobs', bytesMin: 10 }, [commit]);
  assert.deepEqual(backend.kinds(short), { commit: 2, tree: 3, blob: 1 });
  assert(short.includes(await backend.addFile('123456789')));
  const read = backend.reads.filter((id) => id === long);
  assert.equal(read.length, 1, 'what is too long is read once');
  const none = { kind: 'blobs', bytesMin: 0 } as const;
  assert.deepEqual(backend.kinds(await select(none, [commit])), { commit: 2, tree: 3 });
  assert.deepEqual(backend.kinds(await select(none, [tree])), { tree: 2 });
  assert.deepEqual(await select(none, [long]), [long]);
  assert.deepEqual(backend.kinds(await select({ kind: 'trees' }, [commit])), { commit: 2 });
  assert.deepEqual(backend.kinds(await select({ kind: 'trees' }, [long, commit])), {
    commit: 2,
    blob: 1,
  });
});

test('filters › as git writes them, out of range, unknown › read, refused', () => {
  const blobs = (bytesMin: number) => ({ kind: 'blobs', bytesMin });
  for (const [text, filter] of [
    ['blob:none', blobs(0)],
    ['blob:limit=0', blobs(0)],
    ['blob:limit=7', blobs(7)],
    ['blob:limit=2k', blobs(2_048)],
    ['blob:limit=1G', blobs(2 ** 30)],
    ['tree:0', { kind: 'trees' }],
    ['blob:limit=999999999999999g', null],
    ['blob:limit=-1', null],
    ['blob:limit=', null],
    ['tree:1', null],
    ['sparse:oid=main', null],
  ] as const) {
    assert.deepEqual(objectFilterOf(text), filter, text);
    if (filter === null) continue;
    const again = objectFilterOf(formatObjectFilter(filter as ObjectFilter));
    assert.deepEqual(again, filter, text);
  }
});
