/**
 * Methods registered with IANA that a general server is asked for (RFC 9110 §9, RFC 5789, RFC 4918,
 * RFC 9110 §16.1).
 */
const KNOWN: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'PROPFIND',
  'PROPPATCH',
  'MKCOL',
  'COPY',
  'MOVE',
  'LOCK',
  'UNLOCK',
  'QUERY',
]);

/** False: a server answers 501 rather than 405 (RFC 9110 §9.1). */
export const isKnownMethod = (method: string): boolean => KNOWN.has(method);
