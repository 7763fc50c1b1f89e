import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hot, readU32be, SeededRandom, writeU32be } from '#core';
import { MemoryBackend, type ObjectId } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { integer, text } from '../content/stock.ts';
import { PROOF_BYTES_MAX, PROOF_OBJECTS_MAX } from '../limits.ts';
import { defineSchema } from '../schema.ts';
import { kindOf, testRepository, value } from '../test-world.ts';
import type { Tree } from '../tree/tree.ts';
import { emitProof, formatProof, type Proof, parseProof, proofSize } from '../wire/proof.ts';
import { formatProofFault, type Outcome, produceProof, verifyProof } from './prove.ts';

const schema = defineSchema({ people: { '*': { name: text, age: integer } }, about: text });
type S = typeof schema.shape;

async function world(hash: 'SHA-1' | 'SHA-256' = 'SHA-1') {
  const repository = testRepository(new MemoryBackend({ hash })).with(schema);
  const store = repository.branch('main');
  value(await store.set(['about'], 'people'));
  for (const [index, name] of ['ada', 'bob', 'eve'].entries()) {
    value(await store.set(['people', name, 'name'], name.toUpperCase()));
    value(await store.set(['people', name, 'age'], 20 + index));
  }
  return { repository, head: value(await store.head())! };
}

const ageOf =
  (name: string) =>
  async (tree: Tree<S>): Promise<Outcome<S, unknown>> => ({
    value: value(await tree.find(['people', name, 'age'])),
  });
const check = <R>(root: ObjectId, proof: Proof, prove: (tree: Tree<S>) => Promise<Outcome<S, R>>) =>
  verifyProof(nodeCrypto, schema, root, proof, prove);

test('a read › proven › the same result from the proof alone, contents not read blinded', async () => {
  for (const hash of ['SHA-1', 'SHA-256'] as const) {
    const { repository, head } = await world(hash);
    const made = value(await produceProof(repository, head, ageOf('bob')));
    assert.equal(made.value, 21);
    const { bytes: _, ...size } = proofSize(made.proof);
    assert.deepEqual({ ...size, treeBytes: 0 }, { trees: 3, treeBytes: 0, contents: 1 });
    const proof = value(parseProof(emitProof(made.proof)));
    assert.equal(value(await check(head, proof, ageOf('bob'))), 21);
    assert.match(formatProof(proof), /3 trees, 1 contents/);
    const shown = hot.latin1(emitProof(proof), 0, emitProof(proof).length);
    assert.ok(!shown.includes('ADA') && !shown.includes('BOB'), 'what was not read is not there');
  }
});

test('absence › proven › and not where the path is', async () => {
  const { repository, head } = await world();
  const made = value(await produceProof(repository, head, ageOf('zoe')));
  assert.equal(made.value, undefined);
  assert.deepEqual(await check(head, made.proof, ageOf('zoe')), { ok: true, value: undefined });
  const other = await check(head, made.proof, async (tree) => ({
    value: await tree.find(['people', 'ada', 'age']),
  }));
  assert.equal(kindOf(other), 'outside of the proof');
});

test('updates › proven › the tree after them too', async () => {
  const { repository, head } = await world();
  const birthday = async (tree: Tree<S>): Promise<Outcome<S, number>> => {
    const age = value(await tree.get(['people', 'eve', 'age'])) + 1;
    const older = value(await tree.set(['people', 'eve', 'age'], age));
    return { value: age, after: value(await older.remove(['people', 'bob'])) };
  };
  const { proof, value: age } = value(await produceProof(repository, head, birthday));
  assert.equal(age, 23);
  assert.equal(value(await check(head, proof, birthday)), 23);
  const store = repository.branch('main');
  value(await store.set(['people', 'eve', 'age'], 23));
  value(await store.remove(['people', 'bob']));
  assert.equal(proof.after, value(await store.hash()));
  const forged = { ...proof, after: proof.root };
  assert.equal(kindOf(await check(head, forged, birthday)), 'other outcome');
});

test('a tree as the root, the empty tree, lists and walks', async () => {
  const { repository, head } = await world();
  const { tree } = value(await repository.commit(head));
  const names = async (whole: Tree<S>) => ({
    value: value(await whole.list(['people'])).map(({ step }) => step),
  });
  const made = value(await produceProof(repository, tree, names));
  assert.deepEqual(value(await check(tree, made.proof, names)), ['ada', 'bob', 'eve']);
  assert.equal(kindOf(await check(head, made.proof, names)), 'other root');
  const empty = repository.objects.emptyTree;
  const nothing = value(await produceProof(repository, empty, names));
  assert.equal(nothing.proof.objects.length, 0);
  assert.deepEqual(value(await check(empty, nothing.proof, names)), []);
});

