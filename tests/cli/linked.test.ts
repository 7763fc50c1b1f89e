/** `morgana/linked`: an image that tells what it is made of. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tellLinked } from '../../tools/cli/linked.ts';

const MODULE = 'const written = ["@morgana/linked@"];';

test('a program that asks › the parts by name, the largest first', () => {
  const native = [{ name: 'engine', bytes: 700 }];
  const modules = [
    { part: 'net', bytes: 300 },
    { part: 'npm:hono', bytes: 900 },
    { part: 'target pvh', bytes: 20 },
    { part: 'app', bytes: 20 },
    { part: 'net', bytes: 50 },
  ];
  const text = tellLinked(MODULE, native, modules);
  assert.deepEqual(JSON.parse(text.slice('const written = '.length, -1)), [
    { name: 'npm:hono', bytes: 900 },
    { name: 'engine', bytes: 700 },
    { name: 'morgana/net', bytes: 350 },
    { name: 'app', bytes: 20 },
    { name: 'morgana/targets/pvh', bytes: 20 },
  ]);
});

test('a name with a replacement pattern in it › as it is', () => {
  assert.match(tellLinked(MODULE, [], [{ part: 'npm:$&', bytes: 1 }]), /"npm:\$&"/);
});

test('a program that does not ask › unchanged', () => {
  assert.equal(tellLinked('start();', [{ name: 'engine', bytes: 1 }], []), 'start();');
});
