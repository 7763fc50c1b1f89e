/**
 * The tarball as a user gets it: installed in an empty directory on Node 20 with QEMU and without
 * a C compiler. Dependencies come from the npm registry.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { freePort, root, Tool } from './cli.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'morgana-packaged-'));
const bin = path.join(directory, 'bin');
const home = path.join(directory, 'empty');
const env = { ...process.env, PATH: bin, MORGANA_CACHE: path.join(directory, 'cache') };
const morgana = path.join(home, 'node_modules/.bin/morgana');

/** The system's own Node where it is there: at least 20, and not the one that runs this test. */
function findSystem(name: string): string {
  const places = ['/usr/local/bin', '/usr/bin', '/bin', path.dirname(process.execPath)];
  const found = places.map((place) => path.join(place, name)).find((file) => existsSync(file));
  assert.ok(found, `${name} is not on this machine`);
  return found;
}

function run(args: readonly string[]): { code: number | null; output: string } {
  const ended = spawnSync(morgana, args, { cwd: home, env, encoding: 'utf8' });
  return { code: ended.status, output: ended.stdout + ended.stderr };
}

before(() => {
  mkdirSync(bin);
  mkdirSync(home);
  for (const name of ['node', 'npm', 'sh', 'env', 'qemu-system-x86_64']) {
    symlinkSync(findSystem(name), path.join(bin, name));
  }
  execFileSync('npm', ['pack', '--silent', `--pack-destination=${directory}`], { cwd: root });
  const tarball = readdirSync(directory).find((name) => name.endsWith('.tgz'))!;
  writeFileSync(path.join(home, 'package.json'), '{"private":true}');
  const install = ['install', '--no-audit', '--no-fund', path.join(directory, tarball)];
  execFileSync('npm', install, { cwd: home, env, stdio: 'pipe' });
});
after(() => rmSync(directory, { recursive: true, force: true }));

test('Node 20 or later, and no C compiler', () => {
  const version = execFileSync(path.join(bin, 'node'), ['--version'], { encoding: 'utf8' });
  assert.ok(Number(/^v(\d+)/.exec(version)?.[1]) >= 20, version);
  for (const name of ['cc', 'gcc', 'clang', 'make']) {
    assert.equal(existsSync(path.join(bin, name)), false);
  }
});

test('new, build, run', async () => {
  const made = run(['new', 'app', '--template=handler']);
  assert.equal(made.code, 0, made.output);
  const built = run(['build', 'app/app.ts', '--output=app.img']);
  assert.equal(built.code, 0, built.output);
  assert.match(built.output, /^engine +[1-9][\d,]+$/m);
  const port = await freePort();
  const args = ['run', 'app.img', `--publish=${port}:80`];
  const tool = new Tool(
    spawn(morgana, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  await tool.wrote(/answered \d+ ms/);
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(await response.text(), 'Hello from app.\n');
  tool.child.kill('SIGINT');
  assert.equal((await tool.ended).code, 130);
});

for (const template of ['static', 'devices']) {
  test(`new, build › ${template}`, () => {
    const made = run(['new', template, `--template=${template}`]);
    assert.equal(made.code, 0, made.output);
    const app = template === 'static' ? 'static/htdocs' : 'devices';
    const built = run(['build', app, '--output=x.img']);
    assert.equal(built.code, 0, built.output);
  });
}

test('a bytecode compiler that cannot run here › the image carries the source', async () => {
  const tool = path.join(home, 'node_modules/morgana/dist/base/bytecode');
  chmodSync(tool, 0o644);
  const built = run(['build', 'app/app.ts', '--output=source.img']);
  chmodSync(tool, 0o755);
  assert.equal(built.code, 0, built.output);
  assert.match(built.output, /^app \(source\) /m);
  const ended = run(['run', 'source.img', '--', '--help']);
  assert.equal(ended.code, 0, ended.output);
  assert.match(ended.output, /--port=PORT/);
});
