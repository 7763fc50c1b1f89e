import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SeededRandom } from '#core';
import type { ObjectId } from '#git';
import { StockGit } from '../../../tests/helpers/git.ts';
import { CommitGraph } from './commit-graph.ts';
import { lowestCommonAncestors, relationOf } from './common-ancestors.ts';
import {
  fastImport,
  type History,
  historyOf,
  makeHistory,
  newDraft,
  randomPlan,
} from './test-histories.ts';
import { type WalkOptions, walkHistory } from './walk.ts';

const FAST_IMPORT = 'fast-import --quiet --force'.split(' ');

const oracle = new StockGit();
before(() => oracle.run(['init', '-q', '--bare', '.']));
after(() => oracle.remove());

const graphOf = ({ objects }: History) => new CommitGraph(objects);
const missing = 'f'.repeat(40) as ObjectId;

async function ancestors(history: History, a: number, b: number, limits = {}) {
  const { ids } = history;
  const found = await lowestCommonAncestors(graphOf(history), ids[a]!, ids[b]!, limits);
  return found.ok ? found.value.map((id) => ids.indexOf(id)) : found.error.kind;
}

async function walked(history: History, heads: readonly number[], options: WalkOptions = {}) {
  const given: (number | string)[] = [];
  const from = heads.map((head) => history.ids[head]!);
  for await (const node of walkHistory(graphOf(history), from, options)) {
    given.push(node.ok ? history.ids.indexOf(node.value.id) : node.error.kind);
  }
  return given;
}

/** Any two commits, and two with several lowest common ancestors where there are such. */
async function pairsOf(history: History, random: SeededRandom) {
  const { ids } = history;
  const any = () => ids[random.below(ids.length)]!;
  const pairs: [ObjectId, ObjectId][] = [[any(), any()]];
  for (const a of ids.slice(-5)) {
    for (const b of ids.slice(-5)) {
      const common = await lowestCommonAncestors(graphOf(history), a, b);
      if (common.ok && common.value.length > 1) return [...pairs, [a, b] as [ObjectId, ObjectId]];
    }
  }
  return pairs;
}

test('random histories › any two commits › the ancestors that git merge-base --all finds', async () => {
  const [histories, cases] = [Number(process.env.HISTORIES ?? 110), [] as [ObjectId, ObjectId][]];
  const [found, imported] = [[] as string[][], [] as string[]];
  const objects = newDraft();
  for (let seed = 1, mark = 1; seed <= histories; seed++) {
    const plan = randomPlan(seed);
    imported.push(fastImport(plan, mark));
    mark += plan.length;
    const history = makeHistory(plan, objects);
    for (const [a, b] of await pairsOf(history, new SeededRandom(seed))) {
      const common = await lowestCommonAncestors(graphOf(history), a, b);
      assert.ok(common.ok);
      cases.push([a, b]);
      found.push([...common.value].sort());
    }
  }
  await oracle.run(FAST_IMPORT, { input: imported.join('\n') });
  const script = '!while read a b; do git merge-base --all $a $b; echo .; done';
  const input = cases.map((pair) => `${pair.join(' ')}\n`).join('');
  const answers = await oracle.run(['-c', `alias.each=${script}`, 'each'], { input });
  const wanted = `${answers}\n`.split('.\n').slice(0, -1);
  assert.equal(wanted.length, cases.length);
  let several = 0;
  for (const [index, text] of wanted.entries()) {
    assert.deepEqual(found[index], text.split('\n').slice(0, -1).sort(), `case ${index}`);
    if (found[index]!.length > 1) several++;
  }
  assert.ok(several > 8, `criss-crosses among the cases: ${several}`);
});

test('a random history › walked › in the order of git rev-list, by date and topologically', async () => {
  const plans = [3, 4, 11, 27, 35].map(randomPlan);
  for (const plan of plans) {
    const history = makeHistory(plan);
    await oracle.run(FAST_IMPORT, { input: fastImport(plan, 1) });
    const heads = [plan.length - 1, plan.length - 2];
    const list = async (...args: string[]) => {
      const ids = heads.map((head) => history.ids[head]!);
      const lines = await oracle.run(['rev-list', ...args, ...ids]);
      return lines.split('\n').map((id) => history.ids.indexOf(id as ObjectId));
    };
    assert.deepEqual(await walked(history, heads), await list());
    const topological = await walked(history, heads, { order: 'topological' });
    assert.deepEqual(topological, await list('--date-order'));
    assert.deepEqual(await walked(history, heads, { countMax: 3 }), await list('-n3'));
  }
});

