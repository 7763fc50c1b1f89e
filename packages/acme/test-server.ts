/**
 * An ACME server within a test, in virtual time: faithful to RFC 8555 as far as a client can tell,
 * and told by a test where not to be. Checks every signature, nonce and URL with Node's crypto.
 */

import assert from 'node:assert/strict';
import { createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import { after, err, hot, millis, ok, type Result, Timer, type TimerQueue } from '#core';
import type { TransportError } from './error.ts';
import type { AcmeAnswer, AcmeRequest, AcmeTransport, Sending } from './transport.ts';

type Json = Record<string, unknown>;
/** What a test does to a request's answer; null: nothing arrives, ever. */
export type Twist = (
  answer: AcmeAnswer,
  request: AcmeRequest,
) => AcmeAnswer | TransportError | 'silence';

interface TestAccount {
  readonly url: string;
  jwk: Json;
  readonly contact: unknown;
  readonly bound: string | null;
}

interface TestAuthorization {
  readonly identifier: { type: string; value: string };
  readonly token: string;
  status: string;
  challengeStatus: string;
  error: Json | null;
  expected: string;
}

interface TestOrder {
  readonly identifiers: { type: string; value: string }[];
  readonly authorizations: number[];
  readonly replaces: unknown;
  status: string;
  certificate: string | null;
}

const base = 'https://ca.example';
export const DIRECTORY = `${base}/directory`;

export const answerOf = (
  status: number,
  body: unknown,
  fields: Record<string, string> = {},
): AcmeAnswer => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const type = status >= 400 ? 'application/problem+json' : 'application/json';
  const all = { 'content-type': type, ...fields };
  return { status, fields: new Map(Object.entries(all)), body: hot.utf8Encode(text) };
};

export const problem = (
  type: string,
  status = 400,
  fields: Record<string, string> = {},
): AcmeAnswer =>
  answerOf(status, { type: `urn:ietf:params:acme:error:${type}`, detail: `it is ${type}` }, fields);

export class TestServer implements AcmeTransport {
  /** "POST /order/0" and the like, in order. */
  readonly log: string[] = [];
  /** Directory members on top of the usual ones. */
  directory: Json = {};
  terms: string | null = `${base}/terms`;
  macKeys: Record<string, Buffer> | null = null;
  /** Nonces that are refused though they are good. */
  badNonces = 0;
  /** Looks at an authorization or an order until the server has worked on it. */
  slowness = 1;
  /** Asks for a proof as an authority does: what a question gets; null: nothing. */
  validate: (type: string, token: string, name: string) => string | null = () => null;
  /** The chain for a CSR: PEM. */
  issue: (csr: Uint8Array) => string = () => 'a chain';
  challengeTypes = ['dns-01', 'http-01', 'tls-alpn-01'];
  readonly revoked: { certificate: string; reason: unknown }[] = [];
  readonly accounts: TestAccount[] = [];
  readonly orders: TestOrder[] = [];
  readonly authorizations: TestAuthorization[] = [];
  private readonly timers: TimerQueue;
  private readonly nonces = new Set<string>();
  private issued = 0;
  private readonly chains: string[] = [];
  private readonly twists: {
    readonly what: string;
    readonly twist: Twist | AcmeAnswer;
    times: number;
  }[] = [];
  private readonly looks = new Map<string, number>();

  constructor(timers: TimerQueue) {
    this.timers = timers;
  }

  /**
   * `twist` for the next `times` requests that `what` begins, as in `log`; an answer instead of it
   * is given without anything being done.
   */
  twist(what: string, twist: Twist | AcmeAnswer, times = 1): void {
    this.twists.push({ what, twist, times });
  }

  /** No more twists. */
  forgive(): void {
    this.twists.length = 0;
  }

  send(request: AcmeRequest, done: (result: Result<AcmeAnswer, TransportError>) => void): Sending {
    const timer = new Timer(() => {
      const answer = this.answer(request);
      if (answer !== 'silence') done('kind' in answer ? err(answer) : ok(answer));
    });
    this.timers.arm(timer, after(this.timers.now, millis(10)));
    return { cancel: () => this.timers.stop(timer) };
  }

  private answer(request: AcmeRequest): AcmeAnswer | TransportError | 'silence' {
    const line = `${request.method} ${request.url.target}`;
    this.log.push(line);
    const found = this.twists.find(({ what, times }) => times > 0 && line.startsWith(what));
    const twist = found?.twist ?? null;
    const honest = twist === null || typeof twist === 'function' ? this.honest(request) : twist;
    const fields = new Map(honest.fields);
    if (request.method !== 'GET') fields.set('replay-nonce', this.nonce());
    const answer = { ...honest, fields };
    if (found !== undefined) found.times -= 1;
    if (answer.body.length > request.bodyBytesMax) return { kind: 'too long' };
    return typeof twist === 'function' ? twist(answer, request) : answer;
  }

