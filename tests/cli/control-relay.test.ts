/** The relay between a machine's control channel and its clients, on real sockets. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { after, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { CONTROL_PAYLOAD_BYTES_MAX, ControlReader, controlFrame } from '#device';
import {
  CLIENT_QUEUE_BYTES_MAX,
  CLIENTS_MAX,
  ControlRelay,
  MACHINE_QUEUE_BYTES_MAX,
} from '../../tools/cli/control-relay.ts';
import { Workspace } from './cli.ts';

const work = new Workspace();
after(() => work.remove());
let relays = 0;

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('it took too long');
    await setImmediate();
  }
}

async function connected(place: string): Promise<net.Socket> {
  const socket = net.connect(place);
  socket.on('error', () => socket.destroy());
  after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** All that a socket has brought so far. */
function heard(socket: net.Socket): { text(): string; bytes: number } {
  const state = { pieces: [] as Buffer[], bytes: 0, text: () => '' };
  state.text = () => Buffer.concat(state.pieces).toString();
  socket.on('data', (chunk: Buffer) => {
    state.pieces.push(chunk);
    state.bytes += chunk.length;
  });
  return state;
}

async function rig() {
  const name = relays++;
  const places = { channelSocket: work.path(`${name}.m`), controlSocket: work.path(`${name}.c`) };
  const relay = await ControlRelay.open(places);
  after(() => relay.close());
  return { relay, places };
}

/** A machine that sends every client's bytes back, in capitals. */
async function echoing(place: string) {
  const machine = await connected(place);
  const ended: number[] = [];
  const reader = new ControlReader({
    piece(client, bytes) {
      machine.write(controlFrame(client, Buffer.from(Buffer.from(bytes).toString().toUpperCase())));
    },
    end: (client) => void ended.push(client),
  });
  machine.on('data', (chunk: Uint8Array) => assert.equal(reader.push(chunk), null));
  return { machine, ended };
}

test('two clients at once › each gets its own answers; closed › the machine is told', async () => {
  const { relay, places } = await rig();
  const { ended } = await echoing(places.channelSocket);
  const [a, b] = [await connected(places.controlSocket), await connected(places.controlSocket)];
  const [fromA, fromB] = [heard(a), heard(b)];
  a.write('one ');
  b.write('two ');
  a.write('three');
  await until(() => fromA.text() === 'ONE THREE' && fromB.text() === 'TWO ');
  a.end();
  await until(() => ended.length === 1);
  b.write('more');
  await until(() => fromB.text() === 'TWO MORE');
  assert.equal(relay.counters().clients, 1);
});

test('a client before the machine is there › waits, and is served then', async () => {
  const { places } = await rig();
  const client = await connected(places.controlSocket);
  const got = heard(client);
  client.write('early');
  await echoing(places.channelSocket);
  await until(() => got.text() === 'EARLY');
});

test('much both ways › all of it arrives, in order', async () => {
  const { places } = await rig();
  await echoing(places.channelSocket);
  const client = await connected(places.controlSocket);
  const got = heard(client);
  const text = Array.from({ length: 400_000 }, (_, i) => `line ${i}\n`).join('');
  client.write(text);
  await until(() => got.bytes === text.length);
  assert.equal(got.text(), text.toUpperCase());
});

test('the machine ends a client › it gets the rest, then the end; others go on', async () => {
  const { places } = await rig();
  const { machine } = await echoing(places.channelSocket);
  const [a, b] = [await connected(places.controlSocket), await connected(places.controlSocket)];
  const [fromA, fromB] = [heard(a), heard(b)];
  a.write('x');
  await until(() => fromA.text() === 'X');
  machine.write(controlFrame(1, new Uint8Array(60_000).fill(0x61)));
  machine.write(controlFrame(1, new Uint8Array(0)));
  await once(a, 'end');
  assert.equal(fromA.bytes, 60_001);
  b.write('y');
  await until(() => fromB.text() === 'Y');
});

test('a client that never reads › dropped at its bound; others go on', async () => {
  const { relay, places } = await rig();
  const { machine, ended } = await echoing(places.channelSocket);
  const [deaf, good] = [
    await connected(places.controlSocket),
    await connected(places.controlSocket),
  ];
  deaf.pause();
  const got = heard(good);
  deaf.write('x');
  const piece = controlFrame(1, new Uint8Array(CONTROL_PAYLOAD_BYTES_MAX));
  for (let sent = 0; sent < 2 * CLIENT_QUEUE_BYTES_MAX; sent += CONTROL_PAYLOAD_BYTES_MAX) {
    machine.write(piece);
  }
  await until(() => ended.includes(1));
  assert.equal(relay.counters().dropped, 1);
  assert.ok(Number(relay.counters().strayBytes) > 0);
  good.write('still here');
  await until(() => got.text() === 'STILL HERE');
});

