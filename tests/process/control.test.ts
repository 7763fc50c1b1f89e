/** The control channel of a Linux process, through the relay that `morgana run` has. */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type CpuProfile, controlFrame, type HeapVitals, type LoopVitals } from '#device';
import { ControlRelay } from '../../tools/cli/control-relay.ts';
import { ask, echo } from '../helpers/control-client.ts';
import { checkGrowth, checkProfile } from '../helpers/vitals.ts';
import { cannotRun, linkTestImage, Running } from './process.ts';

const skip = cannotRun;
const LARGE_BYTES = 3 * 1_048_576;

let work = '';
let image = '';
let relay: ControlRelay;
let running: Running;
let place = '';

before(async () => {
  if (skip !== false) return;
  work = mkdtempSync(path.join(tmpdir(), 'morgana-control-'));
  image = await linkTestImage('control');
  place = path.join(work, 'control.sock');
  const channelSocket = path.join(work, 'channel.sock');
  relay = await ControlRelay.open({ channelSocket, controlSocket: place });
  running = new Running(image, ['--mem=32', `--control=unix:${channelSocket}`]);
});

after(async () => {
  if (skip !== false) return;
  await running.stop();
  await relay.close();
  rmSync(image);
  rmSync(work, { recursive: true });
});

test('two clients at once, much both ways › each gets its own', { skip }, async () => {
  const sent = [0, 1].map(() => randomFillSync(Buffer.alloc(LARGE_BYTES)));
  const got = await Promise.all(sent.map((bytes) => echo(place, bytes)));
  assert.ok(got[0]!.equals(sent[0]!) && got[1]!.equals(sent[1]!));
});

test('the supervisor is gone › the unikernel goes on', { skip }, async () => {
  const socket = path.join(work, 'alone');
  const server = net.createServer();
  server.listen(socket);
  await once(server, 'listening');
  const alone = new Running(image, [`--control=unix:${socket}`]);
  const [channel] = (await once(server, 'connection')) as [net.Socket];
  // It answers when the channel is gone, and lives on.
  channel.write(controlFrame(1, Buffer.from('later 100\n')));
  channel.end();
  server.close();
  await alone.wrote(/later\n.*still here\n/s);
  await alone.stop();
});

test('frames that none are › said, and the unikernel goes on', { skip }, async () => {
  const socket = path.join(work, 'hostile');
  const server = net.createServer();
  server.listen(socket);
  await once(server, 'listening');
  const hostile = new Running(image, [`--control=unix:${socket}`]);
  const [channel] = (await once(server, 'connection')) as [net.Socket];
  channel.on('error', () => channel.destroy());
  channel.write(randomFillSync(Buffer.alloc(100_000, 0xff)));
  await hostile.wrote(/a broken frame/);
  await hostile.stop();
  channel.destroy();
  server.close();
});

test('a busy image › its profile names the busy function, below its caller', { skip }, async () => {
  assert.equal(await ask<boolean>(place, 'start 1000'), true);
  assert.equal(await ask<boolean>(place, 'start 1000'), false);
  await ask(place, 'spin 4000');
  const profile = await ask<CpuProfile>(place, 'stop');
  checkProfile(profile);
  assert.equal(profile.lost, 0);
  assert.equal(await ask(place, 'stop'), null);
});

test('heap › numbers by kind move with what is kept', { skip }, async () => {
  const before = await ask<HeapVitals>(place, 'heap');
  await ask(place, 'keep 5000');
  checkGrowth(before, await ask<HeapVitals>(place, 'heap'), 5_000);
});

test('loop › a long turn is seen', { skip }, async () => {
  await ask(place, 'spin 1000');
  const loop = await ask<LoopVitals>(place, 'loop');
  assert.ok(loop.turns > 0 && loop.busyMicros > 10_000 && loop.busyMicros < loop.micros);
  assert.ok(loop.turnMicrosMax > 10_000);
});

test('an image that was not built for development › evaluates nothing', { skip }, async () => {
  assert.equal(await ask(place, 'evaluate 1 + 1'), 'no');
});
