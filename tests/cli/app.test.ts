import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { detectApp, nameOf } from '../../tools/cli/app.ts';
import { Failure } from '../../tools/cli/failure.ts';
import { LOAD_DEFAULTS, loadApp } from '../../tools/cli/load.ts';
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

const ACME = { ...LOAD_DEFAULTS, tls: true, acme: true, ca: 'none' };
for (const [what, name, options, message] of [
  ['without --tls', 'site', { ...ACME, tls: false }, /--acme goes with --tls/],
  ['without --ca', 'site', { ...ACME, ca: null }, /--acme needs to know whom to trust/],
  ['for a graph', 'graph', ACME, /--acme is for websites and handlers/],
] as const) {
  test(`--acme ${what} › refused`, async () => {
    const found = detectApp(files.path(name));
    assert.ok(found.kind !== 'image');
    await assert.rejects(loadApp(found, options), message);
  });
}

test('--acme with both › the device of --tls may get its certificate by ACME', async () => {
  const found = detectApp(files.path('site'));
  assert.ok(found.kind !== 'image');
  const { devices } = await loadApp(found, ACME);
  const device = devices.find((node) => node.name === 'tls');
  assert.equal(device?.kind, 'tls.acme');
  assert.equal(devices[device.needs[0]!]?.kind, 'net.stack');
});
