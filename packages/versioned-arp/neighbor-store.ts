/** What a store of neighbours has where, and what it refuses. */

import { err, ok, type Result } from '#core';
import { type ContentType, contentFault, defineSchema } from '#store';
import type { RecordPath } from './change-queue.ts';
import { mergeRecords } from './merge-records.ts';
import { decodeRecord, encodeRecord, type NeighborRecord } from './record.ts';
import { decodeStatics, encodeStatics, mergeStatics, type StaticTable } from './static-table.ts';

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

const staticContent: ContentType<StaticTable> = {
  name: 'static entries',
  encode: encodeStatics,
  decode(bytes) {
    const table = decodeStatics(bytes);
    return table.ok ? ok(table.value) : err(contentFault('static entries', table.error));
  },
  merge: mergeStatics,
};

export const neighborSchema = defineSchema({
  neighbors: { '*': neighborContent },
  conflicts: { '*': neighborContent },
  static: { '*': staticContent },
});

export type NeighborShape = (typeof neighborSchema)['shape'];
export const KINDS = ['neighbors', 'conflicts', 'static'] as const;
export type NeighborPath = readonly [(typeof KINDS)[number], string];

/** What is at a path: of one address, or of one host. */
export type Content = NeighborRecord | StaticTable;

/** Null: nothing of ours is there. */
export function pathOf(steps: readonly string[]): NeighborPath | null {
  const [first, name] = steps;
  const kind = KINDS.find((one) => one === first);
  return steps.length !== 2 || kind === undefined ? null : [kind, name!];
}

export function stepsOf(path: RecordPath): NeighborPath {
  const steps = pathOf(path.split('/'));
  if (steps === null) throw new TypeError(path);
  return steps;
}

/** Why something with a store didn't work, for people: there is nobody else to tell. */
export type Outcome<T> = Result<T, string>;
