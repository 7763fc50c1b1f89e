import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { blockCases, readOnlyBlockCases } from '#device/conformance';
import { FILE_BLOCK_OPERATIONS_MAX, FileBlock } from './file-block.ts';
import { createMachine } from './launch.ts';
import { NodeLoop } from './loop.ts';

const work = mkdtempSync(path.join(tmpdir(), 'morgana-file-block-'));
after(() => rmSync(work, { recursive: true }));

const loop = new NodeLoop();
let count = 0;

function makeFile(bytes: number): string {
  const file = path.join(work, `${count++}.img`);
  writeFileSync(file, Buffer.alloc(bytes));
  return file;
}

function open(file: string, readOnly = false): FileBlock {
  const opened = FileBlock.open(loop, { name: 'data', file, readOnly });
  assert.ok(opened.ok);
  return opened.value;
}

for (const { name, run } of blockCases) {
  test(`a file › ${name}`, () => run(open(makeFile(64 * 512))));
}
for (const { name, run } of readOnlyBlockCases) {
  test(`a file, read only › ${name}`, () => run(open(makeFile(64 * 512), true)));
}

test('written, flushed › it is in the file', async () => {
  const file = makeFile(8 * 512);
  const disk = open(file);
  assert.deepEqual([disk.blockCount, disk.name, disk.isReadOnly], [8, 'data', false]);
  await disk.write(3, new Uint8Array(1_024).fill(7));
  assert.ok((await disk.flush()).ok);
  const bytes = readFileSync(file);
  assert.ok(bytes.subarray(1_536, 2_560).every((byte) => byte === 7));
  assert.equal(bytes.filter((byte) => byte !== 0).length, 1_024);
});

const REFUSED: readonly (readonly [string, () => string, RegExp])[] = [
  ['none', () => path.join(work, 'none'), /no such file/],
  ['a directory', () => work, /illegal operation on a directory/],
  ['empty', () => makeFile(0), /not a multiple of 512/],
  ['half a block', () => makeFile(256), /not a multiple of 512/],
];
for (const [what, make, expected] of REFUSED) {
  test(`${what} › open › refused`, () => {
    const opened = FileBlock.open(loop, { name: 'data', file: make(), readOnly: false });
    assert.ok(!opened.ok);
    assert.match(opened.error, expected);
  });
}

test('a file cut short meanwhile › read › the device is gone', async () => {
  const file = makeFile(8 * 512);
  const disk = open(file);
  truncateSync(file, 512);
  assert.ok((await disk.read(0, new Uint8Array(512))).ok);
  const gone = { ok: false, error: { kind: 'gone' } };
  assert.deepEqual(await disk.read(0, new Uint8Array(1_024)), gone);
});

test('operations without end › at the bound fine, one more is busy, and all are done', async () => {
  const disk = open(makeFile(8 * 512));
  const bytes = new Uint8Array(512);
  const reads = Array.from({ length: FILE_BLOCK_OPERATIONS_MAX }, () => disk.read(1, bytes));
  assert.deepEqual(await disk.flush(), { ok: false, error: { kind: 'busy' } });
  assert.ok((await Promise.all(reads)).every(({ ok }) => ok));
  assert.ok((await disk.flush()).ok);
});

test('a machine › has the disks that it was given, by name', () => {
  const disks = ['one', 'two'].map((name) => ({ name, file: makeFile(1_024), readOnly: true }));
  const machine = createMachine(loop, { bootArguments: [], content: {}, publish: [], disks });
  assert.deepEqual(
    machine.blocks.map(({ name, blockCount, isReadOnly }) => [name, blockCount, isReadOnly]),
    [
      ['one', 2, true],
      ['two', 2, true],
    ],
  );
});
