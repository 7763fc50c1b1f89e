/** The ARP cache with a history. README.md says which three files to read first. */
export type { RecordPath } from './change-queue.ts';
export { mergeRecords } from './merge-records.ts';
export { type NeighborShape, neighborSchema, type Outcome } from './neighbor-store.ts';
export { reachable } from './reachable.ts';
export { decodeRecord, encodeRecord, type NeighborRecord, type Reason } from './record.ts';
export { type NeighborRemote, storeRemote } from './remote.ts';
export { decodeStatics, encodeStatics, type StaticTable } from './static-table.ts';
export { VersionedArp, type VersionedArpOptions } from './versioned-arp.ts';
