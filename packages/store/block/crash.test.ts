/**
 * Power lost at every write, in every way that the simulated disk knows; then opened again. More
 * ways: `node packages/store/block/crash.test.ts --seeds=20`.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type NamedObject, nameObject } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import type { SimBlockDevice } from '#targets/sim/index';
import { BlockBackend } from './block-backend.ts';
import { Geometry } from './geometry.ts';
import {
  blob,
  commit,
  format,
  mustRead,
  mustSet,
  mustWrite,
  noise,
  partsOf,
  simDisk,
  tree,
  upon,
} from './test-store.ts';

const SMALL = { bytes: 600 * 512 };
const SEEDS = Number(process.argv.find((arg) => arg.startsWith('--seeds='))?.slice(8) ?? 1);

const DRAWS = 2;

/** A commit: what is written, and where the branch is then. */
interface Step {
  readonly objects: readonly NamedObject[];
  readonly head: NamedObject;
}

function history(count: number): Step[] {
  const steps: Step[] = [];
  let files: (readonly [string, NamedObject])[] = [];
  for (let i = 0; i < count; i++) {
    const file = i % 5 === 4 ? noise(9_000, i) : blob(`content ${i}`);
    files = [...files.filter(([name]) => name !== `f${i % 4}`), [`f${i % 4}`, file] as const];
    files.sort(([a], [b]) => (a < b ? -1 : 1));
    const root = tree(...files);
    const parents = steps.length === 0 ? [] : [steps.at(-1)!.head];
    const head = commit(root, parents, `commit ${i}\n`);
    steps.push({ objects: [file, root, head], head });
  }
  return steps;
}

const parts = (disk: SimBlockDevice) => ({ ...partsOf(disk), tailObjectsMax: 8 });

async function reopen(disk: SimBlockDevice): Promise<BlockBackend> {
  const opened = await BlockBackend.open(parts(disk));
  assert.ok(opened.ok, JSON.stringify(opened));
  opened.value.checkInvariants();
  return opened.value;
}

/** Commits until something fails; how many were acknowledged. */
async function run(store: BlockBackend, steps: readonly Step[], from: number): Promise<number> {
  for (let i = from; i < steps.length; i++) {
    const { objects, head } = steps[i]!;
    const written = await store.writeObjects(objects);
    if (!written.ok) return i;
    const updates = [{ name: 'refs/heads/main', from: steps[i - 1]?.head.id ?? null, to: head.id }];
    if (!(await store.updateRefs(updates, 'commit')).ok) return i;
  }
  return steps.length;
}

/** How many commits there are; each must be whole. */
async function committed(store: BlockBackend, steps: readonly Step[]): Promise<number> {
  const ref = await store.readRef('refs/heads/main');
  assert.ok(ref.ok);
  if (ref.value === null) return 0;
  const count = 1 + steps.findIndex(({ head }) => head.id === ref.value?.id);
  assert.ok(count > 0, 'the branch is at a commit of the history');
  for (const { objects } of steps.slice(0, count)) {
    for (const object of objects) await mustRead(store, object);
  }
  return count;
}

/** More of what one loss of power may leave, which costs no run. */
async function expectDraws(
  disk: SimBlockDevice,
  steps: readonly Step[],
  acknowledged: number,
): Promise<void> {
  for (let draw = 0; draw < DRAWS; draw++) {
    const store = await reopen(simDisk({ image: disk.crash(1_000 + draw) }));
    const count = await committed(store, steps);
    assert.ok(count === acknowledged || count === acknowledged + 1, `draw ${draw}`);
  }
}

test('a commit › power lost at any write › the last acknowledged commit is there, whole', async () => {
  const steps = history(10);
  const blank = simDisk(SMALL);
  await format(blank);
  const image = blank.crash(0);
  const dry = simDisk({ image: image.slice() });
  assert.equal(await run(await reopen(dry), steps, 0), steps.length);
  assert.ok(dry.changes > 25, `${dry.changes} changes`);
  for (let at = 0; at < dry.changes; at++) {
    for (let seed = 0; seed < SEEDS; seed++) {
      const disk = simDisk({ image: image.slice() });
      disk.powerFailsAt = at;
      const opened = await BlockBackend.open(parts(disk));
      const acknowledged = opened.ok ? await run(opened.value, steps, 0) : 0;
      const second = simDisk({ image: disk.crash(1 + at * SEEDS + seed) });
      const store = await reopen(second);
      const count = await committed(store, steps);
      const where = `change ${at}, seed ${seed}: ${count} of ${acknowledged}`;
      assert.ok(count === acknowledged || count === acknowledged + 1, where);
      await expectDraws(disk, steps, acknowledged);
      if (at % 3 !== 0) continue;
      // And once more, from there.
      second.powerFailsAt = second.changes + (at % 7);
      const more = await run(store, steps, count);
      const third = await reopen(simDisk({ image: second.crash(seed) }));
      const last = await committed(third, steps);
      assert.ok(last === more || last === more + 1, `${where}; then ${last} of ${more}`);
    }
  }
});

