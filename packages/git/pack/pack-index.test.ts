/** Looking up, whatever the ids: guesses must never lose one, nor find one that isn't there. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeCrypto } from '#targets/node/crypto';
import type { ObjectId } from '../object-id.ts';
import { must } from '../test-must.ts';
import { emitPackIndex, PackIndex } from './pack-index.ts';

const idOf = (head: number, tail: number): ObjectId =>
  (head.toString(16).padStart(8, '0') + tail.toString(16).padStart(32, '0')) as ObjectId;

/** Heads of ids, each several times with other tails. */
const SPREADS: Readonly<Record<string, (i: number) => number>> = {
  even: (i) => (i * 2_654_435_761) % 2 ** 32,
  'of one beginning': () => 0x1234_5678,
  'at both ends': (i) => (i % 2 === 0 ? i : 2 ** 32 - i),
  'ever closer': (i) => Math.floor(2 ** (32 - i / 30)) - 1,
};

for (const [name, headOf] of Object.entries(SPREADS)) {
  test(`ids ${name} › looked up › each is found, none beside them`, () => {
    const ids = new Set<ObjectId>();
    for (let i = 0; i < 300; i++) ids.add(idOf(headOf(i), 2 * i + 1));
    const entries = [...ids].map((id, i) => ({ id, offset: 12 + i, crc: 0 }));
    const bytes = emitPackIndex(nodeCrypto, 'SHA-1', entries, new Uint8Array(20));
    const index = must(PackIndex.parse(bytes, 'SHA-1'));
    for (const { id, offset } of entries) assert.equal(index.offsetAt(index.find(id)), offset);
    for (let i = 0; i < 300; i++) {
      assert.equal(index.find(idOf(headOf(i), 2 * i)), -1);
      assert.equal(index.find(idOf(headOf(i), 2 ** 40)), -1);
    }
    assert.equal(index.find('0'.repeat(64) as ObjectId), -1);
  });
}
