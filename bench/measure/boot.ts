/**
 * From the spawn to the first byte of a 200 response, DHCP included in QEMU, in alternating runs.
 */
import { boot } from '../client.ts';
import { setBooting } from '../network.ts';
import { progress, stop } from '../process.ts';
import { addSample, type Line } from '../results.ts';
import type { Suite } from '../suite.ts';

export async function measureBoot(suite: Suite): Promise<Line[]> {
  const line: Line = {
    id: 'boot',
    what: `${suite.net === 'native' ? 'process' : 'QEMU'} spawned to first byte of a 200`,
    unit: 'ms',
    net: suite.net,
    better: 'less',
    samples: {},
  };
  const rounds = suite.quick ? 3 : 9;
  for (const { link } of suite.places) await setBooting(link, true);
  for (let round = 0; round < rounds; round++) {
    progress(`boot through ${suite.net}, round ${round + 1} of ${rounds}`);
    for (const { machine, link } of suite.places) {
      const { running, firstByteMs } = await boot(machine, link);
      addSample(line, machine.name, firstByteMs);
      await stop(running.child);
    }
  }
  for (const { link } of suite.places) await setBooting(link, false);
  return [line];
}
