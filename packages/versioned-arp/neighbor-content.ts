/** Records as contents of a store. */

import { err, ok } from '#core';
import { type ContentType, contentFault } from '#store';
import { mergeRecords } from './merge-records.ts';
import { decodeRecord, encodeRecord, type NeighborRecord } from './record.ts';

const NAME = 'neighbor';

export const neighborContent: ContentType<NeighborRecord> = {
  name: NAME,
  encode: encodeRecord,
  decode(bytes) {
    const record = decodeRecord(bytes);
    if (record.ok) return ok(record.value);
    return err(contentFault(NAME, record.error));
  },
  merge: mergeRecords,
};
