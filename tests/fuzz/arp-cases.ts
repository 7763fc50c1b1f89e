/** What a host reads of another one's ARP table. */

import { err, ok } from '#core';
import {
  decodeRecord,
  decodeStatics,
  encodeRecord,
  encodeStatics,
  type NeighborRecord,
  type StaticTable,
} from '#versioned-arp';
import { type WireCase, wireCase } from './wire-case.ts';

const SEED: NeighborRecord = {
  mac: '52:54:00:00:00:02',
  expires: 1_767_225_660,
  reason: 'answer',
  host: 'site',
};

export const arpCases: readonly WireCase[] = [
  wireCase<NeighborRecord>({
    name: 'neighbour record',
    parse(b) {
      const record = decodeRecord(b);
      return record.ok ? ok(record.value) : err({ kind: 'field', offset: 0, value: b[0] ?? 0 });
    },
    emit(to, record) {
      const bytes = encodeRecord(record);
      to.set(bytes);
      return bytes.length;
    },
    seeds: () => [
      encodeRecord(SEED),
      encodeRecord({ ...SEED, mac: null, reason: 'command' }),
      encodeRecord({ ...SEED, reason: 'unasked reply', host: 'a'.repeat(64) }),
    ],
  }),
  wireCase<StaticTable>({
    name: 'static neighbours',
    parse(b) {
      const table = decodeStatics(b);
      return table.ok ? ok(table.value) : err({ kind: 'field', offset: 0, value: b[0] ?? 0 });
    },
    emit(to, table) {
      const bytes = encodeStatics(table);
      to.set(bytes);
      return bytes.length;
    },
    seeds: () => [
      encodeStatics({ since: SEED.expires, entries: new Map() }),
      encodeStatics({
        since: SEED.expires,
        entries: new Map([
          ['10.0.0.5', { mac: '52:54:00:00:00:05', origin: 'configuration' }],
          ['10.0.0.6', { mac: '52:54:00:00:00:06', origin: 'command' }],
        ]),
      }),
    ],
  }),
];
