/** Why something isn't done. Every part of packages/acme fails with one of these. */

import type { Duration } from '#core';
import { type DocumentFault, formatDocumentFault } from './wire/document.ts';
import { formatProblem, type Problem } from './wire/problem.ts';

/** Why a request has no answer. */
export type TransportError =
  | { readonly kind: 'timeout' }
  /** The body is longer than asked for. */
  | { readonly kind: 'too long' }
  /** No connection, or one that broke; `text` says more. */
  | { readonly kind: 'connection'; readonly text: string };

export type AcmeError =
  | { readonly kind: 'transport'; readonly url: string; readonly error: TransportError }
  /** The server refused. */
  | { readonly kind: 'problem'; readonly url: string; readonly problem: Problem }
  /** A status that isn't a success, without a problem document. */
  | { readonly kind: 'status'; readonly url: string; readonly status: number }
  /** What came isn't what was asked for. */
  | { readonly kind: 'malformed'; readonly url: string; readonly fault: AnswerFault }
  /** An authority wants its terms agreed to. */
  | { readonly kind: 'terms'; readonly terms: string }
  /** An authority wants to be told which of its accounts we are. */
  | { readonly kind: 'external account required' }
  /** It doesn't offer this. */
  | { readonly kind: 'not offered'; readonly what: 'revocation' | 'key change' | 'renewal info' }
  | { readonly kind: 'account'; readonly status: 'deactivated' | 'revoked' }
  /** It offers no kind of proof for this name that we can give. */
  | { readonly kind: 'no challenge'; readonly name: string }
  /** It didn't believe that the name is ours. */
  | {
      readonly kind: 'authorization';
      readonly name: string;
      readonly status: string;
      readonly problem: Problem | null;
    }
  | { readonly kind: 'order'; readonly problem: Problem | null }
  | { readonly kind: 'order expired' }
  /** The certificate that came isn't the one that was asked for. */
  | { readonly kind: 'certificate'; readonly fault: CertificateFault }
  /** It takes longer than a procedure may, or more requests. */
  | { readonly kind: 'endless' };

/** What is wrong with an answer. */
export type AnswerFault =
  | DocumentFault
  | { readonly kind: 'content type'; readonly type: string }
  /** A header that must be there isn't, or is no URL. */
  | { readonly kind: 'no location' }
  | { readonly kind: 'no nonce' }
  /** More redirects than are followed, or one that leads nowhere. */
  | { readonly kind: 'redirect' }
  /** An order for other names, or one that went back to an earlier state. */
  | { readonly kind: 'order'; readonly what: 'other names' | 'went back' | 'no certificate' };

/** Why a certificate that came isn't taken. */
export type CertificateFault =
  | 'malformed'
  | 'no certificate'
  | 'too many'
  | 'another key'
  | 'other names'
  | 'not valid now'
  | 'broken chain';

/** An error, and when the server wants us back; null: it didn't say. */
export interface Failure {
  readonly error: AcmeError;
  readonly retryAfter: Duration | null;
}

/** One line, without a dot. */
export function formatAcmeError(error: AcmeError): string {
  switch (error.kind) {
    case 'transport':
      return `${error.url}: ${formatTransport(error.error)}`;
    case 'problem':
      return `${error.url} refused: ${formatProblem(error.problem)}`;
    case 'status':
      return `${error.url} answered with status ${error.status}`;
    case 'malformed':
      return `${error.url} answered with what can't be used: ${formatFault(error.fault)}`;
    case 'terms':
      return `the authority's terms of service are to be agreed to: ${error.terms}`;
    case 'external account required':
      return 'the authority wants an account of its own named (external account binding)';
    case 'not offered':
      return `the authority does not offer ${error.what}`;
    case 'account':
      return `the account is ${error.status}`;
    case 'no challenge':
      return `no way of proof that is offered for ${error.name} can be used`;
    case 'authorization':
      return `${error.name} is not authorized: ${error.status}${why(error.problem)}`;
    case 'order':
      return `the order is invalid${why(error.problem)}`;
    case 'order expired':
      return 'the order expired';
    case 'certificate':
      return `the certificate that came is not the one asked for: ${error.fault}`;
    case 'endless':
      return 'the authority does not come to an end';
  }
}

const why = (problem: Problem | null): string =>
  problem === null ? '' : `: ${formatProblem(problem)}`;

function formatTransport(error: TransportError): string {
  switch (error.kind) {
    case 'timeout':
      return 'no answer in time';
    case 'too long':
      return 'the answer is too long';
    case 'connection':
      return error.text;
  }
}

function formatFault(fault: AnswerFault): string {
  switch (fault.kind) {
    case 'not JSON':
    case 'member':
      return formatDocumentFault(fault);
    case 'content type':
      return `its type is '${fault.type}'`;
    case 'no location':
      return 'it says not where the new resource is';
    case 'no nonce':
      return 'it has no nonce';
    case 'redirect':
      return 'too many redirects, or one that leads nowhere';
    case 'order':
      return `the order: ${fault.what}`;
  }
}
