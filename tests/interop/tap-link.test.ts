/**
 * tap-link between a tap device in a namespace and sockets of this process: the kernel answers ARP
 * requests that come through it. Refused: lengths that no frame has, devices that aren't there.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { leashed } from '../helpers/machine.ts';
import { cannotTap, Namespace } from '../helpers/namespace.ts';

const TOOL = path.join(import.meta.dirname, '../../build/base/tap-link');
const skip = existsSync(TOOL) ? cannotTap : 'build/base/tap-link is missing: npm run setup';
const LENGTH_BYTES = 4;
const ASK_AGAIN_MILLIS = 100;
const FRAME_BYTES_MAX = 14 + 65_535;

let net0: Namespace;
let work = '';

before(async () => {
  if (skip !== false) return;
  work = mkdtempSync(path.join(tmpdir(), 'morgana-tap-link-'));
  net0 = await Namespace.open();
  for (const [name, address] of Object.entries({ tap0: '10.98.0.1', tap1: '10.98.1.1' })) {
    await net0.run('ip', 'tuntap', 'add', 'dev', name, 'mode', 'tap');
    await net0.run('ip', 'address', 'add', `${address}/24`, 'dev', name);
    await net0.run('ip', 'link', 'set', name, 'up');
  }
});

const running: ChildProcess[] = [];

after(async () => {
  for (const child of running) child.kill('SIGKILL');
  await net0?.close();
  if (work !== '') rmSync(work, { recursive: true });
});

interface Ran {
  readonly child: ChildProcess;
  readonly ended: Promise<{ status: number | null; complaint: string }>;
}

/** Runs tap-link in the namespace, its descriptor 3 a socket of ours. */
function start(...words: string[]): Ran & { readonly socket: Socket } {
  const [command = '', ...rest] = [...net0.enter, TOOL, ...words];
  const child = spawn(...leashed(command, rest), { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  running.push(child);
  let complaint = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const ended = once(child, 'close').then(([status]) => ({ status, complaint }));
  return { child, socket: child.stdio[3] as Socket, ended };
}

/** A socket that connects as soon as somebody listens at `place`. */
async function connectedTo(place: string): Promise<Socket> {
  for (;;) {
    const socket = net.connect(place);
    const isThere = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    if (isThere) return socket;
  }
}

const framed = (frame: Uint8Array): Buffer => {
  const head = Buffer.alloc(LENGTH_BYTES);
  head.writeUInt32BE(frame.length);
  return Buffer.concat([head, frame]);
};

/** Who has `address`? Asked by 02:00:00:00:00:07 at the same network's .7. */
function arpRequest(address: string): Buffer {
  const bytes = address.split('.').map(Number);
  const [us, none] = [Buffer.from('020000000007', 'hex'), Buffer.alloc(6)];
  const head = Buffer.from('08060001080006040001', 'hex');
  const here = Buffer.from([...bytes.slice(0, 3), 7]);
  return Buffer.concat([Buffer.alloc(6, 0xff), us, head, us, here, none, Buffer.from(bytes)]);
}

/**
 * Asks until the kernel answers, with the address that was asked for. A device that just got its
 * carrier loses what it sends in the first instants.
 */
async function arpReply(socket: Socket, address: string): Promise<void> {
  const again = setInterval(() => socket.write(framed(arpRequest(address))), ASK_AGAIN_MILLIS);
  try {
    assert.equal(await firstReply(socket), address);
  } finally {
    clearInterval(again);
  }
}

/** Reads frames until one is an ARP reply; the address that it tells. */
async function firstReply(socket: Socket): Promise<string> {
  let bytes = Buffer.alloc(0);
  for await (const [chunk] of on(socket)) {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= LENGTH_BYTES && bytes.length >= LENGTH_BYTES + bytes.readUInt32BE(0)) {
      const frame = bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + bytes.readUInt32BE(0));
      bytes = bytes.subarray(LENGTH_BYTES + frame.length);
      const isReply = frame.readUInt16BE(12) === 0x0806 && frame.readUInt16BE(20) === 2;
      if (isReply) return [...frame.subarray(28, 32)].join('.');
    }
  }
  throw new Error('tap-link closed the socket');
}

async function* on(socket: Socket): AsyncGenerator<[Buffer]> {
  for (;;) {
    const chunk: Buffer | null = socket.read();
    if (chunk !== null) yield [chunk];
    else if (socket.readableEnded || socket.destroyed) return;
    else await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
  }
}

