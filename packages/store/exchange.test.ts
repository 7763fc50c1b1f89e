import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalTransport, MemoryBackend, ReceivePack, Remote, UploadPack } from '#git';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { formatPullError, pull, push } from './exchange.ts';
import { counter, form, stock } from './index.ts';
import { defineSchema } from './schema.ts';
import { testRepository, value } from './test-world.ts';

const schema = defineSchema({ count: form.content('count', counter), notes: { '*': stock.text } });

/** A hub, and two stores that exchange with it. */
function world() {
  const hub = new MemoryBackend();
  const uploadPack = new UploadPack({ backend: hub, crypto, zlib });
  const receivePack = new ReceivePack<undefined>({ backend: hub, crypto, zlib });
  const connect = () => new LocalTransport({ uploadPack, receivePack, pusher: undefined });
  const replica = () => {
    const backend = new MemoryBackend();
    const store = testRepository(backend).with(schema).branch('main');
    return { store, remote: new Remote({ backend, crypto, zlib, connect }) };
  };
  return { hub, a: replica(), b: replica() };
}

test('two stores › both count, both push › the later one pulls first, nothing is lost', async () => {
  const { a, b } = world();
  value(await a.store.set(['count'], 1));
  assert(value(await push(a.store, a.remote)).isWhole);
  const first = value(await pull(b.store, b.remote));
  assert.equal(first.from, null);
  value(await a.store.set(['count'], 3));
  value(await b.store.set(['count'], 11));
  assert(value(await push(a.store, a.remote)).isWhole);
  const refused = value(await push(b.store, b.remote));
  assert.equal(refused.refs[0]!.refusal, 'fetch first');
  value(await pull(b.store, b.remote));
  assert.equal(value(await b.store.get(['count'])), 13);
  assert(value(await push(b.store, b.remote)).isWhole);
  value(await pull(a.store, a.remote, { strategy: 'fast-forward' }));
  assert.equal(value(await a.store.get(['count'])), 13);
  assert.equal(value(await a.store.head()), value(await b.store.head()));
});

test('histories that parted › pulled as fast-forward, then set › refused, theirs', async () => {
  const { a, b } = world();
  value(await a.store.set(['notes', 'x'], 'a'));
  assert(value(await push(a.store, a.remote)).isWhole);
  value(await b.store.set(['notes', 'x'], 'b'));
  const parted = await pull(b.store, b.remote, { strategy: 'fast-forward' });
  assert(!parted.ok && parted.error.kind === 'store');
  assert.equal(parted.error.error.kind, 'not a fast-forward');
  assert.equal(value(await b.store.get(['notes', 'x'])), 'b');
  value(await pull(b.store, b.remote, { strategy: 'set' }));
  assert.equal(value(await b.store.head()), value(await a.store.head()));
});

test('both set the same text › pulled › the conflict, and the store as it was', async () => {
  const { a, b } = world();
  value(await a.store.set(['notes', 'x'], 'start'));
  assert(value(await push(a.store, a.remote)).isWhole);
  value(await pull(b.store, b.remote));
  value(await a.store.set(['notes', 'x'], 'one'));
  value(await b.store.set(['notes', 'x'], 'two'));
  assert(value(await push(a.store, a.remote)).isWhole);
  const before = value(await b.store.head());
  const pulled = await pull(b.store, b.remote);
  assert(!pulled.ok && pulled.error.kind === 'store');
  assert.equal(value(await b.store.head()), before);
});

test('a branch that is not there › pulled › its name, and those that are', async () => {
  const { a, b } = world();
  value(await a.store.set(['count'], 1));
  assert(value(await push(a.store, a.remote)).isWhole);
  const pulled = await pull(b.store, b.remote, { branch: 'master' });
  assert(!pulled.ok);
  assert.match(formatPullError(pulled.error), /no master; it has main/);
});
