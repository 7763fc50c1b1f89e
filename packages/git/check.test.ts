import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import { type CheckProblem, checkRepository, formatCheckProblem } from './check.ts';
import { CHECK_PROBLEMS_MAX } from './limits.ts';
import { MemoryBackend } from './memory-backend.ts';
import { MODE_DIRECTORY, MODE_FILE, type NamedObject, nameObject } from './object.ts';
import type { ObjectId } from './object-id.ts';
import { emitCommit } from './wire/commit.ts';
import { emitTree } from './wire/tree.ts';

const object = (kind: NamedObject['kind'], bytes: Uint8Array): NamedObject =>
  nameObject(nodeCrypto, 'SHA-1', kind, bytes);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const blob = (value: string): NamedObject => object('blob', text(value));
const tree = (...entries: [string, ObjectId, boolean][]): NamedObject =>
  object(
    'tree',
    emitTree(
      entries.map(([name, id, isTree]) => ({
        mode: isTree ? MODE_DIRECTORY : MODE_FILE,
        name,
        id,
      })),
      20,
    ),
  );
const author = { name: 'A', email: 'a@example.org', seconds: 1, zoneMinutes: 0 };
const commit = (root: ObjectId, ...parents: ObjectId[]): NamedObject => {
  const extraHeaders = '';
  const message = 'm\n';
  const people = { author, committer: author };
  return object('commit', emitCommit({ tree: root, parents, ...people, extraHeaders, message }));
};

async function check(
  objects: readonly NamedObject[],
  refs: Readonly<Record<string, ObjectId>>,
  shallow: readonly ObjectId[] = [],
) {
  const backend = new MemoryBackend();
  assert.ok((await backend.writeObjects(objects)).ok);
  const updates = Object.entries(refs).map(([name, to]) => ({ name, from: null, to }));
  assert.ok((await backend.updateRefs(updates, 'test')).ok);
  assert.ok((await backend.updateShallow({ add: shallow, remove: [] })).ok);
  const report = await checkRepository(backend, { crypto: nodeCrypto });
  assert.ok(report.ok);
  return report.value;
}

const kinds = (problems: readonly CheckProblem[]): string[] => {
  for (const problem of problems) assert.ok(formatCheckProblem(problem).length > 10);
  return problems.map((problem) => problem.kind);
};

const a = blob('a');
const inner = tree(['file', a.id, false]);
const outer = tree(['dir', inner.id, true]);
const first = commit(outer.id);
const second = commit(outer.id, first.id);
const MAIN = 'refs/heads/main';

test('whole › no problems, everything counted', async () => {
  const report = await check([a, inner, outer, first, second], { [MAIN]: second.id });
  const objectBytes = [a, inner, outer, first, second].reduce((sum, o) => sum + o.bytes.length, 0);
  assert.deepEqual(report, { objects: 5, objectBytes, refs: 1, problems: [], problemCount: 0 });
});

test('a blob, a tree, a parent missing › each named once; a shallow commit’s parent isn’t', async () => {
  const report = await check([outer, second], { [MAIN]: second.id });
  assert.deepEqual(
    new Set(report.problems),
    new Set([
      { kind: 'missing', id: inner.id, as: 'tree' },
      { kind: 'missing', id: first.id, as: 'commit' },
    ]),
  );
  const shallow = await check([a, inner, outer, second], { [MAIN]: second.id }, [second.id]);
  assert.equal(shallow.problemCount, 0);
});

test('other bytes than the name says, bytes that Git refuses › told, and not looked into', async () => {
  const swapped = { ...blob('b'), bytes: text('c') };
  const bad = object('tree', text('no tree'));
  const report = await check([swapped, bad], {});
  assert.deepEqual(kinds(report.problems).sort(), ['bad object', 'wrong bytes']);
});

test('named as another kind, and as two kinds › told', async () => {
  const wrong = tree(['a', inner.id, false]);
  const report = await check([a, inner, outer, wrong], {});
  assert.ok(kinds(report.problems).includes('wrong kind'));
  const alone = await check([a, tree(['x', a.id, true])], {});
  assert.deepEqual(alone.problems, [{ kind: 'wrong kind', id: a.id, as: 'tree' }]);
});

test('a ref to nothing, a branch at a blob › told; a tag at a blob isn’t', async () => {
  const refs = { [MAIN]: first.id, 'refs/heads/blob': a.id, 'refs/tags/blob': a.id };
  const report = await check([a], refs);
  assert.deepEqual(report.problems, [
    { kind: 'bad ref', name: 'refs/heads/blob', id: a.id },
    { kind: 'bad ref', name: MAIN, id: first.id },
  ]);
});

test('problems at the bound and more › as many are kept, all are counted', async () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ ...blob(`x${i}`), bytes: text('other') }));
  const full = await check(many(CHECK_PROBLEMS_MAX), {});
  assert.deepEqual([full.problems.length, full.problemCount], [100, 100]);
  const more = await check(many(CHECK_PROBLEMS_MAX + 1), {});
  assert.deepEqual([more.problems.length, more.problemCount], [100, 101]);
});
