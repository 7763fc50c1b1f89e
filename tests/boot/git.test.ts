/** A unikernel as a Git server, and as a client: stock git on the other side. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { linearHistory, StockGit } from '../helpers/git.ts';
import { buildImage, cannotBoot, type Machine, serving } from '../helpers/machine.ts';

const git = new StockGit();
let machine: Machine | null = null;

after(async () => {
  await machine?.stop();
  git.remove();
});

test('a booted unikernel › pushed to, cloned, pushed again › stock git is happy', {
  skip: cannotBoot,
}, async () => {
  const image = await buildImage('tests/boot/images/git');
  machine = await serving({ image, memoryMib: 48, bootArguments: ['--password=secret'] });
  const work = git.path('work');
  await git.run(['init', '-q', work]);
  await git.run(['fast-import', '--quiet'], { cwd: work, input: linearHistory(20) });
  const url = `${machine.url}/repo`;
  const pushUrl = url.replace('//', '//ada:secret@');
  const anonymous = await git.try(['push', url, 'main'], { cwd: work });
  assert.notEqual(anonymous.status, 0);
  await git.run(['push', '-q', pushUrl, 'main~10:refs/heads/main', 'v1'], { cwd: work });
  const clone = git.path('clone');
  await git.run(['clone', '-q', url, clone]);
  await git.run(['push', '-q', pushUrl, 'main'], { cwd: work });
  await git.run(['pull', '-q'], { cwd: clone });
  await git.run(['fsck', '--full', '--strict'], { cwd: clone });
  const tip = await git.run(['rev-parse', 'main'], { cwd: work });
  assert.equal(await git.run(['rev-parse', 'HEAD'], { cwd: clone }), tip);
});
