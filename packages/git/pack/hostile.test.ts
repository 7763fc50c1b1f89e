/** Packs that are meant to harm: a fault, never a throw, never an object under a wrong id. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { SeededRandom } from '#core';
import { MemoryBackend } from '../memory-backend.ts';
import { hashObject } from '../object.ts';
import type { ObjectHash, ObjectId } from '../object-id.ts';
import { must } from '../test-must.ts';
import { indexPack } from './index-pack.ts';
import { DELTA_CHAIN_MAX, ENTRY_EXCESS_BYTES, WAITING_BYTES_MAX } from './limits.ts';
import { MemoryPackStore } from './memory-pack-store.ts';
import type { PackFault } from './pack-fault.ts';
import { packHead } from './pack-head.ts';
import { PackStream } from './pack-stream.ts';
import { idsOf, piecesOf, TestGit, tools } from './test-git.ts';
import { deltaOf, packOf, resealed, sealed } from './test-pack.ts';
import { type UnpackOptions, unpackObjects } from './unpack-objects.ts';

const git = new TestGit();
after(() => git.close());
const random = new SeededRandom(12);
const utf8 = (text: string) => new TextEncoder().encode(text);

const PLAIN: UnpackOptions = { check: 'nothing', isAlone: true };
const CHECKED: UnpackOptions = { check: 'objects', isAlone: true };

/** What both readers say of a pack: the same, and what they let in has its right name. */
async function read(pack: Uint8Array, options: UnpackOptions, hash: ObjectHash = 'SHA-1') {
  const backend = new MemoryBackend({ hash });
  const unpacked = await unpackObjects(piecesOf(pack, 1 << 20), backend, tools, options);
  for (const id of await idsOf(backend)) {
    const { kind, bytes } = must(await backend.readObject(id))!;
    assert.equal(hashObject(tools.crypto, hash, kind, bytes), id);
  }
  const store = new MemoryPackStore(1 << 28);
  const empty = new MemoryBackend({ hash });
  const indexed = await indexPack(piecesOf(pack, 1 << 20), store, empty, tools, options);
  return { unpacked, indexed };
}

/** The kind of both's fault; null when both take it. */
async function faultOf(pack: Uint8Array, options: UnpackOptions = PLAIN): Promise<string | null> {
  const { unpacked, indexed } = await read(pack, options);
  const kinds = [unpacked, indexed].map((result) => (result.ok ? null : result.error.kind));
  assert.equal(kinds[0], kinds[1]);
  return kinds[0]!;
}

/** A file, two deltas upon it, by distance and by id, and a tree of them in a commit. */
function smallPack(): Uint8Array {
  const base = utf8('0123456789abcdef');
  const id = hashObject(tools.crypto, 'SHA-1', 'blob', base);
  const shorter = hashObject(tools.crypto, 'SHA-1', 'blob', utf8('0123456789ab'));
  const longer = hashObject(tools.crypto, 'SHA-1', 'blob', utf8('0123456789abcdef!'));
  const entries = [id, shorter, longer].map((file, i) => [
    ...utf8(`100644 ${i}\0`),
    ...Buffer.from(file, 'hex'),
  ]);
  const tree = Uint8Array.from(entries.flat());
  const treeId = hashObject(tools.crypto, 'SHA-1', 'tree', tree);
  const commit = utf8(`tree ${treeId}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nm`);
  const distance = packOf([{ bytes: base }]).pack.length - 20 - 12;
  return packOf([
    { bytes: base },
    { base: { distance }, bytes: deltaOf(16, 12, 0x90, 12) },
    { base: { id }, bytes: deltaOf(16, 17, 0x90, 16, 1, 0x21) },
    { kind: 'tree', bytes: tree },
    { kind: 'commit', bytes: commit },
  ]).pack;
}

const small = smallPack();

test('a small pack › cut at every byte › a fault', async () => {
  assert.equal(await faultOf(small, CHECKED), null);
  for (let count = 0; count < small.length; count++) {
    const { unpacked, indexed } = await read(small.subarray(0, count), CHECKED);
    assert.ok(!unpacked.ok && !indexed.ok, `after ${count} bytes`);
  }
});

test('a small pack › each byte flipped › a fault', async () => {
  for (let at = 0; at < small.length; at++) {
    const bad = small.slice();
    bad[at] = bad[at]! ^ (1 << (at & 7));
    const { unpacked, indexed } = await read(bad, CHECKED);
    assert.ok(!unpacked.ok && !indexed.ok, `byte ${at}`);
  }
});

