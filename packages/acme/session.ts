/**
 * Our dealings with one ACME server: its directory, nonces, our account there, and one procedure at
 * a time on top. Synchronous: `advance` says what to do now (send this, wait until then, it is
 * over), `received` takes an answer; nothing is kept by time but what they are told. Read first:
 * RFC 8555 §6, §7.2, §7.3; order.ts is the procedure that matters. Not here: how requests travel
 * (transport.ts) and who calls when (driver.ts).
 *
 * What a procedure needs is asked for in this order, whenever it is missing: directory, nonce,
 * account. Each procedure begins with a fresh directory and a fresh nonce: months lie between two.
 */

import { after, assert, type Duration, type Instant, type Result } from '#core';
import type { Clock, CryptoPrimitives, Entropy, PrivateKey } from '#device';
import { documentOf, locationOf, malformed, nonceOf, problemIn, retryAfterOf } from './answer.ts';
import type { AcmeError, Failure, TransportError } from './error.ts';
import { backOff, jittered } from './jitter.ts';
import {
  bindAccount,
  type ExternalAccount,
  type Jws,
  jwkOf,
  type Signer,
  signJws,
  textBytes,
} from './jose.ts';
import { type AcmeLimits, checkLimits } from './limits.ts';
import type { AcmeAnswer, AcmeRequest } from './transport.ts';
import type { Problem } from './wire/problem.ts';
import { type Directory, parseAccount, parseDirectory } from './wire/resources.ts';
import { type AcmeUrl, resolveUrl } from './wire/url.ts';

export interface SessionOptions {
  readonly crypto: CryptoPrimitives;
  readonly entropy: Entropy;
  readonly clock: Clock;
  readonly limits: AcmeLimits;
  readonly directory: AcmeUrl;
  /** Of P-256; stays the caller's. */
  readonly accountKey: PrivateKey;
  /** Where the authority may write to, without 'mailto:'; null: nowhere. */
  readonly email: string | null;
  /** Our owner agreed to the authority's terms of service (RFC 8555 §7.1.1 asks people). */
  readonly agreesToTerms: boolean;
  readonly externalAccount: ExternalAccount | null;
}

/** What a procedure may know of the session. */
export interface Known {
  readonly directory: Directory;
  /** Null until a request as the account was sent. */
  readonly accountUrl: AcmeUrl | null;
  readonly accountKey: PrivateKey;
}

/** What a procedure wants next. */
export type Step =
  /** `payload` null: POST-as-GET (RFC 8555 §6.3). `signer` null: our account. */
  | {
      readonly kind: 'post';
      readonly url: AcmeUrl;
      readonly payload: object | null;
      readonly accept: string | null;
      readonly signer: Signer | null;
    }
  | { readonly kind: 'get'; readonly url: AcmeUrl }
  | { readonly kind: 'wait'; readonly until: Instant }
  /** `error` null: it succeeded. */
  | { readonly kind: 'over'; readonly error: AcmeError | null };

export interface Procedure {
  /** The same until an answer comes, but for waits that are over. */
  next(known: Known, now: Instant): Step;
  /** A success (2xx) for the last step; what is wrong with it, or null. */
  answered(answer: AcmeAnswer, url: AcmeUrl, now: Instant): AcmeError | null;
  /** A refusal of the last step; true: it makes sense, and `next` knows how to go on. */
  refused(problem: Problem, now: Instant): boolean;
  /** It is over, with or without success: nothing is called any more. */
  ended(): void;
}

/** What whoever drives the session is to do. */
export type Action =
  | { readonly kind: 'send'; readonly request: AcmeRequest }
  /** Nothing until then, or until the answer comes. */
  | { readonly kind: 'wait'; readonly until: Instant }
  /** The request in progress is given up: no answer of it is wanted. */
  | { readonly kind: 'cancel' }
  /** `failure` null: it succeeded. The same until the next `begin`. */
  | { readonly kind: 'over'; readonly failure: Failure | null };

