/**
 * What records hold: RFC 1035 §3.3 (A, NS, CNAME, SOA, PTR, MX, TXT), RFC 3596 (AAAA), RFC 2782
 * (SRV), RFC 9460 (SVCB, HTTPS). All others are bytes (RFC 3597). Not here: the OPT pseudo-record
 * (message.ts).
 */

import { readU16be, readU32be, writeU16be, writeU32be } from '#core';
import { formatIpv4Text, formatIpv6Text, parseIpv4Text, parseIpv6Text } from '#device';
import { type NamePlaces, readName, writeName } from './name.ts';

export const dnsType = {
  a: 1,
  ns: 2,
  cname: 5,
  soa: 6,
  ptr: 12,
  mx: 15,
  txt: 16,
  aaaa: 28,
  srv: 33,
  opt: 41,
  svcb: 64,
  https: 65,
  any: 255,
} as const;
export const CLASS_IN = 1;

export type RecordData =
  /** A and AAAA. */
  | { readonly kind: 'address'; readonly address: string }
  /** NS, CNAME, PTR. */
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'mx'; readonly preference: number; readonly exchange: string }
  | { readonly kind: 'txt'; readonly texts: readonly Uint8Array[] }
  | {
      readonly kind: 'soa';
      readonly primary: string;
      readonly mailbox: string;
      readonly serial: number;
      readonly refreshSeconds: number;
      readonly retrySeconds: number;
      readonly expireSeconds: number;
      readonly minimumSeconds: number;
    }
  | {
      readonly kind: 'srv';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | {
      readonly kind: 'svcb';
      readonly priority: number;
      readonly target: string;
      /** Keys in rising order, each once. */
      readonly params: readonly { readonly key: number; readonly value: Uint8Array }[];
    }
  | { readonly kind: 'other'; readonly bytes: Uint8Array };

/** What is wrong, as an offset in the message; `short`: the data end at it. */
export interface RecordFault {
  readonly faultAt: number;
}

const isFault = (value: object): value is RecordFault => 'faultAt' in value;

/** The data of a record in [at, end) of message `b`, copied. Names may point anywhere before. */
export function readRecordData(
  b: Uint8Array,
  type: number,
  at: number,
  end: number,
): RecordData | RecordFault {
  switch (type) {
    case dnsType.a:
      if (end - at !== 4) return { faultAt: at };
      return { kind: 'address', address: formatIpv4Text(b.subarray(at, end)) };
    case dnsType.aaaa:
      if (end - at !== 16) return { faultAt: at };
      return { kind: 'address', address: formatIpv6Text(b.subarray(at, end)) };
    case dnsType.ns:
    case dnsType.cname:
    case dnsType.ptr: {
      const name = lastName(b, at, end);
      return typeof name === 'string' ? { kind: 'name', name } : name;
    }
    case dnsType.mx: {
      if (end - at < 3) return { faultAt: at };
      const exchange = lastName(b, at + 2, end);
      if (typeof exchange !== 'string') return exchange;
      return { kind: 'mx', preference: readU16be(b, at), exchange };
    }
    case dnsType.txt:
      return readTexts(b, at, end);
    case dnsType.soa:
      return readSoa(b, at, end);
    case dnsType.srv: {
      if (end - at < 7) return { faultAt: at };
      const target = lastName(b, at + 6, end);
      if (typeof target !== 'string') return target;
      const [priority, weight, port] = [0, 2, 4].map((offset) => readU16be(b, at + offset));
      return { kind: 'srv', priority: priority!, weight: weight!, port: port!, target };
    }
    case dnsType.svcb:
    case dnsType.https:
      return readSvcb(b, at, end);
    default:
      return { kind: 'other', bytes: new Uint8Array(b.subarray(at, end)) };
  }
}

/** A name in [at, end) that ends there. */
function lastName(b: Uint8Array, at: number, end: number): string | RecordFault {
  const read = readName(b, at);
  if (isFault(read)) return read;
  return read.nextAt === end ? read.name : { faultAt: at };
}

function readTexts(b: Uint8Array, at: number, end: number): RecordData | RecordFault {
  const texts: Uint8Array[] = [];
  for (let next = at; next < end; ) {
    const textEnd = next + 1 + b[next]!;
    if (textEnd > end) return { faultAt: next };
    texts.push(new Uint8Array(b.subarray(next + 1, textEnd)));
    next = textEnd;
  }
  // RFC 1035 §3.3.14: one or more.
  return texts.length === 0 ? { faultAt: at } : { kind: 'txt', texts };
}

function readSoa(b: Uint8Array, at: number, end: number): RecordData | RecordFault {
  const primary = readName(b, at);
  if (isFault(primary)) return primary;
  const mailbox = readName(b, primary.nextAt);
  if (isFault(mailbox)) return mailbox;
  const numbersAt = mailbox.nextAt;
  if (end - numbersAt !== 20) return { faultAt: at };
  return {
    kind: 'soa',
    primary: primary.name,
    mailbox: mailbox.name,
    serial: readU32be(b, numbersAt),
    refreshSeconds: readU32be(b, numbersAt + 4),
    retrySeconds: readU32be(b, numbersAt + 8),
    expireSeconds: readU32be(b, numbersAt + 12),
    minimumSeconds: readU32be(b, numbersAt + 16),
  };
}

function readSvcb(b: Uint8Array, at: number, end: number): RecordData | RecordFault {
  if (end - at < 3) return { faultAt: at };
  // RFC 9460 §2.2: the target is not compressed, so it has its bytes here.
  const target = readName(b.subarray(at + 2, end), 0);
  if (isFault(target)) return { faultAt: at + 2 };
  const params: { key: number; value: Uint8Array }[] = [];
  let next = at + 2 + target.nextAt;
  let lastKey = -1;
  while (next < end) {
    if (end - next < 4) return { faultAt: next };
    const key = readU16be(b, next);
    const valueEnd = next + 4 + readU16be(b, next + 2);
    if (key <= lastKey || valueEnd > end) return { faultAt: next };
    params.push({ key, value: new Uint8Array(b.subarray(next + 4, valueEnd)) });
    lastKey = key;
    next = valueEnd;
  }
  return { kind: 'svcb', priority: readU16be(b, at), target: target.name, params };
}

/** Writes `data` at `at`; returns the offset after it. Names that may be are compressed. */
export function writeRecordData(
  to: Uint8Array,
  at: number,
  data: RecordData,
  places: NamePlaces,
): number {
  switch (data.kind) {
    case 'address': {
      const bytes = parseIpv4Text(data.address) ?? parseIpv6Text(data.address)!;
      to.set(bytes, at);
      return at + bytes.length;
    }
    case 'name':
      return writeName(to, at, data.name, places);
    case 'mx':
      writeU16be(to, at, data.preference);
      return writeName(to, at + 2, data.exchange, places);
    case 'txt': {
      let next = at;
      for (const text of data.texts) {
        to[next] = text.length;
        to.set(text, next + 1);
        next += 1 + text.length;
      }
      return next;
    }
    case 'soa':
      return writeSoa(to, at, data, places);
    case 'srv':
      writeU16be(to, at, data.priority);
      writeU16be(to, at + 2, data.weight);
      writeU16be(to, at + 4, data.port);
      // RFC 2782: not compressed.
      return writeName(to, at + 6, data.target, null);
    case 'svcb': {
      writeU16be(to, at, data.priority);
      let next = writeName(to, at + 2, data.target, null);
      for (const { key, value } of data.params) {
        writeU16be(to, next, key);
        writeU16be(to, next + 2, value.length);
        to.set(value, next + 4);
        next += 4 + value.length;
      }
      return next;
    }
    case 'other':
      to.set(data.bytes, at);
      return at + data.bytes.length;
  }
}

function writeSoa(
  to: Uint8Array,
  at: number,
  data: Extract<RecordData, { kind: 'soa' }>,
  places: NamePlaces,
): number {
  const next = writeName(to, writeName(to, at, data.primary, places), data.mailbox, places);
  writeU32be(to, next, data.serial);
  writeU32be(to, next + 4, data.refreshSeconds);
  writeU32be(to, next + 8, data.retrySeconds);
  writeU32be(to, next + 12, data.expireSeconds);
  writeU32be(to, next + 16, data.minimumSeconds);
  return next + 20;
}
