/** What `morgana dev` sends to what runs, and how it reads traces that come back. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { openKvPack } from '#device';
import type { ContentFile } from '#targets/base/build';
import {
  RELOAD_BYTES_MAX,
  REQUEST_BYTES_MAX,
  type Reload,
  reloadOf,
  sendReload,
} from '../../tools/cli/reload-client.ts';
import { ExplainedLines, Traces } from '../../tools/cli/traces.ts';
import { Workspace } from './cli.ts';

const work = new Workspace();
after(() => work.remove());

const file = (path: string, text: string, modifiedSeconds = 0): ContentFile => ({
  path,
  bytes: new TextEncoder().encode(text),
  modifiedSeconds,
  digest: Buffer.from(text).toString('hex').padStart(32, '0'),
  variants: [],
});
const site = (...files: ContentFile[]) => new Map([['site', files]]);

/** Paths of the pack behind the code. */
function changedIn({ request, bytes }: Reload): readonly string[] {
  const pack = openKvPack(bytes.slice(request.codeBytes));
  assert.ok(pack.ok);
  return pack.value.paths();
}

test('contents › only what is new, other or gone is sent', () => {
  const before = site(file('a', '1'), file('b', '2'), file('c', '3'), file('d', '4'));
  const after = site(file('a', '1'), file('b', 'B'), file('c', '3', 7), file('e', '5'));
  const reload = reloadOf(new Uint8Array(3), before, after);
  const [content] = reload.request.contents;
  assert.equal(reload.request.codeBytes, 3);
  assert.equal(reload.bytes.length, 3 + content!.packBytes);
  assert.deepEqual(changedIn(reload), ['b', 'c', 'e'], 'a time is a change too');
  assert.deepEqual([content!.device, content!.removed], ['site', ['d']]);
});

test('nothing changed › nothing but code; a directory is new › all of it', () => {
  const same = site(file('a', '1'));
  const none: Reload = { request: { codeBytes: 0, contents: [] }, bytes: new Uint8Array(0) };
  assert.deepEqual(reloadOf(null, same, site(file('a', '1'))), none);
  assert.deepEqual(changedIn(reloadOf(null, new Map(), same)), ['a']);
});

/** A control socket whose other end does `answer` with each connection. */
async function peer(answer: (socket: net.Socket) => void): Promise<string> {
  const place = work.path(`s${Math.trunc(performance.now() * 1_000)}`);
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    answer(socket);
  });
  server.listen(place);
  server.unref();
  await once(server, 'listening');
  return place;
}

const codeOf = (count: number): Reload => ({
  request: { codeBytes: count, contents: [] },
  bytes: new Uint8Array(count),
});
/** Only silence is told by waiting. */
const SILENT: readonly [string, (socket: net.Socket) => void, number, RegExp][] = [
  ['closes', (socket) => socket.destroy(), 10_000, /closed its control channel|EPIPE|ECONNRESET/],
  [
    'says nothing',
    (socket) => socket.resume(),
    50,
    /neither it nor its reload\(previous\) answered for 0\.05 s/,
  ],
  ['lies', (socket) => socket.write('\0\0\0\x01\x07'), 10_000, /sent what is no message/],
];
for (const [what, answer, patienceMs, why] of SILENT) {
  test(`a unikernel that ${what} › is started again`, async () => {
    const result = await sendReload(await peer(answer), codeOf(1), patienceMs);
    assert.ok(result.kind === 'restart');
    assert.match(result.why, why);
  });
}

test('nobody listens › it is started again', async () => {
  const result = await sendReload(work.path('none'), codeOf(1));
  assert.ok(result.kind === 'restart');
  assert.match(result.why, /ENOENT/);
});

test('as much as is taken › is sent; one byte more › is not', async () => {
  let received = 0;
  const place = await peer((socket) => {
    socket.on('data', (chunk) => {
      received += chunk.length;
    });
  });
  const most = await sendReload(place, codeOf(RELOAD_BYTES_MAX), 500);
  assert.ok(most.kind === 'restart' && received > RELOAD_BYTES_MAX);
  const more = await sendReload(place, codeOf(RELOAD_BYTES_MAX + 1), 500);
  assert.deepEqual(more, { kind: 'restart', why: 'the change is too large to be sent' });
  const removed = ['x'.repeat(REQUEST_BYTES_MAX)];
  const contents = [{ device: 'site', packBytes: 0, removed }];
  const long = { request: { codeBytes: 0, contents }, bytes: new Uint8Array(0) };
  assert.equal((await sendReload(place, long, 500)).kind, 'restart');
});

/** One line each of a.ts, from line 3 of the script on. */
const SOURCE_MAP = JSON.stringify({
  version: 3,
  sources: ['a.ts'],
  mappings: ';;AAAA;AACA;AACA',
});
const script = (firstLine: number, home: string) => ({
  firstLine,
  lineCount: 5,
  sourceMap: SOURCE_MAP,
  home,
});

test('places › those of the version whose lines they are; others stay', () => {
  const traces = new Traces();
  traces.add(script(0, path.resolve('one')));
  traces.add(script(5, path.resolve('two')));
  const explained = (line: number) => traces.explain(`at f (<input>:${line}:1)`);
  assert.equal(explained(4), `at f (${path.join('one', 'a.ts')}:2:1)`);
  assert.equal(explained(10), `at f (${path.join('two', 'a.ts')}:3:1)`);
  assert.equal(explained(1), 'at f (<input>:1:1)', 'before any mapping');
  assert.equal(explained(11), 'at f (<input>:11:1)', 'behind the last line');
  assert.equal(traces.explain('at main.js:4:1'), 'at main.js:4:1');
});

test('lines begin anew › the later version counts', () => {
  const traces = new Traces();
  for (let i = 0; i < 40; i++) traces.add(script(0, path.resolve(`v${i}`)));
  assert.equal(traces.explain('<input>:3:1'), `${path.join('v39', 'a.ts')}:1:1`);
});

test('a console in pieces › whole lines are explained, bytes stay what they are', async () => {
  const traces = new Traces();
  traces.add(script(0, path.resolve('one')));
  const lines = new ExplainedLines(traces);
  const text = 'grüße\nat f (<input>:3:1)\nno end <input>:4:1';
  for (const byte of Buffer.from(text)) lines.write(Uint8Array.of(byte));
  lines.end();
  const place = path.join('one', 'a.ts');
  assert.equal(
    Buffer.concat(await lines.toArray()).toString(),
    `grüße\nat f (${place}:1:1)\nno end ${place}:2:1`,
  );
});