test('a machine that sends byte by byte › a client that never reads is dropped as early', async () => {
  const { relay, places } = await rig();
  const { machine } = await echoing(places.channelSocket);
  const deaf = await connected(places.controlSocket);
  deaf.pause();
  const pieces = Array.from({ length: 8_000 }, () => controlFrame(1, Uint8Array.of(1)));
  const many = Buffer.concat(pieces);
  const before = process.memoryUsage().rss;
  let sent = 0;
  while (relay.counters().dropped === 0 && sent++ < 100) {
    if (!machine.write(many)) await once(machine, 'drain');
    await setImmediate();
  }
  await until(() => relay.counters().clients === 0);
  assert.equal(relay.counters().dropped, 1);
  assert.ok(process.memoryUsage().rss - before < 100 * 1_048_576);
});

test('a machine that ends a client again and again › once', async () => {
  const { relay, places } = await rig();
  const { machine } = await echoing(places.channelSocket);
  const [client, other] = [
    await connected(places.controlSocket),
    await connected(places.controlSocket),
  ];
  // It doesn't read its end.
  client.pause();
  const warnings: Error[] = [];
  const warned = (warning: Error): void => void warnings.push(warning);
  process.on('warning', warned);
  const ends = Array.from({ length: 8_000 }, () => controlFrame(1, new Uint8Array(0)));
  machine.write(Buffer.concat(ends));
  const got = heard(other);
  other.write('over');
  await until(() => got.text() === 'OVER');
  process.off('warning', warned);
  assert.deepEqual(warnings, []);
  assert.ok(Number(relay.counters().clients) >= 1);
});

test('clients that come and go without a word › the machine is not told', async () => {
  const { relay, places } = await rig();
  const { ended } = await echoing(places.channelSocket);
  for (let i = 0; i < 5; i++) (await connected(places.controlSocket)).end();
  const last = await connected(places.controlSocket);
  const got = heard(last);
  last.write('a');
  await until(() => got.text() === 'A' && relay.counters().clients === 1);
  last.end();
  await until(() => ended.length > 0);
  assert.deepEqual(ended, [6]);
});

test('a machine that never reads › clients are held up at the bound, nothing is lost', async () => {
  const { places } = await rig();
  const machine = await connected(places.channelSocket);
  machine.pause();
  const client = await connected(places.controlSocket);
  const chunk = new Uint8Array(CONTROL_PAYLOAD_BYTES_MAX);
  const most = 4 * MACHINE_QUEUE_BYTES_MAX;
  for (let sent = 0; sent < most; sent += chunk.length) client.write(chunk);
  let isDone = false;
  client.write(chunk, () => {
    isDone = true;
  });
  let came = 0;
  const reader = new ControlReader({
    piece(_, bytes) {
      came += bytes.length;
    },
    end: () => assert.fail('the client is there'),
  });
  // The kernel's own buffers are a few hundred KiB: most of it waits with the client.
  assert.ok(client.writableLength > MACHINE_QUEUE_BYTES_MAX);
  assert.ok(!isDone);
  machine.on('data', (bytes: Uint8Array) => assert.equal(reader.push(bytes), null));
  machine.resume();
  await until(() => isDone && came === most + chunk.length);
});

test('a machine that breaks the framing › its channel and clients go; another may come', async () => {
  const { relay, places } = await rig();
  const machine = await connected(places.channelSocket);
  const client = await connected(places.controlSocket);
  client.resume();
  machine.resume();
  machine.write(new Uint8Array(64).fill(0x80));
  await Promise.all([once(machine, 'close'), once(client, 'close')]);
  await until(() => relay.counters().machine === 0 && relay.counters().clients === 0);
  assert.equal(relay.counters().badChannels, 1);
  await echoing(places.channelSocket);
  const later = await connected(places.controlSocket);
  const got = heard(later);
  later.write('again');
  await until(() => got.text() === 'AGAIN');
});

test('frames for a client that nobody is › counted, no harm; a second machine › refused', async () => {
  const { relay, places } = await rig();
  const { machine } = await echoing(places.channelSocket);
  machine.write(controlFrame(77, new Uint8Array(9)));
  machine.write(controlFrame(77, new Uint8Array(0)));
  await until(() => relay.counters().strayBytes === 9);
  const second = await connected(places.channelSocket);
  second.resume();
  await once(second, 'close');
  assert.equal(relay.counters().machine, 1);
});

test('clients › the most › served; one more › refused', async () => {
  const { relay, places } = await rig();
  await echoing(places.channelSocket);
  const clients: net.Socket[] = [];
  for (let i = 0; i < CLIENTS_MAX; i++) clients.push(await connected(places.controlSocket));
  await until(() => relay.counters().clients === CLIENTS_MAX);
  const last = await connected(places.controlSocket);
  last.resume();
  await once(last, 'close');
  assert.equal(relay.counters().refused, 1);
  const got = heard(clients[0]!);
  clients[0]!.write('z');
  await until(() => got.text() === 'Z');
});

test('close › clients and machine are dropped, both sockets are gone', async () => {
  const name = relays++;
  const places = { channelSocket: work.path(`${name}.m`), controlSocket: work.path(`${name}.c`) };
  const relay = await ControlRelay.open(places);
  const [machine, client] = [
    await connected(places.channelSocket),
    await connected(places.controlSocket),
  ];
  await until(() => relay.counters().clients === 1);
  const gone = Promise.all([machine, client].map((one) => once(one.resume(), 'close')));
  await relay.close();
  await gone;
  assert.ok(!existsSync(places.channelSocket) && !existsSync(places.controlSocket));
});
