/**
 * Answers the question of an http-01 proof (RFC 8555 §8.3) on port 80, beside whatever else is
 * served there.
 */

import { hot } from '#core';
import type { Exchange } from '#http';
import type { Proofs } from './challenge.ts';

const PREFIX = '/.well-known/acme-challenge/';
/** RFC 8555 §8.3 asks for it. */
const FIELDS = [['Content-Type', 'application/octet-stream']] as const;

/** True when the request was one for a proof that is to be given now: it is answered then. */
export function answerHttp01(proofs: Proofs, exchange: Exchange): boolean {
  const { method, path } = exchange.head;
  if (proofs.size === 0 || !path.startsWith(PREFIX)) return false;
  if (method !== 'GET' && method !== 'HEAD') return false;
  const token = path.slice(PREFIX.length);
  const proof = proofs.find('http-01', (one) => one.token === token);
  if (proof === null) return false;
  exchange.respond(200, FIELDS, hot.utf8Encode(proof.keyAuthorization));
  return true;
}
