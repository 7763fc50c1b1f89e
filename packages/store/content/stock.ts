/**
 * Content types without structure, or with any: bytes, text, JSON, integers. Structured ones are
 * composed in data/form.ts.
 */

import { err, hot, ok } from '#core';
import { byChange, option } from './combinators.ts';
import { type ContentType, contentFault } from './content-type.ts';
import { equalBytes } from './equal.ts';
import { emitJson, type Json, jsonMerge, parseJson } from './json.ts';

/** Any bytes, taken whole from the side that changed them. What an untyped path has. */
export const bytes: ContentType<Uint8Array> = {
  name: 'bytes',
  encode: (value) => value,
  decode: (value) => ok(value),
  merge: option(byChange(equalBytes), equalBytes),
};

/** UTF-8 text, taken whole from the side that changed it. By lines: `lines` of data/text.ts. */
export const text: ContentType<string> = {
  name: 'text',
  encode: (value) => hot.utf8Encode(value),
  decode(value) {
    const decoded = hot.utf8Decode(value, 0, value.length, true);
    return decoded === null ? err(contentFault('text', 'not UTF-8')) : ok(decoded);
  },
  merge: option(byChange<string>()),
};

/** Any JSON, merged by names all the way down (json.ts). */
export const json: ContentType<Json> = {
  name: 'json',
  encode: emitJson,
  decode(value) {
    const parsed = parseJson(value);
    return parsed.ok ? parsed : err(contentFault('json', parsed.error));
  },
  merge: option(jsonMerge),
};

const INTEGER = /^(0|-?[1-9][0-9]{0,15})\n$/;

/** A safe integer in decimal digits, taken from the side that changed it; not a counter. */
export const integer: ContentType<number> = {
  name: 'integer',
  encode: (value) => hot.utf8Encode(`${value === 0 ? 0 : value}\n`),
  decode(value) {
    const digits = hot.latin1(value, 0, Math.min(value.length, 32));
    const number = INTEGER.test(digits) ? Number(digits) : Number.NaN;
    if (value.length < 32 && Number.isSafeInteger(number)) return ok(number);
    return err(contentFault('integer', 'not an integer in decimal digits and a newline'));
  },
  merge: option(byChange<number>()),
};
