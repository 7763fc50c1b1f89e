/**
 * Who made a commit or a tag, and when: "Name <email> seconds +hhmm". Git has written, and reads,
 * lines that aren't quite that; they are read as Git reads them, and kept as they were.
 */

import { assert, type WallTime, wallTimeOfMillis } from '#core';

export interface Signature {
  readonly name: string;
  readonly email: string;
  /** Since 1970. */
  readonly seconds: number;
  /** East of Greenwich. -0 is Git's "-0000": the zone isn't known. */
  readonly zoneMinutes: number;
  /** The line, where it isn't in the form above. */
  readonly raw?: string;
}

const FORM = /^(.*) <([^<>]*)> (\d{1,15}) ([+-])(\d\d)([0-5]\d)$/s;
const PARTS = /^(.*?) ?<([^>]*)>/s;

/** For any text without line ends. */
export function parseSignature(text: string): Signature {
  const found = FORM.exec(text);
  if (found !== null) {
    const [, name = '', email = '', seconds, sign, hours, minutes] = found;
    const zone = Number(hours) * 60 + Number(minutes);
    const signature = {
      name,
      email,
      seconds: Number(seconds),
      zoneMinutes: sign === '-' ? -zone : zone,
    };
    if (formatSignature(signature) === text) return signature;
  }
  const [, name = text, email = ''] = PARTS.exec(text) ?? [];
  return { name, email, seconds: 0, zoneMinutes: 0, raw: text };
}

/** The line, without its end. No part may have what no line can: NUL, line ends, "<", ">". */
export function formatSignature(signature: Signature): string {
  if (signature.raw !== undefined) return signature.raw;
  const { name, email, seconds, zoneMinutes } = signature;
  assert(Number.isSafeInteger(seconds) && seconds >= 0, 'a time since 1970');
  const isWest = zoneMinutes < 0 || Object.is(zoneMinutes, -0);
  const minutes = Math.abs(zoneMinutes);
  const zone = String(Math.floor(minutes / 60) * 100 + (minutes % 60)).padStart(4, '0');
  return `${name} <${email}> ${seconds} ${isWest ? '-' : '+'}${zone}`;
}

/** Of a person and a time of a clock. What no line can have is left out, as Git does. */
export function signatureOf(
  person: { readonly name: string; readonly email: string },
  time: WallTime,
  zoneMinutes = 0,
): Signature {
  return {
    name: cleanPart(person.name),
    email: cleanPart(person.email),
    seconds: Math.max(0, Math.floor(time / 1_000)),
    zoneMinutes,
  };
}

export const timeOfSignature = (signature: Signature): WallTime =>
  wallTimeOfMillis(signature.seconds * 1_000);

/** As Git's strbuf_addstr_without_crud, without the care for punctuation at the ends. */
function cleanPart(text: string): string {
  let clean = '';
  for (const character of text) {
    const isCrud = character === '<' || character === '>' || character < ' ';
    if (!isCrud) clean += character;
  }
  return clean.trim();
}
