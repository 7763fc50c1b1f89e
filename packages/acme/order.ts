/**
 * Getting a certificate: RFC 8555 §7.1.6, §7.4, §7.5 as a procedure of a session. What is known of
 * the order decides what is asked next, so an order that the authority has brought further by
 * itself is taken up where it is:
 *
 *   none -> newOrder
 *   pending -> each authorization read; a proof presented and its challenge answered for each that
 *              is pending; then looked at until all are valid; then the order
 *   ready -> finalize        processing -> the order, until it is something else
 *   valid -> the certificate       invalid, or expired -> over
 *
 * An order never goes back (orderRank), and it must be for the names that were asked for.
 */

import { after, assertNever, type Duration, type Instant } from '#core';
import type { Clock, CryptoPrimitives } from '#device';
import {
  CHAIN_TYPE,
  contentType,
  documentOf,
  locationOf,
  malformed,
  retryAfterOf,
} from './answer.ts';
import type { ChallengeType, Proof, Responder } from './challenge.ts';
import type { AcmeError, CertificateFault } from './error.ts';
import { backOff } from './jitter.ts';
import { jwkOf, keyAuthorization, thumbprint } from './jose.ts';
import type { AcmeLimits } from './limits.ts';
import type { Known, Procedure, Step } from './session.ts';
import type { AcmeAnswer } from './transport.ts';
import { base64url } from './wire/base64url.ts';
import type { Problem } from './wire/problem.ts';
import {
  type Authorization,
  type Challenge,
  type Identifier,
  isToken,
  type Order,
  orderRank,
  parseAuthorization,
  parseOrder,
} from './wire/resources.ts';
import type { AcmeUrl } from './wire/url.ts';

export interface OrderOptions {
  readonly crypto: CryptoPrimitives;
  readonly clock: Clock;
  readonly limits: AcmeLimits;
  /** At least one, each once, names in lower case. */
  readonly identifiers: readonly Identifier[];
  /** PKCS#10, DER. */
  readonly csr: Uint8Array;
  /** Kinds of proof that can be given for a name, the best first. */
  readonly challenges: (identifier: Identifier) => readonly ChallengeType[];
  readonly responder: Responder;
  /** RFC 9773 §5: the certificate that this one replaces; null: none. */
  readonly replaces: string | null;
  /** The chain in what came, DER, leaf first; or why it isn't taken. */
  readonly readChain: (bytes: Uint8Array) => readonly Uint8Array[] | CertificateFault;
}

/** When a resource is looked at next. */
interface Look {
  at: Instant;
  count: number;
}

interface Authorizing extends Look {
  readonly url: AcmeUrl;
  document: Authorization | null;
  proof: { readonly challenge: Challenge; readonly proof: Proof; isOffered: boolean } | null;
}

type Doing = 'new order' | 'order' | 'finalize' | 'certificate' | Authorizing;

export class OrderProcedure implements Procedure {
  /** DER, leaf first; null until it is over with success. */
  chain: readonly Uint8Array[] | null = null;
  private readonly options: OrderOptions;
  private replaces: string | null;
  private url: AcmeUrl | null = null;
  private order: Order | null = null;
  private authorizing: readonly Authorizing[] = [];
  private readonly look: Look = { at: 0 as Instant, count: 0 };
  private isFinalized = false;
  /** The order isn't what it was thought to be: it is looked at first. */
  private isUncertain = false;
  private print = '';
  private doing: Doing = 'new order';

  constructor(options: OrderOptions) {
    this.options = options;
    this.replaces = options.replaces;
  }

  next({ directory, accountKey }: Known, now: Instant): Step {
    const { order, url, options } = this;
    if (this.chain !== null) return { kind: 'over', error: null };
    if (order === null || url === null) {
      const { crypto, identifiers } = options;
      this.print = thumbprint(crypto, jwkOf(accountKey));
      const replaces = this.replaces === null ? {} : { replaces: this.replaces };
      return this.post('new order', directory.newOrder, { identifiers, ...replaces });
    }
    if (
      order.status !== 'valid' &&
      order.expires !== null &&
      options.clock.wall() > order.expires
    ) {
      return { kind: 'over', error: { kind: 'order expired' } };
    }
    if (this.isUncertain) return this.lookAt(this.look, 'order', url, now);
    switch (order.status) {
      case 'pending':
        return this.nextProof(url, now);
      case 'ready':
        if (this.isFinalized) return this.lookAt(this.look, 'order', url, now);
        return this.post('finalize', order.finalize, { csr: base64url(options.csr) });
      case 'processing':
        return this.lookAt(this.look, 'order', url, now);
      case 'valid':
        return this.post('certificate', order.certificate!, null);
      case 'invalid':
        return { kind: 'over', error: { kind: 'order', problem: order.error } };
      default:
        return assertNever(order.status);
    }
  }

  answered(answer: AcmeAnswer, url: AcmeUrl, now: Instant): AcmeError | null {
    const { doing } = this;
    switch (doing) {
      case 'new order': {
        const location = locationOf(answer, url);
        if (!location.ok) return location.error;
        this.url = location.value;
        return this.readOrder(answer, url, now);
      }
      case 'finalize':
        this.isFinalized = true;
        this.look.count = 0;
        return this.readOrder(answer, url, now);
      case 'order':
        return this.readOrder(answer, url, now);
      case 'certificate':
        return this.readCertificate(answer, url);
      default:
        return this.readAuthorization(doing, answer, url, now);
    }
  }

  refused(problem: Problem, now: Instant): boolean {
    // RFC 8555 §7.4: the order isn't where we thought it is.
    if (this.doing === 'finalize' && problem.type === 'orderNotReady') {
      this.isUncertain = true;
      this.later(this.look, null, now);
      return true;
    }
    // RFC 9773 §5: the order is as good without saying what it replaces.
    if (this.doing === 'new order' && this.replaces !== null && REPLACED.has(problem.type)) {
      this.replaces = null;
      return true;
    }
    return false;
  }

