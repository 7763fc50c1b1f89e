/** Stock git clients against our server: clones and fetches of every kind. */

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Log } from '#core';
import { MemoryBackend, nameObject } from '#git';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { GitHandler } from '../../../packages/morgana/git.ts';
import { loadRepository, StockGit } from '../../helpers/git.ts';
import { type RunningServer, serveOnHost } from '../http/host-server.ts';

const log = new Log((line) => console.error(line), 'warn').source('git');
const git = new StockGit();
const backend = new MemoryBackend();
let server: RunningServer;

/** A line of commits with a merge, a tag of each kind, and directories. */
async function makeSource(): Promise<string> {
  const folder = git.path('source');
  await git.run(['init', '-q', folder]);
  const lines: string[] = [];
  for (let i = 1; i <= 30; i++) {
    const text = `line ${i}\n`.repeat(40 + i);
    lines.push(
      'commit refs/heads/main',
      `mark :${i}`,
      `committer A <a@b> ${1_600_000_000 + i * 1_000} +0000`,
    );
    lines.push('data 1', 'm');
    lines.push(`M 100644 inline dir${i % 3}/file${i % 7}`, `data ${text.length}`, text);
  }
  lines.push('reset refs/heads/side', 'from :10');
  lines.push('tag v1', 'from :20', 'tagger A <a@b> 1600000000 +0000', 'data 3', 'one');
  lines.push('reset refs/tags/light', 'from :5');
  await git.run(['fast-import', '--quiet'], { cwd: folder, input: `${lines.join('\n')}\n` });
  return folder;
}

before(async () => {
  const source = await makeSource();
  await loadRepository(git, source, backend);
  server = await serveOnHost(new GitHandler({ backend, crypto, zlib, log, path: '/repo' }));
});

after(async () => {
  await server.stop();
  git.remove();
});

const source = () => git.path('source');
const refsOf = (folder: string): Promise<string> =>
  git.run(['for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads', 'refs/tags'], {
    cwd: folder,
  });

for (const version of [1, 2]) {
  test(`protocol ${version} › mirror › the same refs, and fsck is happy`, async () => {
    const to = git.path(`mirror${version}`);
    await git.run([
      '-c',
      `protocol.version=${version}`,
      'clone',
      '--mirror',
      '-q',
      `${server.url}/repo`,
      to,
    ]);
    assert.equal(await refsOf(to), await refsOf(source()));
    await git.run(['fsck', '--full', '--strict'], { cwd: to });
  });
}

const repo = (): string => `${server.url}/repo`;
const countOf = async (folder: string, ...of: string[]): Promise<number> =>
  Number(await git.run(['rev-list', '--count', ...of], { cwd: folder }));

for (const version of [0, 2]) {
  const wire = ['-c', `protocol.version=${version}`];
  test(`protocol ${version} › shallow clone, deepened, made whole › as deep as asked`, async () => {
    const to = git.path(`shallow${version}`);
    const at = { cwd: to };
    await git.run([...wire, 'clone', '-q', '--depth=3', repo(), to]);
    assert.equal(await countOf(to, 'HEAD'), 3);
    await git.run([...wire, 'fetch', '-q', '--depth=5'], at);
    assert.equal(await countOf(to, 'HEAD'), 5);
    await git.run([...wire, 'fetch', '-q', '--deepen=4'], at);
    assert.equal(await countOf(to, 'HEAD'), 9);
    await git.run(['fsck', '--full'], at);
    await git.run([...wire, 'fetch', '-q', '--unshallow'], at);
    assert.equal(await countOf(to, 'HEAD'), 30);
    assert.equal(await git.run(['rev-parse', '--is-shallow-repository'], at), 'false');
    await git.run(['fsck', '--full', '--strict'], at);
  });

  test(`protocol ${version} › fetches on top of what is there › only what is new`, async () => {
    const to = git.path(`grown${version}`);
    await git.run(['init', '-q', '--bare', to]);
    const at = { cwd: to };
    await git.run(
      [...wire, 'fetch', '-q', '--no-tags', repo(), 'refs/tags/light:refs/heads/a'],
      at,
    );
    const before = await git.run(['count-objects', '-v'], at);
    const args = ['fetch', '-q', repo(), 'refs/heads/*:refs/heads/*'];
    await git.run([...wire, ...args], at);
    assert.notEqual(await git.run(['count-objects', '-v'], at), before);
    assert.equal(await countOf(to, 'main'), 30);
    assert.equal(await git.run(['cat-file', '-t', 'v1'], at), 'tag');
    await git.run(['fsck', '--full', '--strict'], at);
    assert.equal((await git.try([...wire, ...args], at)).status, 0);
  });

  test(`protocol ${version} › an id that no ref reaches › refused; one that is reached, given`, async () => {
    const at = { cwd: git.path(`grown${version}`) };
    const lost = nameObject(crypto, 'SHA-1', 'blob', new Uint8Array([version]));
    await backend.writeObjects([lost]);
    const refused = await git.try([...wire, 'fetch', repo(), lost.id], at);
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /not our ref|unadvertised object/);
    const absent = await git.try([...wire, 'fetch', repo(), 'e'.repeat(40)], at);
    assert.match(absent.stderr, /not our ref|unadvertised object/);
  });
}

