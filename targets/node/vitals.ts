/**
 * What a Node process can tell about itself (packages/device/vitals.ts): V8's heap by space, the
 * loop's counts, and V8's own sampling profiler, by its inspector, which listens on no port.
 */

import { Session } from 'node:inspector/promises';
import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import {
  type CpuProfile,
  type HeapKind,
  type HeapVitals,
  isProfileHz,
  type ProfileNode,
  type Vitals,
} from '#device';
import type { NodeLoop } from './loop.ts';

export class NodeVitals implements Vitals {
  private readonly loopOf: NodeLoop;
  private session: Session | null = null;
  private hz = 0;
  private startedMillis = 0;

  constructor(loop: NodeLoop) {
    this.loopOf = loop;
  }

  heap(): HeapVitals {
    const { total_heap_size, used_heap_size, external_memory } = getHeapStatistics();
    const kinds: Record<string, HeapKind> = { external: { count: 0, bytes: external_memory } };
    for (const { space_name, space_used_size } of getHeapSpaceStatistics()) {
      kinds[space_name] = { count: 0, bytes: space_used_size };
    }
    const totalBytes = total_heap_size + external_memory;
    return { totalBytes, usedBytes: used_heap_size + external_memory, kinds };
  }

  loop() {
    return this.loopOf.vitals();
  }

  async startProfile(hz: number): Promise<boolean> {
    if (this.session !== null || !isProfileHz(hz)) return false;
    const session = new Session();
    this.session = session;
    this.hz = hz;
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: Math.round(1_000_000 / hz) });
    await session.post('Profiler.start');
    this.startedMillis = performance.now();
    return true;
  }

  async stopProfile(): Promise<CpuProfile | null> {
    const { session } = this;
    if (session === null) return null;
    this.session = null;
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    const nodes = treeOf(profile.nodes);
    const samples = nodes.reduce((sum, node) => sum + node.samples, 0);
    const idle = nodes.reduce((sum, { name, samples: own }) => {
      return name === '(idle)' ? sum + own : sum;
    }, 0);
    const micros = Math.round((performance.now() - this.startedMillis) * 1_000);
    const busy = nodes.map((node) => (node.name === '(idle)' ? { ...node, samples: 0 } : node));
    return { hz: this.hz, micros, samples, idle, lost: 0, nodes: busy };
  }
}

/** V8's node: its children by number; lines and columns from 0. */
interface V8Node {
  readonly id: number;
  readonly hitCount?: number | undefined;
  readonly children?: readonly number[] | undefined;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
}

/** V8 lists callers before those they called, and its root first, which is left out. */
export function treeOf(v8Nodes: readonly V8Node[]): ProfileNode[] {
  const parents = new Map<number, number>();
  const nodes: ProfileNode[] = [];
  for (const { id, hitCount = 0, children = [], callFrame } of v8Nodes) {
    let index = -1;
    if (callFrame.functionName !== '(root)') {
      const isScript = callFrame.url !== '' && !callFrame.url.startsWith('node:');
      index = nodes.length;
      nodes.push({
        parent: parents.get(id) ?? -1,
        samples: hitCount,
        kind: isScript ? 'script' : 'native',
        name: callFrame.functionName || '<anonymous>',
        file: callFrame.url,
        line: callFrame.lineNumber + 1,
        column: callFrame.columnNumber + 1,
      });
    }
    for (const child of children) parents.set(child, index);
  }
  return nodes;
}
