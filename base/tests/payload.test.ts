/** The payload's checks at boot, and the bytecode tool. Format: base/include/base_abi.h. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, test } from 'node:test';
import { payloadOf } from './pack.mjs';
import { boot, built, here, imageFile, type Section, source, work } from './vm.ts';

describe('payload', { concurrency: 2 }, () => {
  const content: Section = { kind: 'content', name: 'a/b.txt', bytes: Buffer.from('hello') };
  const good = () => payloadOf([source('hello'), content]);
  const HEADER_BYTES = 32;
  const ENTRY_BYTES = 32;
  const damaged: Record<string, [(payload: Buffer) => void, RegExp]> = {
    magic: [(p) => p.write('X', 0), /there is no payload/],
    version: [(p) => p.writeUInt32LE(2, 8), /another version of the base/],
    'section count': [(p) => p.writeUInt32LE(5000, 12), /table of sections is damaged/],
    'sections past the end': [(p) => p.writeUInt32LE(4000, 12), /table of sections is damaged/],
    'total above memory': [(p) => p.writeBigUInt64LE(1n << 40n, 16), /more memory than/],
    'total below header': [(p) => p.writeBigUInt64LE(8n, 16), /more memory than/],
    'reserved word': [(p) => p.writeBigUInt64LE(1n, 24), /table of sections is damaged/],
    kind: [(p) => p.writeUInt32LE(9, HEADER_BYTES), /unknown kind/],
    'name length': [(p) => p.writeUInt32LE(256, HEADER_BYTES + 4), /name is outside/],
    'name offset': [(p) => p.writeBigUInt64LE(1n << 63n, HEADER_BYTES + 8), /name is outside/],
    alignment: [(p) => p.writeBigUInt64LE(97n, HEADER_BYTES + 16), /is outside the payload: main/],
    offset: [
      (p) => p.writeBigUInt64LE(1n << 62n, HEADER_BYTES + 16),
      /is outside the payload: main/,
    ],
    length: [
      (p) => p.writeBigUInt64LE((1n << 64n) - 16n, HEADER_BYTES + ENTRY_BYTES + 24),
      /is outside the payload: a\/b\.txt/,
    ],
    'source without a zero': [
      (p) => p.writeBigUInt64LE(p.readBigUInt64LE(HEADER_BYTES + 24) - 1n, HEADER_BYTES + 24),
      /not followed by a zero: main/,
    ],
    'no main': [(p) => p.writeUInt32LE(3, HEADER_BYTES), /no section "main"/],
    'source as bytecode': [(p) => p.writeUInt32LE(1, HEADER_BYTES), /not bytecode/],
  };
  for (const [name, [damage, message]] of Object.entries(damaged)) {
    test(`damaged ${name} › refused with a sentence`, async () => {
      const payload = good();
      damage(payload);
      const run = await boot(imageFile(payload), {});
      assert.match(run.text, /^base: this image cannot start: /);
      assert.match(run.text, message);
      assert.equal(run.code, 126);
    });
  }

  test('bytecode of another engine › refused', async () => {
    const file = path.join(work, 'other.bin');
    execFileSync(path.join(built, 'bytecode'), [path.join(here, 'hello/test.js'), file]);
    const bytes = fs.readFileSync(file);
    bytes.writeUInt32LE(1, 12);
    const run = await boot(imageFile(payloadOf([{ kind: 'bytecode', name: 'main', bytes }])), {});
    assert.match(run.text, /bytecode for another engine/);
    assert.equal(run.code, 126);
  });

  test('the base alone › says what is missing', async () => {
    const run = await boot(path.join(built, 'base.elf'), {});
    assert.match(run.text, /there is no payload after the base/);
    assert.equal(run.code, 126);
  });

  test('bytecode tool › syntax error, missing file, wrong arguments', () => {
    const tool = path.join(built, 'bytecode');
    const script = path.join(work, 'broken.js');
    fs.writeFileSync(script, 'let = ;\n');
    const status = (...args: string[]) => {
      try {
        execFileSync(tool, args, { stdio: 'pipe' });
        return 'ok';
      } catch (error) {
        const { status: code, stderr } = error as { status: number; stderr: Buffer };
        return `${code} ${stderr.toString()}`;
      }
    };
    assert.match(status(script, path.join(work, 'o')), /^2 error: bytecode: SyntaxError/);
    assert.match(status(path.join(work, 'none.js'), 'o'), /^2 error: bytecode: cannot read/);
    assert.match(status(script), /^1 usage/);
    assert.match(
      status(path.join(here, 'hello/test.js'), '/nowhere/o'),
      /^2 error: bytecode: cannot write/,
    );
  });
});

test('files built › name no path of the machine that built them', () => {
  const root = path.join(here, '../..');
  for (const file of ['base.elf', 'base-test.elf', 'bytecode']) {
    assert.ok(!fs.readFileSync(path.join(built, file)).includes(root), file);
  }
});
