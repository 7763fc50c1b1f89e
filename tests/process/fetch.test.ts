/**
 * The gateway of the examples as a Linux process, on a link whose other end is our own stack in
 * this process: a name server, the server that it passes on to, and who asks it.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Log } from '#core';
import type { Stack } from '#device';
import { fetchHandler, HttpServer } from '#http';
import { directStack, stackOptions } from '#stack';
import { installNetwork, installWeb, Response } from '#web';
import { fetch } from '../../packages/http/client/fetch.ts';
import { createMachine } from '../../targets/node/launch.ts';
import { NodeLoop } from '../../targets/node/loop.ts';
import { StreamNetDevice } from '../../targets/node/stream-net-device.ts';
import { address, TestDnsServer } from '../helpers/dns-server.ts';
import { listening } from '../helpers/listening.ts';
import { buildProcess, cannotRun, Running } from './process.ts';

const HERE = '10.99.0.1';
const GATEWAY = '10.99.0.2';
const MAC = Uint8Array.of(0x52, 0x54, 0, 0, 0, 0x99);
const BODY = new Uint8Array(1_000_000).map((_, i) => i * 7);

describe('gateway as a process', { skip: cannotRun }, () => {
  const work = mkdtempSync(path.join(tmpdir(), 'morgana-fetch-'));
  const loop = new NodeLoop();
  let image = '';
  let running: Running;
  let link: net.Socket;

  /** Our own stack on this end of the link. */
  async function stackHere(): Promise<Stack> {
    const machine = createMachine(loop, { bootArguments: [], content: {}, publish: [] });
    installWeb(machine);
    const device = new StreamNetDevice(loop, link, MAC, () => link.destroy());
    const options = stackOptions(`${HERE}/24`, '', '');
    assert.ok(options.ok);
    const log = new Log(() => {}, 'off').source('stack');
    const { timers, entropy } = machine;
    return directStack({ timers, entropy }, device, options.value, log);
  }

  before(async () => {
    image = await buildProcess('examples/gateway');
    const socket = path.join(work, 'link');
    running = new Running(image, [
      ...['--mem=32', `--link=unix-listen:${socket}`, '--', `--ipv4=${GATEWAY}/24`],
      ...[`--nameservers=${HERE}`, '--upstream=http://upstream.example:8000'],
    ]);
    await listening(socket);
    link = net.connect(socket);
    await once(link, 'connect');
    const stack = await stackHere();
    installNetwork(stack);
    const zone = [address('upstream.example', HERE)];
    await new TestDnsServer(zone).serve(stack, 53);
    const machine = createMachine(loop, { bootArguments: [], content: {}, publish: [] });
    const log = new Log(() => {}, 'off').source('http');
    const app = {
      fetch: (request: Request) =>
        request.url.endsWith('/echo')
          ? new Response(request.body as never)
          : Response.json({ url: request.url }),
    };
    const { timers, clock } = machine;
    const server = new HttpServer({ handler: fetchHandler(app, { log }), timers, clock, log });
    await stack.listen(8_000, (flow) => server.accept(flow));
    await running.wrote(/listening on port 80/);
  });

  after(async () => {
    await running?.stop();
    link?.destroy();
    if (image !== '') rmSync(image);
    rmSync(work, { recursive: true });
    // The stack goes on looking for its peer: what it still armed is for nobody.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    loop.stop();
  });

  test('a name, a body both ways, several at once › passed on', async () => {
    const at = `http://${GATEWAY}`;
    const passed = await fetch(`${at}/api/users?x=y`);
    assert.deepEqual(await passed.json(), { url: 'http://upstream.example:8000/users?x=y' });
    const other = await fetch(`${at}/api//other.example/x`);
    const kept = { url: 'http://upstream.example:8000//other.example/x' };
    assert.deepEqual(await other.json(), kept, 'nobody but the upstream is asked');
    const echo = await fetch(`${at}/api/echo`, { method: 'POST', body: BODY });
    assert.deepEqual(new Uint8Array(await echo.arrayBuffer()), BODY);
    const status = (await (await fetch(`${at}/status`)).json()) as object;
    assert.deepEqual(Object.keys(status), ['users', 'orders', 'stock']);
    assert.equal((await fetch(`${at}/nothing`)).status, 404);
  });
});
