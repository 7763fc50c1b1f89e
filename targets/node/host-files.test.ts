import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { HOST_FILE_BYTES_MAX, HOST_FILES_MAX, hostFiles as hostFilesOf } from './host-files.ts';

const hostFiles = hostFilesOf({ tls: '/x' });
const home = mkdtempSync(path.join(tmpdir(), 'morgana-files-'));
after(() => rmSync(home, { recursive: true }));
const at = (name: string): string => path.join(home, name);
const names = (where: string): string[] | undefined =>
  hostFiles.read(where)?.map((file) => path.basename(file.path));

test('a file, a directory › read, in order, without what is below', () => {
  mkdirSync(at('certs/below'), { recursive: true });
  writeFileSync(at('certs/b.pem'), 'b');
  writeFileSync(at('certs/a.key'), 'a');
  writeFileSync(at('certs/below/c.pem'), 'c');
  symlinkSync('nowhere', at('certs/z.pem'));
  assert.deepEqual(names(at('certs')), ['a.key', 'b.pem']);
  const [only] = hostFiles.read(at('certs/b.pem'))!;
  assert.equal(Buffer.from(only!.bytes).toString(), 'b');
});

test('nothing there, no file at all › null', () => {
  for (const where of ['none', 'certs/none', 'certs/b.pem/x', '\0']) {
    assert.equal(hostFiles.read(at(where)), null);
    assert.equal(hostFiles.stamp(at(where)), null);
  }
  assert.equal(hostFiles.read('/dev/null'), null);
});

test('a file that changes, is replaced, comes or goes › another stamp; else the same', () => {
  const stamp = (): string | null => hostFiles.stamp(at('certs'));
  const seen = [stamp()];
  assert.equal(stamp(), seen[0]);
  writeFileSync(at('certs/b.pem'), 'longer');
  seen.push(stamp());
  writeFileSync(at('new'), 'longer');
  const time = new Date(1_700_000_000_000);
  for (const file of ['certs/b.pem', 'new']) utimesSync(at(file), time, time);
  seen.push(stamp());
  renameSync(at('new'), at('certs/b.pem'));
  seen.push(stamp());
  rmSync(at('certs/a.key'));
  seen.push(stamp());
  assert.equal(new Set(seen).size, 5);
});

test('long files, many files › at the bound and one past it', () => {
  mkdirSync(at('many'));
  writeFileSync(at('many/0'), new Uint8Array(HOST_FILE_BYTES_MAX + 1));
  writeFileSync(at('many/1'), new Uint8Array(HOST_FILE_BYTES_MAX));
  assert.deepEqual(names(at('many')), ['1']);
  const name = (i: number): string => String(i).padStart(4, '0');
  for (let i = 0; i < HOST_FILES_MAX; i++) writeFileSync(at(`many/n${name(i)}`), '');
  const found = names(at('many'))!;
  assert.equal(found.length, HOST_FILES_MAX - 1);
  assert.equal(found.at(-1), `n${name(HOST_FILES_MAX - 3)}`);
});

test('content › where it is read from', () => {
  assert.equal(hostFiles.contentDirectory('tls'), '/x');
  assert.equal(hostFiles.contentDirectory('toString'), null);
});
