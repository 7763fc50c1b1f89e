import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockIndex, Merged } from './block-index.ts';
import { openStore } from './open-store.ts';
import { blob, format, partsOf, simDisk } from './test-store.ts';

async function merged(index: BlockIndex, isWhole: boolean): Promise<Merged> {
  const { value } = (await index.merge(0, isWhole)) as { readonly value: Merged };
  return value;
}

/** An index of three runs: of 100, 20 and 4 objects. */
async function threeRuns(): Promise<BlockIndex> {
  const disk = simDisk();
  await format(disk);
  const opened = await openStore(partsOf(disk));
  assert.ok(opened.ok);
  const { index } = opened.value.core;
  for (const count of [100, 20, 4]) {
    for (let i = 0; i < count; i++) index.add(blob(`${count} ${i}`).id, count + i);
    index.freeze();
    index.install(await merged(index, false));
  }
  assert.equal(index.runs.length, 3);
  return index;
}

test('looking for an object while its run is merged › found where it was, or absent', async () => {
  const index = await threeRuns();
  index.freeze();
  const whole = await merged(index, true);
  const ids = [blob('100 7').id, blob('20 7').id, blob('absent').id];
  const finding = Promise.all(ids.map((id) => index.find(id)));
  assert.equal(index.install(whole).length, 3);
  assert.deepEqual(
    (await finding).map((found) => found.ok && found.value),
    [107, 27, null],
  );
  assert.equal(index.runs.length, 1);
  index.checkInvariants();
});
