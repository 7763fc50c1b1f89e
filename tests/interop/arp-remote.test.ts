/**
 * Stores of neighbours over Git's HTTP protocol on this host: pulled, pushed to, and pushed to by
 * git itself; the table of whoever was pushed to knows at once.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { portableZlib as zlib } from '#git/zlib';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { gitRemote } from '../../packages/morgana/arp/git-remote.ts';
import { GitHandler } from '../../packages/morgana/git/git-handler.ts';
import { type ArpHost, Hosts } from '../../packages/versioned-arp/test-hosts.ts';
import { type RunningServer, serveOnHost } from './http/host-server.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'arp-remote-'));
const servers: RunningServer[] = [];
after(async () => {
  for (const server of servers) await server.stop();
  rmSync(directory, { recursive: true });
});

async function serve({ backend, host }: ArpHost): Promise<string> {
  const log = host.host.log.source('git');
  const authorise = ({ user }: { readonly user: string | null }) => user;
  const handler = new GitHandler({ backend, crypto, zlib, log, path: '/arp', push: { authorise } });
  const running = await serveOnHost(handler);
  servers.push(running);
  return running.url.replace('http://', 'http://friend:x@');
}

const remoteOf = (url: string) => gitRemote({ url: `${url}/arp`, crypto, zlib });

// Not execFileSync: this process is the server.
async function git(...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    'git',
    ['-c', 'user.name=Ada', '-c', 'user.email=a@b', ...words],
    {
      cwd: directory,
      env: { ...process.env, HOME: directory, GIT_CONFIG_NOSYSTEM: '1' },
      timeout: 30_000,
    },
  );
  return stdout;
}

test('pulled and pushed over HTTP › as in memory; behind › merged first; git pushes too', async () => {
  const net = await Hosts.started(3);
  const [a, b, c] = net.hosts as [ArpHost, ArpHost, ArpHost];
  await net.pass(3);
  a.send(c.address);
  b.send(c.address);
  await net.pass(1);
  const [atA, atB] = [await serve(a), await serve(b)];
  assert.deepEqual(await c.arp.pull(remoteOf(atA)), { ok: true, value: true });
  assert.deepEqual(c.known(), ['10.0.0.1', '10.0.0.2'], 'and not itself');
  assert.equal(
    await c.repository.headOf('main').then((head) => head.ok && head.value !== null),
    true,
  );
  // B has a history of its own: C merges it, and pushes the whole.
  assert((await c.arp.push(remoteOf(atB))).ok);
  assert.deepEqual(await b.repository.headOf('main'), await c.repository.headOf('main'));
  await net.pass(0.1);
  assert.deepEqual(b.known(), ['10.0.0.1', '10.0.0.3']);

  await git('clone', '-q', `${atB}/arp`, 'clone');
  await git('-C', 'clone', 'fsck', '--strict');
  const table = 'since 2026-01-01T00:00:00Z\n10.0.0.77 02:00:00:00:00:77 command\n';
  mkdirSync(path.join(directory, 'clone/static'));
  writeFileSync(path.join(directory, 'clone/static/ada'), table);
  await git('-C', 'clone', 'add', '.');
  await git('-C', 'clone', 'commit', '-qm', 'set 10.0.0.77: by hand');
  await git('-C', 'clone', 'push', '-q');
  await net.pass(0.1);
  assert(b.known().includes('10.0.0.77'));
  const asked = b.host.net.counters().ipv4Queued;
  b.send('10.0.0.77');
  assert.equal(b.host.net.counters().ipv4Queued, asked, 'nobody is asked');
});

test('a history that was cut › told to git and to others; names stay, so both go on', async () => {
  const net = await Hosts.started(2, { commitsKept: 10 });
  const [a, b] = net.hosts as [ArpHost, ArpHost];
  const url = await serve(a);
  let said = 0;
  const say = async (count: number) => {
    for (const end = said + count; said < end; said++) {
      assert(a.arp.setStatic(`10.0.1.${said}`, '02:00:00:00:00:01'));
      await net.pass(0.1);
    }
  };
  const count = async () => Number(await git('-C', 'cut', 'rev-list', '--count', 'HEAD'));
  await say(23);
  assert.equal(a.arp.counters().historyCuts, 1);
  await git('clone', '-q', `${url}/arp`, 'cut');
  assert.equal(await git('-C', 'cut', 'rev-parse', '--is-shallow-repository'), 'true\n');
  assert.equal(await count(), 14);
  assert.deepEqual(await b.arp.pull(remoteOf(url)), { ok: true, value: true });
  await say(6);
  assert.deepEqual([(await a.log()).length, a.arp.counters().historyCuts], [10, 2]);
  await git('-C', 'cut', 'pull', '-q', '--ff-only');
  assert.equal(await count(), 20);
  await git('-C', 'cut', 'fsck', '--strict');
  assert.deepEqual(await b.arp.pull(remoteOf(url)), { ok: true, value: true });
  assert.deepEqual(b.known(), a.known());
  assert.equal(b.known().length, said);
  assert((await b.arp.push(remoteOf(url))).ok);
  assert.deepEqual(await a.repository.headOf('main'), await b.repository.headOf('main'));
});

test('nobody there, no repository there › said, and nothing changes', async () => {
  const net = await Hosts.started(1);
  const [a] = net.hosts as [ArpHost];
  const url = await serve(a);
  const wrong = await a.arp.pull(gitRemote({ url: `${url}/other`, crypto, zlib }));
  assert(!wrong.ok);
  await servers.at(-1)?.stop();
  const gone = await a.arp.pull(remoteOf(url));
  assert(!gone.ok);
  assert.equal(a.arp.counters().pullFailures, 2);
  assert.deepEqual(await a.log(), ['begin: an empty cache']);
});
