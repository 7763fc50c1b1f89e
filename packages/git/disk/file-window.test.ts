import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeNewFile } from '#device';
import { SimFileSystem, SimRandom } from '#targets/sim/index';
import { ObjectCache } from '../pack/object-cache.ts';
import { must } from '../test-must.ts';
import { type BlockCache, FileWindow } from './file-window.ts';

test('any part of a file › read through the window › its bytes, fewer at the end', () => {
  const files = new SimFileSystem(new SimRandom(1));
  const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7 + (i >> 8)) % 256);
  must(writeNewFile(files, 'file', bytes));
  // Room for two blocks.
  const cache: BlockCache = new ObjectCache(70_000);
  const window = new FileWindow(must(files.open('file', 'read')), cache, 7);
  for (const at of [0, 1, 32_767, 32_768, 65_000, 199_990, 200_000, 300_000]) {
    for (const count of [0, 1, 20, 4_096, 32_768, 40_000, 150_000]) {
      const read = must(window.read(at, count));
      assert.ok(Buffer.from(read).equals(bytes.subarray(at, at + count)), `${count} at ${at}`);
      const some = must(window.readSome(at, count));
      assert.ok(Buffer.from(some).equals(bytes.subarray(at, at + some.length)), `some at ${at}`);
      assert.ok(some.length >= Math.min(count, 256, Math.max(0, bytes.length - at)));
    }
  }
});
