import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';

const LOCK = '{}';

/** A checkout with nothing in it but the set-up, and these scripts; `words` is what that says. */
function setUp(t: TestContext, fetchSources: string, isInstalled: boolean): string {
  const root = mkdtempSync(path.join(tmpdir(), 'morgana-setup-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const folder of ['scripts', 'node_modules/.bin', 'bin']) {
    mkdirSync(path.join(root, folder), { recursive: true });
  }
  const write = (file: string, text: string): void => writeFileSync(path.join(root, file), text);
  copyFileSync(path.join(import.meta.dirname, 'setup.mjs'), path.join(root, 'scripts/setup.mjs'));
  write('scripts/fetch-sources.mjs', fetchSources);
  write('package-lock.json', LOCK);
  const stamp = createHash('sha256').update(LOCK).digest('hex');
  if (isInstalled) write('node_modules/.morgana-setup', stamp);
  // No machine is changed by a test, whatever it lacks.
  for (const command of ['bin/npm', 'bin/apt-get']) {
    write(command, '#!/bin/sh\nkill -KILL $$\n');
    chmodSync(path.join(root, command), 0o755);
  }
  const env = { ...process.env, PATH: `${path.join(root, 'bin')}:${process.env.PATH}` };
  const args = [path.join(root, 'scripts/setup.mjs'), '--for=start'];
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  assert.equal(status, 2, stderr);
  return stderr;
}

const ENDED = "process.kill(process.pid, 'SIGKILL');";

test('fetching sources › a signal ends it › the set-up names the signal', (t) => {
  assert.equal(
    setUp(t, ENDED, true),
    'error: fetching sources ended with SIGKILL; try again with: node scripts/fetch-sources.mjs\n',
  );
});

test('fetching sources › it fails › its own words, then where they stand', (t) => {
  const said = setUp(t, "console.error('no mirror'); process.exitCode = 2;", true);
  assert.equal(said, 'no mirror\nerror: fetching sources failed, see above\n');
});

test('a command › a signal ends it › the set-up names the signal', (t) => {
  const said = setUp(t, ENDED, false);
  const command = 'npm ci --no-audit --no-fund';
  assert.ok(said.includes(`error: ${command} ended with SIGKILL; mend it and try again`), said);
});
