import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom, wallTimeOfMillis } from '#core';
import type { Entropy } from '#device';
import {
  LocalTransport,
  MemoryBackend,
  type ObjectBackend,
  ReceivePack,
  Remote,
  UploadPack,
} from '#git';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { formatPullError, pull, push } from './exchange.ts';
import { counter, form, Repository, stock } from './index.ts';
import { defineSchema } from './schema.ts';
import { entropyOf, testRepository, value } from './test-world.ts';

const schema = defineSchema({ count: form.content('count', counter), notes: { '*': stock.text } });

/** A hub, and stores that exchange with it. */
function world(open: (backend: ObjectBackend) => Repository = testRepository) {
  const hub = new MemoryBackend();
  const uploadPack = new UploadPack({ backend: hub, crypto, zlib });
  const receivePack = new ReceivePack<undefined>({ backend: hub, crypto, zlib });
  const connect = () => new LocalTransport({ uploadPack, receivePack, pusher: undefined });
  const replica = () => {
    const backend = new MemoryBackend();
    const store = open(backend).with(schema).branch('main');
    return { store, remote: new Remote({ backend, crypto, zlib, connect }) };
  };
  return { hub, replica, a: replica(), b: replica() };
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

/** Replicas that count and exchange at random, in one second, as one author. */
async function countAtOnce(seed: number, entropyFor: (random: SeededRandom) => Entropy | null) {
  const random = new SeededRandom(seed);
  const clock = { wall: () => wallTimeOfMillis(1_800_000_000_000) };
  const author = { name: 'A', email: 'a@example.org' };
  const net = world((backend) =>
    Repository.open({ backend, crypto, clock, author, entropy: entropyFor(random) }),
  );
  const replicas = [net.a, net.b, net.replica(), net.replica()];
  value(await net.a.store.set(['count'], 0));
  value(await push(net.a.store, net.a.remote));
  for (const { store, remote } of replicas) value(await pull(store, remote));
  let increments = 0;
  for (let round = 0; round < 4; round++) {
    for (const { store } of replicas) {
      for (let i = random.below(3); i > 0; i--, increments++) {
        value(await store.set(['count'], value(await store.get(['count'])) + 1));
      }
    }
    for (const { store, remote } of replicas) {
      if (round < 3 && random.chance(0.3)) continue;
      value(await pull(store, remote));
      assert(value(await push(store, remote)).isWhole);
    }
  }
  for (const { store, remote } of replicas) value(await pull(store, remote));
  const counts = await Promise.all(
    replicas.map(async ({ store }) => value(await store.get(['count']))),
  );
  return { counts, increments };
}

test('replicas, a stopped clock, one author › count, exchange at random › every increment once', async () => {
  const { counts, increments } = await countAtOnce(1, entropyOf);
  assert.deepEqual(
    counts,
    counts.map(() => increments),
  );
});

test('the same without entropy › equal commits are one commit, which counts once', async () => {
  const { counts, increments } = await countAtOnce(1, () => null);
  assert(counts[0]! < increments);
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