  ended(): void {
    for (const { proof } of this.authorizing) {
      if (proof !== null) this.options.responder.withdraw(proof.proof);
    }
  }

  private nextProof(orderUrl: AcmeUrl, now: Instant): Step {
    let soonest: Authorizing | null = null;
    for (const one of this.authorizing) {
      if (one.document === null) return this.post(one, one.url, null);
      const error = refusalOf(one.document);
      if (error !== null) return { kind: 'over', error };
    }
    for (const one of this.authorizing) {
      if (one.document?.status === 'valid') continue;
      if (one.proof === null) {
        const name = one.document!.identifier.value;
        return { kind: 'over', error: { kind: 'no challenge', name } };
      }
      // RFC 8555 §7.5.1: an empty object says that the proof is there.
      if (!one.proof.isOffered) return this.post(one, one.proof.challenge.url, {});
      if (soonest === null || one.at < soonest.at) soonest = one;
    }
    if (soonest === null) return this.lookAt(this.look, 'order', orderUrl, now);
    return this.lookAt(soonest, soonest, soonest.url, now);
  }

  private lookAt(look: Look, doing: Doing, url: AcmeUrl, now: Instant): Step {
    return now < look.at ? { kind: 'wait', until: look.at } : this.post(doing, url, null);
  }

  private post(doing: Doing, url: AcmeUrl, payload: object | null): Step {
    this.doing = doing;
    const accept = doing === 'certificate' ? CHAIN_TYPE : null;
    return { kind: 'post', url, payload, accept, signer: null };
  }

  private readOrder(answer: AcmeAnswer, url: AcmeUrl, now: Instant): AcmeError | null {
    const document = documentOf(answer, url, parseOrder);
    if (!document.ok) return document.error;
    const order = document.value;
    const before = this.order;
    const wrong = (what: 'other names' | 'went back' | 'no certificate') =>
      malformed(url, { kind: 'order', what });
    if (!sameIdentifiers(order.identifiers, this.options.identifiers)) return wrong('other names');
    if (before !== null && orderRank(order) < orderRank(before)) return wrong('went back');
    if (order.status === 'valid' && order.certificate === null) return wrong('no certificate');
    this.order = order;
    this.isUncertain = false;
    if (before === null) {
      this.authorizing = order.authorizations.map((one) => ({
        url: one,
        document: null,
        proof: null,
        at: now,
        count: 0,
      }));
    }
    // A fresh pending order isn't looked at before its authorizations: then at once.
    if (before !== null) this.later(this.look, answer, now);
    return null;
  }

  /** The answer to a look at it, or to its challenge's offer. */
  private readAuthorization(
    one: Authorizing,
    answer: AcmeAnswer,
    url: AcmeUrl,
    now: Instant,
  ): AcmeError | null {
    const { proof } = one;
    this.later(one, answer, now);
    if (proof !== null && !proof.isOffered) {
      // What the challenge is now, the authorization tells.
      proof.isOffered = true;
      return null;
    }
    const document = documentOf(answer, url, parseAuthorization);
    if (!document.ok) return document.error;
    const isFirst = one.document === null;
    one.document = document.value;
    if (isFirst && document.value.status === 'pending') this.present(one, document.value);
    return null;
  }

  private present(one: Authorizing, { identifier, challenges }: Authorization): void {
    const { responder } = this.options;
    for (const type of this.options.challenges(identifier)) {
      const challenge = challenges.find((offered) => offered.type === type);
      if (challenge === undefined || !isToken(challenge.token)) continue;
      const { token, status } = challenge;
      const proof = {
        type,
        identifier,
        token,
        keyAuthorization: keyAuthorization(token, this.print),
      };
      responder.present(proof);
      one.proof = { challenge, proof, isOffered: status !== 'pending' };
      return;
    }
  }

  private readCertificate(answer: AcmeAnswer, url: AcmeUrl): AcmeError | null {
    const type = contentType(answer);
    if (type !== CHAIN_TYPE) return malformed(url, { kind: 'content type', type });
    const chain = this.options.readChain(answer.body);
    if (typeof chain === 'string') return { kind: 'certificate', fault: chain };
    this.chain = chain;
    return null;
  }

  /** RFC 8555 §7.5.1: as the server says, else sooner at first than later. */
  private later(look: Look, answer: AcmeAnswer | null, now: Instant): void {
    const { limits, clock } = this.options;
    const told = answer === null ? null : retryAfterOf(answer, clock);
    const own = backOff(limits.pollFirst, look.count, limits.pollMax);
    const wait = Math.min(Math.max(told ?? own, limits.pollFirst), limits.retryWaitMax) as Duration;
    look.at = after(now, wait);
    look.count += 1;
  }
}

const REPLACED: ReadonlySet<string> = new Set(['alreadyReplaced', 'malformed']);

const keyOf = ({ type, value }: Identifier): string => `${type}:${value}`;

function sameIdentifiers(a: readonly Identifier[], b: readonly Identifier[]): boolean {
  const wanted = new Set(b.map(keyOf));
  return a.length === b.length && new Set(a.map(keyOf)).size === a.length && a.every(isWanted);
  function isWanted(one: Identifier): boolean {
    return wanted.has(keyOf(one));
  }
}

/** Why it can't become valid any more, or null. */
function refusalOf({ status, identifier, challenges }: Authorization): AcmeError | null {
  if (status === 'pending' || status === 'valid') return null;
  const problem = challenges.find(({ error }) => error !== null)?.error ?? null;
  return { kind: 'authorization', name: identifier.value, status, problem };
}
