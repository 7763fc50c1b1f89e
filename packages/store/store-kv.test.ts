import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kvCases, kvReadWriteCases } from '#device/conformance';
import { StoreKv } from './store-kv.ts';
import { all, testRepository, value } from './test-world.ts';

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

function rig() {
  const store = testRepository().branch('main');
  const messages = async (): Promise<string[]> =>
    (await all(store.history())).map(({ message }) => message.trimEnd());
  return { store, kv: new StoreKv(store), messages };
}

for (const { name, run } of kvReadWriteCases) {
  test(`a branch › ${name}`, () => run(rig().kv));
}
for (const { name, run } of kvCases) {
  test(`a branch’s snapshot › ${name}`, () =>
    run(async (files) => {
      const { kv } = rig();
      value(await kv.batch(files));
      return value(await kv.snapshot());
    }));
}

test('changes › a commit each, and none where nothing changes', async () => {
  const { kv, messages } = rig();
  value(await kv.set('a', bytesOf('1')));
  value(await kv.set('a', bytesOf('1')));
  value(
    await kv.batch([
      { path: 'b/c', bytes: bytesOf('2') },
      { path: 'd', bytes: bytesOf('3') },
    ]),
  );
  value(await kv.remove('b/c'));
  value(await kv.remove('b/c'));
  value(await kv.batch([]));
  assert.deepEqual(await messages(), ['remove b/c', 'batch: 2 changes', 'set a']);
});

test('digests › are the blobs’ ids; two snapshots › share what is the same', async () => {
  const { kv } = rig();
  value(await kv.set('a', bytesOf('hello\n')));
  value(await kv.set('b', bytesOf('1')));
  assert.equal(value(await kv.get('a'))?.digest, 'ce013625030ba8dba906f756967f9e9ca394464a');
  const first = value(await kv.snapshot());
  value(await kv.set('b', bytesOf('2')));
  const second = value(await kv.snapshot());
  assert.equal(second.get('a'), first.get('a'));
  assert.notEqual(second.get('b'), first.get('b'));
});

test('what Git would not check out › is no path', async () => {
  const { kv } = rig();
  for (const path of ['.git/config', 'a/.GIT', 'a/git~1']) {
    const set = await kv.set(path, bytesOf('x'));
    assert.equal(!set.ok && set.error.kind, 'bad path', path);
  }
});

test('a snapshot › of as much as may be, and of one byte more', async () => {
  const { store, kv } = rig();
  value(await kv.set('a', bytesOf('12345')));
  assert.ok((await new StoreKv(store, { snapshotBytesMax: 5 }).snapshot()).ok);
  const over = await new StoreKv(store, { snapshotBytesMax: 4 }).snapshot();
  assert.equal(!over.ok && over.error.kind, 'failed');
});

test('a backend that is closed › every call says so, and none rejects', async () => {
  const { store, kv } = rig();
  await store.repository.close();
  const results = [await kv.get('a'), await kv.list(''), await kv.set('a', bytesOf('1'))];
  for (const result of [...results, await kv.snapshot()]) {
    assert.equal(!result.ok && result.error.kind, 'failed');
  }
});
