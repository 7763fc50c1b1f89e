/** Our client against `git http-backend`: clone, fetch, push, and what is refused. */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { MemoryBackend, type ObjectBackend, type ObjectHash, Remote } from '#git';
import { DiskBackend } from '#git/disk';
import { DEPTH_INFINITE, NO_DEEPENING } from '#git/wire';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { NodeFileSystem } from '#targets/node/file-system';
import { zlib } from '#targets/node/zlib';
import { HttpTransport } from '../../../packages/morgana/git.ts';
import { StockGit } from '../../helpers/git.ts';
import { type HttpBackend, startHttpBackend } from '../../helpers/git-http-backend.ts';

const git = new StockGit();
let server: HttpBackend;

/** 40 commits, three branches, a merge, two tags. */
async function makeRepository(name: string, hash = 'sha1'): Promise<void> {
  const folder = git.path('served', name);
  await git.run(['init', '-q', '--bare', `--object-format=${hash}`, folder]);
  await git.run(['config', 'http.receivepack', 'true'], { cwd: folder });
  await git.run(['config', 'receive.advertisePushOptions', 'true'], { cwd: folder });
  const lines: string[] = [];
  for (let i = 1; i <= 40; i++) {
    const text = `line ${i}\n`.repeat(30 + i);
    const when = 1_600_000_000 + i * 1_000;
    lines.push('commit refs/heads/main', `mark :${i}`, `committer A <a@b> ${when} +0000`);
    lines.push('data 1', 'm');
    lines.push(`M 100644 inline dir${i % 3}/file${i % 7}`, `data ${text.length}`, text);
  }
  lines.push('reset refs/heads/side', 'from :10', 'reset refs/heads/deep/er', 'from :25');
  lines.push('tag v1', 'from :20', 'tagger A <a@b> 1600000000 +0000', 'data 3', 'one');
  lines.push('reset refs/tags/light', 'from :5');
  await git.run(['fast-import', '--quiet'], { cwd: folder, input: `${lines.join('\n')}\n` });
}

before(async () => {
  mkdirSync(git.path('served'));
  await makeRepository('repo');
  server = await startHttpBackend(git, git.path('served'));
});

after(async () => {
  await server.close();
  git.remove();
});

function remoteOf(backend: ObjectBackend, url = `${server.url}/repo`, version: 0 | 1 | 2 = 2) {
  const connect = () => new HttpTransport({ url });
  return new Remote({ backend, crypto, zlib, connect, version });
}

const served = (...args: string[]) => git.run(args, { cwd: git.path('served', 'repo') });

async function refsOf(backend: ObjectBackend, prefix: string): Promise<string> {
  const refs = await backend.listRefs(prefix);
  assert(refs.ok);
  return refs.value.map(({ name, id }) => `${id} ${name.slice(prefix.length)}`).join('\n');
}

const servedRefs = (prefix: string, strip: number): Promise<string> =>
  served('for-each-ref', `--format=%(objectname) %(refname:lstrip=${strip})`, prefix);

function value<T>(result: { ok: true; value: T } | { ok: false; error: unknown }): T {
  assert(result.ok, JSON.stringify(result));
  return result.value;
}

