import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { test } from 'node:test';
import { err, ok } from '#core';
import type { BlockDevice, HostFiles, KvReadOnly } from '#device';
import { emitTar } from '../../device/test-tar.ts';
import { BLOCK_BYTES_MAX } from './limits.ts';
import {
  argumentAnchors,
  argumentSource,
  blockSource,
  contentSource,
  directorySource,
  type PemSource,
} from './pem-source.ts';
import { base64, makePair } from './test-certificates.ts';

const pair = makePair(['a.example']);
const other = makePair(['b.example']);
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

/** "NAME: LABEL bytes, ..." of each group; or the complaint. */
async function shown(source: PemSource): Promise<string[] | string> {
  const read = await source.read();
  if (!read.ok) return read.error;
  return read.value.map(
    ({ name, blocks }) =>
      `${name}: ${blocks.map(({ label, bytes }) => `${label} ${bytes.length}`).join(', ')}`,
  );
}

const files: HostFiles = {
  contentDirectory: () => null,
  read: (path) => {
    if (path === 'a.pem') return [{ path, bytes: bytesOf(pair.certificate) }];
    if (path === 'dir') {
      return [
        { path: 'dir/a.pem', bytes: bytesOf(pair.certificate) },
        { path: 'dir/README', bytes: bytesOf('nothing') },
        { path: 'dir/a.key', bytes: bytesOf(pair.key) },
      ];
    }
    if (path === 'README') return [{ path, bytes: bytesOf('nothing') }];
    return path === 'bad' ? [{ path, bytes: bytesOf('-----BEGIN X-----\n*') }] : null;
  },
  stamp: (path) => `stamp of ${path}`,
};
const certificate = (text: string, from: HostFiles | null = files): PemSource =>
  argumentSource('tls-certificate', text, 'CERTIFICATE', from);
const length = pair.der.length;

test('an argument › base64 of DER, several as one chain, without files too', async () => {
  const text = `${base64(pair.der)},${base64(other.der)}`;
  const expected = [`--tls-certificate: CERTIFICATE ${length}, CERTIFICATE ${other.der.length}`];
  assert.deepEqual(await shown(certificate(text)), expected);
  const source = certificate(text, null);
  assert.deepEqual(await shown(source), expected);
  assert.equal(source.isFixed, true);
  const key = argumentSource('tls-key', base64(pair.keyDer), 'PRIVATE KEY', null);
  assert.deepEqual(await shown(key), [`--tls-key: PRIVATE KEY ${pair.keyDer.length}`]);
});

test('an argument › a key as openssl writes it', async () => {
  const pem = createPrivateKey(pair.key);
  for (const [type, label] of [
    ['pkcs8', 'PRIVATE KEY'],
    ['sec1', 'EC PRIVATE KEY'],
  ] as const) {
    const der = pem.export({ type, format: 'der' });
    const source = argumentSource('tls-key', base64(der), 'PRIVATE KEY', null);
    assert.deepEqual(await shown(source), [`--tls-key: ${label} ${der.length}`]);
  }
});

test('an argument › PEM itself, paths, both', async () => {
  assert.deepEqual(await shown(certificate(pair.certificate, null)), [
    `--tls-certificate: CERTIFICATE ${length}`,
  ]);
  const source = certificate(`a.pem,${base64(pair.der)}`);
  assert.deepEqual(await shown(source), [
    `--tls-certificate: CERTIFICATE ${length}`,
    `a.pem: CERTIFICATE ${length}`,
  ]);
  assert.equal(source.isFixed, false);
  assert.equal(source.stamp?.(), 'stamp of a.pem');
  assert.deepEqual(await shown(certificate('dir')), [
    `dir/a.pem: CERTIFICATE ${length}`,
    `dir/a.key: PRIVATE KEY ${pair.keyDer.length}`,
  ]);
});

