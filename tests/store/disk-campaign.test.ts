import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { runBig } from '../../bench/store-big.ts';
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

test('big repositories, scaled down › walked, committed to, collected, checked, cloned', async () => {
  const lines: string[] = [];
  const options = { directory: tmpdir(), commits: 150, megabytes: 1 };
  await runBig(options, (line) => lines.push(line));
  assert.equal(lines.length, 18);
});
