import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkImports, checkNumbers, mayImport, readAliases, roomOf } from './tidy.ts';

const aliases = readAliases();
const importing = (path: string, specifier: string): string[] =>
  checkImports(path, `import { x } from '${specifier}';\n`, aliases).map(({ what }) => what);

test('rooms › packages, targets and tools are two folders deep', () => {
  assert.equal(roomOf('packages/net/tcp/stack.ts'), 'packages/net');
  assert.equal(roomOf('targets/pvh/virtio/net.ts'), 'targets/pvh');
  assert.equal(roomOf('tests/sim/main.ts'), 'tests');
});

test('imports › what the table lists › allowed', () => {
  assert.deepEqual(importing('packages/net/tcp/a.ts', '#core'), []);
  assert.deepEqual(importing('packages/net/tcp/a.ts', '../wire/tcp.ts'), []);
  assert.deepEqual(importing('packages/http/a.ts', '#device'), []);
  assert.deepEqual(importing('targets/node/a.ts', 'node:net'), []);
  assert.deepEqual(importing('targets/base/build.ts', 'node:fs'), []);
  assert.deepEqual(importing('packages/net/a.test.ts', 'node:test'), []);
  assert.deepEqual(importing('tests/sim/a.ts', '#net'), []);
});

test('imports › anything else › refused, however it is spelled', () => {
  for (const [path, specifier] of [
    ['packages/core/a.ts', '#device'],
    ['packages/http/a.ts', '#net'],
    ['packages/net/a.ts', 'node:fs'],
    ['packages/net/a.ts', '../http/server.ts'],
    ['packages/net/a.ts', 'hono'],
    ['targets/pvh/virtio/a.ts', '#net'],
    ['targets/pvh/virtio/a.ts', '../../node/loop.ts'],
    ['targets/sim/a.ts', '#targets/node/index'],
    ['packages/stack/a.ts', '#nowhere'],
  ] as const) {
    assert.equal(importing(path, specifier).length, 1, `${path} imports ${specifier}`);
  }
  const dynamic = checkImports('packages/net/a.ts', "await import('node:fs');", aliases);
  assert.equal(dynamic.length, 1);
  assert.equal(mayImport('packages/core/a.ts', 'packages/net/a.ts'), false);
});

test('decisions › a number given twice › reported at the second', () => {
  const files = ['0001-a.md', '0002-b-c.md', '0002-d.md', '0003-e.md'];
  const paths = files.map((file) => `docs/decisions/${file}`);
  assert.deepEqual(
    checkNumbers(paths).map(({ path }) => path),
    ['docs/decisions/0002-d.md'],
  );
});
