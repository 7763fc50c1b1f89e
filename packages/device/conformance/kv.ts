/**
 * What every KvReadOnly must do, as cases for any source: a pack in an image, a directory, a tar, a
 * commit of a store. Required reading: kv.ts.
 */

import { assert, hot } from '#core';
import type { KvReadOnly } from '#device';

export interface KvFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Not every source keeps it. */
  readonly modifiedSeconds: number;
}

export interface KvCase {
  readonly name: string;
  /** `make` gives a device that has these files and no others; asked once at most. */
  run(make: (files: readonly KvFile[]) => Promise<KvReadOnly>): Promise<void>;
}

const file = (path: string, content: string | Uint8Array = path): KvFile => ({
  path,
  bytes: typeof content === 'string' ? hot.utf8Encode(content) : content,
  modifiedSeconds: 1_700_000_000,
});

function expect(device: KvReadOnly, { path, bytes }: KvFile): void {
  const entry = device.get(path);
  assert(entry !== null, `${path}: is there`);
  assert(entry.bytes.length === bytes.length, `${path}: its length`);
  assert(hot.equal(entry.bytes, 0, bytes, 0, bytes.length), `${path}: its content`);
  assert(/^[0-9a-f]{32,40}$/.test(entry.digest), `${path}: a digest`);
  assert(Number.isSafeInteger(entry.modifiedSeconds) && entry.modifiedSeconds >= 0, 'a time');
  for (const { bytes: coded } of entry.variants) {
    assert(coded.length < bytes.length, `${path}: a coded form is shorter`);
  }
}

const every = new Uint8Array(256).map((_, byte) => byte);

const contents: KvCase = {
  name: 'files › are there, with their content',
  async run(make) {
    const files = [
      file('index.html', '<p>hello</p>'),
      file('empty', ''),
      file('a/b/c.bin', every),
      file('a/b.txt', 'x'.repeat(5_000)),
      file('.well-known/a', 'w'),
    ];
    const device = await make(files);
    for (const one of files) expect(device, one);
    assert(device.paths().length === files.length, 'and no others');
  },
};

const none: KvCase = {
  name: 'no files › nothing is there',
  async run(make) {
    const device = await make([]);
    assert(device.paths().length === 0 && device.get('a') === null, 'nothing');
  },
};

const others: KvCase = {
  name: 'paths of no file › null',
  async run(make) {
    const device = await make([file('a/b.txt'), file('c')]);
    for (const path of [
      ...['', '/', 'a', 'a/', 'b.txt', '/a/b.txt', 'a//b.txt', './a/b.txt', 'a/./b.txt'],
      ...['a/../a/b.txt', 'a/b.txt/', 'A/B.TXT', 'c\0', 'c ', '..', '.'],
      ...['__proto__', 'constructor', 'toString', 'a/__proto__', '\ud800'],
    ]) {
      assert(device.get(path) === null, `'${path}' is no file`);
    }
  },
};

const names: KvCase = {
  name: 'names of any kind › are kept as they are',
  async run(make) {
    const files = [
      ...['__proto__', 'constructor', 'a b', 'ä/ö.txt', '日本.html', 'a+%20?#&', '\'"\\'],
      ...[`${'d'.repeat(60)}/${'e'.repeat(60)}/${'f'.repeat(120)}`, '\u{1f600}'],
    ].map((path) => file(path));
    const device = await make(files);
    for (const one of files) expect(device, one);
  },
};

const order: KvCase = {
  name: 'paths › in byte order, whatever order they came in',
  async run(make) {
    // UTF-16 would have the last two the other way round.
    const sorted = ['A', 'a-', 'a.b', 'a/b', 'a0', 'b', 'é', '\uff5e', '\u{10000}'];
    const device = await make([...sorted].reverse().map((path) => file(path)));
    assert(device.paths().join('|') === sorted.join('|'), 'in order');
  },
};

const digests: KvCase = {
  name: 'digests › equal where contents are, and only there',
  async run(make) {
    const device = await make([
      file('a', 'one'),
      file('b', 'one'),
      file('c', 'two'),
      file('d', ''),
    ]);
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((path) => device.get(path)?.digest);
    assert(a === b && new Set([a, c, d]).size === 3, 'as their contents');
    const [once, again] = [device.get('a'), device.get('a')];
    assert(once === again, 'one entry for all readers');
  },
};

export const kvCases: readonly KvCase[] = [contents, none, others, names, order, digests];
