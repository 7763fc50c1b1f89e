/** Ethernet over a stream socket: what every NetDevice must do; what a hostile peer may send. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { netCases } from '#device/conformance';
import { parseWords } from './launch-direct.ts';
import { openLink, parseLink } from './link.ts';
import { NodeLoop } from './loop.ts';
import { STREAM_FRAME_BYTES_MAX } from './stream-frames.ts';
import { formatStreamFault, type StreamFault, StreamNetDevice } from './stream-net-device.ts';

const PATIENCE_MS = 60_000;
const QUIET_TURNS = 20;
const directory = mkdtempSync(path.join(tmpdir(), 'morgana-link-'));
after(() => rmSync(directory, { recursive: true }));
let sockets = 0;

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > end) throw new Error('it took too long');
    await setImmediate();
  }
}

/** The two ends of a link, opened as `--link` opens them. */
async function socketPair(): Promise<[Socket, Socket]> {
  const place = path.join(directory, `${sockets++}`);
  const listening = openLink(parseLink(`unix-listen:${place}`)!, '');
  for (;;) {
    const connected = await openLink(parseLink(`unix:${place}`)!, '').catch(() => null);
    if (connected !== null) return [await listening, connected];
  }
}

const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last);

/** A device with what it received and complained about, and its peer's bare socket. */
async function deviceAndPeer() {
  const [socket, peer] = await socketPair();
  const faults: StreamFault[] = [];
  const frames: Uint8Array[] = [];
  let ready = 0;
  const device = new StreamNetDevice(new NodeLoop(), socket, mac(1), (fault) => faults.push(fault));
  device.attach({
    receive: (frame) => frames.push(frame.slice()),
    transmitReady: () => {
      ready++;
    },
  });
  peer.on('error', () => {});
  return { device, peer, faults, frames, isReady: () => ready > 0 };
}

const framed = (frame: Uint8Array): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(frame.length);
  return Buffer.concat([head, frame]);
};

const frameOf = (bytes: number, seed: number): Buffer =>
  Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + seed) & 0xff));

for (const { name, run } of netCases) {
  test(`conformance › ${name}`, async () => {
    const [first, second] = await socketPair();
    const fail = (fault: StreamFault) => assert.fail(formatStreamFault(fault));
    const loop = new NodeLoop();
    let over = false;
    const a = new StreamNetDevice(loop, first, mac(1), (fault) => over || fail(fault));
    const b = new StreamNetDevice(loop, second, mac(2), (fault) => over || fail(fault));
    const moved = () => a.counters().sent === b.counters().received;
    const back = () => b.counters().sent === a.counters().received;
    await run({
      a,
      b,
      async settle() {
        for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
          await until(() => moved() && back());
          await setImmediate();
        }
      },
    });
    over = true;
    first.destroy();
    second.destroy();
  });
}

test('frames in pieces of every size › arrive whole', async () => {
  const { peer, frames } = await deviceAndPeer();
  const sent = [14, 60, 1_514, 9_000, STREAM_FRAME_BYTES_MAX].map(frameOf);
  const stream = Buffer.concat(sent.map(framed));
  for (let at = 0, piece = 1; at < stream.length; at += piece, piece = (piece * 3) % 7_001) {
    peer.write(stream.subarray(at, at + piece));
    await setImmediate();
  }
  await until(() => frames.length === sent.length);
  assert.deepEqual(frames.map(Buffer.from), sent);
  peer.destroy();
});

test('a byte at a time › arrives', async () => {
  const { peer, frames } = await deviceAndPeer();
  const sent = [frameOf(14, 1), frameOf(61, 2)];
  for (const byte of Buffer.concat(sent.map(framed))) {
    peer.write(Uint8Array.of(byte));
    await setImmediate();
  }
  await until(() => frames.length === 2);
  assert.deepEqual(frames.map(Buffer.from), sent);
  peer.destroy();
});

for (const bytes of [0, 13, STREAM_FRAME_BYTES_MAX + 1, 0xffffffff]) {
  test(`a length of ${bytes} › what came before is kept, the link is given up`, async () => {
    const { device, peer, faults, frames } = await deviceAndPeer();
    const bad = Buffer.alloc(64);
    bad.writeUInt32BE(bytes);
    peer.write(Buffer.concat([framed(frameOf(60, 1)), bad, framed(frameOf(60, 2))]));
    await until(() => faults.length > 0);
    assert.deepEqual(faults, [{ kind: 'frame length', bytes }]);
    assert.equal(frames.length, 1);
    await once(peer, 'close');
    assert.equal(device.reserve(), null);
    assert.equal(device.counters().linkUp, 0);
  });
}

