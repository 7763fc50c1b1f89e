/**
 * An image that does with its disks what its first boot argument says: the conformance suite; or
 * writes that never end, with what was flushed told on the console; or what such an image left.
 */

import { assert, hot } from '#core';
import type { BlockDevice, Machine } from '#device';
import { blockCases, readOnlyBlockCases } from '#device/conformance';
import { launch } from '#targets/pvh/index';

async function conformance(machine: Machine): Promise<number> {
  for (const disk of machine.blocks) {
    for (const { name, run } of disk.isReadOnly ? readOnlyBlockCases : blockCases) {
      await run(disk);
      machine.console.writeLine(`ok ${disk.name}: ${name}`);
    }
    const can = [disk.discard && 'discard', disk.writeZeroes && 'zeroes'].filter(Boolean);
    const { name, blockBytes, blockCount, physicalBlockBytes } = disk;
    machine.console.writeLine(
      `disk ${name} ${blockCount}*${blockBytes}/${physicalBlockBytes} ${can.join('+')}`,
    );
  }
  return 0;
}

const PIECE_BLOCKS = 64;

/** What round `round` writes: two places by turns, and a block that names the round. */
const pieceOf = (disk: BlockDevice, round: number): Uint8Array =>
  new Uint8Array(PIECE_BLOCKS * disk.blockBytes).fill(1 + (round % 255));
const placeOf = (round: number): number => 8 + (round % 2) * PIECE_BLOCKS;

async function writeForever(machine: Machine, disk: BlockDevice): Promise<number> {
  for (let round = 1; ; round++) {
    const wrote = await Promise.all([
      disk.write(placeOf(round), pieceOf(disk, round)),
      disk.write(0, pieceOf(disk, round).subarray(0, disk.blockBytes)),
    ]);
    const flushed = await disk.flush();
    assert(wrote.every(({ ok }) => ok) && flushed.ok, 'written and flushed');
    machine.console.writeLine(`flushed ${round}.`);
  }
}

/** The round that was flushed last is there, or the one after it in its place. */
async function check(machine: Machine, disk: BlockDevice, round: number): Promise<number> {
  const into = pieceOf(disk, 0);
  const read = await disk.read(placeOf(round), into);
  assert(read.ok);
  const want = pieceOf(disk, round);
  const isThere = hot.equal(into, 0, want, 0, want.length);
  machine.console.writeLine(isThere ? 'kept' : `lost: ${into[0]}`);
  return isThere ? 0 : 1;
}

/** Reads a block in requests of one, many at once, and says how long it took. */
async function measure(machine: Machine, disk: BlockDevice): Promise<number> {
  const bytes = new Uint8Array(1_048_576);
  for (const [what, one] of [
    ['write', (at: number) => disk.write(at, bytes)],
    ['read', (at: number) => disk.read(at, bytes)],
  ] as const) {
    const start = machine.timers.now;
    const blocks = bytes.length / disk.blockBytes;
    for (let i = 0; i < 16; i++) assert((await one((i % 4) * blocks)).ok);
    await disk.flush();
    machine.console.writeLine(`${what} 16 MiB in ${machine.timers.now - start} µs`);
  }
  return 0;
}

launch(async (machine) => {
  const [verb, number] = machine.bootArguments;
  const disk = machine.blocks[0];
  if (verb === 'conformance') return conformance(machine);
  if (disk === undefined) throw new Error('no disk');
  if (verb === 'measure') return measure(machine, disk);
  return verb === 'check' ? check(machine, disk, Number(number)) : writeForever(machine, disk);
});
