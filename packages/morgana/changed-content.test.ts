import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KvEntry, KvReadOnly } from '#device';
import { ChangedContent } from './changed-content.ts';

const entryOf = (text: string): KvEntry => ({
  bytes: new TextEncoder().encode(text),
  modifiedSeconds: 0,
  digest: text.padStart(32, '0'),
  variants: [],
});

function content(files: Readonly<Record<string, string>>): KvReadOnly {
  return {
    get: (path) => (Object.hasOwn(files, path) ? entryOf(files[path]!) : null),
    paths: () => Object.keys(files).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  };
}

const textOf = (kv: KvReadOnly, path: string): string | null => {
  const entry = kv.get(path);
  return entry && Buffer.from(entry.bytes).toString();
};

test('changed, added and removed paths › in one; what was before stays as it was', () => {
  const before = content({ 'a.html': 'a', 'b.html': 'b', 'c/d.html': 'd' });
  const changed = content({ 'b.html': 'B', 'c/e.html': 'e' });
  const now = new ChangedContent(before, { changed, removed: ['a.html'] });
  assert.deepEqual(
    ['a.html', 'b.html', 'c/d.html', 'c/e.html', 'none'].map((path) => textOf(now, path)),
    [null, 'B', 'd', 'e', null],
  );
  assert.deepEqual(now.paths(), ['b.html', 'c/d.html', 'c/e.html']);
  assert.equal(textOf(before, 'a.html'), 'a');
});

test('changes on changes › the latest counts, also of what was gone', () => {
  const none = content({});
  let now: KvReadOnly = content({ x: '0' });
  for (let i = 1; i <= 50; i++) {
    now = new ChangedContent(now, { changed: content({ x: String(i), y: 'y' }), removed: [] });
    now = new ChangedContent(now, { changed: none, removed: ['x'] });
    assert.deepEqual(now.paths(), ['y']);
  }
  now = new ChangedContent(now, { changed: content({ x: 'last' }), removed: ['y', 'never was'] });
  assert.equal(textOf(now, 'x'), 'last');
  assert.equal(now.get('y'), null);
  assert.deepEqual(now.paths(), ['x']);
});

test('paths beyond the basic plane › in the order of bytes', () => {
  const names = ['\uffee', '\u{1f600}', 'z', 'zz', '\ud7ff', '\u{1f600}a', '\ue000'];
  const files = Object.fromEntries(names.map((name) => [name, name]));
  const now = new ChangedContent(content({}), { changed: content(files), removed: [] });
  assert.deepEqual(now.paths(), content(files).paths());
});
