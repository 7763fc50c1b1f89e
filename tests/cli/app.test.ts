import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { detectApp, nameOf } from '../../tools/cli/app.ts';
import { Failure } from '../../tools/cli/failure.ts';
import { Workspace } from './cli.ts';

const files = new Workspace({
  'site/index.html': 'x',
  'app.ts': '',
  'app.jsx': '',
  'types.d.ts': '',
  'graph/morgana.config.ts': '',
  'graph/package.json': '{}',
  'project/package.json': '{}',
  'project/app.ts': '',
  'image.img': '\x7fELF rest',
  'notes.txt': 'text',
  'empty/keep': '',
});
after(() => files.remove());

const FOUND: readonly [string, string][] = [
  ['site', 'static'],
  ['app.ts', 'handler'],
  ['app.jsx', 'handler'],
  ['graph', 'devices'],
  ['graph/morgana.config.ts', 'devices'],
  ['image.img', 'image'],
];
for (const [name, kind] of FOUND) {
  test(`${name} › ${kind}`, () => assert.equal(detectApp(files.path(name)).kind, kind));
}

const REFUSED: readonly [string, number, RegExp][] = [
  ['missing', 2, /there is no .*missing/],
  ['notes.txt', 1, /neither a module nor an image/],
  ['types.d.ts', 1, /neither a module nor an image/],
  ['project', 1, /is a project, not a website.*app\.ts/],
];
for (const [name, exitCode, message] of REFUSED) {
  test(`${name} › refused`, () => {
    assert.throws(
      () => detectApp(files.path(name)),
      (error) =>
        error instanceof Failure && error.exitCode === exitCode && message.test(error.message),
    );
  });
}

test('names › fit for a host', () => {
  const names: readonly [string, string][] = [
    ['/a/My Site', 'my-site'],
    ['/a/app.ts', 'app'],
    ['/a/hello.world.ts', 'hello-world'],
    ['/a/---', 'app'],
  ];
  for (const [file, name] of names) assert.equal(nameOf(file), name);
});
