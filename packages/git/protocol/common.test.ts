import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ObjectId } from '../object-id.ts';
import { CommitGraph } from './commit-graph.ts';
import { areReachable, findReachable } from './common.ts';
import { Replica } from './test-replica.ts';

test('walks of one request › share what it may look at; one commit past it › not reached', async () => {
  const replica = new Replica();
  const line: ObjectId[] = [];
  for (let i = 0; i < 11; i++) line.push(await replica.commit(`${i}`, line.slice(-1)));
  const strange = await replica.commit('strange', []);
  const [first, second, last] = [line[0]!, line[1]!, line.at(-1)!];
  const whole = new CommitGraph(replica.backend, 21);
  assert.equal(await areReachable(whole, [last], new Set([strange])), false, 'all 11 were seen');
  assert.equal(await areReachable(whole, [last], new Set([first])), true, 'the other 10 suffice');
  assert.equal(whole.walkLeft, 0);
  assert.equal(await areReachable(whole, [last], new Set([last])), true, 'that costs nothing');
  assert.equal(await findReachable(whole, [last], new Set([first])), null, 'not known');
  const short = new CommitGraph(replica.backend, 20);
  assert.equal(await findReachable(short, [last], new Set([strange])), false);
  assert.equal(await findReachable(short, [last], new Set([first])), null, 'one is left');
  const again = new CommitGraph(replica.backend, 20);
  assert.equal(await areReachable(again, [last], new Set([strange])), false);
  assert.equal(await areReachable(again, [last], new Set([second])), true);
});
