/**
 * `packed-refs`: many refs in one file, each with what its tag leads to (git-pack-refs(1)). The
 * first line tells what may be relied on: "sorted" by bytes; "fully-peeled": a ref without a line
 * "^id" below it doesn't name a tag.
 */

import { assert, err, hot, ok, type Result, type WireFault } from '#core';
import { ID_BYTES, type ObjectHash, type ObjectId, readIdText } from '../object-id.ts';
import { isRefName } from '../ref-name.ts';
import { compareText, decodeText, encodeText } from '../wire/text.ts';
import { PACKED_REFS_BYTES_MAX } from './limits.ts';

export interface PackedRef {
  readonly name: string;
  readonly id: ObjectId;
  /** What the tag at `id` leads to; null when it is no tag, or that isn't known. */
  readonly peeled: ObjectId | null;
}

export interface PackedRefs {
  /** Whether a null `peeled` says that it is no tag. */
  readonly isPeeled: boolean;
  /** In the order of their bytes, each name once. */
  readonly refs: readonly PackedRef[];
}

const HEADER = '# pack-refs with:';
const NEWLINE = 10;
const SPACE = 32;
const CARET = 94;
const HASH = 35;

/** Names that no ref may have are left out, as Git does. */
export function parsePackedRefs(b: Uint8Array, hash: ObjectHash): Result<PackedRefs, WireFault> {
  if (b.length > PACKED_REFS_BYTES_MAX) return err({ kind: 'field', offset: 0, value: b.length });
  const digits = 2 * ID_BYTES[hash];
  const refs: PackedRef[] = [];
  let isPeeled = false;
  /** Whether the line before named a ref that is kept. */
  let isAtRef = false;
  for (let at = 0; at < b.length; ) {
    const end = hot.indexOf(b, NEWLINE, at, b.length);
    // Git writes the last line's end too: without it the file was cut.
    if (end < 0) return err({ kind: 'short', needBytes: b.length + 1, haveBytes: b.length });
    const first = b[at]!;
    if (first === HASH) {
      if (at === 0) isPeeled = readHeader(decodeText(b, at, end));
    } else if (first === CARET) {
      const peeled = readIdText(b, at + 1, digits);
      if (peeled === null || end !== at + 1 + digits) return field(b, at);
      if (isAtRef) refs[refs.length - 1] = { ...refs[refs.length - 1]!, peeled };
    } else {
      const id = readIdText(b, at, digits);
      if (id === null || b[at + digits] !== SPACE) return field(b, at);
      const name = decodeText(b, at + digits + 1, end);
      isAtRef = isRefName(name);
      if (isAtRef) refs.push({ name, id, peeled: null });
    }
    at = end + 1;
  }
  return ok({ isPeeled, refs: inOrder(refs) });
}

const field = (b: Uint8Array, at: number) =>
  err<WireFault>({ kind: 'field', offset: at, value: b[at]! });

function readHeader(line: string): boolean {
  return line.startsWith(HEADER) && line.slice(HEADER.length).split(' ').includes('fully-peeled');
}

/** Sorts what isn't; of a name that is there twice the last one counts. */
function inOrder(refs: readonly PackedRef[]): readonly PackedRef[] {
  let isSorted = true;
  for (let i = 1; i < refs.length && isSorted; i++) {
    isSorted = compareText(refs[i - 1]!.name, refs[i]!.name) < 0;
  }
  if (isSorted) return refs;
  const byName = new Map(refs.map((ref) => [ref.name, ref]));
  return [...byName.values()].sort((a, b) => compareText(a.name, b.name));
}

/** `refs` are in order. */
export function emitPackedRefs({ isPeeled, refs }: PackedRefs): Uint8Array {
  const parts = [`${HEADER} peeled ${isPeeled ? 'fully-peeled ' : ''}sorted \n`];
  let last = '';
  for (const { name, id, peeled } of refs) {
    assert(last === '' || compareText(last, name) < 0, 'in order');
    last = name;
    parts.push(peeled === null ? `${id} ${name}\n` : `${id} ${name}\n^${peeled}\n`);
  }
  return encodeText(parts.join(''));
}

export const formatPackedRefs = ({ isPeeled, refs }: PackedRefs): string =>
  `${refs.length} packed refs${isPeeled ? ', peeled' : ''}`;
