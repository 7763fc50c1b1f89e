import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluateScript } from './evaluate.ts';

const run = (text: string) => evaluateScript(new TextEncoder().encode(text));

test('a script › its completion value; what it declares is global', () => {
  assert.deepEqual(run('var declaredByTest = "grüß"; ({ a: 1 })'), { ok: true, value: { a: 1 } });
  assert.deepEqual(run('declaredByTest'), { ok: true, value: 'grüß' });
  assert.ok(run('delete globalThis.declaredByTest').ok);
});

test('the realm is the one of whoever asks', () => {
  const made = run('({})');
  assert.ok(made.ok && made.value instanceof Object);
});

for (const [what, text, message] of [
  ['it throws', 'function f() { throw new RangeError("no") } f()', /^RangeError: no\n.*at f /s],
  ['it is no script', 'var = 3', /^SyntaxError: /],
  ['what it throws is no error', 'throw "words"', /^words$/],
] as const) {
  test(`${what} › an error in words`, () => {
    const result = run(text);
    assert.ok(!result.ok);
    assert.match(result.error, message);
  });
}
