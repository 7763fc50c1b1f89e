/** What an ACME server keeps for us, as documents: RFC 8555 §7.1, RFC 9773 §4.2. */

import { err, type Result, type WallTime } from '#core';
import { TOKEN_CHARACTERS_MAX } from '../limits.ts';
import { type DocumentFault, isObject, Members, parseObject } from './document.ts';
import { type Problem, problemOf } from './problem.ts';
import type { AcmeUrl } from './url.ts';

/** RFC 8555 §7.1.1. */
export interface Directory {
  readonly newNonce: AcmeUrl;
  readonly newAccount: AcmeUrl;
  readonly newOrder: AcmeUrl;
  readonly revokeCert: AcmeUrl | null;
  readonly keyChange: AcmeUrl | null;
  /** RFC 9773 §4.1. */
  readonly renewalInfo: AcmeUrl | null;
  /** What must be agreed to, as text; null: nothing. */
  readonly termsOfService: string | null;
  readonly externalAccountRequired: boolean;
}

export function parseDirectory(bytes: Uint8Array): Result<Directory, DocumentFault> {
  return read(bytes, (members) => {
    const meta = members.has('meta') ? members.object('meta') : new Members({});
    const directory = {
      newNonce: members.url('newNonce'),
      newAccount: members.url('newAccount'),
      newOrder: members.url('newOrder'),
      revokeCert: members.optionalUrl('revokeCert'),
      keyChange: members.optionalUrl('keyChange'),
      renewalInfo: members.optionalUrl('renewalInfo'),
      termsOfService: meta.optionalText('termsOfService'),
      externalAccountRequired: meta.flag('externalAccountRequired'),
    };
    members.take(meta);
    return directory;
  });
}

const ACCOUNT_STATUSES = ['valid', 'deactivated', 'revoked'] as const;

/** RFC 8555 §7.1.2, as far as it matters. */
export interface Account {
  readonly status: (typeof ACCOUNT_STATUSES)[number];
}

export const parseAccount = (bytes: Uint8Array): Result<Account, DocumentFault> =>
  read(bytes, (members) => ({ status: members.choice('status', ACCOUNT_STATUSES) }));

export interface Identifier {
  readonly type: 'dns' | 'ip';
  readonly value: string;
}

const IDENTIFIER_TYPES = ['dns', 'ip'] as const;

/** In the order in which an order goes through them (RFC 8555 §7.1.6), 'invalid' aside. */
const ORDER_STATUSES = ['pending', 'ready', 'processing', 'valid', 'invalid'] as const;

/** RFC 8555 §7.1.3. */
export interface Order {
  readonly status: (typeof ORDER_STATUSES)[number];
  readonly identifiers: readonly Identifier[];
  readonly authorizations: readonly AcmeUrl[];
  readonly finalize: AcmeUrl;
  readonly certificate: AcmeUrl | null;
  readonly expires: WallTime | null;
  readonly error: Problem | null;
}

export function parseOrder(bytes: Uint8Array): Result<Order, DocumentFault> {
  return read(bytes, (members) => ({
    status: members.choice('status', ORDER_STATUSES),
    identifiers: members.objects('identifiers', identifier),
    authorizations: members.urls('authorizations'),
    finalize: members.url('finalize'),
    certificate: members.optionalUrl('certificate'),
    expires: members.optionalTime('expires'),
    error: problemIn(members),
  }));
}

/** How far an order has come: it never goes back. */
export const orderRank = (order: Order): number => ORDER_STATUSES.indexOf(order.status);

const AUTHORIZATION_STATUSES = [
  'pending',
  'valid',
  'invalid',
  'deactivated',
  'expired',
  'revoked',
] as const;

/** RFC 8555 §7.1.4. */
export interface Authorization {
  readonly status: (typeof AUTHORIZATION_STATUSES)[number];
  readonly identifier: Identifier;
  readonly challenges: readonly Challenge[];
}

const CHALLENGE_STATUSES = ['pending', 'processing', 'valid', 'invalid'] as const;

/** RFC 8555 §7.1.5, §8. */
export interface Challenge {
  /** Also one that we don't know. */
  readonly type: string;
  readonly url: AcmeUrl;
  readonly status: (typeof CHALLENGE_STATUSES)[number];
  /** base64url; '' where its type has none. */
  readonly token: string;
  readonly error: Problem | null;
}

export function parseAuthorization(bytes: Uint8Array): Result<Authorization, DocumentFault> {
  return read(bytes, (members) => {
    const about = members.object('identifier');
    const authorization = {
      status: members.choice('status', AUTHORIZATION_STATUSES),
      identifier: identifier(about),
      challenges: members.objects('challenges', challenge),
    };
    members.take(about);
    return authorization;
  });
}

/** RFC 9773 §4.2. */
export interface RenewalInfo {
  readonly start: WallTime;
  readonly end: WallTime;
}

/** A window that ends before it begins is malformed (RFC 9773 §4.2). */
export function parseRenewalInfo(bytes: Uint8Array): Result<RenewalInfo, DocumentFault> {
  const info = read(bytes, (members) => {
    const window = members.object('suggestedWindow');
    const times = { start: window.time('start'), end: window.time('end') };
    members.take(window);
    return times;
  });
  if (!info.ok || info.value.start < info.value.end) return info;
  return err({ kind: 'member', path: 'suggestedWindow' });
}

function read<T>(bytes: Uint8Array, make: (members: Members) => T): Result<T, DocumentFault> {
  const json = parseObject(bytes);
  if (!json.ok) return json;
  const members = new Members(json.value);
  return members.result(make(members));
}

function problemIn(members: Members): Problem | null {
  const error = members.value('error');
  return isObject(error) ? problemOf(error) : null;
}

const identifier = (members: Members): Identifier => ({
  type: members.choice('type', IDENTIFIER_TYPES),
  value: members.text('value').toLowerCase(),
});

/** RFC 8555 §8.1: only such a token can be part of a path or of a key authorization. */
const TOKEN = /^[A-Za-z0-9_-]+$/;

export const isToken = (text: string): boolean =>
  text.length <= TOKEN_CHARACTERS_MAX && TOKEN.test(text);

const challenge = (members: Members): Challenge => ({
  type: members.text('type'),
  url: members.url('url'),
  status: members.choice('status', CHALLENGE_STATUSES),
  token: members.optionalText('token') ?? '',
  error: problemIn(members),
});
