/** Virtio drivers on real (emulated) devices: MMIO on microvm, PCI on q35. */

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  boot,
  buildImage,
  cannotBoot,
  MACHINES,
  type MachineKind,
  Vm,
  virtioDevice,
} from './vm.ts';

const skip = cannotBoot;
let conformance = '';
let probe = '';

before(async () => {
  if (skip) return;
  conformance = await buildImage('net-conformance');
  probe = await buildImage('probe');
});

after(() => {
  for (const image of [conformance, probe]) if (image !== '') rmSync(image);
});

/**
 * Two cards joined by datagrams. Not by QEMU's hub, which reorders frames when a card runs out of
 * receive buffers (net_hub_flush delivers the sender's newer frames before the card's own queue).
 */
async function twoCards(machine: MachineKind, more: string): Promise<string[]> {
  const [one, two] = await freePorts();
  return [
    ...['-netdev', dgram('h0', one, two), '-netdev', dgram('h1', two, one)],
    ...virtioDevice(machine, 'net', `,netdev=h0${more}`),
    ...virtioDevice(machine, 'net', `,netdev=h1,mac=52:54:00:00:00:02${more}`),
  ];
}

/** A cable of UDP datagrams, one a frame, from a port of 127.0.0.1 to another. */
function dgram(id: string, local: number, remote: number): string {
  const inet = (side: string, port: number): string =>
    `${side}.type=inet,${side}.host=127.0.0.1,${side}.port=${port}`;
  return `dgram,id=${id},${inet('local', local)},${inet('remote', remote)}`;
}

/** Two UDP ports that nobody has: free again, and unlikely to be given out in the next second. */
async function freePorts(): Promise<[number, number]> {
  const sockets = [createSocket('udp4'), createSocket('udp4')] as const;
  const ports: number[] = [];
  for (const socket of sockets) {
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    ports.push((socket.address() as AddressInfo).port);
  }
  for (const socket of sockets) socket.close();
  return [ports[0]!, ports[1]!];
}

/** What a device may lack: the driver works with all of these on or off. */
const FEATURES = ['', ',event_idx=off', ',mrg_rxbuf=off,event_idx=off,status=off'];

for (const machine of MACHINES) {
  for (const features of FEATURES) {
    test(`${machine} › two cards${features} › pass the conformance suite`, { skip }, async () => {
      const qemu = await twoCards(machine, features);
      const end = await boot({ image: conformance, machine, qemu });
      assert.equal(end.code, 0, end.console + end.errors);
      assert.equal(end.console.match(/^ok /gm)?.length, 9);
    });
  }

  test(`${machine} › virtio-rng, CPU without RDRAND › random bytes`, { skip }, async () => {
    const qemu = virtioDevice(machine, 'rng');
    const bootArguments = 'entropy';
    const end = await boot({ image: probe, machine, cpu: 'qemu64', bootArguments, qemu });
    assert.equal(end.code, 0, end.console + end.errors);
    const [kinds, equal] = end.console.trim().split(' ');
    assert.ok(Number(kinds) > 200, end.console);
    assert.equal(equal, 'false');
  });

  test(`${machine} › no source of entropy › one sentence and code 123`, { skip }, async () => {
    const end = await boot({ image: probe, machine, cpu: 'qemu64' });
    assert.equal(end.code, 123);
    assert.match(end.console, /error: no source of random bytes.*virtio-rng/);
  });

  test(`${machine} › virtio-console › carries the same lines`, { skip }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'morgana-'));
    const file = join(folder, 'console');
    const qemu = [
      ...['-chardev', `file,id=c,path=${file}`],
      ...virtioDevice(machine, 'serial'),
      ...['-device', 'virtconsole,chardev=c'],
    ];
    const end = await boot({ image: probe, machine, bootArguments: 'arguments one two', qemu });
    const copy = readFileSync(file, 'utf8');
    rmSync(folder, { recursive: true });
    assert.equal(end.code, 0, end.console + end.errors);
    assert.equal(copy, 'arguments|one|two\n');
  });

  test(`${machine} › frames from the host, idle between › come back`, { skip }, async () => {
    const peer = await openPeer(machine);
    const vm = new Vm({ image: probe, machine, bootArguments: 'echo', qemu: peer.qemu });
    try {
      await vm.waitFor('echo ');
      for (let round = 0; round < 5; round++) {
        const frame = Buffer.alloc(60 + 300 * round, round + 1);
        assert.deepEqual(await peer.exchange(frame), swapped(frame));
        // Long enough for the image to sleep: the next frame must wake it.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const last = Buffer.alloc(60);
      last.write('END', 14);
      await peer.exchange(last);
      assert.equal((await vm.ended).code, 0);
    } finally {
      vm.kill();
      peer.socket.close();
    }
  });
}

test('microvm › legacy virtio-mmio › says which option mends it', { skip }, async () => {
  const qemu = ['-global', 'virtio-mmio.force-legacy=true', ...virtioDevice('microvm', 'rng')];
  const end = await boot({ image: probe, machine: 'microvm', qemu });
  assert.equal(end.code, 0, end.console + end.errors);
  assert.match(end.console, /legacy virtio device.*force-legacy=false/);
});

interface Peer {
  readonly socket: Socket;
  readonly qemu: readonly string[];
  exchange(frame: Buffer): Promise<Buffer>;
}

/** The other end of the image's cable: each datagram is a frame. */
async function openPeer(machine: MachineKind): Promise<Peer> {
  const [ours, theirs] = await freePorts();
  const socket = createSocket('udp4');
  socket.bind(ours, '127.0.0.1');
  await once(socket, 'listening');
  return {
    socket,
    qemu: [...['-netdev', dgram('n', theirs, ours)], ...virtioDevice(machine, 'net', ',netdev=n')],
    async exchange(frame) {
      const answer = once(socket, 'message', { signal: AbortSignal.timeout(60_000) });
      socket.send(frame, theirs, '127.0.0.1');
      return (await answer)[0] as Buffer;
    },
  };
}

const swapped = (frame: Buffer): Buffer =>
  Buffer.concat([frame.subarray(6, 12), frame.subarray(0, 6), frame.subarray(12)]);
