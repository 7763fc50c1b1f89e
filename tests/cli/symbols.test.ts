import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { baseSymbols, symbolNames } from '../../tools/cli/symbols.ts';

const TEXT = `0000000000100000 T start
0000000000100010 t inner
0000000000100020 R constants
0000000000100080 W last
`;

test('an address › the function that it is in; below the first › none', () => {
  const nameOf = symbolNames(TEXT);
  const at = [0, 0xfffff, 0x100000, 0x10000f, 0x100010, 0x100021, 0x100080, 0x999999].map(nameOf);
  assert.deepEqual(at, [null, null, 'start', 'start', 'inner', 'inner', 'last', 'last']);
  assert.equal(symbolNames('nonsense')(0x100000), null);
});

test('the base of this package › its engine is in it', () => {
  for (const target of ['pvh', 'process'] as const) {
    const nameOf = baseSymbols(target, []);
    assert.ok(nameOf !== null);
    const names = new Set<string | null>();
    for (let at = 0; at < 0x200_0000; at += 4_096) names.add(nameOf(at));
    assert.ok([...names].some((name) => /^(JS_|js_)/.test(name ?? '')));
  }
});

test('functions of one base › its names, not the other’s', () => {
  for (const [target, name] of [
    ['pvh', 'base'],
    ['process', 'process'],
  ] as const) {
    for (const suffix of ['', '-crypto']) {
      const text = readFileSync(
        new URL(`../../build/base/${name}${suffix}.sym`, import.meta.url),
        'utf8',
      );
      const functions = [...text.matchAll(/^([0-9a-f]+) [tT] js_array_\w+$/gm)].map(([, address]) =>
        Number.parseInt(address!, 16),
      );
      const [one = 0] = functions;
      assert.equal(baseSymbols(target, functions)?.(one), symbolNames(text)(one));
      const last = functions.at(-1)!;
      assert.equal(baseSymbols(target, functions)?.(last), symbolNames(text)(last));
    }
  }
});
