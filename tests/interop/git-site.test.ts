/**
 * examples/git-site with stock Git on the other side (`git http-backend`, by HTTPS), on each
 * target: the first pull, pushes that a webhook tells of, requests while the site is replaced, a
 * revert, a remote that fails or isn't who it should be, a reboot without one.
 * MORGANA_GIT_SITE=node,process,pvh chooses targets; pvh unless it is set.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type WallTime, wallTimeOfMillis } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { CertificateAuthority, pemEncode, privateKeyToPem } from '#x509';
import { freePort, root, type Tool, Workspace } from '../cli/cli.ts';
import { StockGit } from '../helpers/git.ts';
import { type HttpBackend, type PemPair, startHttpBackend } from '../helpers/git-http-backend.ts';
import { cannotBoot } from '../helpers/machine.ts';
import { cannotRun } from '../process/process.ts';

const APP = path.join(root, 'examples/git-site');
const SECRET = 'what nobody guesses';
/** Lines of the large page: each says which version it is of. */
const LINES = 2_000;
const SWAPS = 2;
/** Of a visitor, and between two. */
const REQUESTS_MAX = 10_000;
const PAUSE_MS = 20;
const curl = promisify(execFile);

const days = (count: number): WallTime => wallTimeOfMillis(Date.now() + count * 86_400_000);
const tools = {
  crypto: nodeCrypto,
  entropy: { fill: (out: Uint8Array) => void out.set(randomBytes(out.length)) },
};
const authority = (name: string): CertificateAuthority =>
  CertificateAuthority.create(tools, { name, notBefore: days(-9), notAfter: days(9) });
const [trusted, unknown] = [authority('Trusted'), authority('Unknown')];
/** What this machine's loopback is called by those who reach it. */
const HOSTS = ['127.0.0.1', '10.0.2.2', 'host.internal'];

function certificate(by = trusted, names = HOSTS, end = days(1)): PemPair {
  const key = nodeCrypto.generatePrivateKey('P-256', tools.entropy);
  const validity = { notBefore: days(-2), notAfter: end };
  const leaf = by.issue({ names, spki: key.spki, purposes: ['serverAuth'], ...validity });
  return { cert: pemEncode('CERTIFICATE', leaf), key: privateKeyToPem(key) };
}

const work = new Workspace();
const git = new StockGit();
let backend: HttpBackend;

before(async () => {
  mkdirSync(git.path('served'));
  backend = await startHttpBackend(git, git.path('served'), { certificate: certificate() });
  writeFileSync(work.path('ca.pem'), pemEncode('CERTIFICATE', trusted.certificate.raw));
});

after(async () => {
  await backend.close();
  git.remove();
  work.remove();
});

/** What a page's `curl -i` says. */
async function get(url: string): Promise<{ status: number; etag: string; body: string }> {
  const { stdout } = await curl('curl', ['-si', '--max-time', '20', url], { maxBuffer: 1 << 24 });
  const end = stdout.indexOf('\r\n\r\n');
  const head = stdout.slice(0, end);
  return {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]),
    etag: /^etag: (.*)$/im.exec(head)?.[1]?.trim() ?? '',
    body: stdout.slice(end + 4),
  };
}

const sign = (body: string, secret = SECRET): string =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

async function hook(
  site: string,
  body: string,
  signature: string,
  event = 'push',
): Promise<number> {
  const headers = { 'x-hub-signature-256': signature, 'x-github-event': event };
  const response = await fetch(`${site}/webhook`, { method: 'POST', headers, body });
  await response.text();
  return response.status;
}

/** A working copy of what is served, and what is pushed from it. */
class Author {
  private readonly folder: string;
  private readonly served: string;
  private version = 0;

  constructor(name: string) {
    this.folder = git.path(`${name}-work`);
    this.served = git.path('served', name);
  }

  private in(...args: string[]): Promise<string> {
    return git.run(args, { cwd: this.folder });
  }

  async begin(): Promise<void> {
    await git.run(['init', '-q', this.folder]);
    mkdirSync(path.join(this.folder, 'docs'));
    writeFileSync(path.join(this.folder, 'docs/index.html'), '<p>docs</p>\n');
    await this.write();
    await git.run(['init', '-q', '--bare', this.served]);
    await this.in('remote', 'add', 'origin', this.served);
    await this.push();
  }

