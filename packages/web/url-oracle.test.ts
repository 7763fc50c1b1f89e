/** Our URL against Node's (which passes the Web Platform Tests), on made-up inputs. Node only. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { URL as Ours } from './url.ts';

// size-exempt: table
const PIECES =
  'http: https: file: foo: mailto: ws: // / \\ .. . %2e %2E%2e ? # @ : [ ::1 ] 1.2.3.4 0x7f.1 256 EXAMPLE.com a b %41 é ü.de 80 443 8080 C: C| localhost user pa:ss " < ^ | ` { } \' 1 09 com. ~ + & = %zz 🙂'
    .split(' ')
    .concat([' ', '\t', '\0', '\x7f', '\u00ad', 'ex ample']);
const PARTS = [
  'href',
  'origin',
  'protocol',
  'username',
  'password',
  'host',
  'hostname',
  'port',
  'pathname',
  'search',
  'hash',
] as const;
const SETTABLE = PARTS.filter((part) => part !== 'origin' && part !== 'href');

const text = fc
  .array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 9 })
  .map((all) => all.join(''));
const scheme = fc.constantFrom('http://', 'https://u:p@', 'file:///', 'foo://', 'foo:', 'mailto:');
const input = fc.oneof(
  text,
  fc.tuple(scheme, text).map((all) => all.join('')),
);
const base = fc.constantFrom(
  undefined,
  'http://h:81/a/b/c?q#f',
  'file:///C:/x/y',
  'foo://host/p/q',
  'mailto:x',
  'foo:/p/q',
);
const setter = fc.option(fc.tuple(fc.constantFrom(...SETTABLE), text), { nil: undefined });

type Setter = readonly [part: string, value: string] | undefined;

function show(
  Url: typeof Ours | typeof URL,
  from: string,
  on: string | undefined,
  set: Setter,
): string {
  try {
    const url = new Url(from, on);
    if (set !== undefined) Reflect.set(url, set[0], set[1]);
    return PARTS.map((part) => `${part}=${url[part]}`).join(' ');
  } catch {
    return 'not a URL';
  }
}

test('URL › any input, base and setter › as in Node', () => {
  const same = fc.property(input, base, setter, (from, on, set) => {
    assert.equal(show(Ours, from, on, set), show(URL, from, on, set));
  });
  fc.assert(same, { numRuns: 5_000, seed: 7 });
});
