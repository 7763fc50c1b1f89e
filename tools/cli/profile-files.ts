/** A CPU profile as a file: speedscope's JSON, or what Chrome's DevTools read. Pure. */

import type { CpuProfile, ProfileNode } from '#device';

/**
 * By function: machine code counts for the function that ran it, and native functions have their
 * names, where `nameOf` knows them.
 */
export function byFunction(
  profile: CpuProfile,
  nameOf: (address: number) => string | null,
): CpuProfile {
  const nodes: ProfileNode[] = [];
  const places: number[] = [];
  for (const [i, node] of profile.nodes.entries()) {
    // A parent stands before its children.
    const parent = node.parent >= 0 && node.parent < i ? places[node.parent]! : -1;
    const into = nodes[parent];
    if (node.kind === 'code' && into !== undefined) {
      nodes[parent] = { ...into, samples: into.samples + node.samples };
      places.push(parent);
      continue;
    }
    const name = node.kind === 'script' ? node.name : (nameOf(Number(node.name)) ?? node.name);
    places.push(nodes.push({ ...node, parent, name }) - 1);
  }
  return { ...profile, nodes };
}

/** Indices into `profile.nodes` from the root down to `at`. */
function pathTo(profile: CpuProfile, at: number): number[] {
  const path: number[] = [];
  // A parent stands before its children, so this ends whatever a unikernel sends.
  for (let i = at; i >= 0 && i < profile.nodes.length; ) {
    path.push(i);
    const { parent } = profile.nodes[i]!;
    if (parent >= i) break;
    i = parent;
  }
  return path.reverse();
}

const secondsOf = (profile: CpuProfile, samples: number): number => samples / profile.hz;

/** The file format of speedscope, version 0.0.1: one sampled profile. */
export function speedscopeJson(name: string, profile: CpuProfile): string {
  const frames = profile.nodes.map(({ name: label, file, line, column }) =>
    file === '' ? { name: label } : { name: label, file, line, col: column },
  );
  const idle = frames.push({ name: '(idle)' }) - 1;
  const samples: number[][] = [];
  const weights: number[] = [];
  const add = (stack: number[], count: number): void => {
    if (count === 0) return;
    samples.push(stack);
    weights.push(secondsOf(profile, count));
  };
  for (const [i, node] of profile.nodes.entries()) add(pathTo(profile, i), node.samples);
  add([idle], profile.idle);
  const endValue = weights.reduce((sum, weight) => sum + weight, 0);
  const sampled = {
    type: 'sampled',
    name,
    unit: 'seconds',
    startValue: 0,
    endValue,
    samples,
    weights,
  };
  return JSON.stringify({
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    exporter: 'morgana',
    name,
    activeProfileIndex: 0,
    shared: { frames },
    profiles: [sampled],
  });
}

/** Chrome DevTools Protocol, Profiler.Profile: what a .cpuprofile file holds. */
export function cpuprofileJson(profile: CpuProfile): string {
  const interval = Math.round(1_000_000 / profile.hz);
  const children = new Map<number, number[]>();
  const idOf = (index: number): number => index + 2;
  for (const [i, { parent }] of profile.nodes.entries()) {
    const of = parent >= 0 && parent < i ? idOf(parent) : 1;
    const siblings = children.get(of);
    if (siblings === undefined) children.set(of, [idOf(i)]);
    else siblings.push(idOf(i));
  }
  const idleId = idOf(profile.nodes.length);
  const root = { name: '(root)', file: '', line: 0, column: 0, samples: 0 };
  const nodes = [
    node(1, root, [...(children.get(1) ?? []), idleId]),
    ...profile.nodes.map((one, i) => node(idOf(i), one, children.get(idOf(i)) ?? [])),
    node(idleId, { ...root, name: '(idle)', samples: profile.idle }, []),
  ];
  // The order of samples isn't known: those of one place stand together.
  const samples = nodes.flatMap(({ id, hitCount }) => Array<number>(hitCount).fill(id));
  return JSON.stringify({
    nodes,
    startTime: 0,
    endTime: samples.length * interval,
    samples,
    timeDeltas: samples.map(() => interval),
  });
}

function node(
  id: number,
  { name, file, line, column, samples }: Omit<ProfileNode, 'parent' | 'kind'>,
  children: readonly number[],
) {
  const callFrame = {
    functionName: name,
    scriptId: '0',
    url: file,
    lineNumber: line - 1,
    columnNumber: column - 1,
  };
  return { id, callFrame, hitCount: samples, children };
}

/** Functions by the samples that found them on top, most first: for people. */
export function hottest(profile: CpuProfile, count: number): string[] {
  const byPlace = new Map<string, number>();
  for (const { name, file, line, samples } of profile.nodes) {
    const place = file === '' ? name : `${name} ${file}:${line}`;
    byPlace.set(place, (byPlace.get(place) ?? 0) + samples);
  }
  const busy = Math.max(1, profile.samples - profile.idle);
  return [...byPlace]
    .filter(([, samples]) => samples > 0)
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([place, samples]) => `${((100 * samples) / busy).toFixed(1).padStart(5)} %  ${place}`);
}
