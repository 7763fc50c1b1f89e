/** The control channel of a Node process, against a real socket. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { CONTROL_QUEUE_BYTES_MAX } from '#device';
import { NodeControl } from './control.ts';
import { NodeLoop } from './loop.ts';

const work = mkdtempSync(path.join(tmpdir(), 'morgana-control-'));
after(() => rmSync(work, { recursive: true }));
let sockets = 0;

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('it took too long');
    await setImmediate();
  }
}

async function rig() {
  const place = path.join(work, `${sockets++}`);
  const server = net.createServer();
  server.listen(place);
  await once(server, 'listening');
  const control = new NodeControl(new NodeLoop(), place);
  const [peer] = (await once(server, 'connection')) as [net.Socket];
  after(() => {
    peer.destroy();
    server.close();
  });
  const got: Uint8Array[] = [];
  let drained = 0;
  control.attach({ data: (bytes) => void got.push(bytes.slice()), drained: () => void drained++ });
  return { control, peer, got: () => Buffer.concat(got), drained: () => drained };
}

test('bytes › both ways › as they were', async () => {
  const { control, peer, got } = await rig();
  const bytes = new Uint8Array(200_000).map((_, i) => i * 7);
  peer.write(bytes);
  await until(() => got().length === bytes.length);
  assert.deepEqual(new Uint8Array(got()), bytes);
  assert.ok(control.write(Uint8Array.of(1, 2, 3)));
  const [answer] = (await once(peer, 'data')) as [Buffer];
  assert.deepEqual([...answer], [1, 2, 3]);
  const { received, sent } = control.counters();
  assert.deepEqual([received, sent], [bytes.length, 3]);
});

test('a peer that never reads › the queue is bounded, refuses, and tells when it drained', async () => {
  const { control, peer, drained } = await rig();
  peer.pause();
  const piece = 32_768;
  let taken = 0;
  while (control.write(new Uint8Array(piece))) taken += piece;
  assert.ok(control.queuedBytes <= CONTROL_QUEUE_BYTES_MAX);
  assert.ok(control.queuedBytes + piece > CONTROL_QUEUE_BYTES_MAX);
  assert.equal(control.counters().refused, piece);
  assert.equal(drained(), 0);
  let read = 0;
  peer.on('data', (bytes) => {
    read += bytes.length;
  });
  peer.resume();
  await until(() => read === taken);
  await until(() => drained() === 1);
  assert.ok(control.write(new Uint8Array(piece)));
});

test('closed by the peer › writes are lost and counted, nobody throws', async () => {
  const { control, peer } = await rig();
  peer.destroy();
  await until(() => control.counters().open === 0);
  assert.ok(control.write(Uint8Array.of(1)));
  assert.equal(control.counters().lost, 1);
  assert.equal(control.queuedBytes, 0);
});

test('nobody listens › closed, nobody throws', async () => {
  const control = new NodeControl(new NodeLoop(), path.join(work, 'nobody'));
  control.attach({ data: () => assert.fail(), drained: () => assert.fail() });
  await until(() => control.counters().open === 0);
});
