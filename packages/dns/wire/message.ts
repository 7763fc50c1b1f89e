/**
 * DNS messages, RFC 1035 §4, with the OPT pseudo-record (RFC 6891 §6.1) taken out of the
 * additional section. Not here: what a response means (../response.ts), the two bytes of length
 * before a message on a stream (../stream-transport.ts).
 */

import {
  assert,
  err,
  ok,
  type Result,
  readU16be,
  readU32be,
  type WireFault,
  writeU16be,
  writeU32be,
} from '#core';
import { type NamePlaces, readName, writeName } from './name.ts';
import { CLASS_IN, dnsType, type RecordData, readRecordData, writeRecordData } from './record.ts';

const at = { id: 0, flags: 2, counts: 4 } as const;
export const DNS_HEADER_BYTES = 12;
/** UDP without EDNS0 (RFC 1035 §2.3.4). */
export const DNS_DATAGRAM_BYTES = 512;
export const DNS_MESSAGE_BYTES_MAX = 65_535;
/** Records and questions in a message; more is a fault. An address has 32 of them at most here. */
export const DNS_RECORDS_MAX = 512;

const RESPONSE_BIT = 0x8000;
const OPCODE_SHIFT = 11;
const AUTHORITATIVE_BIT = 0x0400;
const TRUNCATED_BIT = 0x0200;
const RECURSION_DESIRED_BIT = 0x0100;
const RECURSION_AVAILABLE_BIT = 0x0080;
const AUTHENTIC_BIT = 0x0020;
const CHECKING_DISABLED_BIT = 0x0010;
const DNSSEC_OK_BIT = 0x8000;
/** RFC 2181 §8: above it a time to live counts as 0. */
const TTL_MAX = 0x7fffffff;

