/**
 * The Accept-Encoding field, RFC 9110 §12.5.3, as far as content is kept in codings: gzip and br.
 */

/** Weights in thousandths, 0..1000; 0: not acceptable. */
export interface CodingWeights {
  readonly br: number;
  readonly gzip: number;
  readonly identity: number;
}

/** Elements looked at; more are ignored. */
export const CODINGS_MAX = 32;
/** An unnamed identity is acceptable, but any named coding is preferred to it. */
const IDENTITY_UNNAMED = 1;

/** Thousandths of a weight "0", "0.5", "1.000" (RFC 9110 §12.4.2), or -1. */
export function parseWeight(text: string): number {
  if (text.length === 0 || text.length > 5) return -1;
  const whole = text.charCodeAt(0) - 48;
  if ((whole !== 0 && whole !== 1) || (text.length > 1 && text[1] !== '.')) return -1;
  let thousandths = whole * 1_000;
  for (let i = 2, unit = 100; i < text.length; i++, unit /= 10) {
    const digit = text.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    thousandths += digit * unit;
  }
  return thousandths <= 1_000 ? thousandths : -1;
}

/**
 * What the field's value says; null (no field) asks for identity only. Malformed elements are
 * ignored.
 */
export function parseAcceptEncoding(text: string | null): CodingWeights {
  if (text === null) return { br: 0, gzip: 0, identity: 1_000 };
  let br = -1;
  let gzip = -1;
  let identity = -1;
  let others = -1;
  let at = 0;
  for (let count = 0; at <= text.length && count < CODINGS_MAX; count++) {
    const comma = text.indexOf(',', at);
    const end = comma < 0 ? text.length : comma;
    const semicolon = text.indexOf(';', at);
    const nameEnd = semicolon < 0 || semicolon > end ? end : semicolon;
    const weight = nameEnd === end ? 1_000 : weightOf(text.slice(nameEnd + 1, end).trim());
    if (weight >= 0) {
      const name = text.slice(at, nameEnd).trim().toLowerCase();
      if (name === 'br') br = weight;
      else if (name === 'gzip' || name === 'x-gzip') gzip = weight;
      else if (name === 'identity') identity = weight;
      else if (name === '*') others = weight;
    }
    at = end + 1;
  }
  return {
    br: br >= 0 ? br : Math.max(others, 0),
    gzip: gzip >= 0 ? gzip : Math.max(others, 0),
    identity: identity >= 0 ? identity : others === 0 ? 0 : IDENTITY_UNNAMED,
  };
}

function weightOf(parameter: string): number {
  const name = parameter.slice(0, 2);
  return name === 'q=' || name === 'Q=' ? parseWeight(parameter.slice(2)) : -1;
}
