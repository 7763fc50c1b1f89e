/** data: URLs, Fetch §6, and their MIME types, MIME Sniffing §4.4 as far as a body's type needs. */

import { atob } from './base64.ts';

const TYPE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+[\t\n\r ]*(?:;|$)/;
const DEFAULT_TYPE = 'text/plain;charset=US-ASCII';

export interface DataUrl {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** The content of `href`, a serialized URL whose scheme is data; null when it is malformed. */
export function parseDataUrl(href: string): DataUrl | null {
  const text = href.slice('data:'.length).replace(/#.*$/s, '');
  const comma = text.indexOf(',');
  if (comma < 0) return null;
  let type = text.slice(0, comma).replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, '');
  let bytes = percentDecoded(text.slice(comma + 1));
  const base64 = /; *base64$/i.exec(type);
  if (base64 !== null) {
    type = type.slice(0, base64.index);
    try {
      bytes = Uint8Array.from(atob(latin1(bytes)), (one) => one.charCodeAt(0));
    } catch {
      return null;
    }
  }
  if (type.startsWith(';')) type = `text/plain${type}`;
  return { type: TYPE.test(type) ? type : DEFAULT_TYPE, bytes };
}

const latin1 = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};

/** URL §1.3 "percent-decode", of text that is ASCII. */
function percentDecoded(text: string): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const hex = text[i] === '%' ? /^[0-9a-f]{2}/i.exec(text.slice(i + 1, i + 3)) : null;
    bytes.push(hex === null ? text.charCodeAt(i) : Number.parseInt(hex[0], 16));
    if (hex !== null) i += 2;
  }
  return Uint8Array.from(bytes);
}