test('a process that ends before its flush › reopened, read, power lost › what was read is there', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const disk = simDisk(SMALL);
    await format(disk);
    const [first, second] = history(2) as [Step, Step];
    const store = await reopen(disk);
    await mustWrite(store, ...first.objects);
    await mustSet(store, 'refs/heads/main', first.head);
    const { flush } = disk;
    // It never comes back: the process is killed meanwhile, the machine goes on.
    disk.flush = () => new Promise(() => {});
    await mustWrite(store, ...second.objects);
    const update = { name: 'refs/heads/main', from: 'any', to: second.head.id } as const;
    void store.updateRefs([update], 'test');
    await setImmediate();
    disk.flush = flush;
    const seen = await (await reopen(disk)).readRef('refs/heads/main');
    const after = await reopen(simDisk({ image: disk.crash(seed) }));
    assert.deepEqual(await after.readRef('refs/heads/main'), seen);
    assert.deepEqual(seen, { ok: true, value: { id: second.head.id } });
    for (const object of second.objects) await mustRead(after, object);
  }
});

test('a disk whose flush lies › power lost › old or new, or an error, never wrong', async () => {
  const steps = history(12);
  for (let seed = 0; seed < 8; seed++) {
    const disk = simDisk({ ...SMALL, flushLies: true });
    await format(disk);
    await run(await reopen(disk), steps, 0);
    const opened = await BlockBackend.open(parts(simDisk({ image: disk.crash(seed) })));
    if (!opened.ok) continue;
    const ref = await opened.value.readRef('refs/heads/main');
    assert.ok(ref.ok);
    for (const object of steps.flatMap(({ objects }) => objects)) {
      const read = await opened.value.readObject(object.id);
      if (!read.ok || read.value === null) continue;
      assert.ok(Buffer.from(read.value.bytes).equals(object.bytes), 'as it was written');
    }
  }
});

/** Commits from `from` on while a collection runs; how many were acknowledged. */
async function runCollecting(
  store: BlockBackend,
  steps: readonly Step[],
  from: number,
): Promise<number> {
  const running = store.collect();
  const acknowledged = await run(store, steps, from);
  await running.done;
  return acknowledged;
}

test('a collection › power lost at any write › the last acknowledged commit is there, whole', async () => {
  const steps = history(16);
  const first = simDisk({ bytes: 1 << 19 });
  await format(first);
  const before = await reopen(first);
  assert.equal(await run(before, steps, 0), steps.length);
  await before.writeObjects([noise(30_000, 77)]);
  await before.close();
  // As it was at commit 10: the last ones are committed while the collection runs.
  const reset = await reopen(first);
  const updates = [{ name: 'refs/heads/main', from: 'any' as const, to: steps[9]!.head.id }];
  assert.ok((await reset.updateRefs(updates, 'back')).ok);
  await reset.close();
  const image = first.crash(0);
  const dry = simDisk({ image: image.slice() });
  const whole = await reopen(dry);
  assert.equal(await runCollecting(whole, steps, 10), 16);
  assert.equal(whole.stats().counters.collections, 1);
  for (let run = 0; run < dry.changes * SEEDS; run++) {
    const at = run % dry.changes;
    const disk = simDisk({ image: image.slice() });
    disk.powerFailsAt = at;
    const opened = await BlockBackend.open(parts(disk));
    const acknowledged = opened.ok ? await runCollecting(opened.value, steps, 10) : 10;
    const second = simDisk({ image: disk.crash(1 + run) });
    const store = await reopen(second);
    const count = await committed(store, steps);
    assert.ok(
      count === acknowledged || count === acknowledged + 1,
      `change ${at}, seed ${1 + run}: ${count} of ${acknowledged}`,
    );
    if (at % 3 !== 0) continue;
    // And a collection that nothing stops.
    assert.equal(await runCollecting(store, steps, count), steps.length);
    assert.equal(await committed(await reopen(second), steps), steps.length);
  }
});

/** Numbers of the changes that are discards, or writes of superblocks, from now on. */
function noteCritical(disk: SimBlockDevice): Set<number> {
  const noted = new Set<number>();
  const blocks = disk.blockBytes * disk.blockCount;
  const geometry = new Geometry(disk.blockBytes, blocks, 16_384);
  const slots = new Set([0, 1, 2, 3].map((slot) => geometry.blockOf(geometry.slotAt(slot))));
  const [write, discard] = [disk.write.bind(disk), disk.discard.bind(disk)];
  disk.write = (block, bytes) => {
    if (slots.has(block)) noted.add(disk.changes);
    return write(block, bytes);
  };
  disk.discard = (block, count) => {
    noted.add(disk.changes);
    return discard(block, count);
  };
  return noted;
}

