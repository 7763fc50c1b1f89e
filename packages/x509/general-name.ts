/** GeneralName, RFC 5280 §4.2.1.6: the names of subjectAltName and of name constraints. */

import { contextHolder, contextTag, type DerReader } from './der.ts';
import { der, derAscii } from './der-writer.ts';
import { EXTENSION_ITEMS_MAX } from './limits.ts';
import { type NameDer, readName } from './name.ts';

export type GeneralName =
  | { readonly kind: 'dns' | 'email' | 'uri'; readonly text: string }
  /** 4 or 16 bytes; in a constraint the address's and as many of a mask. */
  | { readonly kind: 'ip'; readonly bytes: Uint8Array }
  | { readonly kind: 'directory'; readonly name: NameDer }
  /** otherName, x400Address, ediPartyName, registeredID: the whole value. */
  | { readonly kind: 'other'; readonly der: Uint8Array };

const number = { email: 1, dns: 2, directory: 4, uri: 6, ip: 7 } as const;
/** Those that hold other values: otherName, x400Address, ediPartyName. Primitive: registeredID. */
const OTHERS = [contextHolder(0), contextHolder(3), contextHolder(5), contextTag(8)];

/** Reads one name; addresses have one of `addressBytes`. */
export function readGeneralName(
  reader: DerReader,
  addressBytes: readonly [number, number],
): GeneralName {
  for (const kind of ['dns', 'email', 'uri'] as const) {
    if (!reader.isNext(contextTag(number[kind]))) continue;
    return { kind, text: reader.ascii(contextTag(number[kind])) };
  }
  if (reader.isNext(contextTag(number.ip))) {
    const bytes = reader.contents(contextTag(number.ip));
    if (!addressBytes.includes(bytes.length)) reader.refuse();
    return { kind: 'ip', bytes };
  }
  if (reader.isNext(contextHolder(number.directory))) {
    // A CHOICE is tagged from outside (X.680 §31.2.7).
    const outer = reader.open(contextHolder(number.directory));
    const name = readName(reader);
    reader.close(outer);
    return { kind: 'directory', name };
  }
  if (!OTHERS.some((one) => reader.isNext(one))) reader.refuse();
  return { kind: 'other', der: reader.element() };
}

/** GeneralNames in the value that `expected` tags: at least one (SIZE (1..MAX)). */
export function readGeneralNames(reader: DerReader, expected: number): GeneralName[] {
  const names: GeneralName[] = [];
  const outer = reader.open(expected);
  do {
    names.push(readGeneralName(reader, [4, 16]));
    if (names.length > EXTENSION_ITEMS_MAX) reader.refuse();
  } while (reader.more);
  reader.close(outer);
  return names;
}

export function emitGeneralName(name: GeneralName): Uint8Array {
  switch (name.kind) {
    case 'dns':
    case 'email':
    case 'uri':
      return derAscii(contextTag(number[name.kind]), name.text);
    case 'ip':
      return der(contextTag(number.ip), name.bytes);
    case 'directory':
      return der(contextHolder(number.directory), name.name);
    case 'other':
      return name.der;
  }
}