  /** Another version of two of the three files. */
  async write(): Promise<void> {
    this.version++;
    writeFileSync(path.join(this.folder, 'index.html'), `<p>version ${this.version}</p>\n`);
    const line = `version ${this.version}\n`;
    writeFileSync(path.join(this.folder, 'large.txt'), line.repeat(LINES));
    await this.in('add', '.');
    await this.in('commit', '-qm', `version ${this.version}`);
  }

  push(): Promise<string> {
    return this.in('push', '-q', 'origin', 'main');
  }

  revert(): Promise<string> {
    return this.in('revert', '--no-edit', 'HEAD');
  }

  head(): Promise<string> {
    return this.in('rev-parse', 'HEAD');
  }
}

/** Asks for a page until it is told to stop; every answer must be whole, and of one version. */
class Visitor {
  readonly versions = new Set<string>();
  requests = 0;
  private isLeaving = false;
  private readonly visits: Promise<void>;

  constructor(site: string) {
    this.visits = this.visit(site);
  }

  private async visit(site: string): Promise<void> {
    for (; !this.isLeaving && this.requests < REQUESTS_MAX; this.requests++) {
      const response = await fetch(`${site}/large.txt`);
      const lines = (await response.text()).trimEnd().split('\n');
      assert.equal(response.status, 200);
      assert.equal(lines.length, LINES);
      assert.equal(new Set(lines).size, 1, 'a mix of versions');
      this.versions.add(lines[0]!);
      await setTimeout(PAUSE_MS);
    }
  }

  async leave(): Promise<void> {
    this.isLeaving = true;
    await this.visits;
  }
}

interface Target {
  readonly flags: readonly string[];
  /** How it reaches this machine's loopback. */
  readonly host: string;
  readonly skip: string | false;
}

const NETWORK = ['--network=git-site', '--allow-host'];
const TARGETS: Record<string, Target> = {
  node: { flags: ['--target=node'], host: '127.0.0.1', skip: false },
  process: {
    flags: ['--target=process', '--memory=32', ...NETWORK],
    host: 'host.internal',
    skip: cannotRun,
  },
  pvh: { flags: ['--target=pvh', '--memory=48'], host: '10.0.2.2', skip: cannotBoot },
};

/** The others take as long again, and have nothing of their own but what their suites see. */
const chosen = (process.env.MORGANA_GIT_SITE ?? 'pvh').split(',');

/** Pushes, tells, and waits until it is shown. */
async function publish(author: Author, tool: Tool, site: string): Promise<void> {
  await author.push();
  const body = '{"ref":"refs/heads/main"}';
  assert.equal(await hook(site, body, sign(body)), 202);
  await tool.wrote(new RegExp(`shows ${await author.head()}: 3 files`));
}