  nonce(): string {
    const nonce = `nonce-${this.issued++}`;
    this.nonces.add(nonce);
    return nonce;
  }

  private honest({ method, url, body }: AcmeRequest): AcmeAnswer {
    const path = url.target.slice(1);
    if (method === 'HEAD' && path === 'new-nonce') return answerOf(200, '');
    if (method === 'GET' && path === 'directory') return answerOf(200, this.directoryDocument());
    if (method === 'GET') return answerOf(404, 'nothing here');
    assert.equal(method, 'POST');
    const jws = JSON.parse(Buffer.from(body!).toString()) as Record<string, string>;
    const head = JSON.parse(Buffer.from(jws.protected!, 'base64url').toString()) as Json;
    assert.equal(head.alg, 'ES256');
    assert.equal(head.url, url.text);
    if (!this.nonces.delete(String(head.nonce))) return problem('badNonce');
    if (this.badNonces > 0) {
      this.badNonces -= 1;
      return problem('badNonce');
    }
    const payload = jws.payload === '' ? null : JSON.parse(textOf(jws.payload!));
    if (head.jwk !== undefined) {
      assert.ok(isSigned(jws, head.jwk as Json), 'a wrong signature');
      if (path === 'new-account') return this.newAccount(head.jwk as Json, payload as Json);
      if (path === 'revoke') return this.revoke(payload as Json);
      return problem('malformed');
    }
    const account = this.accounts.find((one) => one.url === head.kid);
    if (account === undefined) return problem('accountDoesNotExist');
    assert.ok(isSigned(jws, account.jwk), 'a wrong signature');
    return this.asAccount(account, path, payload as Json | null);
  }

  private directoryDocument(): Json {
    const url = (path: string) => `${base}/${path}`;
    return {
      newNonce: url('new-nonce'),
      newAccount: url('new-account'),
      newOrder: url('new-order'),
      revokeCert: url('revoke'),
      keyChange: url('key-change'),
      meta: {
        ...(this.terms === null ? {} : { termsOfService: this.terms }),
        externalAccountRequired: this.macKeys !== null,
      },
      ...this.directory,
    };
  }

  private newAccount(jwk: Json, payload: Json): AcmeAnswer {
    const same = this.accounts.find((one) => isDeepEqual(one.jwk, jwk));
    if (same !== undefined) return answerOf(200, { status: 'valid' }, { location: same.url });
    if (this.terms !== null && payload.termsOfServiceAgreed !== true) {
      return problem('userActionRequired', 403);
    }
    const bound = this.macKeys === null ? null : this.bound(jwk, payload);
    if (this.macKeys !== null && bound === null) return problem('externalAccountRequired', 403);
    const url = `${base}/account/${this.accounts.length}`;
    this.accounts.push({ url, jwk, contact: payload.contact, bound });
    return answerOf(201, { status: 'valid' }, { location: url });
  }

  /** RFC 8555 §7.3.4. */
  private bound(jwk: Json, payload: Json): string | null {
    const jws = payload.externalAccountBinding as Record<string, string> | undefined;
    if (jws === undefined) return null;
    const head = JSON.parse(textOf(jws.protected!)) as Json;
    assert.deepEqual([head.alg, head.url], ['HS256', `${base}/new-account`]);
    assert.deepEqual(JSON.parse(textOf(jws.payload!)), jwk);
    const key = this.macKeys?.[String(head.kid)];
    if (key === undefined) return null;
    const tag = createHmac('sha256', key).update(`${jws.protected}.${jws.payload}`);
    return tag.digest('base64url') === jws.signature ? String(head.kid) : null;
  }

  private asAccount(account: TestAccount, path: string, payload: Json | null): AcmeAnswer {
    const [what, index = '0'] = path.split('/') as [string, string?];
    const at = Number(index);
    switch (what) {
      case 'new-order':
        return this.newOrder(payload!);
      case 'order':
        return this.orderDocument(at, this.isWorkedOn(path));
      case 'authorization':
        return this.authorizationDocument(at, this.isWorkedOn(path));
      case 'challenge':
        return this.challenged(account, at, path.split('/')[2]!, payload);
      case 'finalize':
        return this.finalize(at, payload!);
      case 'certificate':
        return answerOf(200, this.chains[at]!, {
          'content-type': 'application/pem-certificate-chain',
        });
      case 'revoke':
        return this.revoke(payload!);
      case 'key-change':
        return this.keyChange(account, payload as Record<string, string>);
      default:
        return answerOf(404, 'nothing here');
    }
  }

  /** True once it was looked at often enough. */
  private isWorkedOn(path: string): boolean {
    const looks = (this.looks.get(path) ?? 0) + 1;
    this.looks.set(path, looks);
    return looks > this.slowness;
  }

