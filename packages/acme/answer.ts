/** What an answer means before its document is read: its type, its place, when to come back. */

import { type Duration, err, ok, type Result, seconds } from '#core';
import type { Clock } from '#device';
import { parseHttpDate } from '#http/wire';
import type { AcmeError, AnswerFault } from './error.ts';
import { NONCE_CHARACTERS_MAX } from './limits.ts';
import type { AcmeAnswer } from './transport.ts';
import type { DocumentFault } from './wire/document.ts';
import { type Problem, parseProblem } from './wire/problem.ts';
import { type AcmeUrl, parseUrl } from './wire/url.ts';

export const JSON_TYPE = 'application/json';
export const PROBLEM_TYPE = 'application/problem+json';
/** RFC 8555 §9.1. */
export const CHAIN_TYPE = 'application/pem-certificate-chain';

/** Whatever a server says, nobody waits longer for it: a year. */
const RETRY_AFTER_SECONDS_MAX = 31_536_000;

/** The media type without parameters, in lower case. */
export const contentType = ({ fields }: AcmeAnswer): string =>
  (fields.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase();

export const malformed = (url: AcmeUrl, fault: AnswerFault): AcmeError => ({
  kind: 'malformed',
  url: url.text,
  fault,
});

/** The document in the answer from `url`. */
export function documentOf<T>(
  answer: AcmeAnswer,
  url: AcmeUrl,
  parse: (bytes: Uint8Array) => Result<T, DocumentFault>,
): Result<T, AcmeError> {
  const type = contentType(answer);
  if (type !== JSON_TYPE) return err(malformed(url, { kind: 'content type', type }));
  const document = parse(answer.body);
  return document.ok ? document : err(malformed(url, document.error));
}

/** Where the resource is that the answer from `url` is about (RFC 8555 §7.3, §7.4). */
export function locationOf({ fields }: AcmeAnswer, url: AcmeUrl): Result<AcmeUrl, AcmeError> {
  const location = parseUrl(fields.get('location') ?? '');
  return location.ok ? ok(location.value) : err(malformed(url, { kind: 'no location' }));
}

/** RFC 8555 §6.5.1: a nonce that isn't base64url is ignored. */
export function nonceOf({ fields }: AcmeAnswer): string | null {
  const nonce = fields.get('replay-nonce') ?? '';
  const isNonce = /^[A-Za-z0-9_-]+$/.test(nonce) && nonce.length <= NONCE_CHARACTERS_MAX;
  return isNonce ? nonce : null;
}

/** The problem document of a refusal, or null when it has none. */
export function problemIn(answer: AcmeAnswer): Problem | null {
  if (contentType(answer) !== PROBLEM_TYPE) return null;
  const problem = parseProblem(answer.body);
  return problem.ok ? problem.value : null;
}

/** RFC 9110 §10.2.3: seconds, or a date; null when absent or neither. */
export function retryAfterOf({ fields }: AcmeAnswer, clock: Clock): Duration | null {
  const text = fields.get('retry-after');
  if (text === undefined) return null;
  if (/^\d{1,15}$/.test(text)) return bounded(Number(text));
  const nowSeconds = Math.floor(clock.wall() / 1_000);
  const date = parseHttpDate(text, nowSeconds);
  return date === null ? null : bounded(date - nowSeconds);
}

const bounded = (count: number): Duration =>
  seconds(Math.min(Math.max(count, 0), RETRY_AFTER_SECONDS_MAX));
