import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { emitKvPack, formatKvPackFault, type KvPackInput, openKvPack } from './kv-pack.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function file(path: string, text: string, more: Partial<KvPackInput> = {}): KvPackInput {
  const digest = '00112233445566778899aabbccddeeff';
  return {
    path,
    bytes: bytesOf(text),
    modifiedSeconds: 1_700_000_000,
    digest,
    variants: [],
    ...more,
  };
}

function open(pack: Uint8Array) {
  const opened = openKvPack(pack);
  assert.ok(opened.ok);
  return opened.value;
}

function fault(pack: Uint8Array): string {
  const opened = openKvPack(pack);
  assert.ok(!opened.ok);
  assert.ok(formatKvPackFault(opened.error).length > 5);
  return opened.error.kind;
}

const SITE = [
  file('index.html', '<p>hello', { variants: [{ encoding: 'br', bytes: bytesOf('B') }] }),
  file('a/é.txt', '', { modifiedSeconds: 5_000_000_000 }),
  file('a/b.txt', 'b', { variants: [{ encoding: 'gzip', bytes: bytesOf('G') }] }),
];

test('pack › opened › gives the same entries, paths in byte order', () => {
  const kv = open(emitKvPack(SITE));
  assert.deepEqual(kv.paths(), ['a/b.txt', 'a/é.txt', 'index.html']);
  for (const { path, ...entry } of SITE) assert.deepEqual(kv.get(path), entry);
  assert.equal(kv.get('index.html'), kv.get('index.html'));
  assert.equal(kv.get('index'), null);
  assert.equal(kv.get('__proto__'), null);
});

test('pack › entries › are views on the pack, contents aligned to 16 bytes', () => {
  const pack = emitKvPack(SITE);
  const entry = open(pack).get('index.html')!;
  assert.equal(entry.bytes.buffer, pack.buffer);
  assert.equal(entry.bytes.byteOffset % 16, 0);
});

test('pack › same files in another order › same bytes', () => {
  assert.deepEqual(emitKvPack(SITE), emitKvPack(SITE.toReversed()));
});

test('empty pack › opens', () => {
  assert.deepEqual(open(emitKvPack([])).paths(), []);
});

test('any files › read back', () => {
  const path = fc.string({ unit: 'grapheme', minLength: 1 });
  const content = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(path, content), { selector: ([p]) => p }), (files) => {
      const kv = open(emitKvPack(files.map(([p, bytes]) => file(p, '', { bytes }))));
      for (const [p, bytes] of files) assert.deepEqual(kv.get(p)?.bytes, bytes);
      assert.equal(kv.paths().length, files.length);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('every truncation › a fault', () => {
  const pack = emitKvPack(SITE);
  for (let bytes = 0; bytes < pack.length; bytes++) {
    assert.equal(fault(pack.slice(0, bytes)), 'short');
  }
});

test('wrong magic or version › named', () => {
  const pack = emitKvPack(SITE);
  assert.equal(fault(pack.with(0, 0)), 'not a pack');
  assert.equal(fault(pack.with(4, 2)), 'version');
});

test('bad records › each a fault', () => {
  const pack = emitKvPack(SITE);
  const record = 16;
  for (const field of [0, 8, 16, 24]) {
    assert.equal(fault(pack.with(record + field + 3, 0xff)), 'record', `offset at ${field}`);
    assert.equal(fault(pack.with(record + field + 7, 0xff)), 'record', `length at ${field}`);
  }
  assert.equal(fault(pack.with(record + 8, 0)), 'record', 'content within the records');
  assert.equal(fault(pack.with(record + 36, 200)), 'record', 'a year that has five digits');
  const last = emitKvPack([file('a', '', { modifiedSeconds: 253_402_300_799 })]);
  assert.equal(open(last).get('a')?.modifiedSeconds, 253_402_300_799);
  assert.equal(fault(last.with(record + 32, 0x80)), 'record', 'the first second of year 10000');
  assert.equal(fault(pack.with(record + 40, 1)), 'record', 'reserved');
  assert.equal(fault(pack.with(16 + 3 * 64, 0xff)), 'record', 'a path that is not UTF-8');
  assert.equal(fault(pack.with(10, 1)), 'short', 'more records than bytes');
});

test('two records of one path › a fault', () => {
  assert.equal(fault(emitKvPack([file('a', '1'), file('a', '2')])), 'record');
});

test('any one byte changed › a fault or a pack, never a throw', () => {
  const pack = emitKvPack(SITE);
  for (let i = 0; i < pack.length; i++) {
    for (const value of [0, 1, 0x7f, 0xff]) {
      const opened = openKvPack(pack.with(i, value));
      if (opened.ok) for (const path of opened.value.paths()) opened.value.get(path);
    }
  }
});
