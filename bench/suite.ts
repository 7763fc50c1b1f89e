/** One pass over the measures through one kind of network. */
import { boot, checkSite } from './client.ts';
import type { Machine, Running } from './machines.ts';
import { measureBoot } from './measure/boot.ts';
import { measureBulk } from './measure/bulk.ts';
import { measureIdle } from './measure/idle.ts';
import { measureConnections, measureRequests, measureThroughput } from './measure/load.ts';
import { measureMemory } from './measure/memory.ts';
import { measureResident } from './measure/resident.ts';
import { type Link, type NetKind, nativeLinks, tapLinks, userLink } from './network.ts';
import { stop } from './process.ts';
import type { Line } from './results.ts';
import type { Site } from './site.ts';

export interface Suite {
  net: NetKind;
  site: Site;
  places: readonly { machine: Machine; link: Link }[];
  quick: boolean;
}

const LOADED = [
  ['resident', measureResident],
  ['rps', measureRequests],
  ['throughput', measureThroughput],
  ['connections', measureConnections],
  ['idle', measureIdle],
] as const;

export async function runSuite(
  net: NetKind,
  machines: readonly Machine[],
  site: Site,
  only: ReadonlySet<string>,
  quick: boolean,
): Promise<Line[]> {
  const links = await linksOf(net, machines.length);
  const places = machines.flatMap((machine, index) => {
    const link = links[index];
    return link === undefined ? [] : [{ machine, link }];
  });
  const suite: Suite = { net, site, places, quick };
  const lines: Line[] = [];
  if (only.has('boot')) lines.push(...(await measureBoot(suite)));
  if (only.has('memory')) lines.push(...(await measureMemory(suite)));
  if (LOADED.some(([name]) => only.has(name))) lines.push(...(await measureLoaded(suite, only)));
  const [first] = links;
  if (only.has('bulk') && first !== undefined) lines.push(...(await measureBulk(first, quick)));
  return lines;
}

function linksOf(net: NetKind, count: number): Promise<Link[]> {
  if (net === 'native') return nativeLinks();
  if (net === 'tap') return tapLinks(count);
  return Promise.all(Array.from({ length: count }, (_, index) => userLink(index)));
}

/** The measures of booted machines: all are up at once, one at a time is under load. */
async function measureLoaded(suite: Suite, only: ReadonlySet<string>): Promise<Line[]> {
  const all: Running[] = [];
  const lines: Line[] = [];
  try {
    for (const { machine, link } of suite.places) {
      const { running } = await boot(machine, link);
      all.push(running);
      await checkSite(running, suite.site);
    }
    for (const [name, measure] of LOADED) {
      if (only.has(name)) lines.push(...(await measure(suite, all)));
    }
  } finally {
    for (const running of all) await stop(running.child);
  }
  return lines;
}
