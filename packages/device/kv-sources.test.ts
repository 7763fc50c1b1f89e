/** The suite of read-only key-value devices on those of this package; others run it elsewhere. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type KvFile, kvCases } from '#device/conformance';
import type { KvReadOnly } from './kv.ts';
import { emitKvPack, openKvPack } from './kv-pack.ts';
import { formatKvTarFault, KV_TAR_FILES_MAX, openKvTar } from './kv-tar.ts';
import { emitTar } from './test-tar.ts';

const digestOf = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex').slice(0, 32);

function tarOf(files: readonly KvFile[]): Uint8Array {
  const to = new Uint8Array(files.reduce((sum, { bytes }) => sum + bytes.length + 3_072, 4_096));
  return to.slice(0, emitTar(to, files));
}

function openTar(tar: Uint8Array): KvReadOnly {
  const opened = openKvTar(tar, digestOf);
  assert.ok(opened.ok);
  return opened.value;
}

const SOURCES: Record<string, (files: readonly KvFile[]) => Promise<KvReadOnly>> = {
  'a pack': async (files) => {
    const pack = emitKvPack(
      files.map((file) => ({ ...file, digest: digestOf(file.bytes), variants: [] })),
    );
    const opened = openKvPack(pack);
    assert.ok(opened.ok);
    return opened.value;
  },
  'a tar': async (files) => openTar(tarOf(files)),
};
for (const [source, make] of Object.entries(SOURCES)) {
  for (const { name, run } of kvCases) test(`${source} › ${name}`, () => run(make));
}

const fileOf = (path: string, text = path): KvFile => ({
  path,
  bytes: new Uint8Array(Buffer.from(text)),
  modifiedSeconds: 7,
});

test('a tar › "./" before names, times, names that begin with a dot, one path twice', () => {
  const paths = ['./a', './b/c', '.git/x', 'b/.x', './.well-known/y', 'a'];
  const device = openTar(tarOf(paths.map((path, index) => fileOf(path, String(index)))));
  assert.deepEqual(device.paths(), ['.well-known/y', 'a', 'b/c']);
  assert.equal(device.get('a')?.modifiedSeconds, 7);
  assert.deepEqual(device.get('a')?.bytes, new Uint8Array([0x35]));
});

for (const path of ['../a', 'a/../../b', '/etc/passwd', '.', './', 'a//b', 'a/', '']) {
  test(`a tar with a file '${path}' › refused`, () => {
    const opened = openKvTar(tarOf([fileOf('fine'), fileOf(path, 'x')]), digestOf);
    assert.ok(!opened.ok);
    assert.equal(formatKvTarFault(opened.error), `has a file '${path}', which is outside of it`);
  });
}

test('no tar, a tar cut short › refused, in words', () => {
  const says = (bytes: Uint8Array): string => {
    const opened = openKvTar(bytes, digestOf);
    return opened.ok ? 'fine' : formatKvTarFault(opened.error);
  };
  assert.equal(says(new Uint8Array(512).fill(1)), 'is no tar, or a damaged one');
  assert.match(
    says(tarOf([fileOf('a', 'x'.repeat(200))]).subarray(0, 600)),
    /^is cut short: 600 of \d+ bytes$/,
  );
  assert.equal(says(new Uint8Array(0)), 'fine');
});

test('files of a tar › as many as may be, and one more', () => {
  const many = (count: number): boolean => {
    const one = tarOf([fileOf('a', '')]).subarray(0, 512);
    const tar = new Uint8Array(512 * count);
    for (let i = 0; i < count; i++) tar.set(one, 512 * i);
    return openKvTar(tar, digestOf).ok;
  };
  assert.ok(many(KV_TAR_FILES_MAX));
  assert.ok(!many(KV_TAR_FILES_MAX + 1));
});