test('half a frame, then the end › closed, and nothing of it delivered', async () => {
  const { peer, faults, frames } = await deviceAndPeer();
  peer.end(framed(frameOf(1_000, 1)).subarray(0, 500));
  await until(() => faults.length > 0);
  assert.deepEqual(faults, [{ kind: 'closed' }]);
  assert.equal(frames.length, 0);
});

test('a peer that never reads › the queue is bounded; it reads › transmitReady', async () => {
  const { device, peer, isReady } = await deviceAndPeer();
  peer.pause();
  let sent = 0;
  for (let refusals = 0; refusals < QUIET_TURNS; await setImmediate()) {
    for (;;) {
      const memory = device.reserve();
      if (memory === null) break;
      device.commit(1_514, [], null);
      sent++;
    }
    refusals++;
  }
  // Two buffers of ours of 256 KiB, and what the kernel keeps.
  assert.ok(sent * 1_518 < 2_000_000, `${sent} frames`);
  assert.equal(isReady(), false);
  let bytes = 0;
  peer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  peer.resume();
  await until(() => isReady() && bytes === sent * 1_518);
  peer.destroy();
});

test('links › read or refused', () => {
  const link = parseLink('unix:/run/a,b,mac=52:54:00:00:00:1F');
  assert.equal(link?.place, '/run/a,b');
  assert.deepEqual(link?.mac, Uint8Array.of(0x52, 0x54, 0, 0, 0, 0x1f));
  const drawn = parseLink('tap:tap0')!.mac;
  assert.equal(drawn[0]! & 3, 2);
  assert.notDeepEqual(parseLink('tap:tap0')!.mac, drawn);
  for (const wrong of ['', 'tap:', 'unix', 'udp:x', 'unix:a,mac=', 'unix:a,mac=53:54:0:0:0:1']) {
    assert.equal(parseLink(wrong), null, wrong);
  }
  assert.equal(parseLink('unix:a,mac=53:54:00:00:00:01'), null, 'a group address');
  const words = parseWords(['--link=unix:a', '--link=tap:t', '--', '--port=1', '--', 'x']);
  assert.ok(typeof words !== 'string');
  assert.deepEqual(words.bootArguments, ['--port=1', '--', 'x']);
  assert.deepEqual(
    words.links.map(({ name }) => name),
    ['unix:a', 'tap:t'],
  );
  assert.equal(parseWords(['--port=1']), '--port=1');
});

test('openLink › nobody there, no such tool › an error that says so', async () => {
  const none = path.join(directory, 'none');
  await assert.rejects(openLink(parseLink(`unix:${none}`)!, ''), { code: 'ENOENT' });
  await assert.rejects(openLink(parseLink('tap:tap0')!, none), { code: 'ENOENT' });
  const held = net.createServer().listen(path.join(directory, 'held'));
  await once(held, 'listening');
  const link = parseLink(`unix-listen:${path.join(directory, 'held')}`)!;
  await assert.rejects(openLink(link, ''), { code: 'EADDRINUSE' });
  held.close();
});

test('openLink › a socket that an earlier process left › replaced', async () => {
  const [held, stale] = ['bound', 'left behind'].map((name) => path.join(directory, name));
  const server = net.createServer().listen(held);
  await once(server, 'listening');
  renameSync(held!, stale!);
  server.close();
  const opened = openLink(parseLink(`unix-listen:${stale}`)!, '');
  let peer: Socket | null = null;
  while (peer === null) peer = await openLink(parseLink(`unix:${stale}`)!, '').catch(() => null);
  (await opened).destroy();
  peer.destroy();
});

test('a program sends and ends at once › what it sent arrives', async () => {
  const place = path.join(directory, 'ending');
  const opened = openLink(parseLink(`unix-listen:${place}`)!, '');
  const program = `
    import { launch } from '#targets/node/launch-direct';
    await launch(async ({ interfaces: [device] }) => {
      device.attach({ receive() {}, transmitReady() {} });
      device.reserve().fill(7, 0, 60);
      device.commit(60, [], null);
      return 3;
    }, ['--link=unix:${place}']);`;
  const root = path.join(import.meta.dirname, '../..');
  const words = ['--input-type=module', '-e', program];
  const child = spawn(process.execPath, words, { cwd: root, stdio: 'inherit' });
  const ended = once(child, 'exit');
  const peer = await opened;
  const chunks: Buffer[] = [];
  peer.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(peer, 'close');
  assert.equal((await ended)[0], 3);
  assert.deepEqual(Buffer.concat(chunks), framed(Buffer.alloc(60, 7)));
});
