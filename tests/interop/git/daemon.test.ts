/** Our client against `git daemon`: one connection, both ways. */

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { err, ok, type Result } from '#core';
import type { Flow } from '#device';
import { DaemonTransport, MemoryBackend, type ObjectBackend, Remote } from '#git';
import { NO_DEEPENING } from '#git/wire';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { HostStack } from '#targets/node/host-stack';
import { NodeLoop } from '#targets/node/loop';
import { zlib } from '#targets/node/zlib';
import { linearHistory, StockGit } from '../../helpers/git.ts';
import { type GitDaemon, startGitDaemon } from '../../helpers/git-daemon.ts';

const git = new StockGit();
const loop = new NodeLoop();
const stack = new HostStack(loop);
let daemon: GitDaemon;

before(async () => {
  const folder = git.path('served', 'repo');
  mkdirSync(folder, { recursive: true });
  await git.run(['init', '-q', '--bare', folder]);
  await git.run(['fast-import', '--quiet'], { cwd: folder, input: linearHistory(100) });
  daemon = await startGitDaemon(git, git.path('served'));
});

after(async () => {
  await daemon.close();
  git.remove();
});

const connect = (): Promise<Result<Flow, string>> =>
  new Promise((resolve) => {
    stack.connect('127.0.0.1', daemon.port, (opened) =>
      resolve(opened.ok ? ok(opened.value) : err(opened.error.kind)),
    );
  });

function remoteOf(backend: ObjectBackend, version: 0 | 1 | 2, path = '/repo'): Remote {
  const options = { connect, timers: loop.timers, host: 'localhost', path };
  return new Remote({
    backend,
    crypto,
    zlib,
    version,
    connect: () => new DaemonTransport(options),
  });
}

function value<T>(result: Result<T, unknown>): T {
  assert(result.ok, JSON.stringify(result));
  return result.value;
}

const served = (...args: string[]) => git.run(args, { cwd: git.path('served', 'repo') });

for (const version of [1, 2] as const) {
  test(`protocol ${version} › a part, the rest, a push, a deletion › as over HTTP`, async () => {
    const backend = new MemoryBackend();
    const remote = remoteOf(backend, version);
    const part = { refspecs: ['early:refs/heads/early'], tags: 'none' } as const;
    const first = value(await remote.fetch(part));
    const rest = value(await remote.clone());
    assert(rest.objects > 0);
    const all = (await served('rev-list', '--objects', '--all', '--count')).split('\n');
    assert.equal(first.objects + rest.objects, Number(all[0]));
    const branch = `by${version}`;
    const pushed = value(await remote.push({ refspecs: [`early:${branch}`] }));
    assert.equal(pushed.refs[0]!.outcome, 'new');
    const forward = value(await remote.push({ refspecs: [`main:${branch}`] }));
    assert.equal(forward.refs[0]!.outcome, 'fast-forward');
    assert.equal(await served('rev-parse', branch), await served('rev-parse', 'main'));
    value(await remote.push({ refspecs: [`:${branch}`] }));
    assert.equal(await served('branch', '--list', branch), '');
  });

  test(`protocol ${version} › three commits of 100 › three`, async () => {
    const backend = new MemoryBackend();
    const deepening = { ...NO_DEEPENING, depth: 3 };
    const options = { refspecs: ['main'], tags: 'none', deepening } as const;
    const { shallow } = value(await remoteOf(backend, version).fetch(options));
    assert.deepEqual(shallow, [await served('rev-parse', 'main~2')]);
  });
}

test('a place where nothing is › fetch › the words of the daemon, no hang', async () => {
  const fetched = await remoteOf(new MemoryBackend(), 2, '/nothing').fetch();
  assert(!fetched.ok);
  assert(['refused', 'unreachable'].includes(fetched.error.kind), JSON.stringify(fetched));
});
