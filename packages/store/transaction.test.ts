import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok } from '#core';
import { MemoryBackend } from '#git';
import { text } from './content/stock.ts';
import { PATH_STEPS_MAX, RETRIES } from './limits.ts';
import { defineSchema } from './schema.ts';
import { fresh, open, schema } from './test-schema.ts';
import { all, kindOf, testRepository, value } from './test-world.ts';
import type { Tree } from './tree/tree.ts';

test('many writers of a counter › each increments many times › the sum is exact', async () => {
  const repository = open();
  const WRITERS = 8;
  const TIMES = 25;
  const one = async (strategy: 'test-and-set' | 'merge'): Promise<void> => {
    const store = repository.branch(strategy);
    for (let i = 0; i < TIMES; i++) {
      value(
        await store.withTree(
          [],
          async (tree) => {
            const found = await tree.find(['visits']);
            return found.ok ? tree.set(['visits'], (found.value ?? 0) + 1) : found;
          },
          { strategy, retries: WRITERS * TIMES },
        ),
      );
    }
  };
  for (const strategy of ['test-and-set', 'merge'] as const) {
    await Promise.all(Array.from({ length: WRITERS }, () => one(strategy)));
    const store = repository.branch(strategy);
    assert.equal(value(await store.get(['visits'])), WRITERS * TIMES, strategy);
    assert.equal((await all(store.history())).length, WRITERS * TIMES, 'a commit each');
  }
});

test('writers of two repositories on one backend › the sum is exact, lost races are counted', async () => {
  const backend = new MemoryBackend();
  const repositories = [open(backend), open(backend)];
  const TIMES = 30;
  const increment = async (store: ReturnType<typeof fresh>): Promise<void> => {
    for (let i = 0; i < TIMES; i++) {
      value(await store.merge(['visits'], undefined, 1, { retries: 1_000 }));
      value(await store.set(['pages', 'p'], `${i}`, { allowEmpty: true, retries: 1_000 }));
    }
  };
  const stores = repositories.flatMap((one) => [one.branch('main'), one.branch('main')]);
  await Promise.all(stores.map(increment));
  assert.equal(value(await stores[0]!.get(['visits'])), stores.length * TIMES);
  assert.equal((await all(stores[0]!.history())).length, 2 * stores.length * TIMES);
  const lost = repositories.map((one) => one.counters().lostRaces!);
  assert.ok(lost[0]! + lost[1]! > 0, 'they met');
  const made = repositories.map((one) => one.counters().commits!);
  assert.equal(made[0]! + made[1]!, 2 * stores.length * TIMES);
});

test('a codec that throws › its caller’s alone, the next writer goes on', async () => {
  const broken = {
    ...text,
    encode: () => {
      throw new Error('mine');
    },
  };
  const repository = testRepository();
  const bad = repository.with(defineSchema({ '**': broken })).branch('main');
  const good = repository.with(defineSchema({ '**': text })).branch('main');
  const [first, second] = await Promise.allSettled([bad.set(['a'], 'x'), good.set(['b'], 'y')]);
  assert.equal(first.status, 'rejected');
  assert.equal(second.status === 'fulfilled' && second.value.ok, true);
  assert.equal(value(await good.get(['b'])), 'y');
  repository.checkInvariants();
});

test('common ancestors › of two branches; of unrelated ones › none', async () => {
  const store = fresh();
  const first = value(await store.set(['visits'], 1))!;
  const side = value(await store.cloneTo('side'));
  value(await side.set(['visits'], 2));
  value(await store.set(['visits'], 3));
  assert.deepEqual(value(await store.commonAncestors(side)), [first]);
  const other = store.repository.empty();
  assert.deepEqual(value(await store.commonAncestors(other)), []);
  value(await other.set(['visits'], 2));
  assert.deepEqual(value(await store.commonAncestors(other)), []);
});