test('no older than, and not behind a tag › no more history', async () => {
  const since = git.path('since');
  await git.run(['clone', '-q', '--shallow-since=1600025500', repo(), since]);
  assert.equal(await countOf(since, 'HEAD'), 5);
  await git.run(['fsck', '--full'], { cwd: since });
  const not = git.path('not');
  await git.run(['clone', '-q', '--shallow-exclude=v1', repo(), not]);
  assert.equal(await countOf(not, 'HEAD'), 10);
  const none = ['clone', '-q', '--shallow-exclude=nothing', repo(), git.path('x')];
  assert.match((await git.try([...none])).stderr, /not a ref: nothing/);
});

test('partial clones › blobs by length, none, no trees › just that is left out; the rest later', async () => {
  const handler = new GitHandler({ backend, crypto, zlib, log, path: '', allow: 'any' });
  const any = await serveOnHost(handler);
  const objectsIn = async (folder: string): Promise<string[]> => {
    const format = '--batch-check=%(objecttype) %(objectsize) %(objectname)';
    const args = ['cat-file', '--batch-all-objects', '--unordered', format];
    return (await git.run(args, { cwd: folder })).split('\n').sort();
  };
  const isShort = (line: string): boolean => Number(line.split(' ')[1]) < 450;
  try {
    const whole = await objectsIn(source());
    for (const [version, filter, has] of [
      [0, 'blob:none', (line: string) => !line.startsWith('blob')],
      [2, 'blob:limit=450', (line: string) => !line.startsWith('blob') || isShort(line)],
      [2, 'tree:0', (line: string) => /^(?:commit|tag)/.test(line)],
    ] as const) {
      const folder = git.path(`p-${filter}`);
      const wire = ['-c', `protocol.version=${version}`];
      await git.run([...wire, 'clone', '-qn', `--filter=${filter}`, any.url, folder]);
      const part = whole.filter(has);
      assert(part.length < whole.length && part.length > 0);
      assert.deepEqual(await objectsIn(folder), part, filter);
      if (filter === 'tree:0') continue;
      await git.run([...wire, 'checkout', '-q', 'side'], { cwd: folder });
      assert.equal(await git.run(['status', '--porcelain'], { cwd: folder }), '');
    }
    const odd = await git.try(['clone', '-q', '--filter=tree:3', any.url, git.path('odd')]);
    assert.match(odd.stderr, /filter tree:3 is not known here: blob:none, blob:limit=N or tree:0/);
    const plain = ['clone', '-qn', '--filter=blob:none', repo(), git.path('plain')];
    assert.match((await git.try(plain)).stderr, /filtering not recognized by server, ignoring/);
    assert.deepEqual(await objectsIn(git.path('plain')), whole);
  } finally {
    await any.stop();
  }
});

