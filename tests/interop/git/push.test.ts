/** Stock git clients against our server: pushes, and those that are refused. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Log } from '#core';
import { MemoryBackend, type PushedRef } from '#git';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { type GitCaller, GitHandler } from '../../../packages/morgana/git.ts';
import { StockGit } from '../../helpers/git.ts';
import { type RunningServer, serveOnHost } from '../http/host-server.ts';

const log = new Log((line) => console.error(line), 'warn').source('git');
const git = new StockGit();
const backend = new MemoryBackend();
const PACK_BYTES_MAX = 400_000;
let server: RunningServer;

const authorise = ({ user, password }: GitCaller): string | null =>
  user === 'ada' && password === 'secret' ? user : null;

/** One branch is Ada's rule: nobody may push it. */
const accept = ({ name, options }: PushedRef, pusher: string): string | null =>
  name === 'refs/heads/frozen' && !options.includes('thaw') ? `frozen for ${pusher}` : null;

const url = (): string => server.url.replace('//', '//ada:secret@');
const at = (folder: string) => ({ cwd: git.path(folder) });

before(async () => {
  const push = { authorise, accept, packBytesMax: PACK_BYTES_MAX };
  server = await serveOnHost(new GitHandler({ backend, crypto, zlib, log, path: '/repo', push }));
  await git.run(['init', '-q', git.path('work')]);
  await commit('work', 'first');
});

after(async () => {
  await server.stop();
  git.remove();
});

async function commit(folder: string, message: string): Promise<string> {
  const input = `${message}\n`.repeat(50);
  const blob = await git.run(['hash-object', '-w', '--stdin'], { ...at(folder), input });
  await git.run(['update-index', '--add', '--cacheinfo', `100644,${blob},${message}`], at(folder));
  await git.run(['commit', '-q', '-m', message], at(folder));
  return git.run(['rev-parse', 'HEAD'], at(folder));
}

const push = (folder: string, ...args: string[]) =>
  git.try(['push', '--porcelain', `${url()}/repo`, ...args], at(folder));

async function tip(name: string): Promise<string | null> {
  const read = await backend.readRef(name);
  assert(read.ok);
  return read.value?.id ?? null;
}

test('an empty repository › first push › the branch is there, and a clone has it', async () => {
  const pushed = await push('work', 'main');
  assert.equal(pushed.status, 0, pushed.stderr);
  assert.equal(await tip('refs/heads/main'), await git.run(['rev-parse', 'HEAD'], at('work')));
  await git.run(['clone', '-q', `${server.url}/repo`, git.path('second')]);
  await git.run(['fsck', '--full', '--strict'], at('second'));
});

test('no credentials, wrong ones › push › refused, nothing moves', async () => {
  await commit('work', 'unseen');
  const before = await tip('refs/heads/main');
  for (const who of ['', 'ada:wrong@', 'eve:secret@']) {
    const target = `${server.url.replace('//', `//${who}`)}/repo`;
    const { status, stderr } = await git.try(['push', target, 'main'], at('work'));
    assert.notEqual(status, 0);
    assert.match(stderr, /Authentication failed|could not read Username/);
  }
  assert.equal(await tip('refs/heads/main'), before);
});

test('history › pushed in small chunks, by protocol 0, 1, 2 › as it is', async () => {
  for (const version of [0, 1, 2]) {
    const id = await commit('work', `by${version}`);
    const small = ['-c', 'http.postBuffer=1000', '-c', `protocol.version=${version}`];
    await git.run([...small, 'push', '-q', `${url()}/repo`, 'main'], at('work'));
    assert.equal(await tip('refs/heads/main'), id);
  }
});

test('a branch that moved › push of another history › refused by name, unless forced', async () => {
  await commit('second', 'elsewhere');
  const refused = await push('second', 'main');
  assert.notEqual(refused.status, 0);
  assert.match(refused.stdout, /rejected/);
  const forced = await push('second', '--force', 'main');
  assert.match(forced.stdout, /remote rejected.*non-fast-forward/);
});

test('branches and tags › pushed, deleted › there and gone', async () => {
  await git.run(['tag', '-a', '-m', 'one', 'v1'], at('work'));
  const pushed = await push('work', 'main:refs/heads/topic', 'v1');
  assert.equal(pushed.status, 0, pushed.stderr);
  assert.notEqual(await tip('refs/tags/v1'), null);
  const deleted = await push('work', ':refs/heads/topic', ':refs/tags/v1');
  assert.equal(deleted.status, 0, deleted.stderr);
  assert.equal(await tip('refs/heads/topic'), null);
  const head = await push('work', ':refs/heads/main');
  assert.match(head.stdout, /deletion of the current branch prohibited/);
});

test('a policy › push to a branch it forbids › its words, and an option that it knows', async () => {
  const refused = await push('work', 'main:refs/heads/frozen', 'main:refs/heads/free');
  assert.match(refused.stdout, /frozen.*frozen for ada/);
  assert.equal(await tip('refs/heads/frozen'), null);
  assert.notEqual(await tip('refs/heads/free'), null);
  const atomic = await push('work', '--atomic', 'main:refs/heads/frozen', 'main:refs/heads/other');
  assert.notEqual(atomic.status, 0);
  assert.equal(await tip('refs/heads/other'), null);
  const thawed = await push('work', '-o', 'thaw', 'main:refs/heads/frozen');
  assert.equal(thawed.status, 0, thawed.stderr);
});

test('a pack beyond the bound › push › refused with the bound, and one below is taken', async () => {
  const input = Buffer.from(Array.from({ length: 600_000 }, (_, i) => (i * i * 2_654_435) >> 11));
  const blob = await git.run(['hash-object', '-w', '--stdin'], { ...at('work'), input });
  await git.run(['update-index', '--add', '--cacheinfo', `100644,${blob},big`], at('work'));
  await git.run(['commit', '-q', '-m', 'big'], at('work'));
  const refused = await push('work', 'main:refs/heads/big');
  assert.match(refused.stdout + refused.stderr, /more than 400000 bytes/);
  assert.equal(await tip('refs/heads/big'), null);
});

test('many at once › push to one branch › one wins, the others are told to fetch', async () => {
  const start = await tip('refs/heads/main');
  const folders = ['a', 'b', 'c', 'd'];
  for (const folder of folders) {
    await git.run(['clone', '-q', `${server.url}/repo`, git.path(folder)]);
    await commit(folder, `race-${folder}`);
  }
  const results = await Promise.all(folders.map((folder) => push(folder, 'main')));
  const winners = results.filter(({ status }) => status === 0);
  assert.equal(winners.length, 1);
  for (const { status, stdout } of results) {
    if (status !== 0) assert.match(stdout, /fetch first|moved meanwhile/);
  }
  assert.notEqual(await tip('refs/heads/main'), start);
});
