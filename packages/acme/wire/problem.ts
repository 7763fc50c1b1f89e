/** Problem documents (RFC 7807, 9457) with the types of RFC 8555 §6.7. */

import { ok, type Result } from '#core';
import { DETAIL_CHARACTERS_MAX, SUBPROBLEMS_MAX } from '../limits.ts';
import { type DocumentFault, isObject, type Json, parseObject } from './document.ts';

export const PROBLEM_TYPES = [
  'accountDoesNotExist',
  'alreadyReplaced', // RFC 9773 §7.4
  'alreadyRevoked',
  'badCSR',
  'badNonce',
  'badPublicKey',
  'badRevocationReason',
  'badSignatureAlgorithm',
  'caa',
  'compound',
  'connection',
  'dns',
  'externalAccountRequired',
  'incorrectResponse',
  'invalidContact',
  'malformed',
  'orderNotReady',
  'rateLimited',
  'rejectedIdentifier',
  'serverInternal',
  'tls',
  'unauthorized',
  'unsupportedContact',
  'unsupportedIdentifier',
  'userActionRequired',
] as const;

/** 'other': a type that RFC 8555 doesn't have. */
export type ProblemType = (typeof PROBLEM_TYPES)[number] | 'other';

export interface Problem {
  readonly type: ProblemType;
  /** For people; printable, of bounded length, '' when there is none. */
  readonly detail: string;
  /** The name that it is about (RFC 8555 §6.7.1), or null. */
  readonly identifier: string | null;
  /** What a person is to look at (§7.3.3), or null. */
  readonly instance: string | null;
  readonly subproblems: readonly Problem[];
}

const PREFIX = 'urn:ietf:params:acme:error:';

export function parseProblem(bytes: Uint8Array): Result<Problem, DocumentFault> {
  const json = parseObject(bytes);
  return json.ok ? ok(problemOf(json.value)) : json;
}

/** Members that aren't what they should be count as absent: RFC 9457 §3.1 wants it so. */
export function problemOf(json: Json, isInner = false): Problem {
  const { subproblems } = json;
  const list = Array.isArray(subproblems) && !isInner ? subproblems : [];
  return {
    type: typeOf(textOf(json.type)),
    detail: printable(textOf(json.detail)),
    identifier: isObject(json.identifier) ? printable(textOf(json.identifier.value)) : null,
    instance: typeof json.instance === 'string' ? printable(json.instance) : null,
    subproblems: list
      .filter(isObject)
      .slice(0, SUBPROBLEMS_MAX)
      .map((one) => problemOf(one, true)),
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function typeOf(text: string): ProblemType {
  const name = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : '';
  return PROBLEM_TYPES.find((type) => type === name) ?? 'other';
}

/** A server's text may reach the log and terminals: no control characters, no end of line. */
const printable = (text: string): string =>
  text
    .slice(0, DETAIL_CHARACTERS_MAX)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, ' ')
    .trim();

/** One line. */
export function formatProblem(problem: Problem): string {
  const about = problem.identifier === null ? '' : ` (${problem.identifier})`;
  const where = problem.instance === null ? '' : `; see ${problem.instance}`;
  const inner = problem.subproblems.map((one) => `; ${formatProblem(one)}`).join('');
  const detail = problem.detail === '' ? '' : `: ${problem.detail}`;
  return `${problem.type}${about}${detail}${where}${inner}`;
}
