/** A switch on a UNIX socket: what ports see of each other, and of hostile ones. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import net, { type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SeededRandom } from '#core';
import { Switch } from '#switch';
import { NodeLoop } from './loop.ts';
import { PcapFile } from './pcap-file.ts';
import { STREAM_FRAME_BYTES_MAX } from './stream-frames.ts';
import { formatPortEnd, QUEUE_BYTES_MAX, SwitchServer } from './switch-server.ts';

const PATIENCE_MS = 60_000;
const directory = mkdtempSync(path.join(tmpdir(), 'morgana-switch-'));
const open: { close(): Promise<void> }[] = [];
after(async () => {
  for (const server of open) await server.close();
  rmSync(directory, { recursive: true });
});
let places = 0;

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > end) throw new Error('it took too long');
    await setImmediate();
  }
}

const BROADCAST = 0xff;
/** A frame in the stream's form, from station `from` to station `to`. */
function framed(to: number, from: number, mark: number, bytes = 60): Buffer {
  const frame = Buffer.alloc(4 + bytes, mark);
  frame.writeUInt32BE(bytes);
  if (to === BROADCAST) frame.fill(0xff, 4, 10);
  else frame.set([2, 0, 0, 0, 0, to], 4);
  frame.set([2, 0, 0, 0, 0, from, 0x88, 0xb5], 10);
  return frame;
}

interface Peer {
  readonly socket: Socket;
  /** All that came. */
  bytes(): Buffer;
  /** Marks of the frames that came. */
  marks(): number[];
}

async function serve(options: { portsMax?: number } = {}) {
  const place = path.join(directory, `${places++}`);
  const loop = new NodeLoop();
  const network = new Switch(loop.timers, new SeededRandom(1), options);
  const log: string[] = [];
  const server = new SwitchServer(loop, network, {
    joined: (port) => log.push(`${port.name} joined`),
    left: (port, end) => log.push(`${port.name} ${formatPortEnd(end)}`),
    full: () => log.push('full'),
  });
  assert.ok((await server.listen(place)).ok);
  open.push(server);
  const plug = async (): Promise<Peer> => {
    const before = server.size;
    const socket = net.connect(place);
    socket.on('error', () => {});
    await once(socket, 'connect');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await until(() => server.size > before);
    const bytes = () => Buffer.concat(chunks);
    return { socket, bytes, marks: () => marksOf(bytes()) };
  };
  return { place, loop, network, server, log, plug };
}

function marksOf(bytes: Buffer): number[] {
  const marks: number[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += 4 + bytes.readUInt32BE(at)) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end <= bytes.length) marks.push(bytes[end - 1]!);
  }
  return marks;
}

test('frames in pieces of every size › arrive whole, in order, at the right port', async () => {
  const { plug } = await serve();
  const [a, b, c] = [await plug(), await plug(), await plug()];
  b.socket.write(framed(BROADCAST, 2, 1));
  c.socket.write(framed(BROADCAST, 3, 2));
  await until(() => a.marks().length === 2 && b.marks().length === 1 && c.marks().length === 1);
  const sent: Buffer[] = [];
  for (let n = 0; n < 400; n++)
    sent.push(framed(2 + (n % 3 === 0 ? 1 : 0), 1, n & 0xff, 14 + 4 * n));
  const stream = Buffer.concat(sent.filter((frame) => frame.length <= 4 + 1_518));
  for (let at = 0, piece = 1; at < stream.length; at += piece, piece = (piece * 3) % 70_001) {
    a.socket.write(stream.subarray(at, at + piece));
    await setImmediate();
  }
  const whole = (to: number) =>
    Buffer.concat(sent.filter((frame) => frame[9] === to && frame.length <= 4 + 1_518));
  await until(() => b.bytes().length >= 64 + whole(2).length);
  await until(() => c.bytes().length >= 64 + whole(3).length);
  assert.deepEqual(b.bytes().subarray(64), whole(2));
  assert.deepEqual(c.bytes().subarray(64), whole(3));
});

test('many small frames for two ports in turns › one write each, nothing lost', async () => {
  const { plug, network } = await serve();
  const [a, b, c] = [await plug(), await plug(), await plug()];
  b.socket.write(framed(BROADCAST, 2, 1));
  c.socket.write(framed(BROADCAST, 3, 1));
  await until(() => a.marks().length === 2);
  const frames = Array.from({ length: 6_000 }, (_, n) => framed(2 + (n & 1), 1, n & 0x7f));
  a.socket.write(Buffer.concat(frames));
  await until(() => b.marks().length + c.marks().length === 6_000 + 2);
  assert.deepEqual(
    b.marks().slice(1),
    frames.filter((_, n) => !(n & 1)).map((f) => f.at(-1)),
  );
  network.checkInvariants();
});