for (const version of [0, 2] as const) {
  test(`protocol ${version} › clone › all refs, HEAD, every object`, async () => {
    const backend = new MemoryBackend();
    const report = value(await remoteOf(backend, undefined, version).clone());
    assert.equal(report.head, 'refs/heads/main');
    assert.equal(await refsOf(backend, 'refs/remotes/origin/'), await servedRefs('refs/heads', 2));
    assert.equal(await refsOf(backend, 'refs/tags/'), await servedRefs('refs/tags', 2));
    assert.deepEqual(value(await backend.readRef('HEAD')), { symbolic: 'refs/heads/main' });
    const ids = (await served('rev-list', '--objects', '--all', '--no-object-names')).split('\n');
    for (const id of ids) assert(value(await backend.hasObject(id as never)), id);
    assert.equal(report.objects, ids.length);
  });

  test(`protocol ${version} › fetch on top › negotiates, gets the rest only`, async () => {
    const backend = new MemoryBackend();
    const remote = remoteOf(backend, undefined, version);
    value(await remote.fetch({ refspecs: ['refs/tags/light:refs/heads/a'], tags: 'none' }));
    const before = server.requests.length;
    const report = value(await remote.fetch());
    assert(report.objects > 0 && report.objects < 150, `${report.objects}`);
    assert.equal(await refsOf(backend, 'refs/remotes/origin/'), await servedRefs('refs/heads', 2));
    assert(server.requests.length - before < 8);
    const again = value(await remote.fetch());
    assert.equal(again.objects, 0);
    assert(again.refs.every(({ outcome }) => outcome === 'up to date'));
  });

  test(`protocol ${version} › a part of history, then all of it › as deep as asked`, async () => {
    const backend = new MemoryBackend();
    const remote = remoteOf(backend, undefined, version);
    const refspecs = ['main'];
    const deepening = { ...NO_DEEPENING, depth: 3 };
    const first = value(await remote.fetch({ refspecs, tags: 'none', deepening }));
    const third = await served('rev-parse', 'main~2');
    assert.deepEqual(first.shallow, [third]);
    assert(!value(await backend.hasObject((await served('rev-parse', 'main~3')) as never)));
    const all = { ...NO_DEEPENING, depth: DEPTH_INFINITE };
    const whole = value(await remote.fetch({ refspecs, deepening: all }));
    assert.deepEqual(whole.shallow, []);
    assert(value(await backend.hasObject((await served('rev-parse', 'main~39')) as never)));
  });
}

test('a repository on disk › clone, grow, push › one pack, and stock git is happy', async () => {
  const folder = git.path('on-disk');
  await git.run(['init', '-q', '--bare', folder]);
  const opened = DiskBackend.open(new NodeFileSystem(folder), {
    crypto,
    zlib,
    entropy: { fill: (out) => void randomFillSync(out) },
    author: () => ({ name: 'Ada', email: 'ada@example.org', seconds: 1, zoneMinutes: 0 }),
    pause: () => new Promise((resolve) => setImmediate(resolve)),
  });
  assert(opened.ok);
  const backend = opened.value;
  try {
    value(await remoteOf(backend).clone());
    const at = { cwd: folder };
    await git.run(['fsck', '--full', '--strict'], at);
    assert.match(await git.run(['count-objects', '-v'], at), /^count: 0\n[\s\S]*packs: 1\n/);
    await git.run(['branch', 'mine', 'main~3'], at);
    const pushed = value(await remoteOf(backend).push({ refspecs: ['mine'] }));
    assert.equal(pushed.refs[0]!.outcome, 'new');
    assert.equal(await served('rev-parse', 'mine'), await served('rev-parse', 'main~3'));
    await served('branch', '-D', 'mine');
  } finally {
    await backend.close();
  }
});

test('a branch that is not there › fetch, clone › its name, and those that are', async () => {
  const expected = { kind: 'no such ref', name: 'master', available: ['deep/er', 'main', 'side'] };
  const fetched = await remoteOf(new MemoryBackend()).fetch({ refspecs: ['master'] });
  assert(!fetched.ok);
  assert.deepEqual({ ...fetched.error, available: [] }, { ...expected, available: [] });
  assert(fetched.error.kind === 'no such ref');
  for (const name of expected.available) assert(fetched.error.available.includes(name));
  const cloned = await remoteOf(new MemoryBackend()).clone({ branch: 'master' });
  assert(!cloned.ok && cloned.error.kind === 'no such ref' && cloned.error.name === 'master');
});

test('a mirror, pruned › refs that are gone there › gone here', async () => {
  const backend = new MemoryBackend();
  const remote = remoteOf(backend);
  const refspecs = ['+refs/*:refs/*'];
  await served('branch', 'passing', 'main');
  value(await remote.fetch({ refspecs, prune: true }));
  assert.equal(await refsOf(backend, 'refs/'), await servedRefs('refs', 1));
  await served('branch', '-D', 'passing');
  const report = value(await remote.fetch({ refspecs, prune: true }));
  assert.deepEqual(
    report.refs.filter(({ outcome }) => outcome === 'pruned').map((r) => r.local),
    ['refs/heads/passing'],
  );
  assert.equal(await refsOf(backend, 'refs/'), await servedRefs('refs', 1));
});

