/** Repositories whose history was cut off: served by us to stock git, and by stock git to us. */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { cpSync, mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Log } from '#core';
import { MemoryBackend, type ObjectBackend, type ObjectId, Remote } from '#git';
import { DiskBackend, initRepository } from '#git/disk';
import { DEPTH_INFINITE, NO_DEEPENING } from '#git/wire';
import { BlockBackend } from '#store/block';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { NodeFileSystem } from '#targets/node/file-system';
import { zlib } from '#targets/node/zlib';
import { SimBlockDevice, SimRandom } from '#targets/sim/index';
import { GitHandler, HttpTransport } from '../../../packages/morgana/git.ts';
import { linearHistory, loadRepository, StockGit } from '../../helpers/git.ts';
import { type HttpBackend, startHttpBackend } from '../../helpers/git-http-backend.ts';
import { type RunningServer, serveOnHost } from '../http/host-server.ts';

const log = new Log((line) => console.error(line), 'warn').source('git');
const git = new StockGit();
const COMMITS = 30;
const DEPTH = 8;
let stock: HttpBackend;

const at = (...names: string[]) => ({ cwd: git.path(...names) });
const countOf = async (...names: string[]): Promise<number> =>
  Number(await git.run(['rev-list', '--count', 'HEAD'], at(...names)));
const isShallow = (...names: string[]): Promise<string> =>
  git.run(['rev-parse', '--is-shallow-repository'], at(...names));

function value<T>(result: { ok: true; value: T } | { ok: false; error: unknown }): T {
  assert(result.ok, JSON.stringify(result));
  return result.value;
}

/** Of the whole history; "cut" has its end, served by stock git too. */
before(async () => {
  mkdirSync(git.path('served'));
  await git.run(['init', '-q', '--bare', git.path('whole')]);
  await git.run(['fast-import', '--quiet'], { ...at('whole'), input: linearHistory(COMMITS) });
  const cut = git.path('served', 'cut');
  const depth = `--depth=${DEPTH}`;
  await git.run(['clone', '-q', '--bare', depth, `file://${git.path('whole')}`, cut]);
  await git.run(['config', 'http.receivepack', 'true'], at('served', 'cut'));
  stock = await startHttpBackend(git, git.path('served'));
});

after(async () => {
  await stock.close();
  git.remove();
});

function openDisk(...names: string[]): DiskBackend {
  const opened = DiskBackend.open(new NodeFileSystem(git.path(...names)), {
    crypto,
    zlib,
    entropy: { fill: (out) => void randomFillSync(out) },
    author: () => ({ name: 'Ada', email: 'ada@example.org', seconds: 1, zoneMinutes: 0 }),
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    isSynced: false,
  });
  assert(opened.ok);
  return opened.value;
}

async function serving(backend: ObjectBackend, work: (url: string) => Promise<void>) {
  const push = { authorise: () => 'anybody' };
  const handler = new GitHandler({ backend, crypto, zlib, log, path: '/repo', push });
  const server: RunningServer = await serveOnHost(handler);
  try {
    await work(`${server.url}/repo`);
  } finally {
    await server.stop();
    await backend.close();
  }
}

const remoteOf = (backend: ObjectBackend, version: 0 | 1 | 2 = 2, url = `${stock.url}/cut`) =>
  new Remote({ backend, crypto, zlib, version, connect: () => new HttpTransport({ url }) });

/** One more commit, made in a clone of stock git's. */
async function grow(folder: string): Promise<string> {
  await git.run(['commit', '-q', '--allow-empty', '-m', 'more'], at(folder));
  return git.run(['rev-parse', 'HEAD'], at(folder));
}

test('a shallow repository › cloned, grown, pushed, deepened › fsck is happy', async () => {
  cpSync(git.path('served', 'cut'), git.path('server'), { recursive: true });
  await serving(openDisk('server'), async (url) => {
    await git.run(['-c', 'protocol.version=0', 'clone', '-qn', url, git.path('one')]);
    assert.equal(await isShallow('one'), 'true');
    assert.equal(await countOf('one'), DEPTH);
    await git.run(['clone', '-qn', '--depth=3', url, git.path('two')]);
    assert.equal(await countOf('two'), 3);
    const head = await grow('one');
    await git.run(['push', '-q', 'origin', 'main'], at('one'));
    await git.run(['fetch', '-q'], at('two'));
    assert.equal(await git.run(['rev-parse', 'origin/main'], at('two')), head);
    // As much as the server has, which is not all.
    await git.run(['-c', 'protocol.version=0', 'fetch', '-q', '--unshallow'], at('two'));
    await git.run(['update-ref', 'HEAD', head], at('two'));
    assert.equal(await countOf('two'), DEPTH + 1);
    assert.equal(await isShallow('two'), 'true');
    for (const name of ['one', 'two']) await git.run(['fsck', '--full'], at(name));
  });
});

