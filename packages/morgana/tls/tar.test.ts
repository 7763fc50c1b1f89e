import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { looksLikeTar, parseTar, TAR_FILES_MAX } from './tar.ts';
import { emitTar, mendTar } from './test-tar.ts';

const home = mkdtempSync(path.join(tmpdir(), 'morgana-tar-'));
after(() => rmSync(home, { recursive: true }));
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
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
  return Object.fromEntries(parsed.value.map((file) => [file.path, text(file.bytes)]));
};

for (const format of ['ustar', 'gnu', 'v7', 'pax']) {
  test(`tar --format=${format} › its files, and nothing else`, () => {
    const inner = path.join(home, format);
    mkdirSync(path.join(inner, 'below'), { recursive: true });
    writeFileSync(path.join(inner, 'a.pem'), 'one');
    writeFileSync(path.join(inner, 'empty'), '');
    writeFileSync(path.join(inner, 'below/b.key'), 'x'.repeat(1_500));
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
    const expected = { 'a.pem': 'one', empty: '', 'below/b.key': 'x'.repeat(1_500) };
    assert.deepEqual(filesOf(bytes), expected);
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
  assert.equal(Object.keys(filesOf(many(TAR_FILES_MAX))).length, TAR_FILES_MAX);
  assert.equal(parseTar(many(TAR_FILES_MAX + 1)).ok, false);
});
