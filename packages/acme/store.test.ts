import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros, TimerQueue } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { SimBlockDevice, SimRandom } from '#targets/sim/index';
import { BlockStore, SLOT_BYTES } from './store.ts';
import type { KeptState } from './wire/kept-state.ts';

const BLOCK_BYTES = 4_096;
const BLOCKS = (2 * SLOT_BYTES) / BLOCK_BYTES;

class Disk {
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly device: SimBlockDevice;

  constructor(isReadOnly = false, blockCount = BLOCKS) {
    const options = { name: 'disk', blockBytes: BLOCK_BYTES, blockCount, isReadOnly };
    this.device = new SimBlockDevice(options, this.timers, new SimRandom(1));
  }

  /** What `work` comes to, with time passing as it needs. */
  async run<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    void work.finally(() => {
      isDone = true;
    });
    for (let i = 0; i < 1_000 && !isDone; i++) {
      await Promise.resolve();
      const next = this.timers.nextDeadline();
      if (Number.isFinite(next)) this.timers.run(next);
    }
    return work;
  }

  open() {
    return this.run(BlockStore.open(this.device, nodeCrypto));
  }

  async load(): Promise<KeptState | null> {
    const opened = await this.open();
    assert.ok(opened.ok, opened.ok ? '' : opened.error);
    return opened.value.state;
  }

  async store(): Promise<BlockStore> {
    const opened = await this.open();
    assert.ok(opened.ok, opened.ok ? '' : opened.error);
    return opened.value.store;
  }

  async write(firstBlock: number, change: (bytes: Uint8Array) => void): Promise<void> {
    const bytes = new Uint8Array(BLOCK_BYTES);
    await this.run(this.device.read(firstBlock, bytes));
    change(bytes);
    await this.run(this.device.write(firstBlock, bytes));
  }
}

const stateOf = (n: number, chainBytes = 3): KeptState => ({
  directory: `https://ca.example/${n}`,
  accountKey: Uint8Array.of(n, 1, 2),
  certificate: {
    chain: [new Uint8Array(chainBytes).fill(n), Uint8Array.of(n)],
    key: Uint8Array.of(n),
  },
});

test('a blank device › load › nothing; saved › load › it', async () => {
  const disk = new Disk();
  assert.equal(await disk.load(), null);
  const store = await disk.store();
  for (const n of [1, 2, 3, 4]) {
    assert.ok((await disk.run(store.save(stateOf(n)))).ok);
    assert.deepEqual(await disk.load(), stateOf(n));
  }
});

test('no certificate yet › save › so it is', async () => {
  const disk = new Disk();
  const state = { ...stateOf(1), certificate: null };
  assert.ok((await disk.run((await disk.store()).save(state))).ok);
  assert.deepEqual(await disk.load(), state);
});

test('a store that was opened again › save › on top of what is there', async () => {
  const disk = new Disk();
  for (const n of [1, 2, 3]) {
    const store = await disk.store();
    assert.ok((await disk.run(store.save(stateOf(n)))).ok);
  }
  assert.deepEqual(await disk.load(), stateOf(3));
});

for (const at of [0, 9, 13, 20, 60]) {
  test(`the newer slot rots at ${at} › load › the older one`, async () => {
    const disk = new Disk();
    const store = await disk.store();
    await disk.run(store.save(stateOf(1)));
    await disk.run(store.save(stateOf(2)));
    // Generation 2 is in slot 0.
    await disk.write(0, (bytes) => {
      bytes[at] = bytes[at]! ^ 0x40;
    });
    assert.deepEqual(await disk.load(), stateOf(1));
  });
}

test('a write that tore › load › the one before', async () => {
  const disk = new Disk();
  const store = await disk.store();
  await disk.run(store.save(stateOf(1, 9_000)));
  await disk.run(store.save(stateOf(2, 9_000)));
  await disk.write(1, (bytes) => bytes.fill(0));
  assert.deepEqual(await disk.load(), stateOf(1, 9_000));
});

test('something else on the device › open › refused, untouched', async () => {
  const disk = new Disk();
  await disk.write(0, (bytes) => bytes.fill(7, 100, 101));
  assert.deepEqual(await disk.open(), { ok: false, error: 'there is something else on it' });
});

test('a device that is too small, or read only › open › refused', async () => {
  assert.ok((await new Disk(false, BLOCKS).open()).ok);
  const small = await new Disk(false, BLOCKS - 1).open();
  assert.deepEqual(small, { ok: false, error: 'it has fewer than 32 blocks' });
  assert.deepEqual(await new Disk(true).open(), { ok: false, error: 'it is read only' });
});

test('a device that fails › open and save › said so', async () => {
  const disk = new Disk();
  const store = await disk.store();
  disk.device.failure = 5;
  assert.deepEqual(await disk.run(store.save(stateOf(1))), {
    ok: false,
    error: 'the device failed with code 5',
  });
  assert.deepEqual(await disk.open(), { ok: false, error: 'the device failed with code 5' });
  disk.device.failure = 0;
  // A write that failed may have done its work: whole, or so that nothing is there.
  assert.deepEqual((await disk.load()) ?? stateOf(1), stateOf(1));
});

test('more than a slot has room for › save › refused; what was there stays', async () => {
  const disk = new Disk();
  const store = await disk.store();
  await disk.run(store.save(stateOf(1)));
  const saved = await disk.run(store.save(stateOf(2, SLOT_BYTES)));
  assert.deepEqual(saved, { ok: false, error: 'it takes more than 65536 bytes' });
  assert.deepEqual(await disk.load(), stateOf(1));
});
