/**
 * Keeps an account and a certificate on a block device, in two slots at its beginning that are
 * written in turn: a crash while one is written leaves the other. A device with anything else on it
 * is left alone. Read first: wire/kept-state.ts.
 */

import { err, hot, ok, type Result } from '#core';
import { type BlockDevice, type CryptoPrimitives, formatBlockError } from '#device';
import { emitSlot, type KeptState, parseSlot } from './wire/kept-state.ts';

/** Of one slot: a chain of a public authority takes 4 to 8 KiB. */
export const SLOT_BYTES = 65_536;
const SLOTS = 2;

export class BlockStore {
  private readonly device: BlockDevice;
  private readonly crypto: CryptoPrimitives;
  private readonly slotBlocks: number;
  private generation = 0;

  private constructor(device: BlockDevice, crypto: CryptoPrimitives) {
    this.device = device;
    this.crypto = crypto;
    this.slotBlocks = Math.ceil(SLOT_BYTES / device.blockBytes);
  }

  /** The store and what is in it; or one sentence's end that says why the device can't be one. */
  static async open(
    device: BlockDevice,
    crypto: CryptoPrimitives,
  ): Promise<Result<{ store: BlockStore; state: KeptState | null }, string>> {
    const store = new BlockStore(device, crypto);
    if (device.isReadOnly) return err('it is read only');
    const need = store.slotBlocks * SLOTS;
    if (device.blockCount < need) return err(`it has fewer than ${need} blocks`);
    const state = await store.load();
    return state.ok ? ok({ store, state: state.value }) : state;
  }

  /** Resolves once it would survive a loss of power; else one sentence's end. */
  async save(state: KeptState): Promise<Result<void, string>> {
    const generation = this.generation + 1;
    const slot = emitSlot({ generation, state }, this.crypto);
    const room = this.slotBlocks * this.device.blockBytes;
    if (slot.length > room) return err(`it takes more than ${room} bytes`);
    const bytes = new Uint8Array(room);
    hot.copy(bytes, 0, slot, 0, slot.length);
    slot.fill(0);
    const written = await this.device.write(this.firstBlock(generation), bytes);
    const flushed = written.ok ? await this.device.flush() : written;
    bytes.fill(0);
    if (!flushed.ok) return err(formatBlockError(flushed.error));
    this.generation = generation;
    return ok(undefined);
  }

  private firstBlock(generation: number): number {
    return (generation % SLOTS) * this.slotBlocks;
  }

  private async load(): Promise<Result<KeptState | null, string>> {
    let state: KeptState | null = null;
    let isForeign = false;
    let isOurs = false;
    for (let slot = 0; slot < SLOTS; slot++) {
      const bytes = new Uint8Array(this.slotBlocks * this.device.blockBytes);
      const read = await this.device.read(this.firstBlock(slot), bytes);
      if (!read.ok) return err(formatBlockError(read.error));
      const parsed = parseSlot(bytes, this.crypto);
      bytes.fill(0);
      isForeign ||= !parsed.ok && parsed.error.kind === 'foreign';
      isOurs ||= parsed.ok || parsed.error.kind === 'damaged';
      if (!parsed.ok) continue;
      if (parsed.value.generation <= this.generation) continue;
      ({ state, generation: this.generation } = parsed.value);
    }
    // Where one slot is ours, the other one is a broken one of ours.
    return isForeign && !isOurs ? err('there is something else on it') : ok(state);
  }
}
