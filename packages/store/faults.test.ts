/** A backend that fails at each call in turn: errors are values, and nothing is half done. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { err, type Result } from '#core';
import {
  type BackendError,
  MemoryBackend,
  type ObjectBackend,
  type ObjectId,
  type RefConflict,
} from '#git';
import { Repository } from './repository.ts';
import type { Store } from './store.ts';
import { schema } from './test-schema.ts';
import { testRepository, value } from './test-world.ts';

const FAILURE: BackendError = { kind: 'device', what: 'failed on purpose' };

/** Fails one call: the one after so many. */
class FailingBackend implements ObjectBackend {
  readonly hash = 'SHA-1';
  left = Number.POSITIVE_INFINITY;
  readonly #below: ObjectBackend;

  constructor(below: ObjectBackend) {
    this.#below = below;
  }

  readObject(id: ObjectId) {
    return this.#or(() => this.#below.readObject(id));
  }

  hasObject(id: ObjectId) {
    return this.#or(() => this.#below.hasObject(id));
  }

  writeObjects(objects: Parameters<ObjectBackend['writeObjects']>[0]) {
    return this.#or(() => this.#below.writeObjects(objects));
  }

  readRef(name: string) {
    return this.#or(() => this.#below.readRef(name));
  }

  listRefs(prefix: string) {
    return this.#or(() => this.#below.listRefs(prefix));
  }

  updateRefs(...args: Parameters<ObjectBackend['updateRefs']>) {
    return this.#or<void, BackendError | RefConflict>(() => this.#below.updateRefs(...args));
  }

  setHead(name: string) {
    return this.#or(() => this.#below.setHead(name));
  }

  watchRefs(changed: () => void): () => void {
    return this.#below.watchRefs(changed);
  }

  close(): Promise<void> {
    return this.#below.close();
  }

  async #or<T, E>(call: () => Promise<Result<T, E>>): Promise<Result<T, E | BackendError>> {
    return this.left-- === 0 ? err(FAILURE) : call();
  }
}

type Shape = typeof schema.shape;
type Outcome = Result<unknown, { readonly kind: string; readonly error?: unknown }>;
type Operation = (store: Store<Shape>, ids: Ids) => Promise<Outcome>;

interface Ids {
  readonly first: ObjectId;
  readonly side: ObjectId;
}

async function last(items: AsyncIterable<Outcome>): Promise<Outcome> {
  let outcome: Outcome = { ok: true, value: null };
  for await (const item of items) outcome = item;
  return outcome;
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  find: (store) => store.find(['pages', 'a', 'b']),
  list: (store) => store.list(['pages']),
  findTree: (store) => store.findTree(['pages', 'a']),
  kind: (store) => store.kind(['pages', 'a', 'b']),
  hash: (store) => store.hash(),
  set: (store) => store.set(['pages', 'a', 'c'], 'new'),
  remove: (store) => store.remove(['pages', 'a']),
  testAndSet: (store) => store.testAndSet(['visits'], 2, 3),
  merge: (store) => store.merge(['visits'], 1, 4),
  withTree: (store) => store.withTree(['pages'], (tree) => tree.set(['x'], 'y')),
  mergeWith: (store, { side }) => store.mergeWith(side),
  revert: (store, { first }) => store.revert(first),
  revertTo: (store, { first }) => store.revertTo(first),
  fastForward: (store, { first }) => store.fastForward(first),
  setHead: (store, { first }) => store.setHead(first),
  cloneTo: (store) => store.cloneTo('copy'),
  commonAncestors: (store, { side }) => store.commonAncestors(side),
  history: (store) => last(store.history()),
  lastModified: (store) => store.lastModified(['pages', 'a', 'b'], { count: 9 }),
  tag: (store, { first }) => store.repository.setTag('v1', first, { message: 'one' }),
  tags: (store) => store.repository.tags(),
  branches: (store) => store.repository.branches(),
  walk: async (store) => {
    const tree = await store.tree();
    return tree.ok ? last(tree.value.walk()) : tree;
  },
  watch: async (store) => {
    const stop = await store.watch(() => {});
    // What fails once it watches is reported, not returned.
    await setImmediate();
    const { watchFailures } = store.repository.counters();
    if (stop.ok) stop.value();
    return watchFailures === 1 ? err({ kind: 'backend', error: FAILURE }) : stop;
  },
};

/** Three commits and a branch beside them. */
async function prepare() {
  const memory = new MemoryBackend();
  const model = testRepository(memory).with(schema);
  const main = model.branch('main');
  value(await main.set(['visits'], 1));
  const first = value(await main.set(['pages', 'a', 'b'], 'one'))!;
  const beside = value(await main.cloneTo('side'));
  const side = value(await beside.set(['visits'], 5))!;
  value(await main.set(['visits'], 2));
  const backend = new FailingBackend(memory);
  const { crypto, clock, author } = model.core;
  // Without a cache, so that every read is a call.
  const options = { backend, crypto, clock, author, entropy: null, cacheBytes: 0 };
  const store = Repository.open(options).with(schema).branch('main');
  return { model: main, backend, store, ids: { first, side } };
}

for (const [name, operate] of Object.entries(OPERATIONS)) {
  test(`${name} › each call of the backend fails once › told, the head is where it was`, async () => {
    for (let at = 0; ; at++) {
      assert.ok(at < 200, 'it ends');
      const { model, backend, store, ids } = await prepare();
      const before = value(await model.head());
      backend.left = at;
      const outcome = await operate(store, ids);
      if (outcome.ok) {
        assert.ok(backend.left >= 0, 'no failure was passed over');
        store.repository.checkInvariants();
        break;
      }
      assert.deepEqual(outcome.error, { kind: 'backend', error: FAILURE });
      assert.equal(value(await model.head()), before);
      // The failure was of that moment only.
      if (name !== 'watch') assert.equal((await operate(store, ids)).ok, true, 'again');
      store.repository.checkInvariants();
    }
  });
}
