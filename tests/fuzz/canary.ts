/** A parser with a planted bug of each kind: a fuzzer that doesn't find them is broken. */

import { ok, readU16be } from '#core';
import type { SimRandom } from '#targets/sim/index';
import { type WireCase, wireCase } from './wire-case.ts';

export type PlantedBug = 'throws' | 'loses a bit' | 'writes too far' | 'changes input';

export function canary(bug: PlantedBug): WireCase {
  return wireCase<{ readonly value: number }>({
    name: `canary that ${bug}`,
    parse(b) {
      if (b.length < 2) {
        return { ok: false, error: { kind: 'short', needBytes: 2, haveBytes: b.length } };
      }
      const value = readU16be(b, 0);
      if (bug === 'throws' && value % 256 === 0xff) throw new RangeError('planted');
      if (bug === 'changes input' && value % 256 === 0xff) b[0] = 1;
      return ok({ value });
    },
    emit(to, { value }) {
      to[0] = value >> 8;
      to[1] = bug === 'loses a bit' && value % 256 === 0xff ? 0 : value;
      if (bug === 'writes too far' && value % 256 === 0xff) to[9] = 1;
      return 2;
    },
    seeds: (_random: SimRandom) => [Uint8Array.of(0, 1, 2)],
  });
}
