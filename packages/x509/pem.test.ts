import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PEM_BLOCKS_MAX, PEM_CHARACTERS_MAX } from './limits.ts';
import { pemDecode, pemEncode } from './pem.ts';

const block = (body: string, label = 'CERTIFICATE'): string =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
const decoded = (text: string): string[] | null => {
  const blocks = pemDecode(text);
  return blocks.ok
    ? blocks.value.map(({ label, bytes }) => `${label}:${Buffer.from(bytes).toString('hex')}`)
    : null;
};

describe('reading', () => {
  const good: readonly (readonly [string, string, string[]])[] = [
    ['nothing', '', []],
    ['no block', 'subject=CN = a\n', []],
    ['an empty block', block(''), ['CERTIFICATE:']],
    ['one byte', block('AA=='), ['CERTIFICATE:00']],
    ['two bytes', block('AAA='), ['CERTIFICATE:0000']],
    ['three bytes', block('////'), ['CERTIFICATE:ffffff']],
    ['white space', block(' A\tA\r\n A = \n'), ['CERTIFICATE:0000']],
    ['CR LF', block('AAAA').replaceAll('\n', '\r\n'), ['CERTIFICATE:000000']],
    [
      'text around, also beyond Latin-1',
      `Ünïcode ✓\n${block('AAAA')}…\n${block('////', 'X Y')}`,
      ['CERTIFICATE:000000', 'X Y:ffffff'],
    ],
  ];
  for (const [what, text, want] of good) {
    test(`${what} › read`, () => assert.deepEqual(decoded(text), want));
  }

  const bad: Readonly<Record<string, string>> = {
    'cut in a block': block('AAAA').slice(0, 35),
    'cut before the last dash': block('AAAA').slice(0, -2),
    'cut in the label': '-----BEGIN CERT',
    'another label at the end': block('AAAA').replace('END CERTIFICATE', 'END KEY'),
    'an empty label': block('AAAA', ''),
    'a label with two spaces': block('AAAA', 'A  B'),
    'a label with a line break': block('AAAA', 'A\nB'),
    'a block in a block': `-----BEGIN A-----\n${block('AAAA')}`,
    'one digit': block('A'),
    'no padding': block('AA'),
    'too much padding': block('A==='),
    'padding alone': block('===='),
    'digits after padding': block('AA==AAAA'),
    'padding after padding': block('AA======'),
    'a digit between padding': block('AA=A'),
    'bits under the padding': block('AB=='),
    'bits under one pad': block('AAB='),
    'a digit of base64url': block('AA-_'),
    'a header': block('Proc-Type: 4,ENCRYPTED\n\nAAAA'),
    'a digit beyond Latin-1': block('AAA\u0141'),
  };
  for (const [what, text] of Object.entries(bad)) {
    test(`${what} › refused`, () => assert.equal(decoded(text), null));
  }

  test('blocks and characters › at the bound read, one past it refused', () => {
    const one = block('AA==', 'A');
    assert.equal(decoded(one.repeat(PEM_BLOCKS_MAX))?.length, PEM_BLOCKS_MAX);
    assert.equal(decoded(one.repeat(PEM_BLOCKS_MAX + 1)), null);
    assert.deepEqual(decoded(' '.repeat(PEM_CHARACTERS_MAX)), []);
    assert.equal(decoded(' '.repeat(PEM_CHARACTERS_MAX + 1)), null);
  });
});

test('any bytes › written in lines of 64, read again', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const text = pemEncode('CERTIFICATE', bytes);
      assert.deepEqual(decoded(text), [`CERTIFICATE:${Buffer.from(bytes).toString('hex')}`]);
      const lines = text.split('\n').slice(1, -2);
      assert.equal(lines.join(''), Buffer.from(bytes).toString('base64'));
      assert.ok(lines.slice(0, -1).every((line) => line.length === 64));
    }),
    { seed: 7468 },
  );
});