interface Ask {
  readonly what: 'directory' | 'nonce' | 'account' | 'procedure';
  readonly url: AcmeUrl;
  readonly request: AcmeRequest;
}

/** A procedure in progress. */
interface Run {
  readonly procedure: Procedure;
  readonly deadline: Instant;
  /** Nothing is sent before. */
  notBefore: Instant;
  requests: number;
  /** Both in a row. */
  badNonces: number;
  retries: number;
  hasRegisteredAgain: boolean;
  redirect: { readonly what: Ask['what']; readonly to: AcmeUrl; readonly count: number } | null;
}

export class AcmeSession {
  readonly counters = { acmeRequests: 0, acmeRetries: 0, acmeBadNonces: 0, acmeProblems: 0 };
  private readonly options: SessionOptions;
  private key: PrivateKey;
  private directory: Directory | null = null;
  private nonce: string | null = null;
  private account: AcmeUrl | null = null;
  private run: Run | null = null;
  private pending: { readonly ask: Ask; readonly until: Instant } | null = null;
  private outcome: { readonly failure: Failure | null } | null = null;

  constructor(options: SessionOptions) {
    checkLimits(options.limits);
    this.options = options;
    this.key = options.accountKey;
  }

  /** Null until an account was asked for or made. */
  get accountUrl(): AcmeUrl | null {
    return this.account;
  }

  get accountKey(): PrivateKey {
    return this.key;
  }

  /** Starts `procedure`; the one before must be over. */
  begin(procedure: Procedure, now: Instant): void {
    assert(this.run === null && this.pending === null, 'one procedure at a time');
    this.outcome = null;
    this.directory = null;
    this.nonce = null;
    this.run = {
      procedure,
      deadline: after(now, this.options.limits.procedureTimeMax),
      notBefore: now,
      requests: 0,
      badNonces: 0,
      retries: 0,
      hasRegisteredAgain: false,
      redirect: null,
    };
  }

  /** What to do now. Each request is said once. */
  advance(now: Instant): Action {
    const { run, pending } = this;
    if (run === null) {
      assert(this.outcome !== null, 'nothing has begun');
      return { kind: 'over', failure: this.outcome.failure };
    }
    if (pending !== null) {
      if (now < pending.until) return { kind: 'wait', until: pending.until };
      this.received({ ok: false, error: { kind: 'timeout' } }, now);
      return { kind: 'cancel' };
    }
    if (now >= run.deadline || run.requests >= this.options.limits.requestsMax) {
      return this.end({ kind: 'endless' }, null);
    }
    if (now < run.notBefore) return { kind: 'wait', until: earlier(run.notBefore, run.deadline) };
    const step = this.decide(run, now);
    if (!('what' in step)) {
      if (step.kind === 'over') return this.end(step.error, null);
      return { kind: 'wait', until: earlier(step.until, run.deadline) };
    }
    run.requests += 1;
    this.counters.acmeRequests += 1;
    if (step.request.method === 'POST') this.nonce = null;
    const { requestTimeMax } = this.options.limits;
    this.pending = { ask: step, until: after(now, requestTimeMax) };
    return { kind: 'send', request: step.request };
  }

  /** The answer to the request sent last. */
  received(result: Result<AcmeAnswer, TransportError>, now: Instant): void {
    const { run, pending } = this;
    assert(run !== null && pending !== null, 'an answer to nothing');
    this.pending = null;
    const { ask } = pending;
    if (!result.ok) {
      const error: AcmeError = { kind: 'transport', url: ask.url.text, error: result.error };
      // A longer answer would come again.
      if (result.error.kind === 'too long') this.end(error, null);
      else this.retry(run, null, error, now);
      return;
    }
    const answer = result.value;
    this.nonce = nonceOf(answer) ?? this.nonce;
    const { status } = answer;
    if (status >= 300 && status < 400 && ask.request.method !== 'POST') {
      this.redirected(run, ask, answer);
      return;
    }
    run.redirect = null;
    if (status < 200 || status > 299) {
      this.refused(run, ask, answer, now);
      return;
    }
    run.retries = 0;
    if (ask.request.method === 'POST') run.badNonces = 0;
    const error = this.succeeded(run, ask, answer, now);
    if (error !== null) this.end(error, null);
  }

