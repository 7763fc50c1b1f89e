/**
 * A Git server for bench/store-clone.ts: a repository on disk behind our HTTP server on this host's
 * sockets (target node). `node bench/images/clone-server.ts REPOSITORY`; prints the port, then on
 * each line that it reads the milliseconds of CPU that it took so far.
 */

import { randomFillSync } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Log, wallTimeOfMillis } from '#core';
import { DiskBackend } from '#git/disk';
import { HttpServer } from '#http';
import { nodeCrypto } from '#targets/node/crypto';
import { NodeFileSystem } from '#targets/node/file-system';
import { HostStack } from '#targets/node/host-stack';
import { NodeLoop } from '#targets/node/loop';
import { zlib } from '#targets/node/zlib';
import { GitHandler } from '../../packages/morgana/git/git-handler.ts';

const loop = new NodeLoop();
const clock = { wall: () => wallTimeOfMillis(Date.now()) };
const log = new Log((line) => console.error(line), 'warn').source('git');
const opened = DiskBackend.open(new NodeFileSystem(process.argv[2]!), {
  crypto: nodeCrypto,
  zlib,
  entropy: { fill: (out) => void randomFillSync(out) },
  author: () => ({ name: 'bench', email: '', seconds: 0, zoneMinutes: 0 }) as never,
  pause: () => new Promise((resolve) => setTimeout(resolve, 5)),
});
if (!opened.ok) throw new Error(opened.error.kind);
const handler = new GitHandler({
  backend: opened.value,
  crypto: nodeCrypto,
  zlib,
  log,
  path: '/repo',
  turn: () => new Promise((resolve) => setImmediate(resolve)),
});
const server = new HttpServer({ handler, timers: loop.timers, clock, log });
const stack = new HostStack(loop);
const listening = await stack.listenAt('127.0.0.1', 0, (flow) => server.accept(flow));
if (!listening.ok) throw new Error(listening.error.kind);
console.log(listening.value.port);
process.on('SIGINT', () => process.exit(0));
createInterface({ input: process.stdin }).on('line', () => {
  const { user, system } = process.cpuUsage();
  console.log(Math.round((user + system) / 1_000));
});
