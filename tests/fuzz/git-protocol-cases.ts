/** Git's protocols: pkt-lines, what servers say first, what clients ask, what becomes of a push. */

import { err, ok, type Result, type WireFault } from '#core';
import type { ObjectId } from '#git';
import {
  type Advertisement,
  advertisementPkts,
  emitPkts,
  type FetchRequest,
  fetchRequestLines,
  formatPkts,
  type ListedRef,
  lineOf,
  listedRefLine,
  noId,
  type Pkt,
  type PushReport,
  type PushRequest,
  parseAdvertisement,
  parseFetchRequest,
  parseFirstWant,
  parseListedRef,
  parsePkts,
  parsePushReport,
  parsePushRequest,
  payloadOf,
  pktOf,
  pushReportPkts,
  pushRequestPkts,
  readPktLength,
} from '#git/wire';
import { type WireCase, wireCase } from './wire-case.ts';

const A = 'a'.repeat(40) as ObjectId;
const B = '0123456789'.repeat(4) as ObjectId;
const LONG = 'c'.repeat(64) as ObjectId;
const NONE = noId('SHA-1');

const written = (pkts: readonly Pkt[]): Uint8Array => {
  const to = new Uint8Array(4_096);
  return to.slice(0, emitPkts(to, pkts));
};

const pktLines = wireCase<readonly Pkt[]>({
  name: 'pkt-lines',
  parse(b) {
    const parsed = parsePkts(b);
    return parsed.ok
      ? ok(parsed.value.map((pkt) => (typeof pkt === 'string' ? pkt : pkt.slice())))
      : parsed;
  },
  emit: emitPkts,
  format: formatPkts,
  seeds: () => [
    written([payloadOf('command=fetch'), 'delim', payloadOf('want'), 'flush', 'response-end']),
    written([new Uint8Array(0), pktOf(new Uint8Array(300))]),
  ],
});

const pktHead = wireCase<number>({
  name: "a pkt-line's head",
  parse(b) {
    if (b.length < 4) return err({ kind: 'short', needBytes: 4, haveBytes: b.length });
    const length = readPktLength(b, 0);
    return length < 0 ? err({ kind: 'field', offset: 0, value: b[0]! }) : ok(length);
  },
  emit(to, length) {
    for (let i = 0; i < 4; i++) to[i] = length.toString(16).padStart(4, '0').charCodeAt(i);
    return 4;
  },
  seeds: () => ['0000', '0004', 'fff0', 'FFf0'].map((text) => new Uint8Array(Buffer.from(text))),
});

/** A message of pkt-lines. */
function pktsCase<R>(
  name: string,
  parse: (pkts: readonly Pkt[]) => Result<R, WireFault>,
  pktsOf: (repr: R) => readonly Pkt[],
  seeds: readonly R[],
): WireCase {
  return wireCase<R>({
    name,
    parse(b) {
      const pkts = parsePkts(b);
      return pkts.ok ? parse(pkts.value) : pkts;
    },
    emit: (to, repr) => emitPkts(to, pktsOf(repr)),
    seeds: () => seeds.map((repr) => written(pktsOf(repr))),
  });
}

const head = { name: 'HEAD', id: A, peeled: null, symbolic: 'refs/heads/main' };
const tag = { name: 'refs/tags/v1', id: B, peeled: A, symbolic: null };

const advertisement = pktsCase<Advertisement>(
  'an advertisement of refs',
  parseAdvertisement,
  (repr) => advertisementPkts(repr, 'SHA-1'),
  [
    {
      version: 0,
      capabilities: ['multi_ack', 'symref=HEAD:refs/heads/main', 'agent=git/2.39'],
      refs: [head, tag],
      have: [B],
      shallow: [A],
    },
    { version: 1, capabilities: ['report-status'], refs: [], have: [], shallow: [] },
    { version: 2, capabilities: ['ls-refs=unborn', 'fetch=shallow'] },
  ],
);

/** A line of text. */
function lineCase<R>(
  name: string,
  parse: (line: string) => R | null,
  lineFor: (repr: R) => string,
  seeds: readonly R[],
): WireCase {
  return wireCase<R>({
    name,
    parse(b) {
      const parsed = parse(lineOf(b));
      return parsed === null ? err({ kind: 'field', offset: 0, value: b[0] ?? 0 }) : ok(parsed);
    },
    emit(to, repr) {
      const payload = payloadOf(lineFor(repr));
      to.set(payload);
      return payload.length;
    },
    seeds: () => seeds.map((repr) => payloadOf(lineFor(repr))),
  });
}

const listed = lineCase<ListedRef>('a line of ls-refs', parseListedRef, listedRefLine, [
  head,
  tag,
  { id: null, name: 'HEAD', symbolic: 'refs/heads/main' },
]);

const firstWant = lineCase(
  'the first want',
  parseFirstWant,
  ({ id, capabilities }) => ['want', id, ...capabilities].join(' '),
  [{ id: LONG, capabilities: ['ofs-delta', 'agent=git/2.39'] }],
);

const fetchRequest = pktsCase<FetchRequest>(
  'the arguments of a fetch',
  parseFetchRequest,
  (repr) => fetchRequestLines(repr).map(payloadOf),
  [
    {
      wants: [A, B],
      haves: [B],
      shallow: [A],
      deepening: { depth: 3, isRelative: true, since: null, not: ['refs/tags/v1', 'v2'] },
      flags: ['thin-pack', 'ofs-delta', 'done'],
      filter: { kind: 'blobs', bytesMin: 1_024 },
    },
    {
      wants: [LONG],
      haves: [],
      shallow: [],
      deepening: { depth: null, isRelative: false, since: 1_600_000_000, not: [] },
      flags: ['wait-for-done'],
    },
  ],
);

const pushRequest = pktsCase<PushRequest>(
  'the commands of a push',
  parsePushRequest,
  (repr) => pushRequestPkts(repr, repr.commands[0]?.to?.length === 64 ? noId('SHA-256') : NONE),
  [
    {
      commands: [
        { name: 'refs/heads/main', from: A, to: B },
        { name: 'refs/heads/old', from: A, to: null },
      ],
      capabilities: ['report-status', 'atomic'],
      shallow: [B],
    },
  ],
);

const pushReport = pktsCase<PushReport>('the report of a push', parsePushReport, pushReportPkts, [
  {
    unpack: null,
    refs: [
      { name: 'refs/heads/main', refusal: null },
      { name: 'refs/heads/old', refusal: 'non-fast-forward' },
    ],
  },
  { unpack: 'index-pack failed', refs: [] },
]);

export const gitProtocolCases: readonly WireCase[] = [
  pktLines,
  pktHead,
  advertisement,
  listed,
  firstWant,
  fetchRequest,
  pushRequest,
  pushReport,
];
