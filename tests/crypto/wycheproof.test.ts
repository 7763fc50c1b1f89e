/**
 * Wycheproof's vectors, of which scripts/setup.mjs gets a copy, on every implementation: a sample
 * of each file, all with MORGANA_WYCHEPROOF_ALL=1 (a minute).
 */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { nobleCrypto } from '#crypto/noble';
import { SubtleCrypto } from '#crypto/subtle';
import {
  runSubtleVectors,
  runVectors,
  type SubtleLike,
  type Vector,
  WYCHEPROOF_FILES,
  wycheproofVectors,
} from '#crypto/vectors';
import { formatBuildFault, linkImage } from '#targets/base/build';
import { nodeCrypto } from '#targets/node/crypto';
import { BASE_ELF, cannotRun, Running } from '../process/process.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const FOLDER = path.join(ROOT, '.cache/wycheproof');
const ALL = process.env.MORGANA_WYCHEPROOF_ALL === '1';
const skip = existsSync(FOLDER) ? false : 'no vectors in .cache/wycheproof: npm run setup';

let read: readonly (readonly Vector[])[] | null = null;

function files(): readonly (readonly Vector[])[] {
  read ??= WYCHEPROOF_FILES.map((file) => {
    const text = readFileSync(path.join(FOLDER, `${file}_test.json`), 'utf8');
    return wycheproofVectors(file, JSON.parse(text));
  });
  return read;
}

/** Every `step`th of each file, from another place in each. */
function vectors(step: number): Vector[] {
  return files().flatMap((whole, i) => {
    assert.ok(whole.length > 20, WYCHEPROOF_FILES[i]);
    return ALL ? whole : whole.filter((_, at) => at % step === i % step);
  });
}

for (const [crypto, step] of [
  [nodeCrypto, 10],
  [nobleCrypto, 100],
] as const) {
  test(`${crypto.name} › Wycheproof › answers right`, { skip }, () => {
    const { run, failures } = runVectors(crypto, vectors(step), 'as told');
    assert.deepEqual(failures, []);
    assert.ok(run > 9_000 / (ALL ? 1 : step), `${run} vectors`);
  });
}

test('crypto.subtle, ours and Node’s › Wycheproof › answer alike', { skip }, async () => {
  const asked = vectors(50);
  const entropy = { fill: (out: Uint8Array) => void out.fill(7) };
  const ours = new SubtleCrypto({ crypto: nodeCrypto, entropy, DOMException });
  for (const subtle of [ours, crypto.subtle]) {
    const { run, failures } = await runSubtleVectors(subtle as unknown as SubtleLike, asked);
    assert.deepEqual(failures, []);
    assert.ok(run > 100, `${run} vectors`);
  }
});

const entryText = (vectorFile: string): string => `
import { primitives } from '#crypto/platform';
import { runVectors } from '#crypto/vectors';
import { launch } from '#targets/process/index';
import vectors from ${JSON.stringify(vectorFile)};
launch(async (machine) => {
  const { run, skipped, failures } = runVectors(primitives, vectors, 'as told');
  for (const line of failures) machine.console.writeLine(line);
  machine.console.writeLine(run + ' run, ' + skipped + ' skipped');
  return 0;
});
`;

test('an image › Wycheproof › answers right', { skip: skip || cannotRun }, async () => {
  const asked = vectors(50);
  const folder = path.join(ROOT, 'build/tests');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `wycheproof-${process.pid}.json`);
  writeFileSync(file, JSON.stringify(asked));
  const output = path.join(folder, `wycheproof-${process.pid}.elf`);
  const linked = await linkImage({
    entry: { text: entryText(file), resolveDir: import.meta.dirname, name: 'main.ts' },
    contents: [],
    baseElf: BASE_ELF,
    bytecodeTool: path.join(ROOT, 'build/base/bytecode'),
    output,
  });
  if (!linked.ok) throw new Error(formatBuildFault(linked.error));
  const end = await new Running(output, ['--mem=512']).ended;
  const [, run, skipped] = /^(\d+) run, (\d+) skipped\n$/.exec(end.console) ?? [];
  assert.equal(Number(run) + Number(skipped), asked.length, end.console);
  assert.equal(end.code, 0);
});
