import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { freePort, processesWith, root, Tool } from './cli.ts';

test('npm start › the site is served, with URL, bytes and first byte; Ctrl-C › nothing is left', async () => {
  const port = await freePort();
  const script = path.join(root, 'scripts/start.mjs');
  // A group of its own: Ctrl-C goes to all of it, as from a terminal.
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
    process.kill(-child.pid!, 'SIGINT');
  }
  await tool.ended;
  assert.deepEqual(processesWith(`hostfwd=tcp:127.0.0.1:${port}-:80`), []);
});
