/**
 * IGMP (RFC 3376): `igmp query 3 all`, `igmp query 2 GROUP code 10`, `igmp report 1|2 GROUP`,
 * `igmp leave GROUP`, and of version 3 `igmp records TYPE GROUP[, TYPE GROUP...]` with the types
 * `is-ex`, `to-ex`, `to-in`. TTL 1, router alert and the destination go without saying.
 */

import { ipv4AddressOf } from '#net';
import {
  emitIgmp,
  IGMP_CHANGE_TO_EXCLUDE,
  IGMP_CHANGE_TO_INCLUDE,
  IGMP_LEAVE_V2,
  IGMP_MODE_IS_EXCLUDE,
  IGMP_REPORT_V1,
  IGMP_REPORT_V2,
  type IgmpRepr,
  igmpBytes,
  parseIgmp,
} from '#net/wire';
import type { Scene } from '../scene.ts';
import { type Fields, ScriptSyntax, type Value, type Words } from '../words.ts';
import type { Notation } from './notation.ts';

const IGMP_PROTOCOL = 2;
const ROUTER_ALERT = '94040000';
const ALL_HOSTS = ipv4AddressOf(0xe0000001);
const ALL_ROUTERS = ipv4AddressOf(0xe0000002);
const ALL_IGMPV3_ROUTERS = ipv4AddressOf(0xe0000016);
const RECORD_TYPES: Readonly<Record<string, number>> = {
  'is-ex': IGMP_MODE_IS_EXCLUDE,
  'to-ex': IGMP_CHANGE_TO_EXCLUDE,
  'to-in': IGMP_CHANGE_TO_INCLUDE,
};

function readRecords(words: Words, scene: Scene): string {
  const records: string[] = [];
  do {
    const name = words.next();
    const type = RECORD_TYPES[name];
    if (type === undefined) throw new ScriptSyntax(`'${name}' is no type of a group record`);
    records.push(`${type} ${scene.text(words.next())}`);
  } while (words.take(','));
  return records.join(', ');
}

export const igmp: Notation = {
  name: 'igmp',
  carrier: { protocol: IGMP_PROTOCOL },
  checksumAt: 2,
  read(words, scene) {
    const fields: Record<string, Value> = { kind: words.next() };
    switch (fields.kind) {
      case 'query':
        fields.version = words.number();
        fields.group = words.take('all') ? 0 : scene.address(words.next());
        fields.code = words.take('code') ? words.number() : fields.version === 1 ? 0 : 100;
        return fields;
      case 'report':
        fields.version = words.number();
        fields.group = scene.address(words.next());
        return fields;
      case 'leave':
        fields.group = scene.address(words.next());
        return fields;
      case 'records':
        fields.records = readRecords(words, scene);
        return fields;
      default:
        throw new ScriptSyntax(`'${fields.kind}' is no IGMP message`);
    }
  },
  envelope({ kind, version, group }) {
    const isOld = kind === 'query' && version === 1;
    const opt = isOld ? '' : ROUTER_ALERT;
    if (kind === 'leave') return { ttl: 1, opt, dst: ALL_ROUTERS };
    if (kind === 'records') return { ttl: 1, opt, dst: ALL_IGMPV3_ROUTERS };
    return { ttl: 1, opt, dst: group === 0 ? ALL_HOSTS : group! };
  },
  write(fields) {
    const repr = reprOf(fields);
    const out = new Uint8Array(igmpBytes(repr));
    emitIgmp(out, 0, repr);
    return out;
  },
  recognise({ ip }) {
    if (ip === null || ip.protocol !== IGMP_PROTOCOL || ip.isFragment) return null;
    const parsed = parseIgmp(ip.payload);
    if (!parsed.ok) return null;
    const message = parsed.value;
    if (message.kind === 'query') {
      const { version, group, code } = message;
      return { kind: 'query', version, group, code };
    }
    if (message.kind === 'records') {
      const shown = message.records.map(({ type, group }) => `${type} ${textOf(group)}`);
      return { kind: 'records', records: shown.join(', ') };
    }
    const { type, group } = message;
    if (type === IGMP_LEAVE_V2) return { kind: 'leave', group };
    return { kind: 'report', version: type === IGMP_REPORT_V1 ? 1 : 2, group };
  },
  show({ kind, version, group, records }, scene) {
    if (kind === 'records') {
      const nameOf = (type: string): string =>
        Object.keys(RECORD_TYPES).find((name) => `${RECORD_TYPES[name]}` === type) ?? type;
      return `records ${String(records).replace(/\b\d(?= )/g, nameOf)}`;
    }
    const whom = group === 0 ? 'all' : scene.show(group!);
    return kind === 'leave' ? `leave ${whom}` : `${kind} ${version} ${whom}`;
  },
};

const textOf = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >> shift) & 255).join('.');

/** What goes into our stack: queries, and the reports of others in versions 1 and 2. */
function reprOf({ kind, version, group, code }: Fields): IgmpRepr {
  const address = ipv4AddressOf(Number(group));
  if (kind === 'leave') return { kind: 'group', type: IGMP_LEAVE_V2, group: address };
  if (kind === 'report') {
    const type = version === 1 ? IGMP_REPORT_V1 : IGMP_REPORT_V2;
    return { kind: 'group', type, group: address };
  }
  if (kind !== 'query') throw new ScriptSyntax('group records are only expected');
  const isNew = version === 3;
  return {
    kind: 'query',
    version: version === 1 ? 1 : version === 2 ? 2 : 3,
    group: address,
    code: Number(code),
    suppress: false,
    robustness: isNew ? 2 : 0,
    intervalCode: isNew ? 125 : 0,
    sources: [],
  };
}
