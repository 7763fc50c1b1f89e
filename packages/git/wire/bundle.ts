/**
 * The head of a bundle (gitformat-bundle(5)): a file with a pack, what its refs are, and which
 * commits whoever takes it must have. Version 2 for SHA-1, 3 with "@object-format" for SHA-256.
 * Not here: the pack behind it.
 */

import { assert, err, hot, ok, type Result } from '#core';
import { BUNDLE_HEAD_BYTES_MAX, BUNDLE_LINES_MAX } from '../limits.ts';
import type { ObjectFault } from '../object.ts';
import { ID_BYTES, type ObjectHash, type ObjectId, readIdText } from '../object-id.ts';
import { decodeText, encodeText } from './text.ts';

export interface BundlePrerequisite {
  readonly id: ObjectId;
  /** Of people, for people: the first line of its message. */
  readonly comment: string;
}

export interface BundleHead {
  readonly hash: ObjectHash;
  readonly prerequisites: readonly BundlePrerequisite[];
  readonly refs: readonly { readonly name: string; readonly id: ObjectId }[];
}

export interface ParsedBundleHead extends BundleHead {
  /** Where the pack begins. */
  readonly packAt: number;
}

const LF = 0x0a;
const SPACE = 0x20;
const MINUS = 0x2d;
const AT = 0x40;
// Maps: an object has a "constructor" too.
const SIGNATURES: ReadonlyMap<string, 2 | 3> = new Map([
  ['# v2 git bundle', 2],
  ['# v3 git bundle', 3],
]);
const FORMATS: ReadonlyMap<string, ObjectHash> = new Map([
  ['object-format=sha1', 'SHA-1'],
  ['object-format=sha256', 'SHA-256'],
]);

/** `b` is the beginning of a bundle: what is missing of the head is 'short'. */
export function parseBundleHead(b: Uint8Array): Result<ParsedBundleHead, ObjectFault> {
  return new BundleReader(b).read();
}

class BundleReader {
  readonly #b: Uint8Array;
  #at = 0;
  #lines = 0;

  constructor(b: Uint8Array) {
    this.#b = b;
  }

  read(): Result<ParsedBundleHead, ObjectFault> {
    const first = this.#line();
    if (!first.ok) return first;
    const version = SIGNATURES.get(first.value);
    if (version === undefined) return this.#wrong(0);
    const hash = version === 3 ? this.#capabilities() : ok<ObjectHash>('SHA-1');
    if (!hash.ok) return hash;
    return this.#refs(hash.value);
  }

  /** Of version 3: one that isn't known is one that we can't do without. */
  #capabilities(): Result<ObjectHash, ObjectFault> {
    let hash: ObjectHash = 'SHA-1';
    while (this.#b[this.#at] === AT) {
      const start = this.#at;
      const line = this.#line();
      if (!line.ok) return line;
      const named = FORMATS.get(line.value.slice(1));
      if (named === undefined) return this.#wrong(start);
      hash = named;
    }
    return ok(hash);
  }

  #refs(hash: ObjectHash): Result<ParsedBundleHead, ObjectFault> {
    const digits = 2 * ID_BYTES[hash];
    const prerequisites: BundlePrerequisite[] = [];
    const refs: { name: string; id: ObjectId }[] = [];
    for (;;) {
      const start = this.#at;
      const line = this.#line();
      if (!line.ok) return line;
      if (line.value === '') return ok({ hash, prerequisites, refs, packAt: this.#at });
      const isPrerequisite = this.#b[start] === MINUS;
      const idAt = isPrerequisite ? start + 1 : start;
      const id = readIdText(this.#b, idAt, digits);
      const textAt = idAt + digits;
      const hasText = this.#b[textAt] === SPACE;
      if (id === null || (!hasText && this.#b[textAt] !== LF)) return this.#wrong(idAt);
      const text = hasText ? decodeText(this.#b, textAt + 1, this.#at - 1) : '';
      if (isPrerequisite && refs.length === 0) prerequisites.push({ id, comment: text });
      else if (!isPrerequisite && text !== '') refs.push({ name: text, id });
      else return this.#wrong(start);
    }
  }

  #line(): Result<string, ObjectFault> {
    const b = this.#b;
    const end = Math.min(b.length, BUNDLE_HEAD_BYTES_MAX);
    const lf = hot.indexOf(b, LF, this.#at, end);
    if (lf < 0 && b.length < BUNDLE_HEAD_BYTES_MAX) {
      return err({ kind: 'short', needBytes: b.length + 1, haveBytes: b.length });
    }
    if (lf < 0 || this.#lines === BUNDLE_LINES_MAX) return this.#wrong(this.#at);
    const text = decodeText(b, this.#at, lf);
    this.#at = lf + 1;
    this.#lines++;
    return ok(text);
  }

  #wrong(offset: number): Result<never, ObjectFault> {
    return err({ kind: 'field', offset, value: this.#b[offset] ?? 0 });
  }
}

/** Names and comments have no line ends. */
export function emitBundleHead({ hash, prerequisites, refs }: BundleHead): Uint8Array {
  let text = hash === 'SHA-1' ? '# v2 git bundle\n' : '# v3 git bundle\n@object-format=sha256\n';
  for (const { id, comment } of prerequisites) {
    assert(!comment.includes('\n'), 'a comment of one line');
    text += comment === '' ? `-${id}\n` : `-${id} ${comment}\n`;
  }
  for (const { name, id } of refs) text += `${id} ${name}\n`;
  return encodeText(`${text}\n`);
}

export const formatBundleHead = ({ prerequisites, refs }: BundleHead): string =>
  `${refs.map(({ name }) => name).join(' ')} upon ${prerequisites.length} commits`;
