/** The examples as virtual machines, and as processes. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { freePort, root, type Tool, Workspace } from './cli.ts';

const work = new Workspace();
after(() => work.remove());

async function started(example: string, target: string, publish: readonly string[]): Promise<Tool> {
  const flags = publish.map((ports) => `--publish=${ports}`);
  const app = path.join(root, 'examples', example);
  const tool = work.start(['run', app, `--target=${target}`, ...flags]);
  await tool.wrote(/info \S+: listening on/);
  return tool;
}

async function stopped(tool: Tool): Promise<void> {
  tool.child.kill('SIGINT');
  assert.equal((await tool.ended).code, 130);
}

/** All that a TCP peer says before it closes. */
function lineFrom(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    socket.once('end', () => resolve(text));
    socket.once('error', reject);
  });
}

for (const target of ['pvh', 'node']) {
  test(`devices on ${target} › a page and a counter over one stack`, async () => {
    const [web, counter] = [await freePort(), await freePort()];
    const tool = await started('devices', target, [`${web}:80`, `${counter}:7`]);
    await tool.wrote(/counting callers/);
    const response = await fetch(`http://127.0.0.1:${web}/`);
    assert.match(await response.text(), /<h1>Devices<\/h1>/);
    assert.equal(await lineFrom(counter), 'visitor 1 of this boot\n');
    assert.equal(await lineFrom(counter), 'visitor 2 of this boot\n');
    await stopped(tool);
  });

  test(`hono on ${target} › the npm package, unmodified`, async () => {
    const port = await freePort();
    const tool = await started('hono/app.ts', target, [`${port}:80`]);
    const response = await fetch(`http://127.0.0.1:${port}/`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('server-timing') ?? '', /^app;dur=/);
    assert.match(await response.text(), /<h1>0 notes<\/h1>/);
    await stopped(tool);
  });
}
