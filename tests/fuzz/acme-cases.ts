/** What certificate authorities send: documents in JSON, URLs, base64url. */

import {
  base64url,
  emitSlot,
  fromBase64url,
  type KeptSlot,
  type Problem,
  parseAccount,
  parseAuthorization,
  parseDirectory,
  parseOrder,
  parseProblem,
  parseRenewalInfo,
  parseSlot,
  parseTime,
  parseUrl,
  resolveUrl,
} from '#acme/wire';
import { err, hot, ok, type Result, type WallTime, type WireFault, writeU32be } from '#core';
import { type WireCase, wireCase } from './wire-case.ts';

const URL = 'https://ca.example:14000/a?b';
const TIME = '2026-11-26T12:00:00.5Z';

const faultOf = (b: Uint8Array) => err<WireFault>({ kind: 'field', offset: 0, value: b[0] ?? 0 });

function write(to: Uint8Array, value: unknown): number {
  const bytes = hot.utf8Encode(typeof value === 'string' ? value : JSON.stringify(value));
  to.set(bytes);
  return bytes.length;
}

/** A document; `show` makes one of what was read. */
function documentCase<R>(
  name: string,
  parse: (b: Uint8Array) => Result<R, unknown>,
  show: (repr: R) => unknown,
  seed: unknown,
): WireCase {
  return wireCase<R>({
    name: `ACME ${name}`,
    parse(b) {
      const parsed = parse(b);
      return parsed.ok ? parsed : faultOf(b);
    },
    emit: (to, repr) => write(to, show(repr)),
    seeds: () => [hot.utf8Encode(JSON.stringify(seed))],
  });
}

const timeOf = (millis: number) => new Date(millis).toISOString();

const showProblem = (problem: Problem): unknown => ({
  ...problem,
  type: `urn:ietf:params:acme:error:${problem.type}`,
  identifier: problem.identifier === null ? null : { type: 'dns', value: problem.identifier },
  subproblems: problem.subproblems.map(showProblem),
});

const PROBLEM = {
  type: 'urn:ietf:params:acme:error:malformed',
  detail: 'räksmörgås \u{1f990}',
  identifier: { type: 'dns', value: 'a.example' },
  instance: URL,
  subproblems: [{ type: 'urn:ietf:params:acme:error:caa', detail: 'no' }],
};

const directory = documentCase(
  'directory',
  parseDirectory,
  ({ termsOfService, externalAccountRequired, ...urls }) => ({
    ...Object.fromEntries(Object.entries(urls).map(([name, url]) => [name, url?.text ?? null])),
    meta: { termsOfService, externalAccountRequired },
  }),
  {
    newNonce: URL,
    newAccount: URL,
    newOrder: URL,
    keyChange: URL,
    renewalInfo: URL,
    meta: { termsOfService: 'x', externalAccountRequired: true },
  },
);

const order = documentCase(
  'order',
  parseOrder,
  (one) => ({
    ...one,
    authorizations: one.authorizations.map(({ text }) => text),
    finalize: one.finalize.text,
    certificate: one.certificate?.text ?? null,
    expires: one.expires === null ? null : timeOf(one.expires),
    error: one.error === null ? null : showProblem(one.error),
  }),
  {
    status: 'processing',
    identifiers: [{ type: 'dns', value: 'A.example' }],
    authorizations: [URL, URL],
    finalize: URL,
    certificate: URL,
    expires: TIME,
    error: PROBLEM,
  },
);

const authorization = documentCase(
  'authorization',
  parseAuthorization,
  (one) => ({
    ...one,
    challenges: one.challenges.map(({ url, error, ...rest }) => ({
      ...rest,
      url: url.text,
      error: error === null ? null : showProblem(error),
    })),
  }),
  {
    status: 'pending',
    identifier: { type: 'ip', value: '2001:db8::1' },
    challenges: [
      { type: 'http-01', url: URL, status: 'pending', token: 'abc' },
      { type: 'dns-01', url: URL, status: 'invalid', error: PROBLEM },
    ],
  },
);

