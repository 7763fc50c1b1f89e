/** What an authority may cost us, what we may cost it, and what happens past each bound. */

import { assert, type Duration, seconds } from '#core';

export interface AcmeLimits {
  /** Bytes of an answer's body; a longer one: 'too long'. */
  readonly bodyBytesMax: number;
  /** Redirects in a row of a GET or HEAD; one more: 'redirected'. A signed request follows none. */
  readonly redirectsMax: number;
  /** How long a request may take from being sent to the end of its answer; longer: 'timeout'. */
  readonly requestTimeMax: Duration;
  /** Nonces refused in a row; one more: the problem ends the procedure. */
  readonly badNoncesMax: number;
  /** Times in a row that a request is sent again after a lost connection or a server's trouble. */
  readonly retriesMax: number;
  /** The wait before the first of these; doubled each time. */
  readonly retryFirst: Duration;
  /** A server that asks for a longer wait ends the procedure, for its owner to come back later. */
  readonly retryWaitMax: Duration;
  /** Requests of one procedure; one more ends it. */
  readonly requestsMax: number;
  /** A procedure that takes longer ends. */
  readonly procedureTimeMax: Duration;
  /** How long after a look at what the server works on the next one comes, at first and later. */
  readonly pollFirst: Duration;
  readonly pollMax: Duration;
  /** Names in one certificate; more are refused (Let's Encrypt's own bound). */
  readonly namesMax: number;
  /** Certificates in the chain that comes; more: malformed. */
  readonly chainMax: number;
  /**
   * Between two tries to get a certificate, at first and at most; and at most a quarter of the time
   * for which the one before is still good.
   */
  readonly renewRetryFirst: Duration;
  readonly renewRetryMax: Duration;
  /** An authority's Retry-After is kept to up to this. */
  readonly renewToldMax: Duration;
  /**
   * A fresh certificate isn't replaced for so long, or half of what is left of it: an authority may
   * suggest nonsense, or give what is nearly over.
   */
  readonly renewAgainMin: Duration;
  /** When to renew is thought over again at least this often: the wall clock may have been set. */
  readonly reviewMax: Duration;
}

export const DEFAULT_LIMITS: AcmeLimits = {
  bodyBytesMax: 65_536,
  redirectsMax: 5,
  requestTimeMax: seconds(30),
  badNoncesMax: 8,
  retriesMax: 4,
  retryFirst: seconds(1),
  retryWaitMax: seconds(60),
  requestsMax: 400,
  procedureTimeMax: seconds(900),
  pollFirst: seconds(1),
  pollMax: seconds(15),
  namesMax: 100,
  chainMax: 8,
  renewRetryFirst: seconds(60),
  renewRetryMax: seconds(14_400),
  renewToldMax: seconds(86_400),
  renewAgainMin: seconds(3_600),
  reviewMax: seconds(21_600),
};

/** A URL that a server gives: RFC 9110 §4.1 asks for 8,000; no authority comes near this. */
export const URL_CHARACTERS_MAX = 2_048;
/** Members of a list in a document that are looked at; a longer list is malformed. */
export const LIST_MAX = 128;
/** Problems within a problem that are kept; the rest is left out. */
export const SUBPROBLEMS_MAX = 16;
/** Characters of a server's explanation that reach the log. */
export const DETAIL_CHARACTERS_MAX = 300;
/** RFC 8555 §8: a token has at least 128 bits; nobody needs so many. */
export const TOKEN_CHARACTERS_MAX = 256;
/** A nonce goes into each request. */
export const NONCE_CHARACTERS_MAX = 512;
/** Challenges that are answered at once; the next one is refused. */
export const CHALLENGES_MAX = 100;

export function checkLimits(limits: AcmeLimits): void {
  assert(limits.bodyBytesMax >= 1_024 && limits.requestsMax >= 8);
  assert(limits.retryFirst > 0 && limits.retryFirst <= limits.retryWaitMax);
  assert(limits.requestTimeMax > 0 && limits.retryWaitMax < limits.procedureTimeMax);
  assert(limits.pollFirst > 0 && limits.pollFirst <= limits.pollMax);
  assert(limits.renewRetryFirst > 0 && limits.renewRetryFirst <= limits.renewRetryMax);
  assert(limits.renewRetryMax <= limits.renewToldMax);
  assert(limits.namesMax <= LIST_MAX && limits.namesMax <= CHALLENGES_MAX);
  assert(limits.reviewMax > 0 && limits.chainMax >= 1);
}
