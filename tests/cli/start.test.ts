import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { freePort, processesWith, root, Tool } from './cli.ts';

const ENDINGS: readonly [string, (child: ChildProcess) => void][] = [
  // A terminal sends Ctrl-C to the whole group.
  ['Ctrl-C', (child) => process.kill(-child.pid!, 'SIGINT')],
  ['SIGINT to it alone', (child) => child.kill('SIGINT')],
  ['SIGTERM to it alone', (child) => child.kill('SIGTERM')],
];

for (const [name, end] of ENDINGS) {
  test(`npm start › the site is served, URL and sizes are told; ${name} › nothing is left`, () =>
    startAndEnd(end));
}

async function startAndEnd(end: (child: ChildProcess) => void): Promise<void> {
  const port = await freePort();
  const script = path.join(root, 'scripts/start.mjs');
  const child = spawn(process.execPath, [script, `--publish=${port}:80`], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const tool = new Tool(child);
  try {
    await tool.wrote(/answered \d+ ms after start/);
    const said = tool.stdout + tool.stderr;
    assert.match(said, /image .*: [\d,]+ bytes/);
    assert.match(said, new RegExp(`http://localhost:${port}\\b`));
    const page = await fetch(`http://localhost:${port}/`);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /<title>Morgana/);
  } finally {
    end(child);
  }
  await tool.ended;
  assert.deepEqual(processesWith(`hostfwd=tcp:127.0.0.1:${port}-:80`), []);
}
