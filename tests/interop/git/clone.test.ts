/** Stock git clients against our server: clones and fetches of every kind. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Log } from '#core';
import { MemoryBackend } from '#git';
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

for (const version of [0, 1, 2]) {
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
