/** Annotated tags: a name for an object, with who gave it and why. Read first: commit.ts. */

import { err, ok, type Result } from '#core';
import { isObjectKind, type ObjectFault, type ObjectKind } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { HeaderLines } from './header-lines.ts';
import { formatSignature, parseSignature, type Signature } from './signature.ts';
import { encodeText } from './text.ts';

export interface TagObject {
  readonly object: ObjectId;
  readonly kind: ObjectKind;
  readonly name: string;
  /** Null in tags that Git wrote before 2005. */
  readonly tagger: Signature | null;
  /** Further lines of the head, as they stand, each with its end. */
  readonly extraHeaders: string;
  readonly message: string;
}

/** `idBytes` is 20 or 32. */
export function parseTag(b: Uint8Array, idBytes: number): Result<TagObject, ObjectFault> {
  const lines = new HeaderLines(b);
  const object = lines.id('object', idBytes);
  const kindAt = lines.at;
  const kind = lines.text('type');
  const name = lines.text('tag');
  const tagger = lines.has('tagger') ? parseSignature(lines.text('tagger')) : null;
  const extraHeaders = lines.rest();
  const message = lines.message();
  if (lines.fault !== null) return err(lines.fault);
  if (!isObjectKind(kind)) return err({ kind: 'field', offset: kindAt, value: b[kindAt]! });
  return ok({ object, kind, name, tagger, extraHeaders, message });
}

export function emitTag(tag: TagObject): Uint8Array {
  const tagger = tag.tagger === null ? '' : `tagger ${formatSignature(tag.tagger)}\n`;
  const head = `object ${tag.object}\ntype ${tag.kind}\ntag ${tag.name}\n${tagger}`;
  return encodeText(`${head}${tag.extraHeaders}\n${tag.message}`);
}

export function formatTag(tag: TagObject): string {
  return `${tag.name}: ${tag.kind} ${tag.object}`;
}