  /** The account has another key now (rollover.ts). The one before stays its owner's. */
  replaceKey(key: PrivateKey): void {
    assert(key.curve === 'P-256');
    this.key = key;
  }

  checkInvariants(): void {
    const { run, pending, outcome, options } = this;
    assert((run === null) === (outcome !== null) || run === null);
    assert(pending === null || run !== null);
    if (run === null) return;
    assert(run.requests <= options.limits.requestsMax);
    assert(run.retries <= options.limits.retriesMax);
    assert(run.badNonces <= options.limits.badNoncesMax);
    assert(run.redirect === null || run.redirect.count <= options.limits.redirectsMax);
  }

  /** What is missing first, or what the procedure wants. */
  private decide(run: Run, now: Instant): Ask | Extract<Step, { kind: 'wait' | 'over' }> {
    const { directory, nonce, account } = this;
    if (directory === null) return this.plain('directory', 'GET', this.options.directory);
    const known = { directory, accountUrl: account, accountKey: this.key };
    const step = run.procedure.next(known, now);
    if (step.kind === 'wait' || step.kind === 'over') return step;
    if (step.kind === 'get') return this.plain('procedure', 'GET', step.url);
    if (nonce === null) return this.plain('nonce', 'HEAD', directory.newNonce);
    const { url, payload, accept } = step;
    if (step.signer === null && account === null) return this.newAccount(directory, nonce);
    const signer = step.signer ?? { key: this.key, as: { kid: account!.text } };
    const jws = this.sign(signer, url, nonce, payload);
    return this.post('procedure', url, accept, jws);
  }

  /** RFC 8555 §7.3: made, or found by its key. */
  private newAccount(
    directory: Directory,
    nonce: string,
  ): Ask | { kind: 'over'; error: AcmeError } {
    const { email, agreesToTerms, externalAccount, crypto } = this.options;
    const { newAccount: url, termsOfService, externalAccountRequired } = directory;
    if (termsOfService !== null && !agreesToTerms) {
      return { kind: 'over', error: { kind: 'terms', terms: termsOfService } };
    }
    if (externalAccountRequired && externalAccount === null) {
      return { kind: 'over', error: { kind: 'external account required' } };
    }
    const jwk = jwkOf(this.key);
    const payload = {
      ...(termsOfService === null ? {} : { termsOfServiceAgreed: true }),
      ...(email === null ? {} : { contact: [`mailto:${email}`] }),
      ...(externalAccount === null
        ? {}
        : { externalAccountBinding: bindAccount(crypto, externalAccount, url.text, jwk) }),
    };
    const jws = this.sign({ key: this.key, as: { jwk } }, url, nonce, payload);
    return this.post('account', url, null, jws);
  }

  private sign(signer: Signer, url: AcmeUrl, nonce: string, payload: object | null): Jws {
    return signJws(this.options.entropy, signer, url.text, nonce, payload);
  }

  /** RFC 8555 §6.2. */
  private post(what: Ask['what'], url: AcmeUrl, accept: string | null, jws: Jws): Ask {
    const { bodyBytesMax } = this.options.limits;
    const body = textBytes(JSON.stringify(jws));
    return { what, url, request: { method: 'POST', url, accept, body, bodyBytesMax } };
  }

  private plain(what: Ask['what'], method: 'GET' | 'HEAD', first: AcmeUrl): Ask {
    const { bodyBytesMax } = this.options.limits;
    const redirect = this.run?.redirect ?? null;
    const url = redirect?.what === what ? redirect.to : first;
    return { what, url, request: { method, url, accept: null, body: null, bodyBytesMax } };
  }