for (const version of [0, 2] as const) {
  test(`protocol ${version} › our client, a shallow server of stock git's › an end here too`, async () => {
    const backend = new MemoryBackend();
    const remote = remoteOf(backend, version);
    const { shallow } = value(await remote.clone());
    assert.equal(shallow.length, 1);
    assert(backend.isShallow(shallow[0]!));
    assert.deepEqual(value(await remote.fetch()).shallow, shallow);
  });
}

test('our client, on disk › a part, then all that a shallow server has, a push › fsck is happy', async () => {
  mkdirSync(git.path('ours'));
  const init = { hash: 'SHA-1', isBare: true, head: 'refs/heads/main' } as const;
  value(initRepository(new NodeFileSystem(git.path('ours')), init));
  const backend = openDisk('ours');
  const remote = remoteOf(backend);
  try {
    const part = value(await remote.clone({ deepening: { ...NO_DEEPENING, depth: 2 } }));
    assert.equal(part.shallow.length, 1);
    assert.equal(await countOf('ours'), 2);
    const all = { ...NO_DEEPENING, depth: DEPTH_INFINITE };
    const whole = value(await remote.fetch({ deepening: all }));
    assert.deepEqual(whole.shallow, [
      await git.run(['rev-parse', `main~${DEPTH - 1}`], at('ours')),
    ]);
    assert.equal(await countOf('ours'), DEPTH);
    await git.run(['branch', 'side', 'main~1'], at('ours'));
    assert(value(await remote.push({ refspecs: ['side'] })).isWhole);
    for (const names of [['ours'], ['served', 'cut']]) await git.run(['fsck'], at(...names));
  } finally {
    await backend.close();
  }
});

test('a shallow clone › pushed where its history is, and where it is not › taken, refused', async () => {
  const shallow = git.path('pusher');
  await git.run(['clone', '-qn', '--depth=2', `file://${git.path('whole')}`, shallow]);
  const head = await grow('pusher');
  const whole = new MemoryBackend();
  await loadRepository(git, git.path('whole'), whole);
  await serving(whole, async (url) => {
    const pushed = await git.try(['push', '-q', url, 'main'], at('pusher'));
    assert.equal(pushed.status, 0, pushed.stderr);
    assert.equal(value(await whole.readRef('refs/heads/main'))?.id, head);
  });
  const empty = new MemoryBackend();
  await serving(empty, async (url) => {
    const pushed = await git.try(['push', url, 'main'], at('pusher'));
    assert.match(pushed.stderr, /\[remote rejected\] main -> main \(shallow update not allowed\)/);
    assert.equal(empty.objectBytes, 0);
    assert.deepEqual(value(await empty.listRefs('refs/')), []);
  });
});

test('a history that a collection cut off › cloned from the block store › fsck is happy', async () => {
  const info = { name: 'data', blockBytes: 512, blockCount: 8_192, isReadOnly: false };
  const device = new SimBlockDevice(info, null, new SimRandom(7));
  const parts = { device, crypto, zlib, pause: () => Promise.resolve() };
  const storeId = new Uint8Array(16).fill(1);
  value(await BlockBackend.format(parts, { storeId, hash: 'SHA-1' }));
  let backend = value(await BlockBackend.open(parts));
  await loadRepository(git, git.path('whole'), backend);
  for (const name of ['refs/heads/early', 'refs/tags/v1', 'refs/tags/light']) {
    value(await backend.updateRefs([{ name, from: 'any', to: null }], 'test'));
  }
  // What was written since it was opened stays at first.
  await backend.close();
  backend = value(await BlockBackend.open(parts));
  value(await backend.collect({ depth: DEPTH }).done);
  await serving(backend, async (url) => {
    await git.run(['clone', '-qn', url, git.path('before')]);
    assert.equal(await countOf('before'), DEPTH);
    // Cut off again, beside the clone.
    const end = (await git.run(['rev-parse', 'HEAD~3'], at('before'))) as ObjectId;
    value(await backend.updateShallow({ add: [end], remove: [] }));
    await git.run(['clone', '-qn', url, git.path('behind')]);
    assert.equal(await countOf('behind'), 4);
    for (const name of ['before', 'behind']) await git.run(['fsck', '--full'], at(name));
  });
});