const renewalInfo = documentCase(
  'renewal info',
  parseRenewalInfo,
  ({ start, end }) => ({ suggestedWindow: { start: timeOf(start), end: timeOf(end) } }),
  { suggestedWindow: { start: TIME, end: '2026-11-27T12:00:00+02:00' } },
);

const account = documentCase('account', parseAccount, (one) => one, {
  status: 'valid',
  contact: ['mailto:cert-admin@example.org', 'mailto:admin@example.org'],
  orders: URL,
  termsOfServiceAgreed: true,
});

const problem = documentCase('problem', parseProblem, showProblem, PROBLEM);

/** Text of any bytes, one char code a byte. */
const latin1 = (b: Uint8Array) => hot.latin1(b, 0, b.length);

const url = wireCase<{ readonly text: string }>({
  name: 'ACME URL',
  parse(b) {
    const parsed = parseUrl(latin1(b));
    return parsed.ok ? parsed : faultOf(b);
  },
  emit: (to, { text }) => write(to, text),
  seeds: () => [URL, 'https://[2001:db8::1]'].map((text) => hot.utf8Encode(text)),
});

const BASE = parseUrl(URL);

const redirect = wireCase<{ readonly text: string }>({
  name: 'ACME redirect',
  parse(b) {
    const to = BASE.ok ? resolveUrl(BASE.value, latin1(b)) : BASE;
    return to.ok ? to : faultOf(b);
  },
  emit: (to, { text }) => write(to, text),
  seeds: () => [URL, '/x?y'].map((text) => hot.utf8Encode(text)),
});

const time = wireCase<WallTime>({
  name: 'RFC 3339 time',
  parse(b) {
    const parsed = parseTime(latin1(b));
    return parsed === null ? faultOf(b) : ok(parsed);
  },
  emit: (to, repr) => write(to, timeOf(repr)),
  seeds: () => [TIME, '2024-02-29t23:59:60-01:30'].map((text) => hot.utf8Encode(text)),
});

const encoded = wireCase<Uint8Array>({
  name: 'ACME base64url',
  parse(b) {
    const bytes = fromBase64url(latin1(b));
    return bytes === null ? faultOf(b) : ok(bytes);
  },
  emit: (to, bytes) => write(to, base64url(bytes)),
  seeds: () => ['', 'Zg', 'Zm8', 'Zm9vYmFy_w'].map((text) => hot.utf8Encode(text)),
});

/** A checksum that mutations can be mended for, in the place of SHA-256. */
const weak = {
  digest: (_hash: string, data: Uint8Array): Uint8Array => {
    const digest = new Uint8Array(32);
    for (const [i, byte] of data.entries()) digest[i % 32] = digest[i % 32]! ^ byte;
    return digest;
  },
};

const slot = wireCase<KeptSlot>({
  name: 'ACME state on a device',
  parse(b) {
    const parsed = parseSlot(b, weak);
    return parsed.ok ? parsed : faultOf(b);
  },
  emit(to, repr) {
    const bytes = emitSlot(repr, weak);
    to.set(bytes);
    return bytes.length;
  },
  repair(b) {
    const length = b.length < 48 ? 0 : b.length - 48;
    if (length === 0) return;
    writeU32be(b, 12, length);
    const all = Uint8Array.from([...b.subarray(0, 16), ...b.subarray(48)]);
    b.set(weak.digest('', all), 16);
  },
  seeds: () => {
    const state = { directory: URL, accountKey: Uint8Array.of(1, 2, 3), certificate: null };
    const certificate = { chain: [Uint8Array.of(4), Uint8Array.of()], key: Uint8Array.of(5) };
    return [
      emitSlot({ generation: 1, state }, weak),
      emitSlot({ generation: 2 ** 32 - 1, state: { ...state, certificate } }, weak),
    ];
  },
});

export const acmeCases: readonly WireCase[] = [
  directory,
  order,
  authorization,
  renewalInfo,
  account,
  problem,
  url,
  redirect,
  time,
  encoded,
  slot,
];
