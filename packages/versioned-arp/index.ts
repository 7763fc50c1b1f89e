/** The ARP cache with a history. README.md says which three files to read first. */
export { ChangeQueue, type RecordPath, type Records } from './change-queue.ts';
export { laterOf, mergeRecords } from './merge-records.ts';
export { neighborContent } from './neighbor-content.ts';
export { NeighborTable, type TableOptions } from './neighbor-table.ts';
export { decodeRecord, encodeRecord, type NeighborRecord, type Reason } from './record.ts';
