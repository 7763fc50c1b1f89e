/**
 * Hosts of URLs, URL §3. Deviates: domains are lower-cased, normalised and written in Punycode,
 * without the full mapping and validity tables of UTS #46.
 */

import { hot } from '#core';
import { percentByte, percentDecode } from './url-search-params.ts';

const FORBIDDEN_HOST = /[\0\t\n\r #/:<>?@[\\\]^|]/;
const FORBIDDEN_DOMAIN = /[\0-\x20#%/:<>?@[\\\]^|\x7f]/;
const PLAIN_DOMAIN = /^[a-z0-9\-_]+(?:\.[a-z0-9\-_]+)*$/;
const LABEL_DOTS = /[\u3002\uff0e\uff61]/g;
/**
 * What UTS #46 leaves out: soft hyphen, zero-width space, word joiner, byte order mark, variation
 * selectors.
 */
const IGNORED = /\u00ad|\u200b|\u2060|\ufeff|[\ufe00-\ufe0f]/g;

/**
 * UTF-8 of `text` with every character that `pattern` matches, and all outside ASCII,
 * percent-encoded.
 */
export function percentEncode(text: string, pattern: RegExp): string {
  if (text.search(pattern) < 0) return text;
  const bytes = hot.utf8Encode(text);
  const all = new RegExp(pattern.source, 'g');
  return hot.latin1(bytes, 0, bytes.length).replace(all, (one) => percentByte(one.charCodeAt(0)));
}

/** C0 controls and all above '~', URL §1.3. */
export const C0_SET = /[^\x20-\x7e]/;

/** The host in its serialized form, or null when it isn't one. */
export function parseHost(input: string, special: boolean): string | null {
  if (input.startsWith('[')) {
    const pieces = input.endsWith(']') ? parseIpv6(input.slice(1, -1)) : null;
    return pieces === null ? null : `[${formatIpv6(pieces)}]`;
  }
  if (!special) return FORBIDDEN_HOST.test(input) ? null : percentEncode(input, C0_SET);
  const domain = toAscii(percentDecode(input));
  if (domain === null || domain === '' || FORBIDDEN_DOMAIN.test(domain)) return null;
  return endsInNumber(domain) ? parseIpv4(domain) : domain;
}

function toAscii(domain: string): string | null {
  if (PLAIN_DOMAIN.test(domain) && !domain.includes('xn--')) return domain;
  const plain = domain.replace(IGNORED, '').normalize('NFKC').toLowerCase().normalize('NFC');
  const labels = plain.replace(LABEL_DOTS, '.').split('.');
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (/^[\0-\x7f]*$/.test(label)) {
      // An A-label without anything encoded in it is no A-label.
      if (label.startsWith('xn--') && (label === 'xn--' || label.endsWith('-'))) return null;
      continue;
    }
    const encoded = punycode(label);
    if (encoded === null) return null;
    labels[i] = `xn--${encoded}`;
  }
  return labels.join('.');
}

/** RFC 3492 §6.3; null on overflow. */
function punycode(label: string): string | null {
  const points = Array.from(label, (one) => one.codePointAt(0)!);
  const basic = points.filter((point) => point < 0x80);
  let out = String.fromCharCode(...basic);
  if (basic.length > 0) out += '-';
  let n = 128;
  let delta = 0;
  let bias = 72;
  let handled = basic.length;
  while (handled < points.length) {
    const next = Math.min(...points.filter((point) => point >= n));
    delta += (next - n) * (handled + 1);
    if (delta > 0x7fffffff) return null;
    n = next;
    for (const point of points) {
      if (point < n) delta++;
      if (point !== n) continue;
      out += variableLength(delta, bias);
      bias = adapt(delta, handled + 1, handled === basic.length);
      delta = 0;
      handled++;
    }
    delta++;
    n++;
  }
  return out;
}

function variableLength(delta: number, bias: number): string {
  let out = '';
  let q = delta;
  for (let k = 36; ; k += 36) {
    const t = k <= bias ? 1 : Math.min(26, k - bias);
    if (q < t) return out + q.toString(36).replace(/./, punycodeDigit(q));
    const rest = (q - t) % (36 - t);
    out += punycodeDigit(t + rest);
    q = (q - t - rest) / (36 - t);
  }
}

const punycodeDigit = (value: number): string =>
  String.fromCharCode(value < 26 ? 0x61 + value : 0x30 + value - 26);

function adapt(delta: number, points: number, first: boolean): number {
  let rest = Math.floor(delta / (first ? 700 : 2));
  rest += Math.floor(rest / points);
  let k = 0;
  for (; rest > 455; k += 36) rest = Math.floor(rest / 35);
  return k + Math.floor((36 * rest) / (rest + 38));
}

const NUMBER = /^(?:\d+|0[xX][0-9a-fA-F]*)$/;

/** URL §3.5: such a host must be an IPv4 address. */
function endsInNumber(domain: string): boolean {
  const parts = domain.split('.');
  if (parts.length > 1 && parts[parts.length - 1] === '') parts.pop();
  return NUMBER.test(parts[parts.length - 1]!);
}

function ipv4Number(text: string): number {
  if (/^0[xX][0-9a-fA-F]*$/.test(text)) return text.length === 2 ? 0 : Number.parseInt(text, 16);
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  return /^(?:0|[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN;
}

function parseIpv4(domain: string): string | null {
  const parts = domain.split('.');
  if (parts.length > 1 && parts[parts.length - 1] === '') parts.pop();
  if (parts.length > 4) return null;
  const numbers = parts.map(ipv4Number);
  const last = numbers.pop()!;
  if (!(last < 256 ** (5 - parts.length)) || numbers.some((one) => !(one <= 255))) return null;
  let value = last;
  for (let i = 0; i < numbers.length; i++) value += numbers[i]! * 256 ** (3 - i);
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** Eight pieces of 16 bits, or null. RFC 4291 §2.2; zone identifiers are refused. */
function parseIpv6(text: string): number[] | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = ipv6Pieces(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? ipv6Pieces(halves[1]!, true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** The pieces of one side of '::'; `last`: it may end with an IPv4 address in dots. */
function ipv6Pieces(text: string, last: boolean): number[] | null {
  if (text === '') return [];
  const pieces: number[] = [];
  const parts = text.split(':');
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      pieces.push(Number.parseInt(part, 16));
      continue;
    }
    if (!last || i !== parts.length - 1) return null;
    if (!/^(?:(?:0|[1-9]\d{0,2})(?:\.|$)){4}$/.test(part) || part.endsWith('.')) return null;
    const bytes = part.split('.').map(Number);
    if (bytes.some((byte) => byte > 255)) return null;
    pieces.push(bytes[0]! * 256 + bytes[1]!, bytes[2]! * 256 + bytes[3]!);
  }
  return pieces;
}

/** RFC 5952 §4: the first longest run of two zeros or more becomes '::'. */
function formatIpv6(pieces: readonly number[]): string {
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && pieces[i + run] === 0) run++;
    if (run > length) {
      start = i;
      length = run;
    }
  }
  const hex = pieces.map((piece) => piece.toString(16));
  if (start < 0) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}
