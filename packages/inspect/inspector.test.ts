import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionError } from '#core';
import { Inspector, snapshotRequestOf } from './inspector.ts';
import { connectionsListedMax } from './limits.ts';

test('sections › are made at each look, by name', () => {
  const inspector = new Inspector();
  let looks = 0;
  inspector.section('looks', () => ++looks);
  inspector.section('from', ({ connectionsFrom }) => connectionsFrom);
  const request = snapshotRequestOf({ from: 3 });
  assert.deepEqual(inspector.snapshot(request), { looks: 1, from: 3 });
  assert.deepEqual(inspector.snapshot(request), { looks: 2, from: 3 });
  assert.throws(() => inspector.section('looks', () => 0), AssertionError);
});

test('a request › without numbers, with odd ones › is within bounds', () => {
  const all = { connectionsFrom: 0, connectionsMax: connectionsListedMax, heap: false };
  assert.deepEqual(snapshotRequestOf({}), all);
  assert.deepEqual(snapshotRequestOf({ from: -1, connections: 1e9 }), all);
  assert.deepEqual(snapshotRequestOf({ from: '1', connections: 1.5 }), all);
  assert.deepEqual(snapshotRequestOf({ from: 400, connections: 0, heap: true }), {
    connectionsFrom: 400,
    connectionsMax: 0,
    heap: true,
  });
});
