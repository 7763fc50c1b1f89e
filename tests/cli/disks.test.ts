/** Disks of a unikernel: what --disk means, and a file on which a virtual machine counts. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { after, test } from 'node:test';
import type { DescribedDisk } from '../../tools/cli/description.ts';
import { attachDisks, diskFrom, holding, parseDisk } from '../../tools/cli/disks.ts';
import { processArguments } from '../../tools/cli/linux-process.ts';
import { nodeCommand } from '../../tools/cli/node-process.ts';
import { qemuArguments } from '../../tools/cli/qemu.ts';
import { Workspace } from './cli.ts';

const CONFIG = `import { defineUnikernel, disk } from 'morgana/config';
export default defineUnikernel({
  name: 'counter',
  main: './main.ts',
  devices: { data: disk({ bytesMin: 65_536 }) },
});
`;
/** Counts its boots on the disk, and ends with the count. */
const MAIN = `import type { Start } from 'morgana';
import type config from './morgana.config.ts';
export const start: Start<typeof config> = async ({ data, log }) => {
  const block = new Uint8Array(data.blockBytes);
  const read = await data.read(5, block);
  block[0]!++;
  const written = await data.write(5, block);
  const flushed = await data.flush();
  log.info('blocks ' + data.blockCount + ' ' + data.name);
  return read.ok && written.ok && flushed.ok ? block[0]! : 99;
};
`;
const work = new Workspace({ 'counter/morgana.config.ts': CONFIG, 'counter/main.ts': MAIN });
after(() => work.remove());

test('an image › run twice with a file that is made at first › both boots are on it', async () => {
  const built = await work.run(['build', 'counter', '--output=counter.img', '--json']);
  assert.equal(built.code, 0, built.stderr);
  const file = 'counted,it.img';
  for (const [index, machine] of ['microvm', 'q35'].entries()) {
    const words = ['run', 'counter.img', `--machine=${machine}`, `--disk=data=${file},size=64K`];
    const { code, stdout, stderr } = await work.run(words);
    assert.equal(code, index + 1, stdout + stderr);
    assert.match(stdout, /info counter: blocks 128 data$/m);
  }
  assert.equal(readFileSync(work.path(file))[5 * 512], 2);

  const { stdout } = await work.run(['describe', 'counter.img']);
  assert.match(stdout, /^ {2}data +disk +virtio-blk$/m);
  assert.match(stdout, /^ {2}reads and writes disk data, 64 KiB at least$/m);
  const { code, stderr } = await work.run(['run', 'counter.img']);
  assert.equal(code, 1);
  const sentence = "counter needs the disk 'data', and it is not attached";
  assert.match(stderr, new RegExp(`^error: ${sentence}, give it --disk=data=FILE,size=64M$`, 'm'));
});

test('--disk › name, file, size, read only', () => {
  const disk = { name: 'a', file: 'f', bytes: null, readOnly: false };
  const read: readonly (readonly [string, Partial<typeof disk>])[] = [
    ['a=f', {}],
    ['a=f,g=h,size=x', { file: 'f,g=h,size=x' }],
    ['a=f,readonly', { readOnly: true }],
    ['a=f,g,readonly', { file: 'f,g', readOnly: true }],
    ['a=f,size=4096', { bytes: 4_096 } as object],
    ['a=f,size=64M', { bytes: 67_108_864 } as object],
    ['a=f,size=16T', { bytes: 2 ** 44 } as object],
    [`${'n'.repeat(20)}=f`, { name: 'n'.repeat(20) }],
  ];
  for (const [text, expected] of read) {
    assert.deepEqual(parseDisk(text), { ...disk, ...expected }, text);
  }
  for (const text of [
    ...['', 'a', 'a=', '=f', 'a b=f', 'ä=f', `${'n'.repeat(21)}=f`],
    ...['a=f,size=0', 'a=f,size=512', 'a=f,size=17T', 'a=f,size=4K,readonly'],
  ]) {
    assert.equal(parseDisk(text), null, text);
  }
  assert.equal(diskFrom(parseDisk('a=f')!, '/home/me').file, '/home/me/f');
});

const program = (disks: readonly DescribedDisk[]) => ({
  name: 'app',
  args: { 'tls-disk': { kind: 'string', default: 'tls', doc: '' } } as const,
  capabilities: { disks },
});
const data = { name: 'data', bytesMin: 0, readOnly: false };

function makeFile(name: string, bytes: number): string {
  work.write(name, '');
  truncateSync(work.path(name), bytes);
  return work.path(name);
}

const attach = (disks: readonly DescribedDisk[] | null, ...texts: readonly string[]) =>
  attachDisks(
    texts.map((text) => diskFrom(parseDisk(text)!, work.directory)),
    disks && program(disks),
    ['--tls-disk=certs'],
  );

