/** The smallest `-m`, in steps of 1 MiB, with which every file of the site is served right. */
import { checkSite, firstByte } from '../client.ts';
import { type Machine, start } from '../machines.ts';
import type { Link } from '../network.ts';
import { BenchError, progress, stop } from '../process.ts';
import { addSample, type Line } from '../results.ts';
import type { Site } from '../site.ts';
import type { Suite } from '../suite.ts';

export async function measureMemory(suite: Suite): Promise<Line[]> {
  const line: Line = {
    id: 'memory',
    what: 'smallest memory that serves the whole site',
    unit: 'MiB',
    net: null,
    better: 'less',
    samples: {},
  };
  for (const { machine, link } of suite.places) {
    addSample(line, machine.name, await smallest(machine.frugal ?? machine, link, suite.site));
  }
  return [line];
}

/** Binary search; that more memory never serves less is assumed. */
async function smallest(machine: Machine, link: Link, site: Site): Promise<number> {
  let [fails, serves] = machine.memoryMiBRange;
  if (!(await servesWith(machine, link, site, serves))) {
    throw new BenchError(`${machine.name} does not serve the site even with ${serves} MiB`);
  }
  while (serves - fails > 1) {
    const middle = (fails + serves) >> 1;
    const works = await servesWith(machine, link, site, middle);
    progress(`${machine.name} with ${middle} MiB: ${works ? 'serves the site' : 'fails'}`);
    if (works) serves = middle;
    else fails = middle;
  }
  return serves;
}

async function servesWith(machine: Machine, link: Link, site: Site, mib: number): Promise<boolean> {
  const running = await start(machine, link, mib);
  try {
    await firstByte(running);
    await checkSite(running, site);
    return true;
  } catch {
    return false;
  } finally {
    await stop(running.child);
  }
}
