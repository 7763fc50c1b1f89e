/**
 * What a response means: pure. RFC 1034 §4.3.2, §5.3.3, RFC 2308 §2 (negative answers), RFC 5452
 * (what must match), RFC 6891 §7 (servers without EDNS0). Only records on the way from the
 * question's name along its aliases count: what else a server says is nobody's business.
 */

import type { DnsLimits } from './limits.ts';
import {
  CLASS_IN,
  type DnsMessage,
  type DnsQuestion,
  type DnsRecord,
  dnsCode,
  dnsType,
  fullCode,
  lowerName,
  type RecordData,
} from './wire/index.ts';

/** Records of the type asked for, at least one. */
export interface Answer {
  /** The name that has them, at the end of the aliases, in lower case. */
  readonly name: string;
  readonly records: readonly RecordData[];
}

/** Why a name has no answer. */
export type ResolveError =
  /** The name doesn't exist. */
  | { readonly kind: 'name not found' }
  /** The name exists, without a record of the type. */
  | { readonly kind: 'no such record' }
  /** Servers answered, none of them usefully; `code` is the last one's. */
  | { readonly kind: 'name servers failed'; readonly code: number }
  | { readonly kind: 'name servers silent' }
  | { readonly kind: 'no name servers' }
  | { readonly kind: 'too many names' }
  | { readonly kind: 'bad name' };

/** What a question came to; shared by all that asked it. */
export type Outcome =
  | { readonly ok: true; readonly value: Answer }
  | { readonly ok: false; readonly error: ResolveError };

export type Verdict =
  /** `ttlSeconds` 0: not to be kept. */
  | { readonly kind: 'outcome'; readonly outcome: Outcome; readonly ttlSeconds: number }
  /** The server stopped at an alias: its target is the next question. */
  | { readonly kind: 'alias'; readonly target: string; readonly ttlSeconds: number }
  /** Ask the same server over a stream. */
  | { readonly kind: 'stream' }
  /** Ask the same server without EDNS0. */
  | { readonly kind: 'plain' }
  /** This server is of no use for this question. */
  | { readonly kind: 'failure'; readonly code: number }
  /** Not an answer to the question at all. */
  | { readonly kind: 'foreign' };

export interface Asked {
  readonly id: number;
  /** As sent, letters in their case. */
  readonly question: DnsQuestion;
  readonly withEdns: boolean;
  readonly byStream: boolean;
}

export function judge(message: DnsMessage, asked: Asked, limits: DnsLimits): Verdict {
  const match = matches(message, asked);
  if (match !== 'answer') return { kind: match };
  const code = fullCode(message);
  if (message.truncated && !asked.byStream) return { kind: 'stream' };
  if (asked.withEdns) {
    const isOld = code === dnsCode.formatError || code === dnsCode.notImplemented;
    if ((isOld && message.edns === null) || code === dnsCode.badVersion) return { kind: 'plain' };
    // RFC 6891 §7 says FORMERR without OPT; some put one there.
    if (isOld) return { kind: 'plain' };
  }
  if (message.truncated) return { kind: 'failure', code };
  if (code !== dnsCode.noError && code !== dnsCode.nameError) return { kind: 'failure', code };
  return follow(message, asked.question, code === dnsCode.nameError, limits);
}

/**
 * Whether `message` can be the answer. A server that changes the case of letters is asked again
 * over a stream, where nobody can guess.
 */
function matches(message: DnsMessage, asked: Asked): 'answer' | 'stream' | 'foreign' {
  if (!message.isResponse || message.opcode !== 0 || message.id !== asked.id) return 'foreign';
  const { question } = asked;
  const [first, ...more] = message.questions;
  // An error may come without the question (RFC 6891 §7's servers of old).
  if (first === undefined) {
    const isError = message.code !== dnsCode.noError && message.code !== dnsCode.nameError;
    return isError ? (asked.byStream ? 'answer' : 'stream') : 'foreign';
  }
  if (more.length > 0 || first.type !== question.type || first.class !== question.class) {
    return 'foreign';
  }
  if (first.name === question.name) return 'answer';
  if (lowerName(first.name) !== lowerName(question.name)) return 'foreign';
  return asked.byStream ? 'answer' : 'stream';
}

