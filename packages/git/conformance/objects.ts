/** Cases about objects. */

import { assert } from '#core';
import { type NamedObject, nameObject, OBJECT_KINDS } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { emitTag } from '../wire/tag.ts';
import {
  type BackendWorld,
  blobOf,
  commitOf,
  expectObject,
  refused,
  value,
  writeCommits,
} from './expect.ts';
import type { BackendCase } from './index.ts';

const BIG_BYTES = 3_000_000;
const MANY = 500;

/** Bytes that don't compress, so that their size is felt. */
function noise(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  let state = 1;
  for (let i = 0; i < count; i++) {
    state = (state * 48_271) % 2_147_483_647;
    bytes[i] = state >> 8;
  }
  return bytes;
}

function oneOfEach(world: BackendWorld): NamedObject[] {
  const { crypto, backend } = world;
  const blob = blobOf(world, 'content\n');
  const tag = emitTag({
    object: blob.id,
    kind: 'blob',
    name: 'v1',
    tagger: { name: 'T', email: 't@example.org', seconds: 1, zoneMinutes: 60 },
    extraHeaders: '',
    message: 'a tag\n',
  });
  return [blob, ...commitOf(world, 'one\n'), nameObject(crypto, backend.hash, 'tag', tag)];
}

export const objectCases: readonly BackendCase[] = [
  {
    name: 'an object of each kind › written › reads back, and is told as here',
    async run(world) {
      const objects = oneOfEach(world);
      assert(new Set(objects.map(({ kind }) => kind)).size === OBJECT_KINDS.length, 'each kind');
      value(await world.backend.writeObjects(objects), 'written');
      for (const object of objects) {
        await expectObject(world, object);
        assert(value(await world.backend.hasObject(object.id), 'asked'), 'it is here');
      }
    },
  },
  {
    name: 'an id that nothing has › read › null',
    async run(world) {
      const [{ id }] = [blobOf(world, 'never written')];
      assert(value(await world.backend.readObject(id), 'read') === null, 'nothing');
      assert(!value(await world.backend.hasObject(id), 'asked'), 'not here');
    },
  },
  {
    name: 'empty blob and empty tree › written › read back',
    async run(world) {
      const { crypto, backend } = world;
      for (const kind of ['blob', 'tree'] as const) {
        const object = nameObject(crypto, backend.hash, kind, new Uint8Array(0));
        value(await backend.writeObjects([object]), 'written');
        await expectObject(world, object);
      }
    },
  },
  {
    name: 'no objects at all › written › done',
    async run({ backend }) {
      value(await backend.writeObjects([]), 'written');
    },
  },
  {
    name: 'a big object › written › reads back',
    async run(world) {
      const bytes = noise(BIG_BYTES);
      const object = nameObject(world.crypto, world.backend.hash, 'blob', bytes);
      value(await world.backend.writeObjects([object]), 'written');
      await expectObject(world, object);
    },
  },
  {
    name: 'objects in any order, some of them twice › written › all read back',
    async run(world) {
      const objects = [...oneOfEach(world), ...commitOf(world, 'two\n')].reverse();
      value(await world.backend.writeObjects([...objects, objects[0]!]), 'written');
      value(await world.backend.writeObjects(objects), 'written again');
      for (const object of objects) await expectObject(world, object);
    },
  },
  {
    name: 'many objects, written at once › read together › each has its own bytes',
    async run(world) {
      const objects = Array.from({ length: MANY }, (_, i) => blobOf(world, `object ${i}`));
      const halves = [objects.slice(0, MANY / 2), objects.slice(MANY / 2)];
      const written = await Promise.all(halves.map((half) => world.backend.writeObjects(half)));
      for (const half of written) value(half, 'written');
      await Promise.all(objects.map((object) => expectObject(world, object)));
    },
  },
  {
    name: 'objects › listed, where that is possible › each of them once',
    async run(world) {
      const { backend } = world;
      if (backend.objectIds === undefined) return;
      const objects = oneOfEach(world);
      value(await backend.writeObjects(objects), 'written');
      const seen = new Map<ObjectId, number>();
      for await (const listed of backend.objectIds()) {
        const id = value(listed, 'listed');
        seen.set(id, (seen.get(id) ?? 0) + 1);
      }
      assert(seen.size === objects.length, `${seen.size} objects are listed`);
      for (const { id } of objects) assert(seen.get(id) === 1, `${id} is listed once`);
    },
  },
  {
    name: 'closed › every call › refused as closed, closing again is done',
    async run(world) {
      const { backend } = world;
      const [id] = await writeCommits(world, 1);
      await backend.close();
      refused(await backend.readObject(id!), 'closed');
      refused(await backend.hasObject(id!), 'closed');
      refused(await backend.writeObjects([blobOf(world, 'late')]), 'closed');
      refused(await backend.readRef('HEAD'), 'closed');
      refused(await backend.listRefs(''), 'closed');
      const late = [{ name: 'refs/heads/late', from: null, to: id! }];
      refused(await backend.updateRefs(late, 'test'), 'closed');
      refused(await backend.setHead('refs/heads/late'), 'closed');
      await backend.close();
    },
  },
];
