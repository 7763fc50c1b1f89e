/** The control channel of a Linux process, through the relay that `morgana run` has. */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { controlFrame } from '#device';
import { ControlRelay } from '../../tools/cli/control-relay.ts';
import { echo } from '../helpers/control-client.ts';
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