describe('tap-link', { skip, timeout: 180_000 }, () => {
  test('a frame in pieces › arrives; the answer comes back; the peer leaves › status 0', async () => {
    const { socket, ended } = start('tap0=fd:3');
    const request = framed(arpRequest('10.98.0.1'));
    for (const byte of request) socket.write(Uint8Array.of(byte));
    await arpReply(socket, '10.98.0.1');
    socket.destroy();
    assert.deepEqual(await ended, { status: 0, complaint: '' });
  });

  test('two devices › UNIX sockets, one to connect to and one that waits', async () => {
    const [ours, theirs] = [path.join(work, 'ours'), path.join(work, 'theirs')];
    const server = net.createServer().listen(ours).unref();
    await once(server, 'listening');
    const { ended } = start(`tap0=unix:${ours}`, `tap1=unix-listen:${theirs}`);
    const [first] = (await once(server, 'connection')) as [Socket];
    const second = await connectedTo(theirs);
    first.write(framed(arpRequest('10.98.0.1')));
    second.write(framed(arpRequest('10.98.1.1')));
    await arpReply(first, '10.98.0.1');
    await arpReply(second, '10.98.1.1');
    second.destroy();
    assert.equal((await ended).status, 0);
    first.destroy();
    server.close();
  });

  test('many frames at once › each arrives', async () => {
    const { socket, ended } = start('tap0=fd:3');
    const frame = Buffer.concat([arpRequest('10.98.0.9'), Buffer.alloc(1_400)]);
    const before = await packetsReceived();
    for (let i = 0; i < 5_000; i++) socket.write(framed(frame));
    socket.write(framed(arpRequest('10.98.0.1')));
    await arpReply(socket, '10.98.0.1');
    assert.ok((await packetsReceived()) - before >= 5_001);
    socket.destroy();
    await ended;
  });

  for (const bytes of [0, 13, FRAME_BYTES_MAX + 1, 0xffffffff]) {
    test(`a length of ${bytes} › status 2 and a sentence`, async () => {
      const { socket, ended } = start('tap0=fd:3');
      socket.on('error', () => {});
      const head = Buffer.alloc(64);
      head.writeUInt32BE(bytes);
      socket.write(head);
      const { status, complaint } = await ended;
      assert.equal(status, 2);
      assert.match(complaint, /error: tap-link: peer of tap0: it sent a length that no frame has/);
    });
  }

  test('frames of 14 and of the most bytes › taken', async () => {
    const { socket, ended } = start('tap0=fd:3');
    for (const bytes of [14, FRAME_BYTES_MAX]) socket.write(framed(Buffer.alloc(bytes, 0xee)));
    socket.write(framed(arpRequest('10.98.0.1')));
    await arpReply(socket, '10.98.0.1');
    socket.destroy();
    assert.equal((await ended).status, 0);
  });

  const refused = {
    'no such device': { words: ['tap9=fd:3'], status: 2, what: /device tap9: No such device/ },
    'not a tap device': { words: ['lo=fd:3'], status: 2, what: /device lo: Invalid argument/ },
    'no socket there': {
      words: ['tap0=unix:/nowhere'],
      status: 2,
      what: /socket \/nowhere: No such/,
    },
    'no descriptor': { words: ['tap0=fd:77'], status: 1, what: /place fd:77: expected/ },
    'no place': { words: ['tap0'], status: 1, what: /argument tap0: expected TAP=PLACE/ },
    'no argument': { words: [], status: 1, what: /TAP=PLACE/ },
    'a name too long': { words: ['tap0123456789abc=fd:3'], status: 2, what: /No such device/ },
  };
  for (const [name, { words, status, what }] of Object.entries(refused)) {
    test(`${name} › refused`, async () => {
      const result = await start(...words).ended;
      assert.equal(result.status, status, result.complaint);
      assert.match(result.complaint, what);
    });
  }

  test('a device that is held › refused', async () => {
    const holder = start('tap0=fd:3');
    holder.socket.write(framed(arpRequest('10.98.0.1')));
    await arpReply(holder.socket, '10.98.0.1');
    const { status, complaint } = await start('tap0=fd:3').ended;
    assert.equal(status, 2);
    assert.match(complaint, /device tap0: Resource busy/);
    holder.socket.destroy();
    await holder.ended;
  });
});

async function packetsReceived(): Promise<number> {
  const [device] = JSON.parse(await net0.run('ip', '-json', '-statistics', 'link', 'show', 'tap0'));
  return device.stats64.rx.packets;
}
