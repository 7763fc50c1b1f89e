/**
 * MLD (RFC 3810, RFC 2710): `mld query 2 all|GROUP [code MS]`, `mld query 1 ...`, `mld report
 * GROUP`, `mld done GROUP`, and of version 2 `mld records TYPE GROUP[, TYPE GROUP...]` with the
 * types `is-ex`, `to-ex`, `to-in`. Only in scripts that say `show mld`, but for queries. Hop limit
 * 1, router alert, the destination and a query's source go without saying.
 */

import { formatIpv6Address, parseIpv6Address } from '#net';
import {
  emitMld,
  MLD_CHANGE_TO_EXCLUDE,
  MLD_CHANGE_TO_INCLUDE,
  MLD_DONE_V1,
  MLD_MODE_IS_EXCLUDE,
  MLD_REPORT_V1,
  type MldRepr,
  PROTOCOL_ICMPV6,
  parseMld,
  sumIcmpv6,
} from '#net/wire';
import { type Fields, ScriptSyntax, type Value } from '../words.ts';
import type { Notation } from './notation.ts';

/** Router alert (RFC 2711), and padding. */
const ROUTER_ALERT = '050200000100';
const ALL_NODES = 'ff02::1';
const ALL_ROUTERS = 'ff02::2';
const ALL_MLDV2_ROUTERS = 'ff02::16';
const ANY = '::';
const RECORD_TYPES: Readonly<Record<string, number>> = {
  'is-ex': MLD_MODE_IS_EXCLUDE,
  'to-ex': MLD_CHANGE_TO_EXCLUDE,
  'to-in': MLD_CHANGE_TO_INCLUDE,
};

const recordName = (type: number): string =>
  Object.keys(RECORD_TYPES).find((name) => RECORD_TYPES[name] === type) ?? String(type);

function message(fields: Fields): MldRepr {
  const group = parseIpv6Address(String(fields.group ?? ANY))!;
  if (fields.kind === 'report' || fields.kind === 'done') {
    return { kind: 'group', type: fields.kind === 'done' ? MLD_DONE_V1 : MLD_REPORT_V1, group };
  }
  if (fields.kind !== 'query') throw new ScriptSyntax('records of others are of no interest');
  return {
    kind: 'query',
    version: fields.version === 1 ? 1 : 2,
    responseCode: Number(fields.code ?? 1_000),
    group,
    suppress: false,
    robustness: 2,
    intervalCode: 125,
    sources: [],
  };
}

function destinationOf({ kind, group }: Fields): Value {
  if (kind === 'records') return ALL_MLDV2_ROUTERS;
  if (kind === 'done') return ALL_ROUTERS;
  return group === ANY ? ALL_NODES : group!;
}

export const mld: Notation = {
  name: 'mld',
  family: 6,
  carrier: { protocol: PROTOCOL_ICMPV6 },
  checksumAt: 2,
  read(words, scene) {
    const kind = words.next();
    const fields: Record<string, Value> = { kind };
    if (kind === 'records') {
      const records: string[] = [];
      do {
        const type = words.next();
        if (RECORD_TYPES[type] === undefined) throw new ScriptSyntax(`'${type}' is no record`);
        records.push(`${type} ${scene.text(words.next())}`);
      } while (words.take(','));
      fields.records = records.join(', ');
      return fields;
    }
    if (kind === 'query') fields.version = words.number();
    else if (kind !== 'report' && kind !== 'done') {
      throw new ScriptSyntax(`'${kind}' is no message of MLD`);
    }
    fields.group = words.take('all') ? ANY : scene.address(words.next());
    if (words.take('code')) fields.code = words.number();
    return fields;
  },
  envelope: (fields, direction) => ({
    ttl: 1,
    hbh: ROUTER_ALERT,
    src: direction === 'in' ? 'fe80::2' : '*',
    dst: destinationOf(fields),
  }),
  write(fields, way) {
    const out = new Uint8Array(200);
    const bytes = emitMld(out, 0, message(fields));
    sumIcmpv6(out, 0, bytes, way.pseudoSum(PROTOCOL_ICMPV6, bytes));
    return out.subarray(0, bytes);
  },
  recognise({ ip }) {
    if (ip === null || ip.protocol !== PROTOCOL_ICMPV6 || ip.isFragment) return null;
    const parsed = parseMld(ip.payload);
    if (!parsed.ok) return null;
    const repr = parsed.value;
    if (repr.kind === 'records') {
      const records = repr.records.map(
        ({ type, group }) => `${recordName(type)} ${formatIpv6Address(group)}`,
      );
      return { kind: 'records', records: records.join(', ') };
    }
    const group = formatIpv6Address(repr.group);
    if (repr.kind === 'query') return { kind: 'query', version: repr.version, group };
    return { kind: repr.type === MLD_DONE_V1 ? 'done' : 'report', group };
  },
  show: ({ kind, version, group, records }) =>
    [kind, version, records ?? (group === ANY ? 'all' : group)]
      .filter((part) => part !== undefined)
      .join(' '),
};
