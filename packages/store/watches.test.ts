import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { MemoryBackend, MODE_EXECUTABLE } from '#git';
import { Repository } from './repository.ts';
import { all, testRepository, value } from './test-world.ts';
import type { HeadChange, WatchFault } from './watches.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Promises that are due have run: memory takes no time. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await setImmediate();
}

function setUp() {
  const repository = testRepository();
  const told: string[] = [];
  const note = async (change: HeadChange): Promise<void> => {
    const paths = (await all(change.diff())).map(({ path, kind }) => `${kind} ${path.join('/')}`);
    told.push(`${change.kind} ${change.branch}: ${paths.join(', ')}`);
  };
  return { repository, store: repository.branch('main'), told, note };
}

test('a branch › made, changed, removed › told in order, with what differs', async () => {
  const { store, told, note } = setUp();
  const stop = value(await store.watch(note));
  value(await store.set(['a'], encode('1')));
  await settle();
  value(await store.set(['b', 'c'], encode('2')));
  await settle();
  value(await store.repository.branch('other').set(['a'], encode('1')));
  value(await store.setHead(null));
  await settle();
  assert.deepEqual(told, [
    'added main: added a',
    'updated main: added b/c',
    'removed main: removed a, removed b/c',
  ]);
  stop();
  value(await store.set(['a'], encode('1')));
  await settle();
  assert.equal(told.length, 3);
  store.repository.checkInvariants();
});

test('a path › contents, then a tree, elsewhere, gone with its branch › told of it alone', async () => {
  const { store, told, note } = setUp();
  value(await store.set(['x'], encode('1')));
  const stop = value(await store.watchPath(['p', 'q'], note));
  value(await store.set(['x'], encode('2')));
  await settle();
  value(await store.set(['p', 'q'], encode('1')));
  await settle();
  value(await store.set(['p', 'q', 'r'], encode('1')));
  await settle();
  value(await store.set(['p', 'other'], encode('1')));
  await settle();
  value(await store.repository.removeBranch('main'));
  await settle();
  assert.deepEqual(told, [
    'added main: added ',
    'updated main: removed , added r',
    'removed main: removed r',
  ]);
  stop();
});

test('all branches › each change told, by name', async () => {
  const { repository, told, note } = setUp();
  const stop = value(await repository.watchAll(note));
  value(await repository.branch('b').set(['x'], encode('1')));
  await settle();
  value(await repository.branch('b').cloneTo('a'));
  await settle();
  value(await repository.removeBranch('b'));
  value(await repository.branch('a').set(['x'], encode('2')));
  await settle();
  assert.deepEqual(told, [
    'added b: added x',
    'added a: added x',
    'removed b: removed x',
    'updated a: updated x',
  ]);
  stop();
  stop();
  repository.checkInvariants();
});

test('since a commit › told what has changed since', async () => {
  const { store, told, note } = setUp();
  const first = value(await store.set(['a'], encode('1')))!;
  value(await store.set(['b'], encode('1')));
  const stops = [
    value(await store.watch(note, { since: first })),
    value(await store.watch(note, { since: null })),
  ];
  await settle();
  assert.deepEqual(told.sort(), ['added main: added a, added b', 'updated main: added b']);
  for (const stop of stops) stop();
});

test('a slow callback › called one at a time, misses heads between, has the last one', async () => {
  const { store } = setUp();
  const seen: (string | null)[] = [];
  let running = 0;
  let release = (): void => {};
  const stop = value(
    await store.watch(async ({ after }) => {
      assert.equal(++running, 1);
      seen.push(after);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      running--;
    }),
  );
  const heads: (string | null)[] = [];
  for (let i = 0; i < 5; i++) heads.push(value(await store.set(['a'], encode(`${i}`))));
  await settle();
  release();
  await settle();
  release();
  await settle();
  assert.equal(seen.at(-1), heads.at(-1));
  assert.equal(seen.length, 2, 'the first one, and the last');
  stop();
});

test('callbacks that throw, reject or never end › reported, others are told all the same', async () => {
  const faults: WatchFault[] = [];
  const { note, told } = setUp();
  const backend = new MemoryBackend();
  const model = testRepository(backend);
  const { crypto, clock, author } = model.core;
  const watchFailed = (fault: WatchFault) => faults.push(fault);
  const repository = Repository.open({
    backend,
    crypto,
    clock,
    author,
    entropy: null,
    watchFailed,
  });
  const store = repository.branch('main');
  value(
    await store.watch(() => {
      throw new Error('thrown');
    }),
  );
  value(await store.watch(() => Promise.reject(new Error('rejected'))));
  value(await store.watch(() => new Promise(() => {})));
  value(await store.watch(note));
  value(await store.set(['a'], encode('1')));
  await settle();
  value(await store.set(['a'], encode('2')));
  await settle();
  assert.deepEqual(told, ['added main: added a', 'updated main: updated a']);
  const words = faults.map((fault) =>
    fault.kind === 'callback' ? String(fault.error) : fault.kind,
  );
  assert.deepEqual(words.sort(), [
    'Error: rejected',
    'Error: rejected',
    'Error: thrown',
    'Error: thrown',
  ]);
  assert.equal(repository.core.watches.failures, 4);
  await repository.close();
  repository.checkInvariants();
});

test('another repository on the same backend writes › told; a closed one › an error', async () => {
  const backend = new MemoryBackend();
  const { told, note } = setUp();
  const ours = testRepository(backend);
  value(await ours.branch('main').watch(note));
  value(await testRepository(backend).branch('main').set(['a'], encode('1')));
  await settle();
  assert.deepEqual(told, ['added main: added a']);
  await ours.close();
  assert.equal((await ours.branch('main').watch(note)).ok, false);
  ours.checkInvariants();
});

test('a change while the heads are read › told as well', async (t) => {
  const { repository, store, told, note } = setUp();
  value(await store.watch(note));
  const { backend } = repository;
  const list = backend.listRefs.bind(backend);
  t.mock.method(
    backend,
    'listRefs',
    async (prefix: string) => {
      const before = await list(prefix);
      value(await store.set(['b'], encode('2')));
      return before;
    },
    { times: 1 },
  );
  value(await store.set(['a'], encode('1')));
  await settle();
  assert.deepEqual(told, ['added main: added a', 'updated main: added b']);
});

test('a file made executable › its path told', async () => {
  const { store, told, note } = setUp();
  value(await store.set(['a'], encode('1')));
  value(await store.watchPath(['a'], note));
  const mode = MODE_EXECUTABLE;
  value(await store.withTree([], (tree) => tree.set(['a'], encode('1'), { mode })));
  await settle();
  assert.deepEqual(told, ['updated main: updated ']);
});

test('stopped while the callback runs › no further call', async () => {
  const { store, told, note } = setUp();
  value(await store.watch(note));
  let calls = 0;
  let stop = (): void => {};
  stop = value(
    await store.watch(async () => {
      calls++;
      stop();
      value(await store.set(['b'], encode('1')));
      await settle();
    }),
  );
  value(await store.set(['a'], encode('1')));
  await settle();
  assert.deepEqual([calls, told.length], [1, 2], 'others are told on');
  store.repository.checkInvariants();
});
