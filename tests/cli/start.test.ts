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
    startAndEnd(startOn, end));
}

// npm passes a signal on to the shell that it runs a script in, and no further.
test('npm start, by npm › SIGTERM to npm alone › nothing is left', () =>
  startAndEnd(
    (port) => started('npm', ['start', '--', `--publish=${port}:80`]),
    (child) => child.kill('SIGTERM'),
  ));

/** When a signal comes: as soon as the tool is there, and just after the machine was started. */
const EARLY: readonly [string, (tool: Tool, port: number) => Promise<void>][] = [
  ['the tool begins', (_, port) => until(() => processesWith(toolOn(port)).length > 0)],
  ['the machine begins', (tool) => tool.wrote(/QEMU microvm/)],
];

for (const [when, reached] of EARLY) {
  test(`npm start › SIGTERM when ${when} › it ends, nothing is left`, async () => {
    const port = await freePort();
    const child = startOn(port);
    const tool = new Tool(child);
    await reached(tool, port);
    child.kill('SIGTERM');
    assert.equal((await tool.ended).code, 143);
    assert.deepEqual(processesWith(`--publish=${port}:80`), []);
    assert.deepEqual(processesWith(`hostfwd=tcp:127.0.0.1:${port}-:80`), []);
  });
}

/** Only the tool's own words, in a row. */
const toolOn = (port: number): string => `--memory=16\0--publish=${port}:80`;

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const startOn = (port: number): ChildProcess =>
  started(process.execPath, [path.join(root, 'scripts/start.mjs'), `--publish=${port}:80`]);

const started = (command: string, args: readonly string[]): ChildProcess =>
  spawn(command, args, { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });

async function startAndEnd(
  begin: (port: number) => ChildProcess,
  end: (child: ChildProcess) => void,
): Promise<void> {
  const port = await freePort();
  const child = begin(port);
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
