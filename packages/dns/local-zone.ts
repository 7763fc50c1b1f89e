/**
 * Answers about names that are known here: addresses, and the names of addresses. Of other types
 * such a name has nothing (NODATA), and under a domain of ours there are no others (NXDOMAIN), both
 * with the SOA that says how long that may be believed (RFC 2308). Not here: where names come from.
 */

import { parseIpv4Text } from '#device';
import {
  CLASS_IN,
  type DnsMessage,
  type DnsRecord,
  dnsCode,
  dnsType,
  lowerName,
  type RecordData,
} from './wire/index.ts';

/** What is known of a name. */
export type LocalName =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  /** What an address is called (PTR). */
  | { readonly kind: 'name'; readonly name: string }
  /** It is in our domains, and doesn't exist; or it exists, without anything. */
  | { readonly kind: 'missing' }
  | { readonly kind: 'empty' };

export interface LocalNames {
  /** In whose name we speak: "internal". */
  readonly domain: string;
  /** How long answers may be believed. */
  readonly ttlSeconds: number;
  /** What is known of a name, in lower case and without a closing dot; null: ask others. */
  lookup(name: string, type: number): LocalName | null;
}

/** What we advertise: no fragment on any link (RFC 9715 §3.2). */
const DATAGRAM_BYTES = 1_232;

/** The answer to a query with one question of class IN; null: it isn't known here. */
export function answerLocally(query: DnsMessage, local: LocalNames): DnsMessage | null {
  const { edns } = query;
  if (edns !== null && edns.version !== 0) return reply(query, dnsCode.badVersion, [], []);
  const [question] = query.questions;
  if (question === undefined) return null;
  const known = local.lookup(lowerName(question.name), question.type);
  if (known === null) return null;
  const isWanted = (type: number): boolean =>
    question.type === type || question.type === dnsType.any;
  const record = (type: number, data: RecordData): DnsRecord => ({
    name: question.name,
    type,
    class: CLASS_IN,
    ttlSeconds: local.ttlSeconds,
    data,
  });
  const answers: DnsRecord[] = [];
  if (known.kind === 'addresses') {
    for (const address of known.addresses) {
      const type = parseIpv4Text(address) === null ? dnsType.aaaa : dnsType.a;
      if (isWanted(type)) answers.push(record(type, { kind: 'address', address }));
    }
  }
  if (known.kind === 'name' && isWanted(dnsType.ptr)) {
    answers.push(record(dnsType.ptr, { kind: 'name', name: known.name }));
  }
  const code = known.kind === 'missing' ? dnsCode.nameError : dnsCode.noError;
  return reply(query, code, answers, answers.length > 0 ? [] : [authority(local)]);
}

function reply(
  query: DnsMessage,
  code: number,
  answers: readonly DnsRecord[],
  authorities: readonly DnsRecord[],
): DnsMessage {
  return {
    ...query,
    isResponse: true,
    authoritative: code !== dnsCode.badVersion,
    truncated: false,
    recursionAvailable: true,
    authenticData: false,
    code: code % 16,
    answers,
    authorities,
    additionals: [],
    edns:
      query.edns === null
        ? null
        : {
            datagramBytes: DATAGRAM_BYTES,
            extendedCode: Math.floor(code / 16),
            version: 0,
            dnssecOk: query.edns.dnssecOk,
            options: [],
          },
  };
}

function authority({ domain, ttlSeconds }: LocalNames): DnsRecord {
  return {
    name: domain,
    type: dnsType.soa,
    class: CLASS_IN,
    ttlSeconds,
    data: {
      kind: 'soa',
      primary: domain,
      mailbox: `hostmaster.${domain}`,
      serial: 1,
      refreshSeconds: 3_600,
      retrySeconds: 600,
      expireSeconds: 86_400,
      minimumSeconds: ttlSeconds,
    },
  };
}