test('a criss-cross › two lowest ancestors; one more than allowed › refused', async () => {
  const cross = historyOf([], [0], [0], [1, 2], [2, 1]);
  assert.deepEqual(await ancestors(cross, 3, 4), [2, 1]);
  assert.deepEqual(await ancestors(cross, 3, 4, { countMax: 2 }), [2, 1]);
  assert.equal(await ancestors(cross, 3, 4, { countMax: 1 }), 'too many ancestors');
});

test('unrelated, equal, ancestor of itself', async () => {
  const history = historyOf([], [], [0], [1], [2, 3], [4]);
  assert.deepEqual(await ancestors(history, 2, 3), []);
  assert.deepEqual(await ancestors(history, 4, 4), [4]);
  assert.deepEqual(await ancestors(history, 5, 0), [0]);
  assert.deepEqual(await ancestors(history, 4, 3), [3]);
});

test('depthMax › at the bound › found; one step less › too deep', async () => {
  const line = historyOf([], [0], [1], [2], [3], [0]);
  assert.deepEqual(await ancestors(line, 4, 5, { depthMax: 4 }), [0]);
  assert.equal(await ancestors(line, 4, 5, { depthMax: 3 }), 'too deep');
  assert.deepEqual(await ancestors(line, 4, 3, { depthMax: 1 }), [3]);
});

test('commitsMax › at the bound › found; one less › too many commits', async () => {
  const line = historyOf([], [0], [1], [2], [0]);
  const [a, b] = [line.ids[3]!, line.ids[4]!];
  assert.equal((await lowestCommonAncestors(new CommitGraph(line.objects, 5), a, b)).ok, true);
  const few = await lowestCommonAncestors(new CommitGraph(line.objects, 4), a, b);
  assert.equal(few.ok ? '' : few.error.kind, 'too many commits');
});

test('a commit that is missing or no commit › a fault that names it', async () => {
  const line = historyOf([], [0]);
  const { objects } = line;
  const blob = objects.addBlob(new Uint8Array(1));
  for (const { id, kind } of [
    { id: missing, kind: 'dangling' },
    { id: blob, kind: 'wrong kind' },
  ]) {
    const graph = new CommitGraph(objects);
    const common = await lowestCommonAncestors(graph, line.ids[1]!, id);
    assert.equal(common.ok ? '' : common.error.kind, kind);
    const same = await lowestCommonAncestors(graph, id, id);
    assert.equal(same.ok, false);
    const relation = await relationOf(graph, id, line.ids[0]!);
    assert.equal(relation.ok, false);
    const given = [];
    for await (const node of walkHistory(graph, [line.ids[1]!, id])) given.push(node);
    assert.equal(given.at(-1)?.ok, false);
  }
});

test('relationOf › each relation', async () => {
  const history = historyOf([], [0], [0], []);
  const graph = graphOf(history);
  const relation = async (from: number, to: number) => {
    const found = await relationOf(graph, history.ids[from]!, history.ids[to]!);
    return found.ok ? found.value : found.error.kind;
  };
  assert.equal(await relation(1, 1), 'same');
  assert.equal(await relation(0, 1), 'ahead');
  assert.equal(await relation(1, 0), 'behind');
  assert.equal(await relation(1, 2), 'diverged');
  assert.equal(await relation(1, 3), 'unrelated');
});

test('walks › depth, until, several heads, a head twice', async () => {
  const history = historyOf([], [0], [1], [1], [2, 3]);
  assert.deepEqual(await walked(history, [4], { depthMax: 0 }), [4]);
  assert.deepEqual(await walked(history, [4], { depthMax: 1 }), [4, 3, 2]);
  assert.deepEqual(await walked(history, [4], { depthMax: 1, order: 'topological' }), [4, 3, 2]);
  assert.deepEqual(await walked(history, [4], { until: [history.ids[1]!] }), [4, 3, 2, 1]);
  assert.deepEqual(await walked(history, [2, 2, 3]), [3, 2, 1, 0]);
  assert.deepEqual(await walked(history, []), []);
  assert.deepEqual(await walked(history, [4], { countMax: 0 }), []);
});

test('a wrong clock › topological › never a parent before its child', async () => {
  const skewed = makeHistory([
    { parents: [], seconds: 9_000 },
    { parents: [0], seconds: 1 },
    { parents: [0], seconds: 5_000 },
    { parents: [1, 2], seconds: 2 },
  ]);
  assert.deepEqual(await walked(skewed, [3], { order: 'topological' }), [3, 2, 1, 0]);
  assert.deepEqual(await ancestors(skewed, 1, 2), [0]);
});
