import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REF_UPDATES_MAX } from './limits.ts';
import { parseObjectId } from './object-id.ts';
import { RefTable } from './ref-table.ts';

const id = parseObjectId('1'.repeat(40))!;

test('updates at the bound › applied; one more › refused, nothing has changed', () => {
  const of = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ name: `refs/heads/b${i}`, from: null, to: id }));
  const table = new RefTable();
  assert.equal(table.apply(of(REF_UPDATES_MAX + 1)).ok, false);
  assert.equal(table.count, 0);
  assert.equal(table.apply(of(REF_UPDATES_MAX)).ok, true);
  assert.equal(table.count, REF_UPDATES_MAX);
});
