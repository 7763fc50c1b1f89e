import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Blob, File } from './blob.ts';
import { FormData, parseMultipart } from './form-data.ts';
import { Response } from './response.ts';
import { installTestPlatform } from './testing/platform.ts';

const TYPE = 'multipart/form-data; boundary=XX';
const parse = (body: string, type = TYPE) => parseMultipart(new TextEncoder().encode(body), type);

test('FormData › list', () => {
  installTestPlatform();
  const form = new FormData();
  form.append('a', '1');
  form.append('a', '2');
  form.set('b', new Blob(['x']), 'n.txt');
  assert.deepEqual(form.getAll('a'), ['1', '2']);
  form.set('a', '3');
  assert.deepEqual([...form.keys()], ['a', 'b']);
  assert.equal((form.get('b') as File).name, 'n.txt');
  form.delete('a');
  assert.equal(form.has('a'), false);
  assert.equal(form.get('a'), null);
  assert.throws(() => new FormData({} as never), TypeError);
});

test('FormData › through a Response and back', async () => {
  installTestPlatform();
  const form = new FormData();
  form.append('te"xt\n', 'a\nb');
  form.append('file', new File([new Uint8Array([0, 13, 10, 45, 45])], 'f.bin', { type: 'x/y' }));
  const response = new Response(form);
  assert.match(response.headers.get('content-type')!, /^multipart\/form-data; boundary=morgana-/);
  const back = await response.formData();
  assert.equal(back.get('te"xt\r\n'), 'a\r\nb');
  const file = back.get('file') as File;
  assert.equal(file.name, 'f.bin');
  assert.equal(file.type, 'x/y');
  assert.deepEqual([...(await file.bytes())], [0, 13, 10, 45, 45]);
});

test('formData › urlencoded', async () => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
  const form = await new Response('?a=1+2&b=%26', { headers }).formData();
  assert.deepEqual(
    [...form],
    [
      ['?a', '1 2'],
      ['b', '&'],
    ],
  );
});

test('formData › another type › TypeError', async () => {
  await assert.rejects(new Response('{}').formData(), TypeError);
  await assert.rejects(new Response(new Uint8Array(1)).formData(), TypeError);
});

test('multipart › preamble, empty part, quoted boundary', () => {
  installTestPlatform();
  const part = '--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n';
  assert.equal(parse(`hello\r\n${part}1\r\n--XX--\r\nbye`).get('a'), '1');
  assert.equal(parse(`${part}\r\n--XX--`, 'multipart/form-data; boundary="XX"').get('a'), '');
  assert.equal([...parse('--XX--\r\n')].length, 0);
});

test('multipart › malformed › TypeError', () => {
  const head = '--XX\r\nContent-Disposition: form-data; name="a"\r\n';
  const bad = [
    '',
    'x',
    '--YY--',
    head,
    `${head}\r\n1`,
    `${head}\r\n1\r\n--XX`,
    '--XX\r\nA: b\r\n\r\n1\r\n--XX--',
  ];
  for (const body of bad) assert.throws(() => parse(body), TypeError);
  for (const type of ['multipart/form-data', 'multipart/form-data; boundary=']) {
    assert.throws(() => parse('--XX--', type), TypeError);
  }
});

test('Blob › slice, text, type', async () => {
  const blob = new Blob(['ab', new Uint8Array([99]), new Blob(['d'])], { type: 'A/B' });
  assert.equal(blob.size, 4);
  assert.equal(blob.type, 'a/b');
  assert.equal(await blob.slice(1, -1).text(), 'bc');
  assert.equal(blob.slice(3, 1).size, 0);
  assert.equal(new Blob([], { type: 'a\u20ac' }).type, '');
  assert.throws(() => new Blob('ab' as never), TypeError);
  assert.throws(() => new (File as unknown as new (parts: string[]) => File)([]), TypeError);
});

test('Blob › stream › its bytes, each time anew', async () => {
  const blob = new Blob(['ab', 'c']);
  for (let i = 0; i < 2; i++) {
    const reader = blob.stream().getReader();
    assert.deepEqual(await reader.read(), { done: false, value: new Uint8Array([97, 98, 99]) });
    assert.equal((await reader.read()).done, true);
  }
  assert.equal((await new Blob([]).stream().getReader().read()).done, true);
  assert.equal(await new Response(blob.stream()).text(), 'abc');
});