test('attached › as declared, made where it is missing', () => {
  makeFile('there.img', 8_192);
  assert.deepEqual(attach([data], 'data=new.img,size=1M', 'certs=there.img'), [
    { name: 'data', file: work.path('new.img'), readOnly: false },
    { name: 'certs', file: work.path('there.img'), readOnly: false },
  ]);
  assert.equal(statSync(work.path('new.img')).size, 1_048_576);
  const [read] = attach([{ ...data, readOnly: true }], 'data=there.img');
  assert.equal(read?.readOnly, true);
  // Of an image whose description is lost, nobody knows.
  assert.equal(attach(null, 'any=there.img').length, 1);
  assert.equal(attach([{ ...data, bytesMin: 8_192 }], 'data=there.img').length, 1);
});

const REFUSED: readonly (readonly [string, readonly DescribedDisk[], readonly string[], RegExp])[] =
  [
    [
      'not attached',
      [data],
      [],
      /app needs the disk 'data', and it is not attached, give it --disk/,
    ],
    [
      'not declared',
      [data],
      ['data=f.img', 'x=f.img'],
      /no disk 'x' but data, certs, leave it out/,
    ],
    ['declared no more', [], ['tls=f.img'], /declares no disk 'tls' but certs/],
    ['no file', [data], ['data=none.img'], /no \S*none\.img, name a file that is, or .*size=64M/],
    ['another size', [data], ['data=f.img,size=8K'], /has 4 KiB, not 8 KiB, leave size out/],
    [
      'too small',
      [{ ...data, bytesMin: 4_097 }],
      ['data=f.img'],
      /has 4 KiB, and app needs 4097 bytes at least/,
    ],
    [
      'too small when made',
      [{ ...data, bytesMin: 2 ** 20 }],
      ['data=made.img,size=512K'],
      /has 512 KiB, and app needs 1 MiB at least/,
    ],
    ['an odd size', [data], ['data=odd.img'], /has 513 bytes, no multiple of 512/],
    ['a directory', [data], ['data=counter'], /neither a file nor a block device/],
  ];
for (const [what, disks, texts, expected] of REFUSED) {
  test(`${what} › one sentence, and nothing is made`, () => {
    makeFile('f.img', 4_096);
    makeFile('odd.img', 513);
    assert.throws(() => attach(disks, ...texts), expected);
    assert.equal(statSync(work.path('made.img'), { throwIfNoEntry: false }), undefined);
  });
}

test('held by another › refused; only read by both › not', async () => {
  const file = makeFile('held.img', 4_096);
  const frozen = [{ ...data, readOnly: true }];
  for (const readOnly of [false, true]) {
    const held = holding([{ name: 'data', file, readOnly }], ['sh', ['-c', 'echo on; exec cat']]);
    const child = spawn(...held, { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    assert.throws(() => attach([data], 'data=held.img'), /is used by another, stop it, or take/);
    if (readOnly) assert.equal(attach(frozen, 'data=held.img').length, 1);
    else assert.throws(() => attach(frozen, 'data=held.img'), /is used by another/);
    child.stdin.end();
    await once(child, 'close');
    assert.equal(attach([data], 'data=held.img').length, 1);
  }
});

test('targets › what each is told', () => {
  const disks = [
    { name: 'a', file: '/x,y.img', readOnly: false },
    { name: 'b', file: '/z', readOnly: true },
  ];
  const around = { links: [], memoryMib: 16, control: null, bootArguments: [] };
  const node = { content: {}, disks, bootArguments: [], control: null };
  const { env, args: held } = nodeCommand('main.mjs', node, []);
  assert.deepEqual(JSON.parse(env!.MORGANA_DISKS!), disks);
  assert.deepEqual(
    held.filter((word) => word.startsWith('/')),
    ['/z', '/usr/bin/flock', '/x,y.img', process.execPath],
  );
  const words = processArguments({ ...around, disks });
  assert.deepEqual(words.slice(1, 3), ['--disk=a=/x,y.img', '--disk=b=/z,readonly']);
  for (const [machine, device] of [
    ['microvm', 'virtio-blk-device'],
    ['q35', 'virtio-blk-pci,disable-legacy=on'],
  ] as const) {
    const options = { image: 'i', accelerator: 'tcg', publish: [], disks } as const;
    const args = qemuArguments({ ...around, ...options, machine });
    const at = args.indexOf('-drive');
    assert.deepEqual(args.slice(at, at + 8), [
      ...['-drive', 'if=none,id=d0,format=raw,discard=unmap,file=/x,,y.img'],
      ...['-device', `${device},drive=d0,serial=a`],
      ...['-drive', 'if=none,id=d1,format=raw,discard=unmap,readonly=on,file=/z'],
      ...['-device', `${device},drive=d1,serial=b`],
    ]);
  }
});

test('a directory that is no place for a file › the reason, and nothing else', () => {
  mkdirSync(work.path('d'));
  assert.throws(() => attach([data], 'data=none/new.img,size=4K'), /ENOENT/);
});
