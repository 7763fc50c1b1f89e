import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIELD_NAMES_MAX, FieldNames } from './field-names.ts';

test('field names › kinds › in any case', () => {
  const names = new FieldNames();
  for (let round = 0; round < 2; round++) {
    assert.equal(names.kind('X-Any'), 'plain');
    assert.equal(names.kind('dATE'), 'date');
    assert.equal(names.kind('Content-LENGTH'), 'framing');
    assert.equal(names.kind('a b'), 'bad');
    assert.equal(names.kind(''), 'bad');
    assert.equal(names.kind('naïve'), 'bad');
  }
});

test('field names › more than the bound › forgotten, not grown', () => {
  const names = new FieldNames();
  for (let i = 0; i < FIELD_NAMES_MAX; i++) names.kind(`a${i}`);
  assert.equal(names.size, FIELD_NAMES_MAX);
  assert.equal(names.kind('b'), 'plain');
  assert.equal(names.size, 1);
});
