import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { PackEntry } from '../backend.ts';
import { MemoryBackend } from '../memory-backend.ts';
import { nameObject } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { must } from '../test-must.ts';
import { type CompactOptions, type CompactStep, compact } from './compact.ts';
import { emitPackIndex, PackIndex } from './pack-index.ts';
import { PackStream } from './pack-stream.ts';
import { piecesOf, sameIds, TestGit, tools } from './test-git.ts';
import { unpackObjects } from './unpack-objects.ts';

const git = new TestGit();
after(() => git.close());
const path = git.history({ seed: 8, commits: 120, files: 30 });
const ids = git.allIds(path);
const roots = git.lines(path, ['rev-parse', '--all']) as ObjectId[];
const gitPack = git.git(path, ['pack-objects', '--all', '--revs', '--stdout', '-q']);

async function load(): Promise<MemoryBackend> {
  const backend = new MemoryBackend();
  must(await unpackObjects(piecesOf(gitPack, 65_536), backend, tools, { check: 'nothing' }));
  return backend;
}

/** What it yields, and its end. */
async function run(backend: MemoryBackend, options: CompactOptions, between = () => {}) {
  const steps: CompactStep[] = [];
  const compacting = compact(backend, tools, options);
  for (;;) {
    const next = await compacting.next();
    if (next.done === true) {
      const bytes = Buffer.concat(steps.flatMap((step) => step.bytes ?? []));
      return { steps, bytes, end: next.value };
    }
    steps.push(next.value);
    between();
  }
}

/** Most cases begin with it. */
const compacted = load().then((backend) => run(backend, { roots }));

test('objects without deltas › compacted › one pack, as small as Git’s, with its index', async () => {
  const { steps, bytes, end } = await compacted;
  const written = must(end);
  assert.equal(written.objects, ids.length);
  assert.ok(written.deltas > ids.length / 4);
  const file = join(git.path, 'compact.pack');
  writeFileSync(file, bytes);
  git.git(path, ['index-pack', '--strict', file]);
  const idx = readFileSync(join(git.path, 'compact.idx'));
  const own = emitPackIndex(tools.crypto, 'SHA-1', written.entries, written.checksum);
  assert.ok(idx.equals(own));
  git.git(path, ['verify-pack', file]);
  git.git(path, ['-c', 'pack.threads=1', 'repack', '-adfq']);
  const [theirs] = git
    .lines(path, ['count-objects', '-v'])
    .filter((l) => l.startsWith('size-pack'));
  assert.ok(bytes.length / 1_024 < Number(theirs!.split(' ')[1]) * 1.3);
  // It stops often: the longest way between is a quarter of a megabyte.
  assert.deepEqual([...new Set(steps.map(({ phase }) => phase))].sort(), [
    'comparing',
    'selecting',
    'writing',
  ]);
  assert.ok(Math.max(...steps.map((step) => step.bytes?.length ?? 0)) < 300_000);
});

test('written to meanwhile › compacted › what the roots reach, the same bytes', async () => {
  const backend = await load();
  let count = 0;
  const first = await compacted;
  const second = await run(backend, { roots }, () => {
    const bytes = new TextEncoder().encode(`meanwhile ${count++}`);
    void backend.writeObjects([nameObject(tools.crypto, 'SHA-1', 'blob', bytes)]);
  });
  assert.ok(count > 3);
  assert.ok(first.bytes.equals(second.bytes));
});

/** Objects in memory, and a pack with deltas to copy from. */
class PackedBackend extends MemoryBackend {
  readonly pack: Uint8Array;
  readonly index: PackIndex;
  readonly entries = new Map<ObjectId, PackEntry>();

  constructor(pack: Uint8Array, index: PackIndex) {
    super();
    this.pack = pack;
    this.index = index;
  }

  async readEntry(id: ObjectId) {
    return { ok: true as const, value: this.entries.get(id) ?? null };
  }
}

