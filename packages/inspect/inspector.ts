/**
 * What a running unikernel tells about itself: sections, each made when somebody asks. Whoever has
 * something to tell registers a section; nothing is kept for it between two looks. Not here: who
 * asks (control-server.ts, or a management port).
 */

import { assert } from '#core';
import type { InspectRequest } from '#device';
import { connectionsListedMax } from './limits.ts';
import type { ControlRequest } from './wire/control-message.ts';

/** Plain data, as JSON can carry it. */
export type Section = (request: InspectRequest) => unknown;

export class Inspector {
  private readonly sections = new Map<string, Section>();

  /** Adds a section; once a name. */
  section(name: string, take: Section): void {
    assert(!this.sections.has(name), 'a section with this name exists');
    this.sections.set(name, take);
  }

  /** All sections by name. */
  snapshot(request: InspectRequest): Record<string, unknown> {
    const all: Record<string, unknown> = {};
    for (const [name, take] of this.sections) all[name] = take(request);
    return all;
  }
}

/** Which connections a request for a snapshot wants, within bounds. */
export function inspectRequestOf(request: Omit<ControlRequest, 'id' | 'ask'>): InspectRequest {
  const { from, connections } = request;
  return {
    connectionsFrom: isCount(from) ? from : 0,
    connectionsMax: Math.min(
      isCount(connections) ? connections : connectionsListedMax,
      connectionsListedMax,
    ),
  };
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
