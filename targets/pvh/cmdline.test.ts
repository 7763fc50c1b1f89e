import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MMIO_WINDOWS_MAX, parseCommandLine, quoteWord } from './cmdline.ts';

function parse(line: string) {
  const parsed = parseCommandLine(line);
  assert.ok(parsed.ok);
  return parsed.value;
}

const QEMU_WORD = 'virtio_mmio.device=512@0xfeb00e00:12';

test('words before -- › are not the program’s', () => {
  assert.deepEqual(parse('console=ttyS0 quiet').bootArguments, []);
  assert.deepEqual(parse('quiet -- --port=80 x').bootArguments, ['--port=80', 'x']);
  assert.deepEqual(parse('').bootArguments, []);
});

test('virtio_mmio.device › anywhere unquoted › is a window and no argument', () => {
  const line = parse(`${QEMU_WORD} -- a ${QEMU_WORD.replace(':12', ':11')} b`);
  assert.deepEqual(line.bootArguments, ['a', 'b']);
  assert.deepEqual(line.mmioWindows, [
    { bytes: 512, address: 0xfeb00e00, gsi: 12 },
    { bytes: 512, address: 0xfeb00e00, gsi: 11 },
  ]);
  assert.deepEqual(parse('virtio_mmio.device=4K@0xd0000000:5').mmioWindows, [
    { bytes: 4096, address: 0xd0000000, gsi: 5 },
  ]);
  assert.equal(parse('virtio_mmio.device=1M@4096:5:0').mmioWindows[0]?.bytes, 1048576);
});

test('virtio_mmio.device › malformed › a fault that names the word', () => {
  const bad = ['', '512', '512@x:1', '512@1:', '512@1:256', '2M@1:1', '1@99999999999999999:1'];
  for (const text of bad) {
    const word = `virtio_mmio.device=${text}`;
    assert.deepEqual(parseCommandLine(`a ${word}`), {
      ok: false,
      error: { kind: 'virtio_mmio.device', word },
    });
  }
  assert.ok(parseCommandLine(`${QEMU_WORD} `.repeat(MMIO_WINDOWS_MAX)).ok);
  assert.ok(!parseCommandLine(`${QEMU_WORD} `.repeat(MMIO_WINDOWS_MAX + 1)).ok);
});

test('quotes › keep spaces, escapes work inside only, an open one ends with the line', () => {
  assert.deepEqual(parse('-- "a b" --n="c d"e \\"f').bootArguments, ['a b', '--n=c de', '\\f']);
  assert.deepEqual(parse('-- "a\\"b\\\\c" d\\e').bootArguments, ['a"b\\c', 'd\\e']);
  assert.deepEqual(parse('-- "open end').bootArguments, ['open end']);
  assert.deepEqual(parse('-- "" x').bootArguments, ['', 'x']);
  assert.deepEqual(parse('"--" x -- y').bootArguments, ['y']);
});

test('quoteWord › any words › read back the same', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (words) => {
      const line = parse(`-- ${words.map(quoteWord).join(' ')}`);
      assert.deepEqual(line.bootArguments, words);
    }),
    { seed: 1, numRuns: 500 },
  );
});