/** From the question's name along the aliases in the answer section. */
function follow(
  message: DnsMessage,
  question: DnsQuestion,
  isNameError: boolean,
  limits: DnsLimits,
): Verdict {
  const bad: Verdict = { kind: 'failure', code: fullCode(message) };
  const { answers } = message;
  let name = lowerName(question.name);
  let ttlSeconds = limits.ttlSecondsMax;
  for (let aliases = 0; ; aliases++) {
    const here = answers.filter((one) => one.class === CLASS_IN && lowerName(one.name) === name);
    const found = here.filter((one) => one.type === question.type);
    if (found.length > 0) {
      if (isNameError) return bad;
      for (const one of found) ttlSeconds = Math.min(ttlSeconds, one.ttlSeconds);
      const records = found.slice(0, limits.answerRecordsMax).map((one) => one.data);
      const outcome: Outcome = { ok: true, value: { name, records } };
      return { kind: 'outcome', outcome, ttlSeconds: kept(ttlSeconds, limits) };
    }
    const alias = here.find((one) => one.type === dnsType.cname);
    if (alias === undefined || alias.data.kind !== 'name') {
      return negative(message, { name, isNameError, ttlSeconds, aliases }, limits);
    }
    // A loop is as endless as a chain that is too long.
    if (aliases === limits.aliasesMax) return bad;
    ttlSeconds = Math.min(ttlSeconds, alias.ttlSeconds);
    name = lowerName(alias.data.name);
  }
}

interface Reached {
  readonly name: string;
  readonly isNameError: boolean;
  readonly ttlSeconds: number;
  readonly aliases: number;
}

/** RFC 2308 §2: an SOA in the authority section says how long "no" holds. */
function negative(message: DnsMessage, reached: Reached, limits: DnsLimits): Verdict {
  const { name, isNameError, aliases } = reached;
  const soa = message.authorities.find((one) => isSoaFor(one, name));
  if (soa === undefined && !isNameError) {
    if (aliases > 0) return { kind: 'alias', target: name, ttlSeconds: reached.ttlSeconds };
    // A referral, from a server that doesn't resolve for us (RFC 2308 §2.2: NS without SOA).
    const isReferral = message.authorities.some((one) => one.type === dnsType.ns);
    if (isReferral || (!message.recursionAvailable && !message.authoritative)) {
      return { kind: 'failure', code: fullCode(message) };
    }
  }
  const outcome: Outcome = {
    ok: false,
    error: { kind: isNameError ? 'name not found' : 'no such record' },
  };
  // Without an SOA nobody knows for how long: RFC 2308 §5 says not to keep it.
  if (soa === undefined || soa.data.kind !== 'soa') {
    return { kind: 'outcome', outcome, ttlSeconds: 0 };
  }
  const said = Math.min(soa.ttlSeconds, soa.data.minimumSeconds, reached.ttlSeconds);
  const ttlSeconds = Math.min(kept(said, limits), limits.negativeTtlSecondsMax);
  return { kind: 'outcome', outcome, ttlSeconds };
}

/** The zone of an SOA must have the name in it. */
function isSoaFor(record: DnsRecord, name: string): boolean {
  if (record.type !== dnsType.soa || record.class !== CLASS_IN) return false;
  const zone = lowerName(record.name);
  return zone === '' || name === zone || name.endsWith(`.${zone}`);
}

const kept = (ttlSeconds: number, limits: DnsLimits): number =>
  Math.max(limits.ttlSecondsMin, Math.min(ttlSeconds, limits.ttlSecondsMax));
