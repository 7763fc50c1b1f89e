/**
 * Unikernels of every kind at the end of a UNIX stream link, as QEMU's `-netdev stream` has it: our
 * own stack in this process is what they talk to.
 */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Log } from '#core';
import type { Stack } from '#device';
import { directStack, stackOptions } from '#stack';
import { openLink, parseLink } from '#targets/node/link';
import { NodeLoop } from '#targets/node/loop';
import { StreamNetDevice } from '#targets/node/stream-net-device';
import {
  buildImage,
  cannotBoot,
  LINKED_FLAGS,
  type LinkedTarget,
  type Machine,
  startLinked,
  startMachine,
} from '../helpers/machine.ts';

const ADDRESS = '10.0.0.2';
const IPV4 = `--ipv4=${ADDRESS}/24`;
const PATIENCE_MILLIS = 60_000;
const TEXT = 'hello over a link\n'.repeat(20_000);

const work = mkdtempSync(path.join(tmpdir(), 'morgana-stream-'));
const site = path.join(work, 'site');
const images: string[] = [];

before(() => {
  mkdirSync(site);
  writeFileSync(path.join(site, 'big.txt'), TEXT);
});
after(() => {
  for (const image of images) rmSync(image);
  rmSync(work, { recursive: true });
});

/** Our own stack in this process on `socket`. */
async function ownStack(socket: Socket): Promise<Stack> {
  const loop = new NodeLoop();
  socket.once('close', () => loop.stop());
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
  const device = new StreamNetDevice(loop, socket, mac, () => {});
  const options = stackOptions('10.0.0.1/24', '', '');
  assert.ok(options.ok);
  const entropy = { fill: (out: Uint8Array) => void randomFillSync(out) };
  const log = new Log(() => {}, 'off').source('stack');
  const stack = await directStack({ timers: loop.timers, entropy }, device, options.value, log);
  return stack;
}

/** The whole answer to a request, through `stack`. */
function get(stack: Stack, target: string): Promise<string> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), PATIENCE_MILLIS);
    stack.connect(ADDRESS, 80, (result) => {
      if (!result.ok) return reject(new Error(result.error.kind));
      result.value.attach({
        data: (bytes) => void chunks.push(Buffer.from(bytes)),
        drained() {},
        end: () => result.value.shutdown(),
        closed() {
          clearTimeout(timer);
          resolve(Buffer.concat(chunks).toString());
        },
      });
      const head = `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
      result.value.write(new TextEncoder().encode(head));
    });
  });
}

async function checkServes(machine: Machine, socket: Socket): Promise<void> {
  try {
    const stack = await ownStack(socket);
    await machine.wrote(/listening on/);
    const answer = await get(stack, '/big.txt');
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    assert.ok(answer.endsWith(`\r\n\r\n${TEXT}`), `${answer.length} bytes`);
  } finally {
    await machine.stop();
    socket.destroy();
  }
}

/** A socket that is connected as soon as somebody listens at `place`. */
async function connected(place: string): Promise<Socket> {
  const link = parseLink(`unix:${place}`)!;
  const deadline = performance.now() + PATIENCE_MILLIS;
  for (;;) {
    const socket = existsSync(place) ? await openLink(link, '').catch(() => null) : null;
    if (socket !== null) return socket;
    if (performance.now() > deadline) throw new Error(`nobody listens at ${place}`);
    await setImmediate();
  }
}

describe('stream link', { skip: cannotBoot, timeout: 180_000 }, () => {
  for (const target of ['process', 'node'] as const) {
    test(`target ${target}, connects › serves`, async () => {
      const place = path.join(work, `${target}-a`);
      const socket = openLink(parseLink(`unix-listen:${place}`)!, '');
      while (!existsSync(place)) await setImmediate();
      const links = [`unix:${place}`];
      const machine = await start(target, links);
      await checkServes(machine, await Promise.race([socket, endOf(machine)]));
    });

    test(`target ${target}, waits for its peer › serves; the peer leaves › 122`, async () => {
      const place = path.join(work, `${target}-b`);
      const links = [`unix-listen:${place},mac=52:54:00:00:00:07`];
      const machine = await start(target, links);
      const socket = await connected(place);
      const stack = await ownStack(socket);
      await machine.wrote(/listening on/);
      assert.match(await get(stack, '/big.txt'), /^HTTP\/1\.1 200 OK/);
      socket.destroy();
      const { code, console } = await machine.ended;
      assert.equal(code, 122);
      assert.match(console, /error: the link unix-listen:\S+ was closed by its peer/);
    });

    test(`target ${target}, a peer that lies about a length › 122`, async () => {
      const place = path.join(work, `${target}-c`);
      const links = [`unix-listen:${place}`];
      const machine = await start(target, links);
      const socket = await connected(place);
      socket.on('error', () => {});
      socket.write(Uint8Array.of(0, 0, 0, 3, 1, 2, 3));
      const { code, console } = await machine.ended;
      assert.equal(code, 122);
      assert.match(console, /sent a frame of 3 bytes, which no frame has/);
      socket.destroy();
    });

    test(`target ${target}, nobody listens › 69; no link › 64`, async () => {
      const links = [`unix:${path.join(work, 'nobody')}`];
      assert.equal(await codeOf(target, links), 69);
      assert.equal(await codeOf(target, ['udp:x']), 64);
    });
  }

  test('QEMU, -netdev stream › serves', async () => {
    const image = await build('pvh');
    const place = path.join(work, 'qemu');
    const netdev = `stream,id=n0,server=on,addr.type=unix,addr.path=${place}`;
    const link = { netdev, device: '' };
    const machine = await startMachine({ image, link, bootArguments: [IPV4] });
    await checkServes(machine, await connected(place));
  });
});

const start = async (target: LinkedTarget, links: readonly string[]): Promise<Machine> =>
  startLinked({
    image: await build(target),
    target,
    links,
    bootArguments: [IPV4],
    content: { site },
  });

/** Never resolves. */
async function endOf(machine: Machine): Promise<never> {
  const { code, console } = await machine.ended;
  throw new Error(`ended with ${code}:\n${console}`);
}

const codeOf = async (target: LinkedTarget, links: readonly string[]): Promise<number | null> =>
  (await (await start(target, links)).ended).code;

const built = new Map<string, Promise<string>>();

function build(target: LinkedTarget | 'pvh'): Promise<string> {
  const known = built.get(target);
  if (known !== undefined) return known;
  const building = buildImage(site, ...(target === 'pvh' ? [] : LINKED_FLAGS[target]));
  building.then((image) => images.push(image));
  built.set(target, building);
  return building;
}