test('any byte flipped › the proof fails', async () => {
  const { repository, head } = await world();
  const { proof } = value(await produceProof(repository, head, ageOf('bob')));
  const bytes = emitProof(proof);
  let [malformed, refused] = [0, 0];
  for (let at = 0; at < bytes.length; at++) {
    for (const bits of [0xff, 0x01]) {
      const flipped = bytes.slice();
      flipped[at] = flipped[at]! ^ bits;
      const parsed = parseProof(flipped);
      if (!parsed.ok) {
        malformed++;
        continue;
      }
      const safe = async (tree: Tree<S>) => ({ value: await tree.find(['people', 'bob', 'age']) });
      const verified = await check(head, parsed.value, safe);
      assert.ok(!verified.ok, `byte ${at} xor ${bits}`);
      formatProofFault(verified.error);
      refused++;
    }
  }
  assert.ok(malformed > 20 && refused > 300, `${malformed} ${refused}`);
});

test('objects too many, twice, or missing › the proof fails', async () => {
  const { repository, head } = await world();
  const prove = async (tree: Tree<S>) => ({ value: await tree.find(['people', 'bob', 'age']) });
  const { proof } = value(await produceProof(repository, head, prove));
  const more = { kind: 'blob', bytes: hot.utf8Encode('x') } as const;
  const withMore = { ...proof, objects: [...proof.objects, more] };
  assert.equal(kindOf(await check(head, withMore, prove)), 'more than needed');
  const twice = { ...proof, objects: [...proof.objects, proof.objects[0]!] };
  assert.equal(kindOf(await check(head, twice, prove)), 'more than needed');
  for (const gone of proof.objects) {
    const less = { ...proof, objects: proof.objects.filter((object) => object !== gone) };
    assert.equal(kindOf(await check(head, less, prove)), 'outside of the proof');
  }
  assert.equal(kindOf(await check(head, proof, async () => ({ value: 1 }))), 'more than needed');
});

test('a root that is no commit and no tree, or dangles › a fault', async () => {
  const { repository, head } = await world();
  const { tree } = value(await repository.commit(head));
  const about = value(await repository.objects.tree(tree)).get('about')!.id;
  const prove = async () => ({ value: 1 });
  assert.equal(kindOf(await produceProof(repository, about, prove)), 'wrong kind');
  const nobody = 'f'.repeat(40) as ObjectId;
  assert.equal(kindOf(await produceProof(repository, nobody, prove)), 'dangling');
  const blob = { kind: 'blob', bytes: hot.utf8Encode('people') } as const;
  const proof = { hash: 'SHA-1', root: about, after: about, objects: [blob] } as const;
  assert.equal(kindOf(await check(about, proof, prove)), 'malformed');
});

test('parse › cut, longer, any bytes › a fault, never a throw', async () => {
  const { repository, head } = await world();
  const { proof } = value(await produceProof(repository, head, ageOf('bob')));
  const bytes = emitProof(proof);
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(parseProof(bytes.subarray(0, length)).ok, false);
  }
  assert.equal(parseProof(Uint8Array.from([...bytes, 0])).ok, false);
  const random = new SeededRandom(1);
  for (let i = 0; i < 500; i++) {
    const any = bytes.slice(0, 60).map((byte, at) => (at < 6 ? byte : random.below(256)));
    parseProof(any);
  }
});

test('a proof › of as many bytes and objects as allowed, and one more › made; too big', async () => {
  const { repository, head } = await world();
  const { proof } = value(await produceProof(repository, head, ageOf('bob')));
  const [bytesMax, objectsMax] = [emitProof(proof).length, proof.objects.length];
  const of = async (limits: object) =>
    kindOf(await produceProof(repository, head, ageOf('bob'), limits));
  assert.equal(await of({ bytesMax, objectsMax }), 'ok');
  assert.equal(await of({ bytesMax: bytesMax - 1 }), 'too big');
  assert.equal(await of({ objectsMax: objectsMax - 1 }), 'too big');
});

test('objects and bytes › at the bound and one more › parsed, made; malformed, refused', () => {
  const id = 'a'.repeat(40) as ObjectId;
  const empty = { kind: 'blob', bytes: new Uint8Array() } as const;
  const of = (count: number) =>
    emitProof({ hash: 'SHA-1', root: id, after: id, objects: Array(count).fill(empty) });
  assert.equal(parseProof(of(PROOF_OBJECTS_MAX)).ok, true);
  assert.equal(parseProof(of(PROOF_OBJECTS_MAX + 1)).ok, false);
  const headBytes = of(0).length + 5;
  const sized = (bytes: number) => {
    const proof = of(1);
    const whole = new Uint8Array(bytes);
    whole.set(proof);
    writeU32be(whole, headBytes - 4, bytes - headBytes);
    assert.equal(readU32be(whole, headBytes - 4), bytes - headBytes);
    return whole;
  };
  assert.equal(parseProof(sized(PROOF_BYTES_MAX)).ok, true);
  assert.equal(parseProof(sized(PROOF_BYTES_MAX + 1)).ok, false);
});
