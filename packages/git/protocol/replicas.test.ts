/** Replicas that commit, push and pull in any order: in the end all have the same. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimRandom } from '#targets/sim/index';
import type { ObjectId } from '../object-id.ts';
import { must } from '../test-must.ts';
import { Replica } from './test-replica.ts';

const MAIN = 'refs/heads/main';

/** Takes what the hub has: forward where that goes, else by a commit of both. */
async function pull(replica: Replica, hub: Replica, version: 0 | 1 | 2): Promise<void> {
  must(await replica.remoteTo(hub, 'hub', version).fetch());
  const theirs = await replica.tip('refs/remotes/hub/main');
  const ours = await replica.tip(MAIN);
  if (theirs === null || theirs === ours) return;
  const isBehind = ours === null || (await reaches(replica, theirs, ours));
  if (!isBehind && (await reaches(replica, ours, theirs))) return;
  const to = isBehind ? theirs : await replica.commit(`m${ours}${theirs}`, [ours, theirs]);
  must(await replica.backend.updateRefs([{ name: MAIN, from: ours, to }], 'pull'));
}

async function reaches(replica: Replica, from: ObjectId, to: ObjectId): Promise<boolean> {
  const seen = new Set<ObjectId>();
  const stack = [from];
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    if (id === to) return true;
    if (seen.has(id)) continue;
    seen.add(id);
    const object = must(await replica.backend.readObject(id));
    assert(object !== null, id);
    const text = Buffer.from(object.bytes).toString('latin1');
    for (const [, parent] of text.matchAll(/^parent ([0-9a-f]+)$/gm))
      stack.push(parent as ObjectId);
  }
  return false;
}

for (let seed = 1; seed <= 3; seed++) {
  test(`seed ${seed} › commits, pushes and pulls of four replicas › all the same`, async () => {
    const random = new SimRandom(seed);
    const hub = new Replica();
    const replicas = [new Replica(), new Replica(), new Replica(), new Replica()];
    await replicas[0]!.grow('main', 'first');
    const version = (): 0 | 1 | 2 => random.pick([0, 1, 2, 2]);
    let refusals = 0;
    const push = async (replica: Replica): Promise<boolean> => {
      const asked = { refspecs: ['main'] };
      const pushed = must(await replica.remoteTo(hub, 'hub', version()).push(asked));
      if (!pushed.isWhole) refusals++;
      return pushed.isWhole;
    };
    assert(await push(replicas[0]!));
    for (const replica of replicas.slice(1)) must(await replica.remoteTo(hub, 'hub').clone());
    for (let step = 0; step < 60; step++) {
      const replica = random.pick(replicas);
      const what = random.below(4);
      if (what < 2) await replica.grow('main', `${seed}-${step}`);
      else if (what === 2) await pull(replica, hub, version());
      // Some at once: one of them wins.
      else await Promise.all([push(replica), push(random.pick(replicas))]);
    }
    assert(refusals > 0, 'somebody was behind');
    for (const replica of replicas) {
      await pull(replica, hub, version());
      assert(await push(replica));
    }
    const end = await hub.tip(MAIN);
    for (const replica of replicas) {
      await pull(replica, hub, version());
      assert.equal(await replica.tip(MAIN), end);
      assert(await reaches(replica, end!, end!));
    }
  });
}

test('a tip here without what it leads to, as a fetch that broke leaves it › all is brought', async () => {
  const [hub, replica] = [new Replica(), new Replica()];
  await hub.grow('main', 'first');
  await hub.grow('side', 'other');
  const remote = replica.remoteTo(hub, 'hub');
  must(await remote.fetch({ refspecs: ['+main:refs/remotes/hub/main'] }));
  const tip = await hub.grow('main', 'second');
  const commit = must(await hub.backend.readObject(tip));
  must(await replica.backend.writeObjects([{ id: tip, ...commit! }]));
  const report = must(await remote.fetch());
  assert.deepEqual(report.refs.map(({ outcome }) => outcome).sort(), ['fast-forward', 'new']);
  for await (const id of hub.backend.objectIds()) {
    assert(must(await replica.backend.hasObject(must(id))), must(id));
  }
  // What a ref leads to is whole, whether or not it is one's tip.
  must(await hub.backend.updateRefs([{ name: MAIN, from: 'any', to: null }], 'back'));
  const [first] = must(await hub.backend.listRefs('refs/heads/side'));
  must(await hub.backend.updateRefs([{ name: MAIN, from: null, to: first!.id }], 'back'));
  assert.equal(must(await remote.fetch()).objects, 0);
});
