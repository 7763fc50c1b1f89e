import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emitKvPack } from '#device';
import type { ControlStream } from '#inspect';
import type { Update, UpdateResult } from './live-program.ts';
import { type ReloadRequest, reloadCommand } from './reload-command.ts';

/** Runs the command with `bytes` ahead of the request, in pieces of `pieceBytes`. */
async function reload(
  request: object,
  bytes: Uint8Array,
  pieceBytes = 7,
): Promise<{ update: Update; answer: UpdateResult }> {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    pieces.push(bytes.subarray(at, at + pieceBytes));
  }
  let seen: Update | null = null;
  const command = reloadCommand({
    async update(update) {
      seen = update;
      return { kind: 'reloaded' };
    },
  });
  const stream = { pieces } as unknown as ControlStream;
  const answer = await command({ id: 1, ask: 'reload', ...request }, stream);
  return { update: seen!, answer: answer as UpdateResult };
}

const packOf = (files: Readonly<Record<string, string>>): Uint8Array =>
  emitKvPack(
    Object.entries(files).map(([path, text]) => ({
      path,
      bytes: new TextEncoder().encode(text),
      modifiedSeconds: 0,
      digest: '0'.repeat(32),
      variants: [],
    })),
  );

test('code and contents, in pieces of any size › are what was sent', async () => {
  const code = new TextEncoder().encode('a script of some length');
  const packs = [packOf({ 'a.html': 'new' }), packOf({})];
  const bytes = Buffer.concat([code, ...packs]);
  const request: ReloadRequest = {
    codeBytes: code.length,
    contents: [
      { device: 'site', packBytes: packs[0]!.length, removed: ['b.html'] },
      { device: 'other', packBytes: packs[1]!.length, removed: [] },
    ],
  };
  for (const pieceBytes of [1, 7, code.length, 10_000]) {
    const { update, answer } = await reload(request, bytes, pieceBytes);
    assert.deepEqual(answer, { kind: 'reloaded' });
    assert.deepEqual(update.script, new Uint8Array(code));
    const site = update.contents.get('site')!;
    assert.equal(Buffer.from(site.changed.get('a.html')!.bytes).toString(), 'new');
    assert.deepEqual(site.removed, ['b.html']);
    assert.deepEqual(update.contents.get('other')!.changed.paths(), []);
  }
});

test('no code › null', async () => {
  const { update } = await reload({ codeBytes: 0, contents: [] }, new Uint8Array(0));
  assert.deepEqual(update, { script: null, contents: new Map() });
});

const one = { device: 'site', packBytes: 3, removed: [] };
const WRONG: readonly [string, object, RegExp][] = [
  ['no lengths', {}, /not a reload/],
  ['a negative length', { codeBytes: -1, contents: [] }, /not a reload/],
  ['a length that is no integer', { codeBytes: 0.5, contents: [] }, /not a reload/],
  ['contents that are none', { codeBytes: 3, contents: [null] }, /not a reload/],
  ['paths that are none', { codeBytes: 0, contents: [{ ...one, removed: [1] }] }, /not a reload/],
  ['more bytes than promised', { codeBytes: 2, contents: [] }, /3 bytes came ahead of 2/],
  ['fewer bytes than promised', { codeBytes: 3, contents: [one] }, /3 bytes came ahead of 6/],
  [
    'a pack that is none',
    { codeBytes: 0, contents: [one] },
    /content "site" is cut short: 3 of 16 bytes/,
  ],
];
for (const [what, request, message] of WRONG) {
  test(`${what} › refused`, async () => {
    await assert.rejects(reload(request, new Uint8Array(3)), message);
  });
}