test('each byte flipped, and the hash mended › what Git says', async () => {
  const judged: [number, boolean][] = [];
  for (let at = 0; at < small.length - 20; at++) {
    const bad = small.slice();
    bad[at] = bad[at]! ^ (1 << random.below(8));
    const { unpacked, indexed } = await read(resealed(bad), CHECKED);
    assert.equal(unpacked.ok, indexed.ok);
    // The head and what it leads to are where something may be right still.
    if (unpacked.ok || random.below(40) === 0) {
      const taken = git.run(
        git.repository(),
        'index-pack --strict --stdin'.split(' '),
        resealed(bad),
      );
      assert.equal(unpacked.ok, taken.status === 0, `byte ${at}: ${taken.stderr}`);
      judged.push([at, unpacked.ok]);
    }
  }
  assert.ok(judged.length > 5);
});

test('a stream larger than its head says, or smaller › refused', async () => {
  const bytes = new Uint8Array(1_000_000);
  assert.equal(await faultOf(packOf([{ bytes, sizeBytes: 100 }]).pack), 'bad entry');
  assert.equal(await faultOf(packOf([{ bytes, sizeBytes: 999_999 }]).pack), 'bad entry');
  assert.equal(await faultOf(packOf([{ bytes, sizeBytes: 1_000_001 }]).pack), 'bad entry');
  const large = { bytes: new Uint8Array(3_000_000), sizeBytes: 2_999_999 };
  assert.equal(await faultOf(packOf([large]).pack), 'bad entry');
});