test('a pack of ours, stored › compacted again › copied, deltas and all', async () => {
  const { bytes, end } = await compacted;
  const { entries, checksum } = must(end);
  const idx = emitPackIndex(tools.crypto, 'SHA-1', entries, checksum);
  const backend = new PackedBackend(bytes, must(PackIndex.parse(idx, 'SHA-1')));
  must(await unpackObjects(piecesOf(bytes, 65_536), backend, tools, { check: 'objects' }));
  await noteEntries(backend);
  const again = await run(backend, { roots });
  // What was whole is compared again, and a few find something now.
  assert.ok(must(again.end).reused > ids.length * 0.95);
  assert.ok(again.bytes.length <= bytes.length * 1.01);
  const judge = git.repository();
  git.git(judge, ['index-pack', '--strict', '--stdin'], again.bytes);
  sameIds(git.allIds(judge), ids);
});

test('one pack, with deltas or none › compacted › small objects are compared if it has none', async () => {
  const { bytes, end } = await compacted;
  const { entries, checksum } = must(end);
  const idx = emitPackIndex(tools.crypto, 'SHA-1', entries, checksum);
  const index = must(PackIndex.parse(idx, 'SHA-1'));
  for (const isAllWhole of [false, true]) {
    const backend = new PackedBackend(bytes, index);
    must(await unpackObjects(piecesOf(bytes, 65_536), backend, tools, { check: 'objects' }));
    await noteEntries(backend, 7);
    for (const [id, entry] of isAllWhole ? backend.entries : []) {
      // As of a packer that doesn't look for deltas.
      const object = must(await backend.readObject(id))!;
      const [sizeBytes, deflated] = [object.bytes.length, tools.zlib.deflate(object.bytes)];
      backend.entries.set(id, { ...entry, sizeBytes, base: null, deflated });
    }
    const again = must((await run(backend, { roots })).end);
    if (isAllWhole) assert.equal(again.deltas, must(end).deltas, 'as if it weren’t in a pack');
    else assert.equal(again.reused, ids.length, 'what Git would copy is copied');
  }
});

test('stored deltas that are upon each other › compacted › one of them is written whole', async () => {
  const { bytes, end } = await compacted;
  const { entries, checksum } = must(end);
  const idx = emitPackIndex(tools.crypto, 'SHA-1', entries, checksum);
  const backend = new PackedBackend(bytes, must(PackIndex.parse(idx, 'SHA-1')));
  must(await unpackObjects(piecesOf(bytes, 65_536), backend, tools, { check: 'objects' }));
  await noteEntries(backend);
  // As two packs may have it: each is a delta upon the other.
  const delta = [...backend.entries].find(([, { base }]) => base !== null)!;
  const other = backend.entries.get(delta[1].base!)!;
  backend.entries.set(delta[1].base!, { ...other, base: delta[0] });
  const again = await run(backend, { roots });
  assert.equal(must(again.end).objects, ids.length);
  assert.ok(must(again.end).reused < ids.length);
});

test('a root that is missing › compacted › told', async () => {
  const { end } = await run(await load(), { roots: ['b'.repeat(40) as ObjectId] });
  assert.ok(!end.ok && end.error.kind === 'damaged');
});

/** Every entry of the pack, as a backend that keeps packs would give it. */
async function noteEntries(backend: PackedBackend, pack?: number): Promise<void> {
  const stream = new PackStream(piecesOf(backend.pack, 65_536), { ...tools, hash: 'SHA-1' });
  must(await stream.open());
  const idAt = new Map<number, ObjectId>();
  for (let i = 0; i < backend.index.count; i++) {
    idAt.set(backend.index.offsetAt(i)!, backend.index.idAt(i));
  }
  for (let entry = must(await stream.next()); entry !== null; entry = must(await stream.next())) {
    const id = idAt.get(entry.offset)!;
    const { kind } = must(await backend.readObject(id))!;
    const { offset, endOffset, headBytes, sizeBytes, base } = entry;
    const baseId = base === null ? null : (base.id ?? idAt.get(offset - base.distance)!);
    const deflated = backend.pack.slice(offset + headBytes, endOffset);
    const stored = { kind, sizeBytes, base: baseId, deflated };
    backend.entries.set(id, pack === undefined ? stored : { ...stored, pack });
  }
}