for (const bytes of [STREAM_FRAME_BYTES_MAX + 1, 0xffffffff]) {
  test(`a length of ${bytes} › that port is cut off, what came before it is forwarded`, async () => {
    const { plug, log, network } = await serve();
    const [a, b] = [await plug(), await plug()];
    const bad = Buffer.alloc(64);
    bad.writeUInt32BE(bytes);
    a.socket.write(Buffer.concat([framed(BROADCAST, 1, 7), bad, framed(BROADCAST, 1, 8)]));
    await once(a.socket, 'close');
    await until(() => b.marks().length > 0);
    assert.deepEqual(b.marks(), [7]);
    assert.equal(
      log.at(-1),
      `1 sent a frame of ${bytes} bytes, which no frame has, and was cut off`,
    );
    assert.equal(network.plugged().length, 1);
  });
}

test('runts and a frame above the limit › counted, the stream goes on', async () => {
  const { plug, network } = await serve();
  const [a, b] = [await plug(), await plug()];
  const runts = Buffer.concat([Buffer.alloc(4), Buffer.from([0, 0, 0, 3, 1, 2, 3])]);
  const large = framed(BROADCAST, 1, 9, STREAM_FRAME_BYTES_MAX);
  a.socket.write(Buffer.concat([runts, large, framed(BROADCAST, 1, 7)]));
  await until(() => b.marks().length > 0);
  assert.deepEqual(b.marks(), [7]);
  const { drops } = network.plugged()[0]!;
  assert.deepEqual([drops.runt, drops.oversize], [2, 1]);
});

test('half a frame, then the end › gone without a trace, others go on', async () => {
  const { plug, log, network, server } = await serve();
  const [a, b, c] = [await plug(), await plug(), await plug()];
  a.socket.write(framed(BROADCAST, 1, 5));
  await until(() => b.marks().length === 1);
  a.socket.end(framed(BROADCAST, 1, 6, 1_000).subarray(0, 500));
  await until(() => server.size === 2);
  assert.equal(log.at(-1), '1 left');
  assert.equal(network.addresses().length, 0);
  b.socket.write(framed(1, 2, 7));
  await until(() => c.marks().length === 2);
  assert.deepEqual([b.marks(), c.marks()], [[5], [5, 7]]);
});

test('a peer that never reads › its frames are dropped within the bound, others get all', async () => {
  const { plug, network } = await serve();
  const [a, b, c] = [await plug(), await plug(), await plug()];
  b.socket.pause();
  let sent = 0;
  const flood = Buffer.concat(Array.from({ length: 100 }, () => framed(BROADCAST, 1, 7, 1_500)));
  while (sent < 3_000) {
    a.socket.write(flood);
    sent += 100;
    await until(() => c.bytes().length === sent * 1_504);
  }
  const [, slow, fast] = network.plugged();
  assert.equal(fast!.drops.queueFull, 0);
  assert.ok(slow!.drops.queueFull > 1_000, `${slow!.drops.queueFull}`);
  // Our queue, and what the kernel keeps.
  assert.ok(slow!.counters.sentBytes < QUEUE_BYTES_MAX + 1_000_000, `${slow!.counters.sentBytes}`);
  b.socket.resume();
  await until(() => b.bytes().length === slow!.counters.sent * 1_504);
  a.socket.write(framed(BROADCAST, 1, 8));
  await until(() => b.marks().at(-1) === 8);
});

test('a peer that never reads, small frames one a turn › bounded as well, then all of it', async () => {
  const { plug, network } = await serve();
  const [a, b] = [await plug(), await plug()];
  b.socket.pause();
  a.socket.write(Buffer.concat(Array.from({ length: 900 }, () => framed(BROADCAST, 1, 1, 1_500))));
  await until(() => network.plugged()[0]!.counters.received === 900);
  for (let n = 0; n < 300; n++) {
    a.socket.write(framed(BROADCAST, 1, 2));
    await until(() => network.plugged()[0]!.counters.received === 901 + n);
  }
  b.socket.resume();
  const { sent } = network.plugged()[1]!.counters;
  await until(() => b.marks().length === sent);
  a.socket.write(framed(BROADCAST, 1, 3));
  await until(() => b.marks().at(-1) === 3);
});