export interface DnsQuestion {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export interface DnsRecord {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly ttlSeconds: number;
  readonly data: RecordData;
}

export interface DnsEdns {
  /** The largest datagram that the sender takes. */
  readonly datagramBytes: number;
  /** The upper eight bits of the response code. */
  readonly extendedCode: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  readonly options: readonly { readonly code: number; readonly value: Uint8Array }[];
}

export interface DnsMessage {
  readonly id: number;
  readonly isResponse: boolean;
  readonly opcode: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
  /** The lower four bits; dnsCode. */
  readonly code: number;
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
  readonly edns: DnsEdns | null;
}

/** Response codes, RFC 1035 §4.1.1, RFC 6891 §9. */
export const dnsCode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const;

/** The response code with the bits that EDNS0 adds. */
export const fullCode = (message: DnsMessage): number =>
  message.code + 16 * (message.edns?.extendedCode ?? 0);

type Fault = Result<never, WireFault>;

/** Copies all that it gives. O(bytes) but for names, which cost up to 400 steps each. */
export function parseDns(b: Uint8Array): Result<DnsMessage, WireFault> {
  if (b.length < DNS_HEADER_BYTES) return short(b, DNS_HEADER_BYTES);
  if (b.length > DNS_MESSAGE_BYTES_MAX) return field(b, DNS_MESSAGE_BYTES_MAX);
  const counts = [0, 2, 4, 6].map((offset) => readU16be(b, at.counts + offset));
  if (counts.reduce((sum, count) => sum + count, 0) > DNS_RECORDS_MAX) return field(b, at.counts);
  let next = DNS_HEADER_BYTES;
  const questions: DnsQuestion[] = [];
  for (let i = 0; i < counts[0]!; i++) {
    const read = readName(b, next);
    if ('faultAt' in read) return nameFault(b, read.faultAt);
    if (read.nextAt + 4 > b.length) return short(b, read.nextAt + 4);
    const type = readU16be(b, read.nextAt);
    questions.push({ name: read.name, type, class: readU16be(b, read.nextAt + 2) });
    next = read.nextAt + 4;
  }
  const sections: DnsRecord[][] = [[], [], []];
  let edns: DnsEdns | null = null;
  for (let section = 0; section < 3; section++) {
    for (let i = 0; i < counts[section + 1]!; i++) {
      const read = readRecord(b, next);
      if (!read.ok) return read;
      const { record, nextAt, opt } = read.value;
      // RFC 6891 §6.1.1: one, and among the additional records.
      if (opt !== null && (edns !== null || section !== 2)) return field(b, next);
      if (opt !== null) edns = opt;
      else sections[section]!.push(record);
      next = nextAt;
    }
  }
  const [answers, authorities, additionals] = sections as [DnsRecord[], DnsRecord[], DnsRecord[]];
  return ok({ ...readHeader(b), questions, answers, authorities, additionals, edns });
}

function readHeader(
  b: Uint8Array,
): Omit<DnsMessage, 'questions' | 'answers' | 'authorities' | 'additionals' | 'edns'> {
  const flags = readU16be(b, at.flags);
  return {
    id: readU16be(b, at.id),
    isResponse: (flags & RESPONSE_BIT) !== 0,
    opcode: (flags >> OPCODE_SHIFT) & 15,
    authoritative: (flags & AUTHORITATIVE_BIT) !== 0,
    truncated: (flags & TRUNCATED_BIT) !== 0,
    recursionDesired: (flags & RECURSION_DESIRED_BIT) !== 0,
    recursionAvailable: (flags & RECURSION_AVAILABLE_BIT) !== 0,
    authenticData: (flags & AUTHENTIC_BIT) !== 0,
    checkingDisabled: (flags & CHECKING_DISABLED_BIT) !== 0,
    code: flags & 15,
  };
}

interface RecordRead {
  readonly record: DnsRecord;
  readonly opt: DnsEdns | null;
  readonly nextAt: number;
}

function readRecord(b: Uint8Array, recordAt: number): Result<RecordRead, WireFault> {
  const read = readName(b, recordAt);
  if ('faultAt' in read) return nameFault(b, read.faultAt);
  const fixedAt = read.nextAt;
  if (fixedAt + 10 > b.length) return short(b, fixedAt + 10);
  const type = readU16be(b, fixedAt);
  const recordClass = readU16be(b, fixedAt + 2);
  const ttl = readU32be(b, fixedAt + 4);
  const dataAt = fixedAt + 10;
  const end = dataAt + readU16be(b, fixedAt + 8);
  if (end > b.length) return short(b, end);
  if (type === dnsType.opt) {
    if (read.name !== '') return field(b, recordAt);
    const opt = readOpt(b, fixedAt, dataAt, end);
    if (opt === null) return field(b, dataAt);
    return ok({ record: NO_RECORD, opt, nextAt: end });
  }
  const data: RecordData | { faultAt: number } =
    recordClass === CLASS_IN
      ? readRecordData(b, type, dataAt, end)
      : { kind: 'other', bytes: new Uint8Array(b.subarray(dataAt, end)) };
  if ('faultAt' in data) return nameFault(b, data.faultAt);
  const ttlSeconds = ttl > TTL_MAX ? 0 : ttl;
  const record = { name: read.name, type, class: recordClass, ttlSeconds, data };
  return ok({ record, opt: null, nextAt: end });
}

const NO_RECORD: DnsRecord = {
  name: '',
  type: dnsType.opt,
  class: 0,
  ttlSeconds: 0,
  data: { kind: 'other', bytes: new Uint8Array(0) },
};

function readOpt(b: Uint8Array, fixedAt: number, dataAt: number, end: number): DnsEdns | null {
  const options: { code: number; value: Uint8Array }[] = [];
  for (let next = dataAt; next < end; ) {
    if (next + 4 > end) return null;
    const valueEnd = next + 4 + readU16be(b, next + 2);
    if (valueEnd > end) return null;
    const value = new Uint8Array(b.subarray(next + 4, valueEnd));
    options.push({ code: readU16be(b, next), value });
    next = valueEnd;
  }
  return {
    // RFC 6891 §6.2.3: less means 512.
    datagramBytes: Math.max(DNS_DATAGRAM_BYTES, readU16be(b, fixedAt + 2)),
    extendedCode: b[fixedAt + 4]!,
    version: b[fixedAt + 5]!,
    dnssecOk: (readU16be(b, fixedAt + 6) & DNSSEC_OK_BIT) !== 0,
    options,
  };
}

const short = (b: Uint8Array, needBytes: number): Fault =>
  err({ kind: 'short', needBytes, haveBytes: b.length });
const field = (b: Uint8Array, offset: number): Fault =>
  err({ kind: 'field', offset, value: b[offset] ?? 0 });
const nameFault = (b: Uint8Array, faultAt: number): Fault =>
  faultAt >= b.length ? short(b, b.length + 1) : field(b, faultAt);

/**
 * Writes `message` from offset 0 and returns its length. `to` must hold it; names must have a form
 * on the wire.
 */
export function emitDns(to: Uint8Array, message: DnsMessage): number {
  const places: NamePlaces = new Map();
  const { questions, answers, authorities, additionals, edns } = message;
  writeU16be(to, at.id, message.id);
  writeU16be(to, at.flags, flagsOf(message));
  writeU16be(to, at.counts, questions.length);
  writeU16be(to, at.counts + 2, answers.length);
  writeU16be(to, at.counts + 4, authorities.length);
  writeU16be(to, at.counts + 6, additionals.length + (edns === null ? 0 : 1));
  let next = DNS_HEADER_BYTES;
  for (const question of questions) {
    next = writeName(to, next, question.name, places);
    writeU16be(to, next, question.type);
    writeU16be(to, next + 2, question.class);
    next += 4;
  }
  for (const section of [answers, authorities, additionals]) {
    for (const record of section) next = writeRecord(to, next, record, places);
  }
  return edns === null ? next : writeOpt(to, next, edns);
}

function flagsOf(message: DnsMessage): number {
  assert(message.opcode >= 0 && message.opcode <= 15 && message.code >= 0 && message.code <= 15);
  return (
    (message.isResponse ? RESPONSE_BIT : 0) +
    message.opcode * 2 ** OPCODE_SHIFT +
    (message.authoritative ? AUTHORITATIVE_BIT : 0) +
    (message.truncated ? TRUNCATED_BIT : 0) +
    (message.recursionDesired ? RECURSION_DESIRED_BIT : 0) +
    (message.recursionAvailable ? RECURSION_AVAILABLE_BIT : 0) +
    (message.authenticData ? AUTHENTIC_BIT : 0) +
    (message.checkingDisabled ? CHECKING_DISABLED_BIT : 0) +
    message.code
  );
}

function writeRecord(
  to: Uint8Array,
  recordAt: number,
  record: DnsRecord,
  places: NamePlaces,
): number {
  const fixedAt = writeName(to, recordAt, record.name, places);
  writeU16be(to, fixedAt, record.type);
  writeU16be(to, fixedAt + 2, record.class);
  writeU32be(to, fixedAt + 4, record.ttlSeconds);
  const end = writeRecordData(to, fixedAt + 10, record.data, places);
  writeU16be(to, fixedAt + 8, end - fixedAt - 10);
  return end;
}

function writeOpt(to: Uint8Array, optAt: number, edns: DnsEdns): number {
  to[optAt] = 0;
  writeU16be(to, optAt + 1, dnsType.opt);
  writeU16be(to, optAt + 3, edns.datagramBytes);
  to[optAt + 5] = edns.extendedCode;
  to[optAt + 6] = edns.version;
  writeU16be(to, optAt + 7, edns.dnssecOk ? DNSSEC_OK_BIT : 0);
  let next = optAt + 11;
  for (const { code, value } of edns.options) {
    writeU16be(to, next, code);
    writeU16be(to, next + 2, value.length);
    to.set(value, next + 4);
    next += 4 + value.length;
  }
  writeU16be(to, optAt + 9, next - optAt - 11);
  return next;
}

/** One line for people. */
export function formatDns(message: DnsMessage): string {
  const question = message.questions.map(({ name, type }) => `${name || '.'} type ${type}`).join();
  const kind = message.isResponse ? `response code ${fullCode(message)}` : 'query';
  const counts = [message.answers, message.authorities, message.additionals].map(
    (one) => one.length,
  );
  return `dns ${message.id} ${kind}: ${question}; records ${counts.join('/')}`;
}