/** Images that one loss of power may leave. */
const CRITICAL_DRAWS = SEEDS > 1 ? 12 * SEEDS : 4;

test('a discard, a superblock › power lost in it or just behind › whole, and usable', async () => {
  const steps = history(16);
  const first = simDisk({ bytes: 1 << 19 });
  await format(first);
  const before = await reopen(first);
  assert.equal(await run(before, steps.slice(0, 10), 0), 10);
  await before.writeObjects([noise(60_000, 77)]);
  await before.close();
  const image = first.crash(0);
  const dry = simDisk({ image: image.slice() });
  const noted = noteCritical(dry);
  assert.equal(await runCollecting(await reopen(dry), steps, 10), 16);
  assert.ok(noted.size > 10, `${noted.size} of them`);
  const all = [...new Set([...noted].flatMap((at) => [at, at + 1]))];
  const places = SEEDS > 1 ? all : all.filter((_, i) => i % 5 === 0);
  for (const at of places) {
    const disk = simDisk({ image: image.slice() });
    disk.powerFailsAt = at;
    const opened = await BlockBackend.open(parts(disk));
    const acknowledged = opened.ok ? await runCollecting(opened.value, steps, 10) : 10;
    for (let draw = 0; draw < CRITICAL_DRAWS; draw++) {
      const second = simDisk({ image: disk.crash(draw) });
      const store = await reopen(second);
      const count = await committed(store, steps);
      const where = `change ${at}, draw ${draw}: ${count} of ${acknowledged}`;
      assert.ok(count === acknowledged || count === acknowledged + 1, where);
      if (draw > 0) continue;
      // What was given back is taken again.
      assert.equal(await runCollecting(store, steps, count), steps.length, where);
      assert.equal(await committed(await reopen(second), steps), steps.length, where);
    }
  }
});

/**
 * A store that has more once it is collected than fits: small deltas upon large objects that
 * nothing names, in an order in which none is near another one of the same.
 */
async function expanding(steps: readonly Step[]): Promise<Uint8Array> {
  const disk = simDisk(SMALL);
  await format(disk);
  const store = await reopen(disk);
  assert.equal(await run(store, steps.slice(0, 4), 0), 4);
  const files: (readonly [string, NamedObject])[] = [];
  for (let i = 0; i < 12; i++) {
    const base = noise(3_500, 100 + i);
    await mustWrite(store, base);
    for (let j = 0; j < 6; j++) {
      const bytes = base.bytes.slice();
      bytes[1_000 + j] = bytes[1_000 + j]! ^ 1;
      const one = nameObject(nodeCrypto, 'SHA-1', 'blob', bytes);
      await mustWrite(store, upon(base, one));
      files.push([`f${j}-${i + 10}`, one]);
    }
  }
  files.sort(([a], [b]) => (a < b ? -1 : 1));
  const root = tree(...files);
  const head = commit(root, [], 'deltas\n');
  await mustWrite(store, root, head);
  await mustSet(store, 'refs/heads/deltas', head);
  await store.close();
  return disk.crash(0);
}

test('full in the middle of a collection › told; power lost at any write › whole', async () => {
  const steps = history(8);
  const image = await expanding(steps);
  const dry = simDisk({ image: image.slice() });
  const store = await reopen(dry);
  const { segmentsFree } = store.stats();
  const running = store.collect();
  assert.equal(await run(store, steps, 4), 8);
  const done = await running.done;
  assert.ok(!done.ok && done.error.kind === 'full', JSON.stringify(done));
  assert.ok(store.stats().segmentsFree >= segmentsFree - 3, 'what it took is free');
  store.checkInvariants();
  // Something has to go; then it works.
  await mustSet(store, 'refs/heads/deltas', null);
  assert.ok((await (await reopened(store, dry)).collect().done).ok);
  assert.equal(await committed(await reopen(dry), steps), 8);
  const stride = SEEDS > 1 ? 1 : 13;
  for (let at = 0; at < dry.changes; at += stride) {
    const disk = simDisk({ image: image.slice() });
    disk.powerFailsAt = at;
    const opened = await BlockBackend.open(parts(disk));
    const acknowledged = opened.ok ? await runCollecting(opened.value, steps, 4) : 4;
    for (let draw = 0; draw < DRAWS * SEEDS; draw++) {
      const after = await reopen(simDisk({ image: disk.crash(draw) }));
      const count = await committed(after, steps);
      const where = `change ${at}, draw ${draw}: ${count} of ${acknowledged}`;
      assert.ok(count === acknowledged || count === acknowledged + 1, where);
      const check = await after.check();
      assert.ok(check.ok);
      // One copy of a superblock may be half written: the next one goes over it.
      const problems = check.value.problems.filter(({ kind }) => kind !== 'superblock');
      assert.deepEqual(problems, [], where);
    }
  }
});

async function reopened(store: BlockBackend, disk: SimBlockDevice): Promise<BlockBackend> {
  await store.close();
  return reopen(disk);
}
