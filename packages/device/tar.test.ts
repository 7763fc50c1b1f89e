import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import {
  looksLikeTar,
  parseTar as parse,
  TAR_BLOCK_BYTES,
  TAR_EXTENSION_BYTES_MAX,
} from './tar.ts';
import { emitTar, mendTar, paxRecord } from './test-tar.ts';

const FILES_MAX = 256;
const LONG = 'long-name-'.repeat(12);
const parseTar = (bytes: Uint8Array) => parse(bytes, FILES_MAX);
const home = mkdtempSync(path.join(tmpdir(), 'morgana-tar-'));
after(() => rmSync(home, { recursive: true }));
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const bytesOf = (content: string): Uint8Array => new Uint8Array(Buffer.from(content));

function archive(files: Readonly<Record<string, string>>): Uint8Array {
  const to = new Uint8Array(400_000);
  const list = Object.entries(files).map(([name, content]) => ({
    path: name,
    bytes: bytesOf(content),
  }));
  return to.slice(0, emitTar(to, list));
}

const filesOf = (bytes: Uint8Array): Record<string, string> => {
  const parsed = parseTar(bytes);
  assert.ok(parsed.ok);
  return Object.fromEntries(parsed.value.map((file) => [file.path, textOf(file.bytes)]));
};

for (const format of ['ustar', 'gnu', 'v7', 'pax']) {
  test(`tar --format=${format} › its files, and nothing else`, () => {
    const inner = path.join(home, format);
    const isLong = format === 'gnu' || format === 'pax';
    const below = isLong ? `below/${LONG}` : 'below';
    mkdirSync(path.join(inner, below), { recursive: true });
    writeFileSync(path.join(inner, 'a.pem'), 'one');
    writeFileSync(path.join(inner, 'empty'), '');
    writeFileSync(path.join(inner, 'below/b.key'), 'x'.repeat(1_500));
    const long = isLong ? `${below}/${LONG}.txt` : 'below/ä';
    writeFileSync(path.join(inner, long), 'long');
    utimesSync(path.join(inner, long), 0, 1_234_567_890.5);
    const file = path.join(home, `${format}.tar`);
    execFileSync('tar', [
      '-C',
      inner,
      `--format=${format}`,
      '-cf',
      file,
      'a.pem',
      'empty',
      'below',
    ]);
    const bytes = new Uint8Array(readFileSync(file));
    assert.equal(looksLikeTar(bytes), format !== 'v7');
    const expected = {
      'a.pem': 'one',
      empty: '',
      'below/b.key': 'x'.repeat(1_500),
      [long]: 'long',
    };
    assert.deepEqual(filesOf(bytes), expected);
    const parsed = parseTar(bytes);
    const found = parsed.ok ? parsed.value.find((one) => one.path === long) : null;
    assert.equal(found?.modifiedSeconds, 1_234_567_890);
    // As a block device has it: zeros to the end.
    assert.deepEqual(filesOf(Uint8Array.from([...bytes, ...new Uint8Array(2_048)])), expected);
  });
}

test('cut anywhere › its first files, or a fault', () => {
  const bytes = archive({ a: 'one', b: 'two' });
  for (let count = 0; count < bytes.length; count++) {
    const parsed = parseTar(bytes.subarray(0, count));
    if (!parsed.ok) assert.equal(parsed.error.kind, 'short');
    // What is cut off is padding, or files after those that are whole.
    else
      assert.deepEqual(
        Object.values(filesOf(bytes.subarray(0, count))),
        ['one', 'two'].slice(0, parsed.value.length),
      );
  }
});

test('a wrong checksum, size, or one that leads out › a fault', () => {
  const change = (at: number, to: string, mend: boolean): Uint8Array => {
    const bytes = archive({ a: 'one' });
    bytes.set(bytesOf(to), at);
    if (mend) mendTar(bytes);
    return bytes;
  };
  assert.ok(parseTar(change(1, 'x', true)).ok, 'mended');
  assert.equal(parseTar(change(1, 'x', false)).ok, false);
  for (const size of ['9', '-1', ' ', '77777777777', '\x80']) {
    const bytes = change(124, `${size}\0`.padEnd(12, '\0'), true);
    assert.equal(parseTar(bytes).ok, false, size);
  }
});

test('files › at the bound and one past it', () => {
  const many = (count: number): Uint8Array =>
    archive(Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, ''])));
  assert.equal(Object.keys(filesOf(many(FILES_MAX))).length, FILES_MAX);
  assert.equal(parseTar(many(FILES_MAX + 1)).ok, false);
});

/** An archive whose one file has `records` before it. */
function extended(records: string | Uint8Array, type = 'x'): Uint8Array {
  const content = typeof records === 'string' ? bytesOf(records) : records;
  const bytes = archive({ ext: '' });
  const padded = Math.ceil(content.length / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
  const whole = new Uint8Array(TAR_BLOCK_BYTES + padded + bytes.length);
  whole.set(bytes.subarray(0, TAR_BLOCK_BYTES));
  whole.set(bytesOf(`${content.length.toString(8).padStart(11, '0')}\0`), 124);
  whole.set(bytesOf(type), 156);
  whole.set(content, TAR_BLOCK_BYTES);
  whole.set(bytes, TAR_BLOCK_BYTES + padded);
  mendTar(whole);
  return whole;
}

const records = (...all: readonly (readonly [string, string])[]): Uint8Array =>
  new Uint8Array(Buffer.concat(all.map(([key, value]) => paxRecord(key, value))));

test('pax records › those of the next file only; others are passed over', () => {
  const parsed = parseTar(extended(records(['path', 'é'], ['comment', 'x'], ['mtime', '77.9'])));
  assert.ok(parsed.ok);
  assert.deepEqual(
    parsed.value.map(({ path: name, modifiedSeconds }) => [name, modifiedSeconds]),
    [['é', 77]],
  );
  assert.deepEqual(filesOf(extended(records(['mtime', '-5']))), { ext: '' });
});

for (const text of [
  ...['11 path=a\n', '8 path=a\n', 'x path=a\n', ' path=a\n', '010 path=a\n', '99999999 p=a\n'],
  ...['0 path=a\n', '10 path=a ', '8 =a b\n', '7 pat\n\n', '10 path=a\0\n', '11 size=-1\n'],
  ...['14 mtime=soon\n', '8 size=\n'],
]) {
  test(`pax record ${JSON.stringify(text)} › a fault`, () => {
    assert.equal(parseTar(extended(text)).ok, false);
  });
}

test('a path that is not UTF-8 › a fault; another value that is not › passed over', () => {
  const latin = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));
  assert.equal(parseTar(extended(latin('9 path=\xe9\n'))).ok, false);
  assert.deepEqual(filesOf(extended(latin('13 comment=\xe9\n'))), { ext: '' });
  assert.equal(parseTar(extended(latin('\xe9'), 'L')).ok, false);
});

test('a size in a pax record › is the one that counts, and stays inside', () => {
  assert.deepEqual(filesOf(extended(records(['size', '512']))), { ext: '\0'.repeat(512) });
  assert.equal(parseTar(extended(records(['size', '99999']))).ok, false);
});

test('an extension › at the bound and one past it', () => {
  const name = (bytes: number) => extended(new Uint8Array(bytes).fill(0x61), 'L');
  assert.equal(Object.keys(filesOf(name(TAR_EXTENSION_BYTES_MAX)))[0]?.length, 65_536);
  assert.equal(parseTar(name(TAR_EXTENSION_BYTES_MAX + 1)).ok, false);
});
