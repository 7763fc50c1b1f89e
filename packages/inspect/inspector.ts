/**
 * What a running unikernel tells about itself: sections, each made when somebody asks. Whoever has
 * something to tell registers a section; nothing is kept for it between two looks. Not here: who
 * asks (commands.ts).
 */

import { assert } from '#core';
import type { InspectRequest } from '#device';
import { connectionsListedMax } from './limits.ts';

export interface SnapshotRequest extends InspectRequest {
  /** Whether the heap is walked, which may take milliseconds. */
  readonly heap: boolean;
}

/** Plain data, as JSON can carry it. */
export type Section = (request: SnapshotRequest) => unknown;

export class Inspector {
  private readonly sections = new Map<string, Section>();

  /** Adds a section; once a name. */
  section(name: string, take: Section): void {
    assert(!this.sections.has(name), 'a section with this name exists');
    this.sections.set(name, take);
  }

  /** All sections by name. */
  snapshot(request: SnapshotRequest): Record<string, unknown> {
    const all: Record<string, unknown> = {};
    for (const [name, take] of this.sections) all[name] = take(request);
    return all;
  }
}

/** What a request for a snapshot wants, within bounds. */
export function snapshotRequestOf(request: Readonly<Record<string, unknown>>): SnapshotRequest {
  const { from, connections, heap } = request;
  const listed = isCount(connections) ? connections : connectionsListedMax;
  return {
    connectionsFrom: isCount(from) ? from : 0,
    connectionsMax: Math.min(listed, connectionsListedMax),
    heap: heap === true,
  };
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