  private succeeded(run: Run, ask: Ask, answer: AcmeAnswer, now: Instant): AcmeError | null {
    const { url } = ask;
    switch (ask.what) {
      case 'directory': {
        const directory = documentOf(answer, url, parseDirectory);
        if (!directory.ok) return directory.error;
        this.directory = directory.value;
        return null;
      }
      case 'nonce':
        return this.nonce === null ? malformed(url, { kind: 'no nonce' }) : null;
      case 'account': {
        const location = locationOf(answer, url);
        if (!location.ok) return location.error;
        const account = documentOf(answer, url, parseAccount);
        if (!account.ok) return account.error;
        const { status } = account.value;
        if (status !== 'valid') return { kind: 'account', status };
        this.account = location.value;
        return null;
      }
      case 'procedure':
        return run.procedure.answered(answer, url, now);
    }
  }

  private redirected(run: Run, ask: Ask, answer: AcmeAnswer): void {
    const count = (run.redirect?.count ?? 0) + 1;
    const to = resolveUrl(ask.url, answer.fields.get('location') ?? '');
    if (!to.ok || count > this.options.limits.redirectsMax) {
      this.end(malformed(ask.url, { kind: 'redirect' }), null);
      return;
    }
    run.redirect = { what: ask.what, to: to.value, count };
  }

  private refused(run: Run, ask: Ask, answer: AcmeAnswer, now: Instant): void {
    const { status } = answer;
    const problem = problemIn(answer);
    const retryAfter = retryAfterOf(answer, this.options.clock);
    const url = ask.url.text;
    const error: AcmeError =
      problem === null ? { kind: 'status', url, status } : { kind: 'problem', url, problem };
    this.counters.acmeProblems += 1;
    if (problem !== null && this.settles(run, ask, problem, now)) return;
    // RFC 9110 §15.6.4, RFC 6585 §4; a limit of rate that names no time is not over in seconds.
    if (status >= 500 || (status === 429 && retryAfter !== null)) {
      this.retry(run, retryAfter, error, now);
    } else this.end(error, retryAfter);
  }

  /** Problems that there is something to be done about at once. */
  private settles(run: Run, ask: Ask, problem: Problem, now: Instant): boolean {
    // RFC 8555 §6.5: the refusal has brought another nonce.
    if (problem.type === 'badNonce' && run.badNonces < this.options.limits.badNoncesMax) {
      run.badNonces += 1;
      this.counters.acmeBadNonces += 1;
      return true;
    }
    if (ask.what !== 'procedure') return false;
    // It has forgotten us: test servers do, and those whose accounts are thrown away.
    if (
      problem.type === 'accountDoesNotExist' &&
      this.account !== null &&
      !run.hasRegisteredAgain
    ) {
      run.hasRegisteredAgain = true;
      this.account = null;
      return true;
    }
    return run.procedure.refused(problem, now);
  }

  /** The same again, after a wait, if that isn't too long or too often. */
  private retry(run: Run, retryAfter: Duration | null, error: AcmeError, now: Instant): void {
    const { limits, entropy } = this.options;
    const own = backOff(limits.retryFirst, run.retries, limits.retryWaitMax);
    const wait = Math.max(own, retryAfter ?? 0) as Duration;
    if (run.retries >= limits.retriesMax || wait > limits.retryWaitMax) {
      this.end(error, retryAfter);
      return;
    }
    run.retries += 1;
    this.counters.acmeRetries += 1;
    run.notBefore = after(now, jittered(wait, entropy));
  }

  private end(error: AcmeError | null, retryAfter: Duration | null): Action {
    const failure = error === null ? null : { error, retryAfter };
    this.run?.procedure.ended();
    this.run = null;
    this.outcome = { failure };
    return { kind: 'over', failure };
  }
}

const earlier = (a: Instant, b: Instant): Instant => (a < b ? a : b);
