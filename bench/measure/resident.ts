/** Resident memory of a process that has served the site and has nothing to do. */
import { readFile } from 'node:fs/promises';
import type { Running } from '../machines.ts';
import { addSample, type Line } from '../results.ts';
import type { Suite } from '../suite.ts';

/** Only of native servers: a virtual machine's resident memory says how QEMU was started. */
export async function measureResident(suite: Suite, all: readonly Running[]): Promise<Line[]> {
  if (suite.net !== 'native') return [];
  const line: Line = {
    id: 'resident',
    what: 'resident memory, idle after serving the site once',
    unit: 'KiB',
    net: suite.net,
    better: 'less',
    samples: {},
  };
  for (const { machine, child } of all) {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
    addSample(line, machine.name, Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]));
  }
  return [line];
}
