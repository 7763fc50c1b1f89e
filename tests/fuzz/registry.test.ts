/** No parser is forgotten: what packages export from wire/ is in the registry. */

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const fuzzers = globSync('tests/fuzz/*-cases.ts', { cwd: root })
  .concat('tests/fuzz/registry.ts')
  .map((path) => readFileSync(root + path, 'utf8'))
  .join('\n');

/** What takes bytes or text of a peer apart, by its name. */
const PARSER = /^(parse|read|resolve)[A-Z]|Parser$/;
/** Parts of a parser that is registered, or of no use without it. */
const PARTS = new Set([
  // The data path's own reading of what parseTcp reads.
  'readTcpOptions',
  // Within parseNdp, parseMessage of DNS, RequestHeadParser, parseAcceptEncoding.
  'parseNdpOptions',
  'readName',
  'readRecordData',
  'parseContentLength',
  'parseWeight',
  // Within parseDirectory and its like.
  'parseObject',
]);

const files = globSync('packages/*/wire/*.ts', { cwd: root })
  .filter((path) => !/\.test\.ts$|\/index\.ts$/.test(path))
  .sort();

test('wire modules › there are some in each package that has a protocol', () => {
  const packages = new Set(files.map((path) => path.split('/')[1]));
  for (const name of ['net', 'http', 'dns']) assert.ok(packages.has(name), name);
});

for (const path of files) {
  test(`${path} › each parser that it exports › is in the registry`, async () => {
    const exported = Object.entries((await import(root + path)) as Record<string, unknown>);
    const parsers = exported
      .filter(([name, value]) => typeof value === 'function' && PARSER.test(name))
      .map(([name]) => name)
      .filter((name) => !PARTS.has(name));
    const missing = parsers.filter((name) => !new RegExp(`\\b${name}\\b`).test(fuzzers));
    assert.deepEqual(missing, [], `not in tests/fuzz/*-cases.ts: ${missing.join(', ')}`);
  });
}