test('sizes that nobody can hold › refused before anything is allocated', async () => {
  for (const sizeBytes of [2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
    assert.equal(await faultOf(packOf([{ bytes: utf8('x'), sizeBytes }]).pack), 'too much');
  }
  const heads = Uint8Array.from([...packOf([]).pack.subarray(0, 12)]);
  heads[11] = 1;
  const endless = new Uint8Array([...heads, 0xbf, ...new Array(40).fill(0xff)]);
  assert.equal(await faultOf(sealed(endless)), 'bad entry');
});

test('bounds of the caller › at each one taken, one past refused', async () => {
  const entries = ['a', 'bb', 'ccc'].map((text) => ({ bytes: utf8(text) }));
  const { pack } = packOf(entries);
  const take = (options: Partial<UnpackOptions>) => faultOf(pack, { ...PLAIN, ...options });
  assert.equal(await take({ objectsMax: 3 }), null);
  assert.equal(await take({ objectsMax: 2 }), 'too much');
  assert.equal(await take({ objectBytesMax: 3 }), null);
  assert.equal(await take({ objectBytesMax: 2 }), 'too much');
  assert.equal(await take({ packBytesMax: pack.length - 20 }), null);
  assert.equal(await take({ packBytesMax: pack.length - 21 }), 'too much');
});

test('bytes behind a pack that stands alone › refused', async () => {
  const { pack } = packOf([{ bytes: utf8('a') }]);
  assert.equal(await faultOf(new Uint8Array([...pack, 0])), 'trailing');
  assert.equal(await faultOf(new Uint8Array([...pack, 0]), { check: 'nothing' }), null);
});

/** A blob, and deltas each upon the one before it; each adds a byte. */
function chainOf(depth: number): Uint8Array {
  const entries: { bytes: Uint8Array; base?: { id: ObjectId } }[] = [{ bytes: utf8('x') }];
  let text = 'x';
  for (let i = 1; i <= depth; i++) {
    const id = hashObject(tools.crypto, 'SHA-1', 'blob', utf8(text));
    const [low, high] = [text.length % 256, text.length >> 8];
    const bytes = deltaOf(text.length, text.length + 1, 0xb0, low, high, 1, 0x79);
    entries.push({ base: { id }, bytes });
    text += 'y';
  }
  return packOf(entries).pack;
}

test('deltas upon deltas › at the bound taken, one past refused', async () => {
  const at = piecesOf(chainOf(DELTA_CHAIN_MAX), 1 << 20);
  must(await unpackObjects(at, new MemoryBackend(), tools, PLAIN));
  assert.equal(await faultOf(chainOf(DELTA_CHAIN_MAX + 1)), 'too much');
});

test('a delta before its base, bases in a circle, upon itself › taken, refused', async () => {
  const base = utf8('0123456789');
  const id = hashObject(tools.crypto, 'SHA-1', 'blob', base);
  const delta = { base: { id }, bytes: deltaOf(10, 3, 0x90, 3) };
  assert.equal(await faultOf(packOf([delta, { bytes: base }]).pack), null);
  assert.equal(await faultOf(packOf([delta]).pack), 'missing base');
  const fake = 'c'.repeat(40) as ObjectId;
  const circle = { base: { id: fake }, bytes: deltaOf(10, 3, 0x90, 3) };
  assert.equal(
    await faultOf(packOf([circle, { base: { distance: 1 }, bytes: base }]).pack),
    'missing base',
  );
  for (const distance of [1, 13, 2 ** 40]) {
    const { pack } = packOf([{ bytes: base }, { base: { distance }, bytes: delta.bytes }]);
    assert.ok(['missing base', 'bad entry'].includes((await faultOf(pack))!));
  }
});

test('a bomb of deltas, each twice its base › stopped by the bound of an object', async () => {
  const entries: { bytes: Uint8Array; base?: { id: ObjectId } }[] = [];
  let size = 1_024;
  let bytes = new Uint8Array(size);
  entries.push({ bytes });
  // Ids are needed of what it makes, up to where it is stopped.
  for (let i = 0; i < 12; i++) {
    const id = hashObject(tools.crypto, 'SHA-1', 'blob', bytes);
    const copies = Array.from({ length: Math.ceil(size / 65_536) }, (_, part) => {
      const count = Math.min(65_536, size - part * 65_536);
      const at = part * 65_536;
      return [0xb7, at % 256, (at >> 8) % 256, at >> 16, count % 256, (count >> 8) % 256];
    }).flat();
    entries.push({ base: { id }, bytes: deltaOf(size, size * 2, ...copies, ...copies) });
    size *= 2;
    bytes = new Uint8Array(size);
  }
  const { pack } = packOf(entries);
  assert.ok(pack.length < 5_000);
  assert.equal(await faultOf(pack, { ...PLAIN, objectBytesMax: size }), null);
  assert.equal(await faultOf(pack, { ...PLAIN, objectBytesMax: size - 1 }), 'bad delta');
});

test('deltas that wait for their base › at the bound missing, past it too much', async () => {
  const bytes = new Uint8Array(1 << 20);
  const id = 'd'.repeat(40) as ObjectId;
  const deflated = tools.zlib.deflate(bytes);
  const count = WAITING_BYTES_MAX / bytes.length;
  const unpack = (waiting: number) => {
    const entries = Array.from({ length: waiting }, () => ({ base: { id }, bytes, deflated }));
    const pieces = piecesOf(packOf(entries).pack, 1 << 20);
    return unpackObjects(pieces, new MemoryBackend(), tools, PLAIN);
  };
  const [at, past] = [await unpack(count), await unpack(count + 1)];
  assert.equal(!at.ok && at.error.kind, 'missing base');
  const fault: PackFault = { kind: 'too much', what: 'deltas that wait for their base' };
  assert.deepEqual(past, { ok: false, error: fault });
});

test('an object twice › refused where objects are checked, and in an index', async () => {
  const { pack } = packOf([{ bytes: utf8('a') }, { bytes: utf8('a') }]);
  const { unpacked, indexed } = await read(pack, PLAIN);
  assert.ok(unpacked.ok && !indexed.ok && indexed.error.kind === 'duplicate');
  assert.equal(await faultOf(pack, CHECKED), 'duplicate');
});

test('random bytes behind a right head › a fault', async () => {
  for (let round = 0; round < 40; round++) {
    const body = Uint8Array.from({ length: random.below(200) }, () => random.below(256));
    const head = packOf([]).pack.slice(0, 12);
    head[11] = 1 + random.below(3);
    assert.notEqual(await faultOf(sealed(new Uint8Array([...head, ...body]))), null);
  }
});

/** A blob's entry in a pack, its stream padded with so many blocks of nothing. */
function padded(content: Uint8Array, blocks: number): { pack: Uint8Array; streamBytes: number } {
  const stream = deflateSync(content);
  const empty = Buffer.from('000000ffff', 'hex');
  const head = Buffer.from([0x30 | (content.length & 15) | 0x80, content.length >> 4]);
  const parts = [stream.subarray(0, 2), ...Array(blocks).fill(empty), stream.subarray(2)];
  const body = Buffer.concat([packHead(1), head, ...parts]);
  return { pack: sealed(body), streamBytes: stream.length + 5 * blocks };
}

test('a stream padded to the bound › comes as it is; past it, and endless › not, nor is it held', async () => {
  const read = async (pack: Uint8Array) => {
    const options = { ...tools, hash: 'SHA-1', entries: true } as const;
    const stream = new PackStream(piecesOf(pack, 1 << 16), options);
    must(await stream.open());
    return must(await stream.next())!;
  };
  const seen = new Set<number>();
  for (let bytes = 40; bytes < 50; bytes++) {
    for (let blocks = 17; blocks < 20; blocks++) {
      const { pack, streamBytes } = padded(new Uint8Array(bytes), blocks);
      const past = streamBytes - bytes - ENTRY_EXCESS_BYTES;
      seen.add(past);
      const entry = await read(pack);
      assert.equal(entry.bytes.length, bytes);
      assert.equal(entry.deflated?.length, past <= 0 ? streamBytes : undefined, `${past} past`);
    }
  }
  assert(seen.has(0) && seen.has(1));
  const long = await read(padded(new Uint8Array(40), 50_000).pack);
  assert.equal(long.deflated, null);
  assert.equal(long.bytes.length, 40);
});