  private newOrder(payload: Json): AcmeAnswer {
    const identifiers = payload.identifiers as TestOrder['identifiers'];
    const authorizations = identifiers.map((identifier) => {
      const token = `token-${this.authorizations.length}`;
      const fresh = { status: 'pending', challengeStatus: 'pending', error: null, expected: '' };
      return this.authorizations.push({ identifier, token, ...fresh }) - 1;
    });
    const fresh = { status: 'pending', certificate: null };
    this.orders.push({ identifiers, authorizations, replaces: payload.replaces, ...fresh });
    const at = this.orders.length - 1;
    return answerAt(this.orderDocument(at, false), 201, `${base}/order/${at}`);
  }

  private orderDocument(at: number, isWorkedOn: boolean): AcmeAnswer {
    const order = this.orders[at]!;
    const statuses = order.authorizations.map((one) => this.authorizations[one]!.status);
    if (order.status === 'pending' && statuses.every((one) => one === 'valid'))
      order.status = 'ready';
    if (statuses.includes('invalid')) order.status = 'invalid';
    if (order.status === 'processing' && isWorkedOn) order.status = 'valid';
    return answerOf(200, {
      status: order.status,
      identifiers: order.identifiers,
      expires: '2099-01-01T00:00:00Z',
      authorizations: order.authorizations.map((one) => `${base}/authorization/${one}`),
      finalize: `${base}/finalize/${at}`,
      ...(order.status === 'valid' ? { certificate: order.certificate } : {}),
    });
  }

  private authorizationDocument(at: number, isWorkedOn: boolean): AcmeAnswer {
    const one = this.authorizations[at]!;
    if (one.challengeStatus !== 'pending' && one.status === 'pending' && isWorkedOn)
      this.judge(one);
    const { status, identifier, token, error } = one;
    const challenges = this.challengeTypes.map((type) => ({
      type,
      url: `${base}/challenge/${at}/${type}`,
      status: one.challengeStatus === type ? status : 'pending',
      token,
      ...(error === null || one.challengeStatus !== type ? {} : { error }),
    }));
    return answerOf(200, { status, identifier, challenges });
  }

  private judge(one: TestAuthorization): void {
    const given = this.validate(one.challengeStatus, one.token, one.identifier.value);
    one.status = given === one.expected ? 'valid' : 'invalid';
    if (one.status === 'valid') return;
    const type = `urn:ietf:params:acme:error:${given === null ? 'connection' : 'incorrectResponse'}`;
    one.error = { type, detail: 'not what was asked for' };
  }

  private challenged(
    account: TestAccount,
    at: number,
    type: string,
    payload: Json | null,
  ): AcmeAnswer {
    assert.deepEqual(payload, {});
    const one = this.authorizations[at]!;
    one.challengeStatus = type;
    one.expected = `${one.token}.${printOf(account.jwk)}`;
    return answerOf(200, { type, url: `${base}/challenge/${at}/${type}`, status: 'processing' });
  }

  private finalize(at: number, payload: Json): AcmeAnswer {
    const order = this.orders[at]!;
    this.orderDocument(at, false);
    if (order.status !== 'ready') return problem('orderNotReady', 403);
    this.chains.push(this.issue(Buffer.from(String(payload.csr), 'base64url')));
    order.certificate = `${base}/certificate/${this.chains.length - 1}`;
    order.status = 'processing';
    this.looks.delete(`order/${at}`);
    return answerAt(this.orderDocument(at, false), 200, `${base}/order/${at}`);
  }

  private revoke(payload: Json): AcmeAnswer {
    const certificate = String(payload.certificate);
    const isKnown = this.revoked.some((one) => one.certificate === certificate);
    if (isKnown) return problem('alreadyRevoked');
    this.revoked.push({ certificate, reason: payload.reason });
    return answerOf(200, '');
  }

  /** RFC 8555 §7.3.5. */
  private keyChange(account: TestAccount, jws: Record<string, string>): AcmeAnswer {
    const head = JSON.parse(textOf(jws.protected!)) as Json;
    const claim = JSON.parse(textOf(jws.payload!)) as Json;
    assert.equal(head.url, `${base}/key-change`);
    assert.equal(head.nonce, undefined);
    assert.ok(isSigned(jws, head.jwk as Json));
    if (claim.account !== account.url) return problem('malformed');
    assert.deepEqual(claim.oldKey, account.jwk);
    account.jwk = head.jwk as Json;
    return answerOf(200, { status: 'valid' });
  }
}

const textOf = (base64: string): string => Buffer.from(base64, 'base64url').toString();

function isSigned(jws: Record<string, string>, jwk: Json): boolean {
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const input = Buffer.from(`${jws.protected}.${jws.payload}`);
  const signature = Buffer.from(jws.signature!, 'base64url');
  return verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

const isDeepEqual = (a: Json, b: Json): boolean => printOf(a) === printOf(b);

/** RFC 7638. */
export function printOf({ crv, kty, x, y }: Json): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}

function answerAt(answer: AcmeAnswer, status: number, location: string): AcmeAnswer {
  return { ...answer, status, fields: new Map([...answer.fields, ['location', location]]) };
}
