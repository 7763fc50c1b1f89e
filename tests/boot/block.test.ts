/** The block driver on QEMU's devices: MMIO on microvm, PCI on q35; and what a killed one keeps. */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { blockCases, readOnlyBlockCases } from '#device/conformance';
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
let work = '';
let image = '';

before(async () => {
  if (skip) return;
  work = mkdtempSync(join(tmpdir(), 'morgana-boot-block-'));
  image = await buildImage('block');
});

after(() => {
  if (image !== '') rmSync(image);
  if (work !== '') rmSync(work, { recursive: true });
});

function makeDisk(name: string, bytes: number): string {
  const file = join(work, name);
  writeFileSync(file, Buffer.alloc(bytes));
  return file;
}

interface Disk {
  readonly name: string;
  readonly file: string;
  readonly drive?: string;
  readonly device?: string;
}

const disks = (machine: MachineKind, all: readonly Disk[]): string[] =>
  all.flatMap(({ name, file, drive = '', device = '' }, index) => [
    ...['-drive', `if=none,id=d${index},format=raw,discard=unmap,file=${file}${drive}`],
    ...virtioDevice(machine, 'blk', `,drive=d${index},serial=${name}${device}`),
  ]);

const SAID = [
  'disk plain 128*512/512 discard+zeroes',
  'disk poor 128*512/512 ',
  'disk large 16*4096/8192 discard+zeroes',
  'disk through 128*512/512 discard+zeroes',
  'disk read-only 128*512/512 ',
];

/** Just enough blocks of 4,096 bytes. */
const DISK_BYTES = 65_536;

/** What a device may lack, or want: the driver works with all of these. */
const KINDS: readonly Omit<Disk, 'file'>[] = [
  { name: 'plain' },
  { name: 'poor', device: ',event_idx=off,discard=off,write-zeroes=off,queue-size=8' },
  { name: 'large', device: ',logical_block_size=4096,physical_block_size=8192' },
  { name: 'through', drive: ',cache=directsync,aio=threads' },
  { name: 'read-only', drive: ',readonly=on' },
];

for (const machine of MACHINES) {
  test(`${machine} › disks › pass the conformance suite`, { skip }, async () => {
    // One set of kinds is enough for the driver, and one disk for the way to it.
    const all = (machine === 'microvm' ? KINDS : KINDS.slice(0, 1)).map((kind) => ({
      ...kind,
      file: makeDisk(`${machine}-${kind.name}`, DISK_BYTES),
    }));
    const qemu = disks(machine, all);
    const end = await boot({ image, machine, qemu, bootArguments: 'conformance', memoryMib: 24 });
    assert.equal(end.code, 0, end.console + end.errors);
    const readOnly = machine === 'microvm' ? readOnlyBlockCases.length : 0;
    const cases = (machine === 'microvm' ? 4 : 1) * blockCases.length + readOnly;
    assert.equal(end.console.match(/^ok /gm)?.length, cases);
    // The order is that of the machine's slots: disks have names.
    assert.deepEqual(
      end.console.match(/^disk .*$/gm)?.sort(),
      machine === 'microvm' ? SAID.toSorted() : SAID.slice(0, 1),
    );
    // What was written is in the file: the suite's last write.
    assert.ok(readFileSync(all[0]!.file).some((byte) => byte !== 0));
  });
}

test('killed in the middle of writes › what was flushed last is there', { skip }, async () => {
  const disk = { name: 'data', file: makeDisk('killed', 128 * 1_024) };
  const options = { image, machine: 'microvm', qemu: disks('microvm', [disk]) } as const;
  const vm = new Vm(options);
  await vm.waitFor('flushed 40.\n');
  vm.kill();
  const { console } = await vm.ended;
  const last = Number(console.match(/(?<=flushed )\d+(?=\.\n)/g)?.at(-1));
  const end = await boot({ ...options, bootArguments: `check ${last}` });
  assert.match(end.console, /^kept$/m);
  assert.equal(end.code, 0, end.console + end.errors);
});

test('a disk that fails › the program gets an error', { skip }, async () => {
  const file = makeDisk('failing', 64 * 1_024);
  const inject = 'driver=blkdebug,inject-error.0.event=write_aio';
  const drive = `${inject},image.driver=file,image.filename=${file}`;
  const qemu = ['-drive', `if=none,id=d0,${drive}`, ...virtioDevice('q35', 'blk', ',drive=d0')];
  const end = await boot({ image, machine: 'q35', qemu, bootArguments: 'write' });
  assert.equal(end.code, 124, end.console + end.errors);
  assert.match(end.console, /written and flushed/);
});