for (const [name, { flags, host, skip }] of Object.entries(TARGETS)) {
  if (!chosen.includes(name)) continue;
  describe(name, { skip }, () => {
    const author = new Author(name);
    const image = work.path(`git-site-${name}`);
    let tool: Tool;
    let site = '';

    /** The image, or what it is made of, with its disk. */
    function boot(what: string, remote: string, ...more: string[]): Tool {
      const port = new URL(site).port;
      const disk = `--disk=kept=${image}.disk,size=2M`;
      const words = [
        'run',
        what,
        ...flags,
        disk,
        `--publish=${port}:80`,
        `--name=git-site-${name}`,
      ];
      return work.start([...words, ...more, '--', `--remote=${remote}`, `--secret=${SECRET}`]);
    }

    before(async () => {
      if (skip !== false) return;
      const port = await freePort();
      site = `http://127.0.0.1:${port}`;
      const remote = `${backend.url.replace('127.0.0.1', host)}/${name}`;
      tool = boot(APP, remote, `--keep-image=${image}`, '--ca=ca.pem');
      await tool.wrote(/pull failed: .*; nothing to show yet, again in 1 s/);
    });

    after(async () => {
      tool?.child.kill('SIGINT');
      await tool?.ended;
    });

    test('nothing to pull › 503; then the repository is there › shown by itself', async () => {
      const { status, body } = await get(`${site}/`);
      assert.deepEqual([status, body], [503, 'The site is not here yet.\n']);
      await author.begin();
      await tool.wrote(new RegExp(`shows ${await author.head()}: 3 files`));
      assert.equal((await get(`${site}/`)).body, '<p>version 1</p>\n');
    });

    test('a push and its webhook › new content, and the ETags of what stayed', async () => {
      const index = await get(`${site}/`);
      const docs = await get(`${site}/docs/`);
      await author.write();
      await publish(author, tool, site);
      const now = await get(`${site}/`);
      assert.equal(now.body, '<p>version 2</p>\n');
      assert.notEqual(now.etag, index.etag);
      assert.deepEqual(await get(`${site}/docs/`), docs);
      const since = { headers: { 'if-none-match': docs.etag } };
      assert.equal((await fetch(`${site}/docs/`, since)).status, 304);
    });

    test('replaced again and again › no visitor sees a mix, or an error', async () => {
      const visitors = [new Visitor(site), new Visitor(site)];
      for (let swap = 0; swap < SWAPS; swap++) {
        await author.write();
        await publish(author, tool, site);
      }
      for (const visitor of visitors) await visitor.leave();
      assert.ok(visitors.some(({ versions }) => versions.size > 1));
    });

    test('git revert, pushed › the content of before, with its ETag', async () => {
      const before = await get(`${site}/`);
      await author.write();
      await publish(author, tool, site);
      assert.notEqual((await get(`${site}/`)).etag, before.etag);
      await author.revert();
      await publish(author, tool, site);
      assert.deepEqual(await get(`${site}/`), before);
    });

    test('messages that are signed by nobody, by another, too long, sent again', async () => {
      const body = '{}';
      assert.equal(await hook(site, body, ''), 403);
      assert.equal(await hook(site, body, sign(body, 'guessed')), 403);
      assert.equal(await hook(site, `${body} `, sign(body)), 403);
      const long = 'x'.repeat(600_000);
      assert.equal(await hook(site, long, sign(long)).catch(() => 413), 413);
      assert.equal(await hook(site, body, sign(body), 'ping'), 202);
      const shown = tool.stdout.match(/shows/g)?.length;
      for (let i = 0; i < 5; i++) assert.equal(await hook(site, body, sign(body)), 202);
      assert.equal((await get(`${site}/webhook`)).status, 404);
      assert.equal(tool.stdout.match(/shows/g)?.length, shown);
    });

    test('a pull that fails › said in the log, and the old site stays', async () => {
      const before = await get(`${site}/`);
      const head = git.path('served', name, 'HEAD');
      writeFileSync(head, 'nonsense\n');
      const body = '{}';
      assert.equal(await hook(site, body, sign(body)), 202);
      await tool.wrote(/pull failed: .*; the old content stays, again in 1 s/);
      assert.deepEqual(await get(`${site}/`), before);
      writeFileSync(head, 'ref: refs/heads/main\n');
      await author.write();
      await author.push();
      await tool.wrote(new RegExp(`shows ${await author.head()}: 3 files`));
    });

    test('a remote that isn’t who it should be › said why, and the old site stays', async () => {
      const before = await get(`${site}/`);
      await author.write();
      await author.push();
      const body = '{}';
      for (const [why, pair] of [
        ['unknown issuer', certificate(unknown)],
        ['name mismatch', certificate(trusted, ['other.example'])],
        ['expired', certificate(trusted, HOSTS, days(-1))],
      ] as const) {
        backend.use(pair);
        assert.equal(await hook(site, body, sign(body)), 202);
        await tool.wrote(new RegExp(`can't be reached: .*TLS: ${why}; the old content stays`));
        assert.deepEqual(await get(`${site}/`), before);
      }
      backend.use(certificate());
      assert.equal(await hook(site, body, sign(body)), 202);
      await tool.wrote(new RegExp(`shows ${await author.head()}: 3 files`));
    });

    test('killed, and booted again with the remote away › the site as it was, at once', async () => {
      const before = await get(`${site}/`);
      tool.child.kill('SIGINT');
      await tool.ended;
      // Node's program is no image.
      tool = boot(name === 'node' ? APP : image, `https://${host}:${await freePort()}/${name}`);
      await tool.wrote(/shows [0-9a-f]{40}: 3 files, as they were kept/);
      assert.deepEqual(await get(`${site}/`), before);
      await tool.wrote(/pull failed: .*; the old content stays, again in 1 s/);
      assert.deepEqual(await get(`${site}/`), before);
    });
  });
}
