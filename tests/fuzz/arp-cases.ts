/** What a host reads of another one's ARP table. */

import { err, ok } from '#core';
import { decodeRecord, encodeRecord, type NeighborRecord } from '#versioned-arp';
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
      encodeRecord({ ...SEED, expires: null, reason: 'command' }),
      encodeRecord({ ...SEED, reason: 'unasked reply', host: 'a'.repeat(64) }),
    ],
  }),
];
