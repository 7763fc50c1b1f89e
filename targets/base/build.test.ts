import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { SourceMap, type SourceMapping } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runInThisContext } from 'node:vm';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { openKvPack } from '#device';
import { formatBuildFault, linkImage, readContent } from './build.ts';
import { bundle, formatBundleFault, partOf } from './build-bundle.ts';
import { appendPayload } from './build-elf.ts';

/** Written so that the tidy script doesn't take the sources below for imports of this file. */
const words = 'import export from'.split(' ') as [string, string, string];
const [IMPORT, EXPORT, FROM] = words;

const folder = mkdtempSync(join(tmpdir(), 'morgana-build-'));
after(() => rmSync(folder, { recursive: true }));

/** Writes files below a fresh folder and returns it. */
function project(name: string, files: Readonly<Record<string, string>>): string {
  const root = join(folder, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const bundleOf = (file: string) => bundle({ entry: { file }, define: {}, inject: [], alias: {} });

/** An ELF header, a PT_LOAD of 0x3000 bytes at 0x100000 and a PT_NULL. */
function fakeBase(): Uint8Array {
  const elf = new DataView(new ArrayBuffer(5000));
  elf.setUint32(0, 0x464c457f, true);
  elf.setUint16(4, 0x0102, true);
  elf.setBigUint64(32, 64n, true);
  elf.setUint16(54, 56, true);
  elf.setUint16(56, 2, true);
  elf.setUint32(64, 1, true);
  elf.setBigUint64(64 + 16, 0x100000n, true);
  elf.setBigUint64(64 + 40, 0x2fffn, true);
  return new Uint8Array(elf.buffer);
}

test('bundle › of a node: module › the chain of imports that pulled it in', async () => {
  const root = project('chain', {
    'main.ts': `${IMPORT} './lib/a.ts'; console.log(1);`,
    'lib/a.ts': `${IMPORT} { b } ${FROM} './b.ts'; b();`,
    'lib/b.ts': `${IMPORT} { readFileSync } ${FROM} 'fs'; export const b = () => readFileSync('x');`,
  });
  const result = await bundleOf(join(root, 'main.ts'));
  assert.ok(!result.ok);
  assert.deepEqual(result.error, {
    kind: 'no such module',
    specifier: 'fs',
    node: true,
    chain: ['main.ts', 'lib/a.ts', 'lib/b.ts'],
  });
  assert.match(formatBundleFault(result.error), /"fs" is Node's.*\n {2}main.ts\n {2}-> lib\/a.ts/);
});

test('bundle › of a module that is nowhere, prefixed or dynamic › the same', async () => {
  for (const [i, [code, specifier]] of [
    [`${IMPORT} 'node:net'`, 'node:net'],
    [`${IMPORT} 'no-such-package'`, 'no-such-package'],
    [`${IMPORT} './gone.ts'`, './gone.ts'],
    [`${IMPORT}('node:tls')`, 'node:tls'],
    [`const a = ${'require'}('crypto'); console.log(a)`, 'crypto'],
    [`${EXPORT} * ${FROM} 'fs/promises'`, 'fs/promises'],
  ].entries()) {
    const root = project(`missing${i}`, { 'main.ts': code! });
    const result = await bundleOf(join(root, 'main.ts'));
    assert.ok(!result.ok && result.error.kind === 'no such module', code);
    assert.equal(result.error.specifier, specifier);
    assert.equal(result.error.node, !['no-such-package', './gone.ts'].includes(specifier!));
    assert.deepEqual(result.error.chain, ['main.ts']);
  }
});

test('bundle › npm package that has a Node module’s name › is taken', async () => {
  const root = project('events', {
    'main.ts': `${IMPORT} { answer } ${FROM} 'events'; console.log(answer);`,
    'node_modules/events/package.json': '{"name":"events","main":"index.js"}',
    'node_modules/events/index.js': 'exports.answer = 42;',
  });
  const result = await bundleOf(join(root, 'main.ts'));
  assert.ok(result.ok);
  assert.ok(result.value.modules.some(({ part }) => part === 'npm:events'));
});

test('bundle › syntax error › place and message', async () => {
  const root = project('syntax', { 'main.ts': 'const a = ;' });
  const result = await bundleOf(join(root, 'main.ts'));
  assert.ok(!result.ok);
  assert.match(formatBundleFault(result.error), /^main.ts:1:10: Unexpected ";"$/);
});

test('bundle › core’s hot bytes › are the base’s; text entries work; names stay', async () => {
  const entry = {
    text: `${IMPORT} { hot } ${FROM} '#core'; function wellNamed() { hot.fill(new Uint8Array(1), 0, 1, 2); } wellNamed(); wellNamed();`,
    resolveDir: import.meta.dirname,
    name: 'entry.ts',
  };
  const result = await bundle({ entry, define: {}, inject: [], alias: {} });
  assert.ok(result.ok);
  assert.match(result.value.text, /__base\.hot/);
  assert.match(result.value.text, /wellNamed/);
  assert.ok(!result.value.text.includes('range '), 'the portable loops are not in it');
});

test('bundle › as a script › a function that asks for our modules and holds all others', async () => {
  const root = project('script', {
    'main.ts': `${IMPORT} { own } ${FROM} './own.ts';
${IMPORT} { serveHttp, StaticSite } ${FROM} 'morgana/http';
${IMPORT} type { Start } ${FROM} 'morgana';
${EXPORT} const app = [own, serveHttp];
`,
    'own.ts': `${EXPORT} const own = () => { throw new Error('here'); };`,
  });
  const http = join(import.meta.dirname, '../../packages/morgana/http.ts');
  const entry = { file: join(root, 'main.ts') };
  const alias = { 'morgana/http': http };
  const result = await bundle({ entry, define: {}, inject: [], alias, asScript: true });
  assert.ok(result.ok);
  const { text, asks, sourceMap } = result.value;
  assert.deepEqual(asks, ['packages/morgana/http.ts']);
  const define = runInThisContext(text);
  const module = { exports: { app: [] as (() => void)[] } };
  const system = { serveHttp: () => {} };
  define((path: string) => (path === asks[0] ? system : null), module, module.exports);
  assert.equal(module.exports.app[1], system.serveHttp);
  const [line, column] = placeOf(text, 'throw new Error');
  const { originalSource, originalLine } = new SourceMap(JSON.parse(sourceMap!)).findEntry(
    line,
    column,
  ) as SourceMapping;
  assert.deepEqual([originalSource, originalLine], ['own.ts', 0]);
});

/** Line and column, both from 0, where `words` stand. */
function placeOf(text: string, words: string): [number, number] {
  const before = text.slice(0, text.indexOf(words)).split('\n');
  return [before.length - 1, before.at(-1)!.length];
}

test('bundle › as a script › a module that is nowhere, syntax › the same faults', async () => {
  for (const [i, code] of [`${IMPORT} 'node:net'`, 'const a = ;', 'await 1;'].entries()) {
    const root = project(`script${i}`, { 'main.ts': code });
    const entry = { file: join(root, 'main.ts') };
    const result = await bundle({ entry, define: {}, inject: [], alias: {}, asScript: true });
    assert.equal(result.ok ? '' : result.error.kind, i === 0 ? 'no such module' : 'syntax');
  }
});

test('bundle › define › replaces constants', async () => {
  const root = project('define', {
    'main.ts': 'if (FLAG) console.log("on"); else console.log("off");',
  });
  const entry = { file: join(root, 'main.ts') };
  const result = await bundle({
    entry,
    define: { FLAG: 'true' },
    inject: [],
    alias: {},
  });
  assert.ok(result.ok);
  assert.ok(!result.value.text.includes('off'));
});

test('partOf › packages, targets, npm, scopes and applications', () => {
  const root = join(import.meta.dirname, '../..');
  assert.equal(partOf(join(root, 'packages/net/a.ts')), 'net');
  assert.equal(partOf(join(root, 'targets/base/loop.ts')), 'target base');
  assert.equal(partOf(join(root, 'node_modules/hono/dist/a.js')), 'npm:hono');
  assert.equal(partOf('/x/node_modules/@a/b/c.js'), 'npm:@a/b');
  assert.equal(partOf('/x/main.ts'), 'app');
  assert.equal(partOf(join(root, 'examples/hono/main.ts')), 'app');
});

test('content › directory › digests, times, and variants only where they help', () => {
  const root = project('site', {
    'index.html': '<p>hello</p>'.repeat(100),
    'small.css': 'a{}',
    'img/photo.png': 'x'.repeat(5000),
    '.secret': 'no',
    '.well-known/security.txt': 'yes',
  });
  writeFileSync(
    join(root, 'noise.txt'),
    Buffer.from(Array.from({ length: 999 }, (_, i) => (i * i * 7919) >> 3)),
  );
  utimesSync(join(root, 'index.html'), 1_600_000_000, 1_600_000_000);
  const files = readContent(root);
  const byPath = new Map(files.map((file) => [file.path, file]));
  assert.deepEqual([...byPath.keys()].sort(), [
    '.well-known/security.txt',
    'img/photo.png',
    'index.html',
    'noise.txt',
    'small.css',
  ]);
  const page = byPath.get('index.html')!;
  assert.equal(page.modifiedSeconds, 1_600_000_000);
  assert.match(page.digest, /^[0-9a-f]{32}$/);
  assert.deepEqual(
    page.variants.map(({ encoding }) => encoding),
    ['gzip', 'br'],
  );
  assert.deepEqual(gunzipSync(page.variants[0]!.bytes), page.bytes);
  assert.deepEqual(brotliDecompressSync(page.variants[1]!.bytes), page.bytes);
  for (const path of ['small.css', 'img/photo.png'])
    assert.equal(byPath.get(path)!.variants.length, 0);
  const plain = readContent(root, { compress: false });
  assert.ok(plain.every(({ variants }) => variants.length === 0));
});

test('payload › appended › program header, names and bytes where the format says', () => {
  const sections = [
    { kind: 'source' as const, name: 'main', bytes: new TextEncoder().encode('1+1') },
    { kind: 'content' as const, name: 'site', bytes: new Uint8Array(20).fill(9) },
  ];
  const image = appendPayload(fakeBase(), sections);
  assert.ok(image.ok);
  const view = new DataView(image.value.buffer);
  const header = 64 + 56;
  assert.equal(view.getUint32(header, true), 1);
  assert.equal(view.getUint32(header + 4, true), 4);
  assert.equal(Number(view.getBigUint64(header + 8, true)), 8192);
  assert.equal(Number(view.getBigUint64(header + 16, true)), 0x103000);
  const payload = image.value.subarray(8192);
  assert.equal(new TextDecoder().decode(payload.subarray(0, 8)), 'MORGANA1');
  assert.equal(Number(view.getBigUint64(8192 + 16, true)), payload.length);
  for (const [i, { name, bytes }] of sections.entries()) {
    const record = 8192 + 32 + 32 * i;
    const nameAt = Number(view.getBigUint64(record + 8, true));
    const bytesAt = Number(view.getBigUint64(record + 16, true));
    assert.equal(bytesAt % 16, 0);
    assert.equal(new TextDecoder().decode(payload.subarray(nameAt, nameAt + name.length)), name);
    assert.deepEqual(payload.slice(bytesAt, bytesAt + bytes.length), bytes);
    assert.equal(payload[bytesAt + bytes.length], 0);
  }
});

test('payload › bases that are none › why', () => {
  const spoiled = (at: number, value: number): Uint8Array => fakeBase().with(at, value);
  for (const [base, why] of [
    [new Uint8Array(10), /shorter/],
    [spoiled(0, 0), /not a 64-bit/],
    [spoiled(4, 1), /not a 64-bit/],
    [spoiled(54, 32), /outside/],
    [spoiled(57, 200), /outside/],
    [spoiled(64 + 56, 1), /no free program header/],
  ] as const) {
    const image = appendPayload(base, []);
    assert.ok(!image.ok);
    assert.match(image.error, why);
  }
  assert.throws(() =>
    appendPayload(fakeBase(), [
      { kind: 'content', name: 'x'.repeat(256), bytes: new Uint8Array(0) },
    ]),
  );
});

async function image(name: string, tool: string | null, more = {}) {
  const root = project(name, { 'main.ts': 'console.log("hello");', 'site/a.txt': 'a' });
  const output = join(root, 'image');
  const baseElf = join(folder, 'base.elf');
  writeFileSync(baseElf, fakeBase());
  utimesSync(join(root, 'site/a.txt'), 5, 5);
  const contents = [{ name: 'site', files: readContent(join(root, 'site')) }];
  const entry = { file: join(root, 'main.ts') };
  const options = { entry, contents, baseElf, bytecodeTool: tool, output, ...more };
  return { result: await linkImage(options), output };
}

test('image › built twice › the same bytes; parts add up', async () => {
  const first = await image('one', null);
  const second = await image('two', null);
  assert.ok(first.result.ok && second.result.ok);
  assert.deepEqual(readFileSync(first.output), readFileSync(second.output));
  assert.deepEqual(first.result.value, second.result.value);
  const { parts, imageBytes, programKind } = first.result.value;
  const sum = (record: Readonly<Record<string, number>>): number =>
    Object.values(record).reduce((total, bytes) => total + bytes, 0);
  assert.equal(programKind, 'source');
  assert.equal(
    parts.base + parts.app + parts.padding + sum(parts.libraries) + sum(parts.contents),
    imageBytes,
  );
  const pack = readFileSync(first.output).indexOf('MKVP');
  assert.ok(openKvPack(readFileSync(first.output).subarray(pack)).ok);
});

test('image › bytecode compiler that can’t run here › source instead', async () => {
  const { result } = await image('fallback', join(folder, 'no-such-tool'));
  assert.ok(result.ok);
  assert.equal(result.value.programKind, 'source');
});

test('image › bytecode compiler that refuses › its message', async () => {
  const { result } = await image('refused', '/bin/false');
  assert.ok(!result.ok && result.error.kind === 'compile');
  assert.match(formatBuildFault(result.error), /bytecode compiler refused/);
});

test('image › no base, or a broken one › named with its path', async () => {
  const missing = await image('nobase', null, { baseElf: join(folder, 'nothing.elf') });
  assert.ok(!missing.result.ok && missing.result.error.kind === 'base');
  assert.match(formatBuildFault(missing.result.error), /nothing\.elf: ENOENT/);
  const broken = await image('badbase', null, { baseElf: join(import.meta.dirname, 'base.ts') });
  assert.ok(!broken.result.ok && broken.result.error.kind === 'base');
});

const PLATFORM = JSON.stringify('#crypto/platform');

test('image › uses #crypto/platform › the base’s own, on the base with Mbed TLS', async () => {
  const text = `import { primitives } from ${PLATFORM}; console.log(primitives.name);`;
  const entry = { text, resolveDir: import.meta.dirname, name: 'main.ts' };
  const without = await image('crypto', null, { entry });
  assert.ok(!without.result.ok && without.result.error.kind === 'base');
  assert.match(without.result.error.path, /\/base-crypto\.elf$/);
  const big = new Uint8Array(8_192);
  big.set(fakeBase());
  writeFileSync(join(folder, 'base-crypto.elf'), big);
  const { result, output } = await image('crypto', null, { entry });
  assert.ok(result.ok);
  assert.equal(result.value.crypto, true);
  assert.equal(result.value.parts.base, big.length);
  const linked = readFileSync(output, 'latin1');
  assert.ok(linked.includes('__base.crypto') && !linked.includes('no target was linked'));
});

test('image › imports #crypto/platform but uses nothing of it › on the small base', async () => {
  const text = `import { primitives } from ${PLATFORM}; console.log(1);`;
  const entry = { text, resolveDir: import.meta.dirname, name: 'main.ts' };
  const { result } = await image('nocrypto', null, { entry });
  assert.ok(result.ok);
  assert.equal(result.value.crypto, false);
});

const tool = join(import.meta.dirname, '../../build/base/bytecode');
test('image › real compiler › bytecode', { skip: !existsSync(tool) }, async () => {
  const { result } = await image('bytecode', tool);
  assert.ok(result.ok);
  assert.equal(result.value.programKind, 'bytecode');
});