test('an argument that can not be read › says which', async () => {
  assert.match(
    String(await shown(certificate('none'))),
    /^--tls-certificate: there is nothing.*none/,
  );
  assert.match(
    String(await shown(certificate('a.pem', null))),
    /no base64 of DER, and this machine/,
  );
  assert.equal(
    await shown(certificate('a.pem,README')),
    '--tls-certificate: there is no PEM at README',
  );
  assert.match(String(await shown(certificate('bad'))), /^bad has damaged PEM/);
  assert.match(String(await shown(certificate('MIIBxxxxx=x', null))), /no base64/);
  assert.match(String(await shown(certificate('MIIBxxxxx', null))), /a word that is not base64/);
  const long = 'x'.repeat(5_000);
  assert.ok(String(await shown(certificate(long, null))).length < 200, 'not all of it is said');
});

test('content, a directory › each file a group', async () => {
  const entries = new Map([
    ['a.key', pair.key],
    ['a.pem', pair.certificate],
  ]);
  const content: KvReadOnly = {
    paths: () => [...entries.keys()],
    get: (path) => ({
      bytes: bytesOf(entries.get(path)!),
      modifiedSeconds: 0,
      digest: '',
      variants: [],
    }),
  };
  const expected = [
    `tls/a.key: PRIVATE KEY ${pair.keyDer.length}`,
    `tls/a.pem: CERTIFICATE ${length}`,
  ];
  assert.deepEqual(await shown(contentSource('tls', content)), expected);
  assert.equal((await shown(directorySource('dir', files))).length, 2);
  assert.match(String(await shown(directorySource('gone', files))), /nothing to read at gone/);
});

test('whom an argument says to trust › its certificates; none, or a malformed one › says so', async () => {
  const anchors = async (text: string): Promise<number | string> => {
    const found = await argumentAnchors('ca', text, files);
    return found.ok ? found.value.certificates.length : found.error;
  };
  assert.equal(await anchors(`${base64(pair.der)},${base64(other.der)}`), 2);
  assert.equal(await anchors('dir'), 1, 'a key beside it is nobody');
  assert.equal(await anchors(pair.key), '--ca: there is no certificate in it');
  const malformed = '--ca: there is a malformed certificate in it';
  assert.equal(await anchors(base64(pair.der.subarray(0, 90))), malformed);
  assert.equal(await anchors(`a.pem,${base64(pair.der.subarray(0, 90))}`), malformed);
  assert.match(String(await anchors('none')), /there is nothing to read at none/);
});

function disk(bytes: Uint8Array, blockCount: number, fails = false): BlockDevice {
  return {
    name: 'tls',
    blockBytes: 512,
    physicalBlockBytes: 512,
    blockCount,
    isReadOnly: true,
    read: async (first, into) => {
      if (fails) return err({ kind: 'device', code: 5 });
      into.fill(0);
      into.set(bytes.subarray(first * 512, first * 512 + into.length));
      return ok(undefined);
    },
    write: async () => err({ kind: 'read only' }),
    flush: async () => ok(undefined),
  };
}

test('a disk › a tar, or PEM up to the first zero', async () => {
  const tar = new Uint8Array(16_384);
  const bytes = [
    { path: 'a.pem', bytes: bytesOf(pair.certificate) },
    { path: 'a.key', bytes: bytesOf(pair.key) },
  ];
  emitTar(tar, bytes);
  const key = `PRIVATE KEY ${pair.keyDer.length}`;
  assert.deepEqual(await shown(blockSource(disk(tar, 32))), [
    `tls/a.pem: CERTIFICATE ${length}`,
    `tls/a.key: ${key}`,
  ]);
  const text = bytesOf(pair.certificate + pair.key);
  assert.deepEqual(await shown(blockSource(disk(text, 8))), [
    `disk 'tls': CERTIFICATE ${length}, ${key}`,
  ]);
  tar[600] = 0;
  tar[1] = 0x41;
  assert.equal(await shown(blockSource(disk(tar, 32))), "disk 'tls' has a damaged tar");
  assert.match(String(await shown(blockSource(disk(text, 8, true)))), /failed with code 5/);
  assert.deepEqual(await shown(blockSource(disk(new Uint8Array(0), 1))), []);
});

test('a large disk › read up to the bound', async () => {
  const asked: number[] = [];
  const large = { ...disk(new Uint8Array(0), 1e9) };
  large.read = async (_, into) => {
    asked.push(into.length);
    return ok(undefined);
  };
  await shown(blockSource(large));
  assert.deepEqual(asked, [BLOCK_BYTES_MAX]);
});
