/** DNS messages, as an entry of the registry. */

import {
  type DnsMessage,
  type DnsRecord,
  emitDns,
  formatDns,
  parseDns,
  type RecordData,
} from '#dns/wire';
import type { SimRandom } from '#targets/sim/index';
import { bytesOf, type WireCase, wireCase } from './wire-case.ts';

function recordsOf(random: SimRandom): DnsRecord[] {
  const name = 'www.example.org';
  const one = (type: number, data: RecordData): DnsRecord => ({
    name: random.pick(['', name, 'Example.ORG', 'a\\.b\\001.example.org']),
    type,
    class: 1,
    ttlSeconds: random.below(100_000),
    data,
  });
  return [
    one(1, { kind: 'address', address: `192.0.2.${random.below(256)}` }),
    one(28, { kind: 'address', address: '2001:db8::1' }),
    one(5, { kind: 'name', name }),
    one(15, { kind: 'mx', preference: 10, exchange: name }),
    one(16, { kind: 'txt', texts: [bytesOf(random, 3), bytesOf(random, 0)] }),
    one(33, { kind: 'srv', priority: 1, weight: 2, port: 80, target: name }),
    one(65, {
      kind: 'svcb',
      priority: 1,
      target: 'a.example',
      params: [
        { key: 1, value: bytesOf(random, 3) },
        { key: 3, value: bytesOf(random, 2) },
      ],
    }),
    one(99, { kind: 'other', bytes: bytesOf(random, 9) }),
  ];
}

const soa = (random: SimRandom): DnsRecord => ({
  name: 'example.org',
  type: 6,
  class: 1,
  ttlSeconds: 60,
  data: {
    kind: 'soa',
    primary: 'ns.example.org',
    mailbox: 'root.example.org',
    serial: random.u32(),
    refreshSeconds: 1,
    retrySeconds: 2,
    expireSeconds: 3,
    minimumSeconds: 4,
  },
});

function seedOf(random: SimRandom, parts: Partial<DnsMessage>): Uint8Array {
  const to = new Uint8Array(2_048);
  const count = emitDns(to, {
    id: random.below(65_536),
    isResponse: random.chance(0.8),
    opcode: 0,
    authoritative: random.chance(0.5),
    truncated: random.chance(0.2),
    recursionDesired: true,
    recursionAvailable: random.chance(0.5),
    authenticData: false,
    checkingDisabled: false,
    code: random.below(6),
    questions: [{ name: 'wWw.example.org', type: 1, class: 1 }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: null,
    ...parts,
  });
  return to.slice(0, count);
}

export const dnsCases: readonly WireCase[] = [
  wireCase({
    name: 'dns',
    parse: parseDns,
    emit: emitDns,
    format: formatDns,
    seeds: (random) => [
      seedOf(random, {}),
      seedOf(random, { answers: recordsOf(random), authorities: [soa(random)] }),
      seedOf(random, {
        additionals: recordsOf(random).slice(0, 2),
        edns: {
          datagramBytes: 1_232,
          extendedCode: 0,
          version: 0,
          dnssecOk: true,
          options: [{ code: 10, value: bytesOf(random, 8) }],
        },
      }),
    ],
  }),
];
