/** Contents of several kinds, for tests. */

import { ok } from '#core';
import { MemoryBackend } from '#git';
import { counter } from './content/combinators.ts';
import type { ContentType } from './content/content-type.ts';
import { integer, json, text } from './content/stock.ts';
import { defineSchema } from './schema.ts';
import { testRepository } from './test-world.ts';

/** Integers whose concurrent changes add up. */
const total: ContentType<number> = {
  ...integer,
  name: 'total',
  addsUp: true,
  merge: (base, ours, theirs) =>
    counter(
      () => {
        const b = base();
        return b.ok ? ok(b.value ?? 0) : b;
      },
      ours ?? 0,
      theirs ?? 0,
    ),
};

export const schema = defineSchema({
  visits: total,
  contacts: { '*': { name: text, age: integer } },
  pages: { '**': text },
  settings: json,
});
export const open = (backend = new MemoryBackend()) => testRepository(backend).with(schema);
export const fresh = () => open().branch('main');
