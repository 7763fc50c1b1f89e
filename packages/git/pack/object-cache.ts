/**
 * Objects (or other things that are bytes) that were used last, up to a bound of bytes; what was
 * not used longest goes first.
 */

import type { GitObject } from '../object.ts';

/** What an entry costs beside its bytes. */
const ENTRY_BYTES = 200;

export class ObjectCache<K, V extends { readonly bytes: Uint8Array } = GitObject> {
  readonly bytesMax: number;
  private readonly objects = new Map<K, V>();
  private bytes = 0;
  /**
   * Walks from the oldest on. It goes on where it was: a new one would pass over the places of all
   * that were removed before.
   */
  private oldest: MapIterator<K> | null = null;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get(key: K): V | null {
    const object = this.objects.get(key);
    if (object === undefined) return null;
    // A Map keeps the order in which keys came.
    this.objects.delete(key);
    this.objects.set(key, object);
    return object;
  }

  /** One that is larger than the half of the bound isn't kept. */
  add(key: K, object: V): void {
    const cost = object.bytes.length + ENTRY_BYTES;
    if (cost * 2 > this.bytesMax || this.objects.has(key)) return;
    this.objects.set(key, object);
    this.bytes += cost;
    while (this.bytes > this.bytesMax) this.removeOldest();
  }

  private removeOldest(): void {
    this.oldest ??= this.objects.keys();
    const next = this.oldest.next();
    if (next.done === true) {
      this.oldest = null;
      return;
    }
    const old = this.objects.get(next.value)!;
    this.objects.delete(next.value);
    this.bytes -= old.bytes.length + ENTRY_BYTES;
  }
}
