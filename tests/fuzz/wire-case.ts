/**
 * What must hold for every wire module and any bytes: a fault or a repr, never a throw; and a repr,
 * written and read again, is the same repr. Not here: what a format means (the tests beside it).
 */

import { isDeepStrictEqual } from 'node:util';
import type { Result, WireFault } from '#core';
import type { SimRandom } from '#targets/sim/index';

const POISON = 0xa5;

export interface WireFormat<R> {
  readonly name: string;
  parse(b: Uint8Array): Result<R, WireFault>;
  /** Writes from offset 0 and returns the length. */
  emit(to: Uint8Array, repr: R): number;
  /** Valid messages, to be cut and mutated. */
  seeds(random: SimRandom): Uint8Array[];
  /** Mends checksums in place, so that mutations get past them; absent where there are none. */
  repair?(b: Uint8Array): void;
  /** It has a repr for any bytes: what is odd is kept as it stands. */
  readonly isTotal?: true;
  /** One line for people; must work for any repr. */
  format?(repr: R): string;
}

export type Outcome = 'fault' | 'same';

/** A broken promise of a parser, with the bytes that show it. */
export class WireViolation extends Error {
  override readonly name = 'WireViolation';
}

export interface WireCase {
  readonly name: string;
  readonly isTotal: boolean;
  seeds(random: SimRandom): Uint8Array[];
  repair(b: Uint8Array): void;
  /** Throws WireViolation. */
  check(b: Uint8Array): Outcome;
}

export function wireCase<R>(format: WireFormat<R>): WireCase {
  const fail = (b: Uint8Array, what: string): never => {
    throw new WireViolation(`${format.name}: ${what}: ${Buffer.from(b).toString('hex')}`);
  };
  const guarded = <T>(b: Uint8Array, doing: string, run: () => T): T => {
    try {
      return run();
    } catch (error) {
      return fail(b, `${doing} threw ${String(error)}`);
    }
  };
  return {
    name: format.name,
    isTotal: format.isTotal === true,
    seeds: (random) => format.seeds(random),
    repair: (b) => format.repair?.(b),
    check(b) {
      const original = b.slice();
      const first = guarded(b, 'parse', () => format.parse(b));
      if (!isDeepStrictEqual(b, original)) fail(original, 'parse changed its input');
      if (!first.ok) return checkFault(first.error) ? 'fault' : fail(b, 'a fault out of bounds');
      const out = new Uint8Array(b.length * 2 + 1024).fill(POISON);
      const count = guarded(b, 'emit', () => format.emit(out, first.value));
      if (out.subarray(count).some((byte) => byte !== POISON))
        fail(b, 'emit wrote past its length');
      const second = guarded(b, 'second parse', () => format.parse(out.slice(0, count)));
      if (!second.ok) return fail(b, `own message refused: ${JSON.stringify(second.error)}`);
      if (!isDeepStrictEqual(second.value, first.value)) fail(b, 'reads differently when written');
      guarded(b, 'format', () => format.format?.(first.value));
      return 'same';
    },
  };
}

function checkFault(fault: WireFault): boolean {
  switch (fault.kind) {
    case 'short':
      return fault.needBytes > fault.haveBytes && fault.haveBytes >= 0;
    case 'field':
    case 'checksum':
      return fault.offset >= 0;
  }
}

/** One thing that networks and attackers do to a message. */
function mutate(seed: Uint8Array, random: SimRandom): Uint8Array {
  const b = seed.slice();
  if (b.length === 0) return b;
  const at = random.below(b.length);
  switch (random.below(7)) {
    case 0:
      b[at] = b[at]! ^ (1 << random.below(8));
      return b;
    case 1:
      b[at] = random.pick([0, 1, 0x7f, 0x80, 0xfe, 0xff]);
      return b;
    case 2:
      return b.subarray(0, at);
    case 3:
      return Uint8Array.from([...b, ...bytesOf(random, random.below(64))]);
    case 4:
      b.copyWithin(at, random.below(b.length), random.below(b.length));
      return b;
    case 5:
      for (let i = at; i < Math.min(b.length, at + 4); i++) b[i] = random.u32();
      return b;
    default:
      b.fill(random.u32(), at, at + random.below(16));
      return b;
  }
}

/** That many bytes of chance. */
export function bytesOf(random: SimRandom, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  random.fill(bytes);
  return bytes;
}

export interface FuzzTally {
  runs: number;
  same: number;
  fault: number;
}

/**
 * Every truncation of every seed, then `rounds` mutated and random messages. Throws WireViolation.
 */
export function fuzz(wire: WireCase, random: SimRandom, rounds: number): FuzzTally {
  const tally: FuzzTally = { runs: 0, same: 0, fault: 0 };
  const run = (b: Uint8Array): void => {
    tally[wire.check(b)] += 1;
    tally.runs += 1;
  };
  const seeds = wire.seeds(random);
  for (const seed of seeds) {
    if (wire.check(seed) !== 'same') throw new WireViolation(`${wire.name}: a seed is refused`);
    for (let count = 0; count <= seed.length; count++) run(seed.slice(0, count));
  }
  for (let i = 0; i < rounds; i++) {
    let b = random.chance(0.1) ? bytesOf(random, random.below(400)) : random.pick(seeds);
    for (let j = random.below(4); j >= 0; j--) b = mutate(b, random);
    b = b.slice();
    if (random.chance(0.7)) wire.repair(b);
    run(b);
  }
  return tally;
}