test('a path at the bound › set; one step more › bad', async () => {
  const store = testRepository().branch('main');
  const path = Array.from({ length: PATH_STEPS_MAX }, (_, i) => `s${i % 7}`);
  value(await store.set(path, Uint8Array.of(1)));
  assert.deepEqual(value(await store.get(path)), Uint8Array.of(1));
  assert.equal(kindOf(await store.set([...path, 'x'], Uint8Array.of(1))), 'bad path');
});

test('writers of a path each, without a callback › none of them ever loses', async () => {
  const store = fresh();
  const writers = Array.from({ length: 40 }, async (_, i) => {
    value(await store.set(['pages', `p${i}`], 'x', { retries: 0 }));
  });
  await Promise.all(writers);
  assert.equal(value(await store.list(['pages'])).length, 40);
  store.repository.checkInvariants();
});

test('others are always quicker › tried again as often as asked, then an error', async () => {
  const repository = open();
  const store = repository.branch('main');
  for (const retries of [undefined, 0, 2]) {
    let calls = 0;
    const lost = await store.withTree(
      [],
      async (tree) => {
        calls++;
        value(await repository.branch('main').set(['visits'], calls + 100 * (retries ?? 5)));
        return tree.set(['settings'], { calls });
      },
      retries === undefined ? {} : { retries },
    );
    assert.equal(calls, (retries ?? RETRIES) + 1);
    assert.deepEqual(lost, {
      ok: false,
      error: { kind: 'too many retries', retries: retries ?? RETRIES },
    });
  }
});

test('another path changes meanwhile › set and test-and-set › the callback ran once', async () => {
  for (const strategy of ['set', 'test-and-set', 'merge'] as const) {
    const store = fresh();
    let calls = 0;
    const done = await store.withTree(
      ['contacts', 'ada'],
      async (tree) => {
        calls++;
        value(await store.set(['visits'], calls));
        return tree.set(['age'], 36);
      },
      { strategy },
    );
    value(done);
    assert.equal(calls, 1, strategy);
    assert.equal(value(await store.get(['visits'])), 1);
    assert.equal(value(await store.get(['contacts', 'ada', 'age'])), 36);
  }
});

test('the same path changes meanwhile › each strategy does as it says', async () => {
  const race = async (strategy: 'set' | 'test-and-set' | 'merge') => {
    const store = fresh();
    let calls = 0;
    const done = await store.withTree(
      ['contacts', 'ada'],
      async (tree) => {
        if (calls++ === 0) value(await store.set(['contacts', 'ada', 'name'], 'Ada'));
        return tree.set(['age'], 36);
      },
      { strategy },
    );
    value(done);
    const name = value(await store.find(['contacts', 'ada', 'name']));
    return [calls, name, value(await store.get(['contacts', 'ada', 'age']))];
  };
  assert.deepEqual(await race('set'), [1, undefined, 36]);
  assert.deepEqual(await race('test-and-set'), [2, 'Ada', 36]);
  assert.deepEqual(await race('merge'), [1, 'Ada', 36]);
});

test('the same counter changes meanwhile, below a path › merged by its type', async () => {
  const { visits } = schema.shape;
  const boxes = defineSchema({ box: { '*': visits } });
  const store = testRepository().with(boxes).branch('main');
  value(await store.set(['box', 'a'], 1));
  let calls = 0;
  const edit = async (tree: Tree<(typeof boxes.shape)['box']>) => {
    if (calls++ === 0) value(await store.set(['box', 'a'], 3));
    return tree.set(['a'], 11);
  };
  value(await store.withTree(['box'], edit, { strategy: 'merge' }));
  assert.equal(value(await store.get(['box', 'a'])), 13);
});

test('a callback’s own error › given back; nothing is committed; null › as it was', async () => {
  const store = fresh();
  const failed = await store.withTree([], () => ({ ok: false, error: { kind: 'mine' } as const }));
  assert.deepEqual(failed, { ok: false, error: { kind: 'mine' } });
  assert.equal(value(await store.withTree([], () => ok(null))), null);
  assert.equal(value(await store.head()), null);
});
