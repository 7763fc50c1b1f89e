/**
 * The control channel of a virtual machine: a named port of QEMU's console device, on both kinds of
 * machine, through the relay that `morgana run` has and without it; and what is asked over it.
 */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  ControlReader,
  type CpuProfile,
  controlFrame,
  controlMark,
  type HeapVitals,
  type LoopVitals,
} from '#device';
import { ControlRelay } from '../../tools/cli/control-relay.ts';
import { ask, echo } from '../helpers/control-client.ts';
import { checkGrowth, checkProfile } from '../helpers/vitals.ts';
import { buildImage, cannotBoot, MACHINES, type MachineKind, Vm, virtioDevice } from './vm.ts';

const skip = cannotBoot;
const LARGE_BYTES = 600_000;

let work = '';
let image = '';

before(async () => {
  if (skip !== false) return;
  work = mkdtempSync(path.join(tmpdir(), 'morgana-boot-control-'));
  image = await buildImage('control');
});

after(() => {
  if (image !== '') rmSync(image);
  if (work !== '') rmSync(work, { recursive: true });
});

const port = (machine: MachineKind, socket: string): string[] => [
  ...['-chardev', `socket,id=c,path=${socket}`],
  ...virtioDevice(machine, 'serial', ',max_ports=2'),
  ...['-device', 'virtserialport,chardev=c,name=morgana.control'],
];

function bootWith(machine: MachineKind, qemu: readonly string[]): Vm {
  const vm = new Vm({ image, machine, qemu, memoryMib: 24, lifeMillisMax: 60_000 });
  after(() => vm.kill());
  return vm;
}

describe('through the relay', { skip }, () => {
  for (const machine of MACHINES) {
    test(`${machine} › two clients at once, much both ways › each gets its own`, async () => {
      const place = path.join(work, `${machine}.c`);
      const channelSocket = path.join(work, `${machine}.m`);
      const relay = await ControlRelay.open({ channelSocket, controlSocket: place });
      after(() => relay.close());
      const vm = bootWith(machine, port(machine, channelSocket));
      const sent = [0, 1].map(() => randomFillSync(Buffer.alloc(LARGE_BYTES)));
      const got = await Promise.all(sent.map((bytes) => echo(place, bytes)));
      assert.ok(got[0]!.equals(sent[0]!) && got[1]!.equals(sent[1]!));

      assert.equal(await ask<boolean>(place, 'start 1000'), true);
      await ask(place, 'spin 400');
      checkProfile(await ask<CpuProfile>(place, 'stop'));

      const before = await ask<HeapVitals>(place, 'heap');
      await ask(place, 'keep 5000');
      checkGrowth(before, await ask<HeapVitals>(place, 'heap'), 5_000);

      const loop = await ask<LoopVitals>(place, 'loop');
      assert.ok(loop.turnMicrosMax > 10_000 && loop.busyMicros < loop.micros);
      assert.equal(await ask(place, 'evaluate 1 + 1'), 'no');

      // The supervisor goes: the machine stays, and ends only when it wants to.
      const asked = net.connect(place);
      asked.on('error', () => asked.destroy());
      asked.write('later 300\n');
      const { sent: answered } = await ask<Record<string, number>>(place, 'counters');
      assert.ok(Number(answered) > 2 * LARGE_BYTES);
      await relay.close();
      await vm.waitFor('later\nstill here\n');
    });
  }
});

async function connected(socket: string): Promise<net.Socket> {
  const client = net.connect(socket);
  after(() => client.destroy());
  await once(client, 'connect');
  return client;
}

test('without a relay › one client after another, each from the beginning', { skip }, async () => {
  const socket = path.join(work, 'own');
  const [, chardev, ...rest] = port('microvm', socket);
  const vm = bootWith('microvm', ['-chardev', `${chardev},server=on,wait=off`, ...rest]);
  await vm.waitFor('ready\n');
  const frame = controlFrame(1, Buffer.from('nonsense\n'));
  for (let round = 0; round < 5; round++) {
    const client = await connected(socket);
    // QEMU may still have some of what was for the one before.
    let answer = '';
    let isOver = false;
    const reader = new ControlReader({
      piece: (_, bytes) => {
        answer += Buffer.from(bytes).toString();
      },
      end: () => {
        isOver = true;
      },
    });
    reader.restart();
    client.write(Buffer.concat([controlMark(), frame]));
    while (!isOver) {
      const [bytes] = (await once(client, 'data')) as [Buffer];
      assert.equal(reader.push(bytes), null);
    }
    assert.equal(answer, '"no such word: nonsense"');
    // Half a question: the next client must not be taken for its end.
    client.write(frame.subarray(0, 3 + round * 3));
    client.end();
    await once(client, 'close');
  }
  vm.kill();
});
