/** What a store of neighbours has where, and what it refuses. */

import { err, ok, type Result } from '#core';
import { type ContentType, contentFault, defineSchema } from '#store';
import type { RecordPath } from './change-queue.ts';
import { mergeRecords } from './merge-records.ts';
import { decodeRecord, encodeRecord, type NeighborRecord } from './record.ts';

const NAME = 'neighbor';

const neighborContent: ContentType<NeighborRecord> = {
  name: NAME,
  encode: encodeRecord,
  decode(bytes) {
    const record = decodeRecord(bytes);
    return record.ok ? ok(record.value) : err(contentFault(NAME, record.error));
  },
  merge: mergeRecords,
};

export const neighborSchema = defineSchema({
  neighbors: { '*': neighborContent },
  conflicts: { '*': neighborContent },
});

export type NeighborShape = (typeof neighborSchema)['shape'];
export type NeighborPath = readonly ['neighbors' | 'conflicts', string];

/** Null: no record of ours is there. */
export function pathOf(steps: readonly string[]): NeighborPath | null {
  const [kind, address] = steps;
  if (steps.length !== 2 || address === undefined) return null;
  return kind === 'neighbors' || kind === 'conflicts' ? [kind, address] : null;
}

export function stepsOf(path: RecordPath): NeighborPath {
  const steps = pathOf(path.split('/'));
  if (steps === null) throw new TypeError(path);
  return steps;
}

/** Why something with a store didn't work, for people: there is nobody else to tell. */
export type Outcome<T> = Result<T, string>;
