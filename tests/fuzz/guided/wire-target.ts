/** A parser of the registry as a target: the records of an input, joined, are a message. */

import type { SimRandom } from '#targets/sim/index';
import type { WireCase } from '../wire-case.ts';
import type { GuidedTarget } from './target.ts';

export function wireTarget(wire: WireCase): GuidedTarget {
  const draw = (random: SimRandom): Uint8Array => {
    const seed = random.pick(wire.seeds(random));
    const from = random.below(seed.length + 1);
    return seed.slice(from, random.chance(0.5) ? seed.length : from + random.below(16));
  };
  return {
    name: `wire: ${wire.name}`,
    isMeasured: (url) => /\/packages\/|\/targets\/pvh\//.test(url),
    seeds: (random) => wire.seeds(random).map((seed) => [seed]),
    draw,
    mutate(record, random) {
      if (record.length === 0) return draw(random);
      const at = random.below(record.length);
      const kind = random.below(4);
      if (kind === 0) record[at] = record[at]! ^ (1 << random.below(8));
      else if (kind === 1) record[at] = random.pick([0, 1, 0x0a, 0x0d, 0x20, 0x7f, 0x80, 0xff]);
      else if (kind === 2) return record.slice(0, at);
      else record.copyWithin(at, random.below(record.length));
      return record;
    },
    run(input) {
      const message = Uint8Array.from(Buffer.concat(input));
      wire.repair(message);
      return [wire.check(message)];
    },
  };
}
