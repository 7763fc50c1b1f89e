/**
 * examples/versioned-arp as its README tells it: hosts that pull from each other, a forger, and
 * `git bisect` on a clone.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { freePort, root, type Tool, Workspace } from '../cli/cli.ts';

const EVIL = '02:00:00:00:00:66';
const work = new Workspace();
process.env.MORGANA_RUNTIME_DIR = work.path('.run');
after(() => work.remove());

const env = { ...process.env, GIT_CONFIG_NOSYSTEM: '1', HOME: work.directory };
const git = (directory: string, ...words: string[]): string =>
  execFileSync('git', words, { cwd: work.path(directory), env, encoding: 'utf8', stdio: 'pipe' });

describe('the example', { timeout: 180_000 }, () => {
  let tool: Tool | null = null;
  after(async () => {
    tool?.child.kill('SIGTERM');
    await tool?.ended;
  });

  test('a forged reply spreads › git bisect names who let it in, and why', async () => {
    const port = await freePort();
    const file = path.join(root, 'examples/versioned-arp/morgana.compose.ts');
    tool = work.start(['compose', 'up', `--file=${file}`], { PORT: String(port) });
    await tool.wrote(/morgana: gossip is up/);
    await tool.wrote(/forged/);
    git('.', 'clone', '-q', `http://127.0.0.1:${port}/arp`, 'arp');
    // Ann pulls each second.
    const sees = () => spawnSync('grep', ['-rqs', EVIL, 'neighbors'], { cwd: work.path('arp') });
    for (let tries = 0; sees().status !== 0; tries++) {
      assert(tries < 40, 'ann never heard of it');
      await setTimeout(250);
      git('arp', 'pull', '-q', '--ff-only');
    }
    git('arp', 'fsck', '--strict');
    const begin = git('arp', 'rev-list', '--max-parents=0', 'HEAD').trim().split('\n').at(-1)!;
    git('arp', 'bisect', 'start', 'HEAD', begin);
    const found = git('arp', 'bisect', 'run', 'sh', '-c', `! grep -rqs ${EVIL} neighbors`);
    const [, commit = ''] = /^([0-9a-f]{40}) is the first bad commit$/m.exec(found) ?? [];
    const [author, subject, ...body] = git('arp', 'show', '-s', '--format=%an%n%B', commit).split(
      '\n',
    );
    assert.equal(author, 'ben');
    assert.equal(subject, `learn 10.90.0.99 is ${EVIL}: it said so, unasked`);
    assert.match(
      body.join('\n'),
      /^\nStation: 02:.*:66\nInterface: 02:00:00:00:00:12\nUptime: [\d.]+ s\n/,
    );
    const record = git('arp', 'show', `${commit}:neighbors/10.90.0.99`);
    assert.match(record, /^mac 02:.*:66\nexpires .*Z\nreason unasked reply\nhost ben\n$/);
  });
});