test('SHA-256 › clone and fetch › fsck is happy', async () => {
  const folder = git.path('sha256');
  await git.run(['init', '-q', '--object-format=sha256', folder]);
  const text =
    'commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nm\nM 644 inline f\ndata 1\nx\n';
  await git.run(['fast-import', '--quiet'], { cwd: folder, input: text });
  const other = new MemoryBackend({ hash: 'SHA-256' });
  await loadRepository(git, folder, other);
  const handler = new GitHandler({ backend: other, crypto, zlib, log, path: '' });
  const second = await serveOnHost(handler);
  try {
    for (const version of [0, 2]) {
      const to = git.path(`sha256-${version}`);
      await git.run(['-c', `protocol.version=${version}`, 'clone', '-q', second.url, to]);
      await git.run(['fsck', '--full', '--strict'], { cwd: to });
    }
  } finally {
    await second.stop();
  }
});

test('an empty repository › clone › its branch is known by name', async () => {
  const empty = new MemoryBackend();
  await empty.setHead('refs/heads/trunk');
  const second = await serveOnHost(new GitHandler({ backend: empty, crypto, zlib, log, path: '' }));
  try {
    const to = git.path('empty');
    await git.run(['clone', '-q', second.url, to]);
    assert.equal(await git.run(['symbolic-ref', 'HEAD'], { cwd: to }), 'refs/heads/trunk');
  } finally {
    await second.stop();
  }
});

test('what is not smart, not here, not asked rightly › a status that says so', async () => {
  const statusOf = async (path: string, init: RequestInit = {}): Promise<number> =>
    (await fetch(`${server.url}${path}`, init)).status;
  assert.equal(await statusOf('/repo/info/refs'), 403);
  assert.equal(await statusOf('/repo/HEAD'), 403);
  assert.equal(await statusOf('/repo/objects/info/packs'), 403);
  assert.equal(await statusOf('/elsewhere'), 404);
  assert.equal(await statusOf('/repo/info/refs?service=git-receive-pack'), 403);
  assert.equal(await statusOf('/repo/git-upload-pack'), 405);
  assert.equal(await statusOf('/repo/git-upload-pack', { method: 'POST', body: '0000' }), 415);
});

test('a request in gzip, with Expect, in chunks › POST › the answer as ever', async () => {
  const lines = ['command=ls-refs\n', '0001', 'ref-prefix refs/heads/main\n', '0000'];
  const plain = Buffer.concat(
    lines.map((line) => (/^000/.test(line) ? Buffer.from(line) : pkt(line))),
  );
  const main = await git.run(['rev-parse', 'main'], { cwd: source() });
  for (const coding of ['identity', 'gzip', 'x-gzip']) {
    const body = coding === 'identity' ? plain : gzipSync(plain);
    const answer = await post(server.url, coding, body);
    assert.equal(answer, `003d${main} refs/heads/main\n0000`);
  }
  // A bomb: 64 MB of zeros are no pkt-lines, and more isn't inflated than is looked at.
  const bomb = await post(server.url, 'gzip', gzipSync(Buffer.alloc(64_000_000)));
  assert.match(bomb, /^....ERR this is not Git's protocol/);
});

const pkt = (line: string): Buffer =>
  Buffer.from((line.length + 4).toString(16).padStart(4, '0') + line);

/** Waits for 100 (Continue), then sends chunks of 100 bytes. */
function post(url: string, coding: string, body: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request(`${url}/repo/git-upload-pack`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-git-upload-pack-request',
        'content-encoding': coding,
        'git-protocol': 'version=2',
        expect: '100-continue',
      },
    });
    request.once('error', reject);
    request.once('continue', () => {
      for (let at = 0; at < body.length; at += 100) request.write(body.subarray(at, at + 100));
      request.end();
    });
    request.once('response', (response) => {
      let text = '';
      response.setEncoding('latin1').on('data', (piece: string) => {
        text += piece;
      });
      response.once('end', () => resolve(text));
    });
  });
}
