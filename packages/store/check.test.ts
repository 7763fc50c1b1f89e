import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBackend, nameObject, type ObjectId, parseObjectId } from '#git';
import { emitTree } from '#git/wire';
import { nodeCrypto } from '#targets/node/crypto';
import { checkRepository, formatCheckFault } from './check.ts';
import { CHECK_FAULTS_MAX } from './limits.ts';
import { testRepository, value } from './test-world.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test('a repository with tags and branches › whole; a blob that is another one’s › told', async () => {
  const backend = new MemoryBackend();
  const repository = testRepository(backend);
  const commit = value(await repository.branch('main').set(['a', 'b'], encode('x')))!;
  value(await repository.setTag('v1', commit, { message: 'one' }));
  assert.deepEqual(await checkRepository(backend, nodeCrypto), {
    objects: 5,
    faults: [],
    faultCount: 0,
  });
  const wrong = parseObjectId('1'.repeat(40))!;
  value(await backend.writeObjects([{ id: wrong, kind: 'commit', bytes: encode('tree x') }]));
  value(await backend.updateRefs([{ name: 'refs/heads/w', from: null, to: wrong }], 'test'));
  const { faults } = await checkRepository(backend, nodeCrypto);
  assert.deepEqual(faults, [{ kind: 'wrong bytes', id: wrong }]);
});

test('missing, of another kind, malformed › each told; more than the bound › counted', async () => {
  const backend = new MemoryBackend();
  const write = async (kind: 'blob' | 'tree' | 'commit', bytes: Uint8Array): Promise<ObjectId> => {
    const object = nameObject(nodeCrypto, 'SHA-1', kind, bytes);
    value(await backend.writeObjects([object]));
    return object.id;
  };
  const blob = await write('blob', encode('x'));
  const gone = (i: number): ObjectId => parseObjectId(i.toString(16).padStart(40, '0'))!;
  const entries = Array.from({ length: CHECK_FAULTS_MAX + 5 }, (_, i) => ({
    mode: 0o100644 as const,
    name: `f${i}`,
    id: gone(i),
  }));
  const asTree = { mode: 0o40000 as const, name: 'x', id: blob };
  const root = await write('tree', emitTree([...entries, asTree], 20));
  const broken = await write('commit', encode('tree nothing\n'));
  for (const [name, to] of [
    ['a', root],
    ['b', broken],
  ] as const) {
    value(await backend.updateRefs([{ name: `refs/heads/${name}`, from: null, to }], 'test'));
  }
  const { faults, faultCount } = await checkRepository(backend, nodeCrypto);
  assert.equal(faultCount, CHECK_FAULTS_MAX + 7);
  assert.equal(faults.length, CHECK_FAULTS_MAX);
  const kinds = new Set(faults.map(({ kind }) => kind));
  assert.deepEqual([...kinds].sort(), ['malformed', 'missing', 'wrong kind']);
  assert.match(formatCheckFault(faults.find(({ kind }) => kind === 'wrong kind')!), /names$/);
  await backend.close();
  const closed = await checkRepository(backend, nodeCrypto);
  assert.equal(formatCheckFault(closed.faults[0]!), 'unreadable: the refs: it is closed');
});
