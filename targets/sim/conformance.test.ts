/**
 * The simulated device does what every NetDevice must; the simulator's options don't change that.
 */

import { test } from 'node:test';
import { after, seconds } from '#core';
import { netCases } from '#device/conformance';
import { type SimNetDeviceOptions, SimWorld } from './index.ts';

const kinds: Record<string, Partial<SimNetDeviceOptions>> = {
  plain: {},
  'small queue': { queueFramesMax: 16 },
  checksums: { transmitChecksum: true },
  'checksums left to the receiver': { transmitChecksum: true, receivesPartialChecksums: true },
  'large segments': { transmitChecksum: true, segmentBytesMax: 65_535 },
};

for (const [kind, options] of Object.entries(kinds)) {
  for (const { name, run } of netCases) {
    test(`${kind} › ${name}`, async () => {
      const world = new SimWorld(1);
      // Without a bandwidth frames leave at once, and no queue is ever full.
      const [a, b] = ['a', 'b'].map((host) => {
        return world.addHost(host, { ...options, bitsPerSecond: 1e9 }).device;
      });
      if (a === undefined || b === undefined) throw new TypeError('two devices');
      await run({
        a,
        b,
        async settle() {
          world.run(after(world.timers.now, seconds(1)));
        },
      });
    });
  }
}
