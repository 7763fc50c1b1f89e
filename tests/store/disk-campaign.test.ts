import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runBeside, runKills, runWorkload } from './disk-campaign.ts';

test('git and we in turns, collections between › everything told is there, fsck clean', async () => {
  assert.ok((await runWorkload(1, 30)) > 8);
});

test('git gc, repack and pack-refs run while we commit and read › nothing is missed', async () => {
  assert.ok((await runBeside(1, 40)) > 0);
});

test('killed while it commits › what it said is there, fsck clean', async () => {
  assert.ok((await runKills(1, 1)) > 0);
});
