/**
 * Distinguished names, RFC 5280 §4.1.2.4: kept as their DER, compared as §7.1 says. Not here: the
 * names of hosts (host-match.ts).
 */

import { assert, hot } from '#core';
import { hexOf } from './bytes.ts';
import { type DerReader, DerReader as Reader, tag } from './der.ts';
import { derOid, derSequence, derSet, derText } from './der-writer.ts';
import { NAME_ATTRIBUTES_MAX } from './limits.ts';
import { oid } from './oid.ts';

/** A name's DER: a Name with its header. */
export type NameDer = Uint8Array;

interface Attribute {
  readonly type: string;
  readonly tag: number;
  readonly contents: Uint8Array;
}

/** Attributes of each relative name, in order. Empty names have none. */
type RelativeNames = readonly (readonly Attribute[])[];

/** A name with its header; its attributes are checked for form. */
export function readName(reader: DerReader): NameDer {
  return reader.spanOf(() => {
    const outer = reader.open(tag.sequence);
    for (let count = 0; reader.more; ) {
      const outerSet = reader.open(tag.set);
      do {
        const outerPair = reader.open(tag.sequence);
        reader.skipOid();
        reader.skipElement();
        reader.close(outerPair);
        if (++count > NAME_ATTRIBUTES_MAX) reader.refuse();
      } while (reader.more);
      reader.close(outerSet);
    }
    reader.close(outer);
  });
}

/** What is in a name that `readName` gave. */
function relativeNames(name: NameDer): RelativeNames {
  const reader = new Reader(name);
  const names: Attribute[][] = [];
  reader.open(tag.sequence);
  while (reader.more) {
    const attributes: Attribute[] = [];
    const outerSet = reader.open(tag.set);
    while (reader.more) {
      const outerPair = reader.open(tag.sequence);
      const type = reader.oid();
      const value = reader.element();
      reader.close(outerPair);
      const first = value[0]!;
      attributes.push({ type, tag: first, contents: new Reader(value).contents(first) });
    }
    reader.close(outerSet);
    names.push(attributes);
  }
  assert(reader.finish() === null, 'a name that was not read by readName');
  return names;
}

/** The text of a value in one of the string types (X.520 DirectoryString, IA5String), or null. */
function textOf({ tag: type, contents }: Attribute): string | null {
  switch (type) {
    case tag.utf8String:
      return hot.utf8Decode(contents, 0, contents.length, true);
    case tag.printableString:
    case tag.ia5String:
    case tag.teletexString:
      return hot.latin1(contents, 0, contents.length);
    case tag.bmpString:
      return wideText(contents, 2);
    case tag.universalString:
      return wideText(contents, 4);
    default:
      return null;
  }
}

function wideText(contents: Uint8Array, width: number): string | null {
  if (contents.length % width !== 0) return null;
  let text = '';
  for (let i = 0; i < contents.length; i += width) {
    let point = 0;
    for (let j = 0; j < width; j++) point = point * 256 + contents[i + j]!;
    if (point > 0x10ffff) return null;
    text += String.fromCodePoint(point);
  }
  return text;
}

/** What was read of names that still are: constraints compare each of them a thousand times. */
const keysRead = new WeakMap<NameDer, readonly string[]>();

/**
 * One text for each relative name, in order: equal where RFC 5280 §7.1 calls the names equal.
 * Deviates: no Unicode normalisation but case (RFC 4518 §2.3).
 */
function relativeKeys(name: NameDer): readonly string[] {
  const known = keysRead.get(name);
  if (known !== undefined) return known;
  const keys = relativeNames(name).map((attributes) =>
    attributes.map(attributeKey).sort().join('+'),
  );
  keysRead.set(name, keys);
  return keys;
}

/** The same text for names that RFC 5280 §7.1 calls equal. */
export const nameKey = (name: NameDer): string => relativeKeys(name).join();

function attributeKey(attribute: Attribute): string {
  const text = textOf(attribute);
  const value =
    text === null
      ? `#${attribute.tag} ${hexOf(attribute.contents)}`
      : text.trim().replace(/\s+/g, ' ').toLowerCase();
  return `${attribute.type}=${JSON.stringify(value)}`;
}

/** Whether `name` begins with all of `base`: a directoryName constraint, RFC 5280 §7.1. */
export function nameWithin(name: NameDer, base: NameDer): boolean {
  const keys = relativeKeys(name);
  return relativeKeys(base).every((key, i) => keys[i] === key);
}

export const isEmptyName = (name: NameDer): boolean => name.length === 2;

/** Whether the name has an attribute of this type. */
export const nameHas = (name: NameDer, type: string): boolean =>
  relativeNames(name).some((attributes) => attributes.some((one) => one.type === type));

const SHORT_TYPES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.25': 'DC',
  [oid.emailAddress]: 'emailAddress',
};

/** One line for people: "CN=example, O=Example"; what isn't printable ASCII is escaped. */
export function formatName(name: NameDer): string {
  const line = relativeNames(name).map((attributes) =>
    attributes
      .map((attribute) => {
        const text = textOf(attribute) ?? `#${hexOf(attribute.contents)}`;
        return `${SHORT_TYPES[attribute.type] ?? attribute.type}=${printable(text)}`;
      })
      .join('+'),
  );
  return line.join(', ');
}

/** Ranges that are shown as they are beside ASCII: letters, none of which turns or joins others. */
const SHOWN: readonly (readonly [number, number])[] = [
  [0xc0, 0x2af],
  [0x370, 0x482],
  [0x48a, 0x556],
  [0x3041, 0x3096],
  [0x30a1, 0x30fa],
  [0x4e00, 0x9fff],
  [0xac00, 0xd7a3],
];

function printable(text: string): string {
  let shown = '';
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const isPlain = code >= 0x20 && code < 0x7f && !'\\,+="<>;'.includes(character);
    const isLetter = SHOWN.some(([first, last]) => code >= first && code <= last);
    shown += isPlain || isLetter ? character : `\\${code.toString(16).padStart(2, '0')}`;
  }
  return shown;
}

/** Attributes of a name that we make, in order: dotted type and text. */
export type NameAttributes = readonly (readonly [type: string, text: string])[];

/** A name of one attribute each relative name. */
export const makeName = (attributes: NameAttributes): NameDer =>
  derSequence(
    ...attributes.map(([type, text]) => derSet(derSequence(derOid(type), derText(text)))),
  );

/** A name that is a common name only. */
export const commonName = (text: string): NameDer => makeName([[oid.commonName, text]]);
