/** What a store reads of others: contents of every form, and proofs. */

import { err, hot, ok, wallTimeOfMillis } from '#core';
import type { ObjectId } from '#git';
import {
  type AnyContentType,
  counter,
  emptyLog,
  form,
  insertAt,
  linkedLog,
  log,
  notedContent,
  orderedList,
  put,
  register,
  stock,
  table,
  taggedMap,
} from '#store';
import { emitProof, formatProof, type Proof, parseProof } from '#store/wire';
import { type WireCase, wireCase } from './wire-case.ts';

const time = wallTimeOfMillis;

/** A content type as a wire format: whatever decodes must decode to itself again. */
function contentCase<T>(type: AnyContentType, values: readonly T[]): WireCase {
  return wireCase<T>({
    name: `contents of type ${type.name}`,
    parse(b) {
      const value = type.decode(b.slice());
      return value.ok ? ok(value.value as T) : err({ kind: 'field', offset: 0, value: b[0] ?? 0 });
    },
    emit(to, value) {
      const bytes = type.encode(value);
      to.set(bytes);
      return bytes.length;
    },
    seeds: () => values.map((value) => type.encode(value)),
  });
}

const contact = form.content(
  'contact',
  form.record({
    name: form.text,
    email: form.optional(form.text),
    visits: counter,
    notes: form.list(form.anything),
    phones: form.map(register(form.text)),
    tags: taggedMap(form.flag),
    rows: table(form.integer),
  }),
);
const lines = log(form.text);
const news = linkedLog(form.text);

const contentCases = [
  contentCase(stock.json, [{ a: [1, null, 'x'], b: { c: -0.5 } }, 7, 'text']),
  contentCase(contact, [
    {
      name: 'Ada',
      visits: 3,
      notes: [null, [1]],
      phones: new Map([['home', { value: '1', time: time(5) }]]),
      tags: put(new Map(), 'x', true, 't1'),
      rows: new Map([['r', 1]]),
    },
  ]),
  contentCase(form.content('log', lines), [lines.append(emptyLog, time(5), 'x')]),
  contentCase(form.content('list', orderedList(form.text)), [insertAt(new Map(), 0, 'a', 't')]),
  contentCase(news.shape.entries['*']['*'], [
    { time: time(1), value: 'x', previous: ['b'.repeat(64) as ObjectId], depth: 2 },
  ]),
  contentCase(notedContent('person', { name: form.text }), [
    { value: { name: 'a' }, notes: [{ field: 'name', other: 'b', why: 'both changed' }] },
  ]),
];

const proofs: WireCase = wireCase<Proof>({
  name: 'proof of a store',
  parse: parseProof,
  emit(to, proof) {
    const bytes = emitProof(proof);
    to.set(bytes);
    return bytes.length;
  },
  format: formatProof,
  seeds: () =>
    (['SHA-1', 'SHA-256'] as const).map((hash) => {
      const id = '5'.repeat(hash === 'SHA-1' ? 40 : 64) as ObjectId;
      const objects = [
        { kind: 'tree', bytes: hot.utf8Encode('100644 a\0xxxxxxxxxxxxxxxxxxxx') },
        { kind: 'blob', bytes: new Uint8Array(0) },
      ] as const;
      return emitProof({ hash, root: id, after: id, objects });
    }),
});

export const contentsCases: readonly WireCase[] = [...contentCases, proofs];