test('a port leaves while much waits for it › memory and port are free, others go on', async () => {
  const { plug, network, server } = await serve();
  const [a, b, c] = [await plug(), await plug(), await plug()];
  b.socket.pause();
  a.socket.write(Buffer.concat(Array.from({ length: 900 }, () => framed(BROADCAST, 1, 1, 1_500))));
  await until(() => c.bytes().length === 900 * 1_504);
  b.socket.destroy();
  await until(() => server.size === 2);
  a.socket.write(framed(BROADCAST, 1, 2));
  await until(() => c.marks().at(-1) === 2);
  network.checkInvariants();
});

test('ports, at the bound and one past it › refused at once', async () => {
  const { plug, place, log, server } = await serve({ portsMax: 1 });
  await plug();
  const socket = net.connect(place);
  await once(socket, 'close');
  assert.equal(log.at(-1), 'full');
  assert.equal(server.size, 1);
});

test('its place › taken, a file, left behind, not there; gone when it closes', async () => {
  const { place, loop, network } = await serve();
  const other = new SwitchServer(loop, network, { joined() {}, left() {}, full() {} });
  assert.deepEqual(await other.listen(place), { ok: false, error: { kind: 'in use' } });
  const file = path.join(directory, 'file');
  writeFileSync(file, '');
  assert.deepEqual(await other.listen(file), { ok: false, error: { kind: 'not a socket' } });
  const nowhere = await other.listen(path.join(directory, 'no/such'));
  assert.ok(!nowhere.ok && nowhere.error.kind === 'refused');
  const stale = path.join(directory, 'stale');
  const left = net.createServer().listen(path.join(directory, 'left'));
  await once(left, 'listening');
  renameSync(path.join(directory, 'left'), stale);
  left.close();
  assert.ok((await other.listen(stale)).ok);
  await other.close();
  assert.ok(!existsSync(stale));
});

test('one place left behind, two that want it at once › one has it, and is reached there', async () => {
  const { loop, network } = await serve();
  const events = { joined() {}, left() {}, full() {} };
  for (let round = 0; round < 20; round++) {
    const place = path.join(directory, `raced-${round}`);
    const left = net.createServer().listen(`${place}-left`);
    await once(left, 'listening');
    renameSync(`${place}-left`, place);
    left.close();
    const both = [0, 1].map(() => new SwitchServer(loop, network, events));
    const results = await Promise.all(both.map((server) => server.listen(place)));
    assert.equal(results.filter(({ ok }) => ok).length, 1, `round ${round}`);
    assert.ok(results.some((result) => !result.ok && result.error.kind === 'in use'));
    const socket = net.connect(place);
    await once(socket, 'connect');
    socket.destroy();
    for (const server of both) await server.close();
    assert.ok(!existsSync(place));
  }
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.includes('.old-')),
    [],
  );
});

test('a capture › head, and a record of what passed, written while it passes', async () => {
  const { plug, network, loop } = await serve();
  const file = path.join(directory, 'a.pcap');
  const pcap = new PcapFile(loop, file, (error) => assert.fail(error));
  network.tap = pcap.tap;
  const [a, b] = [await plug(), await plug()];
  const frame = framed(BROADCAST, 1, 7, 1_000);
  a.socket.write(frame);
  await until(() => b.marks().length === 1);
  await until(() => existsSync(file) && statSync(file).size === 24 + 16 + 1_000);
  const bytes = readFileSync(file);
  assert.deepEqual(bytes.subarray(40), frame.subarray(4));
  assert.ok(Math.abs(bytes.readUInt32LE(24) - Date.now() / 1_000) < 60);
  await pcap.close();
});

test('a capture that can not be opened › thrown; no room on its disk › said once, frames go on', async () => {
  const { plug, network, loop } = await serve();
  const errors: NodeJS.ErrnoException[] = [];
  const nowhere = path.join(directory, 'no/such');
  assert.throws(() => new PcapFile(loop, nowhere, () => {}), { code: 'ENOENT', path: nowhere });
  const pcap = new PcapFile(loop, '/dev/full', (error) => errors.push(error));
  network.tap = pcap.tap;
  await until(() => errors.length === 1);
  const [a, b] = [await plug(), await plug()];
  a.socket.write(framed(BROADCAST, 1, 7));
  await until(() => b.marks().length === 1);
  await pcap.close();
  assert.equal(errors[0]?.code, 'ENOSPC');
});