test('history rewritten there › fetched without force, with it › rejected, forced', async () => {
  const backend = new MemoryBackend();
  const remote = remoteOf(backend);
  await served('branch', '-f', 'moving', 'main');
  value(await remote.fetch({ refspecs: ['moving:refs/heads/copy'] }));
  await served('branch', '-f', 'moving', 'side');
  const rejected = value(await remote.fetch({ refspecs: ['moving:refs/heads/copy'] }));
  assert.equal(rejected.refs[0]!.outcome, 'rejected');
  const forced = value(await remote.fetch({ refspecs: ['+moving:refs/heads/copy'] }));
  assert.equal(forced.refs[0]!.outcome, 'forced');
  await served('branch', '-D', 'moving');
});

test('push › new, forward, refused, forced, deleted', async () => {
  const backend = new MemoryBackend();
  const remote = remoteOf(backend);
  value(await remote.clone());
  const branch = 'pushed';
  const first = value(await remote.push({ refspecs: [`refs/tags/light:refs/heads/${branch}`] }));
  assert.equal(first.refs[0]!.outcome, 'new');
  const forward = value(await remote.push({ refspecs: [`main:${branch}`] }));
  assert.equal(forward.refs[0]!.outcome, 'fast-forward');
  assert.equal(await served('rev-parse', branch), await served('rev-parse', 'main'));
  const back = [`refs/tags/light:${branch}`];
  const refused = value(await remote.push({ refspecs: back }));
  assert.equal(refused.refs[0]!.refusal, 'non-fast-forward');
  const forced = value(await remote.push({ refspecs: back, force: true }));
  assert.equal(forced.refs[0]!.outcome, 'forced');
  const mixed = [`main:${branch}`, `refs/tags/light:side`];
  const atomic = value(await remote.push({ refspecs: mixed, atomic: true }));
  assert(!atomic.isWhole && atomic.refs.every(({ outcome }) => outcome === 'refused'));
  assert.equal(await served('rev-parse', branch), await served('rev-parse', 'light^{}'));
  const gone = value(await remote.push({ refspecs: [`:${branch}`] }));
  assert.equal(gone.refs[0]!.outcome, 'deleted');
  assert.equal(await served('branch', '--list', branch), '');
  await served('fsck', '--full', '--strict');
});

test('a server that refuses a ref › push › its own words', async () => {
  const backend = new MemoryBackend();
  const remote = remoteOf(backend);
  value(await remote.clone());
  const pushed = value(await remote.push({ refspecs: [':main'] }));
  assert.match(pushed.refs[0]!.refusal ?? '', /deletion of the current branch prohibited/);
});

test('places with nothing, another thing, a wall, a detour › fetch › an error that says so', async () => {
  const kindAt = async (url: string): Promise<string> => {
    const fetched = await remoteOf(new MemoryBackend(), url).fetch();
    return fetched.ok ? 'ok' : fetched.error.kind;
  };
  assert.equal(await kindAt(`${server.url}/nothing`), 'no repository');
  assert.equal(await kindAt('http://127.0.0.1:1/repo'), 'unreachable');
  assert.equal(await kindAt(`${server.url}/moved/repo`), 'ok');
  const walled = await startHttpBackend(git, git.path('served'), { user: 'ada', password: 'x:y' });
  try {
    const fetched = await remoteOf(new MemoryBackend(), `${walled.url}/repo`).fetch();
    const expected = { kind: 'not allowed', status: 401, message: 'nobody knows you' };
    assert.deepEqual(fetched, { ok: false, error: expected });
    const url = `${walled.url.replace('//', '//ada:x%3Ay@')}/repo`;
    assert.equal(await kindAt(url), 'ok');
  } finally {
    await walled.close();
  }
});

test('SHA-256 › clone and push › as with SHA-1; into a repository of the other, refused', async () => {
  await makeRepository('long', 'sha256');
  const url = `${server.url}/long`;
  const backend = new MemoryBackend({ hash: 'SHA-256' as ObjectHash });
  const remote = remoteOf(backend, url);
  value(await remote.clone());
  const pushed = value(await remote.push({ refspecs: ['main:refs/heads/copy'] }));
  assert.equal(pushed.refs[0]!.outcome, 'new');
  await git.run(['fsck', '--full'], { cwd: git.path('served', 'long') });
  const other = await remoteOf(new MemoryBackend(), url).fetch();
  assert.deepEqual(other, { ok: false, error: { kind: 'other hash', theirs: 'SHA-256' } });
});
