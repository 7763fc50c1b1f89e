import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { NAME_BYTES_MAX } from '../limits.ts';
import {
  type FileMode,
  MODE_DIRECTORY,
  MODE_EXECUTABLE,
  MODE_FILE,
  MODE_LINK,
  MODE_SUBMODULE,
} from '../object.ts';
import { type ObjectId, parseObjectId } from '../object-id.ts';
import { emitTree, formatTree, isEntryName, parseTree, type TreeEntry, TreeTable } from './tree.ts';

const directory = mkdtempSync(join(tmpdir(), 'tree-'));
after(() => rmSync(directory, { recursive: true }));
const env = { ...process.env, GIT_CONFIG_NOSYSTEM: '1', HOME: directory, GIT_DIR: directory };
const git = (args: string[], input: Uint8Array | string = ''): Buffer =>
  execFileSync('git', args, { env, input });
git(['init', '-q', '--bare', directory]);

const idOf = (digit: number): ObjectId => parseObjectId(digit.toString(16).repeat(40))!;
const entry = (name: string, mode: FileMode = MODE_FILE, digit = 1): TreeEntry => ({
  name,
  mode,
  id: idOf(digit),
});
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const raw = (...parts: [string, string][]): Uint8Array =>
  bytesOf(parts.map(([mode, name]) => `${mode} ${name}\0${'\x11'.repeat(20)}`).join(''));

const faultOf = (b: Uint8Array) => {
  const parsed = parseTree(b, 20);
  assert.equal(parsed.ok, false, 'malformed');
  return parsed.ok ? null : parsed.error.kind;
};

test('modes with as many digits as may be, fewer and more › parsed, malformed', () => {
  for (const mode of ['40000', '100644', '0100644']) assert(parseTree(raw([mode, 'a']), 20).ok);
  for (const mode of ['4000', '00100644']) assert.equal(faultOf(raw([mode, 'a'])), 'field', mode);
});

test('entries in any order › written › as git mktree writes them', () => {
  const entries = [
    entry('b', MODE_DIRECTORY),
    entry('b.c'),
    entry('b-c', MODE_EXECUTABLE, 2),
    entry('a', MODE_LINK, 3),
    entry('b0', MODE_SUBMODULE, 4),
    entry('größe', MODE_FILE, 5),
    entry('z\udcff', MODE_FILE, 6),
  ];
  const bytes = emitTree(entries, 20);
  const lines = entries.map(({ mode, name, id }) => {
    const kind = mode === MODE_DIRECTORY ? 'tree' : mode === MODE_SUBMODULE ? 'commit' : 'blob';
    const named = name === 'z\udcff' ? Buffer.from('z\xff', 'latin1') : Buffer.from(name);
    return Buffer.concat([
      Buffer.from(`${mode.toString(8)} ${kind} ${id}\t`),
      named,
      Buffer.from([0]),
    ]);
  });
  const id = git(['mktree', '--missing', '-z'], Buffer.concat(lines)).toString().trim();
  assert.deepEqual(Buffer.from(bytes), git(['cat-file', 'tree', id]));
  const parsed = parseTree(bytes, 20);
  const byName = (a: TreeEntry, b: TreeEntry): number => (a.name < b.name ? -1 : 1);
  assert.deepEqual(parsed.ok && [...parsed.value].sort(byName), [...entries].sort(byName));
});

test('random names and edits › a table of them › the same as the tree written afresh', () => {
  const name = fc
    .string({ unit: fc.constantFrom('a', 'b', '-', '.', '0', 'ä', '\udc80'), maxLength: 4 })
    .filter((text) => isEntryName(text));
  const mode = fc.constantFrom<FileMode>(MODE_FILE, MODE_DIRECTORY, MODE_EXECUTABLE);
  const made = fc.record({ mode, id: fc.nat(15).map(idOf) });
  const edits = fc.uniqueArray(fc.record({ name, entry: fc.option(made) }), {
    selector: (edit) => edit.name,
    maxLength: 12,
  });
  fc.assert(
    fc.property(fc.array(edits, { maxLength: 8 }), (rounds) => {
      const model = new Map<string, TreeEntry>();
      let table = TreeTable.empty(20);
      for (const round of rounds) {
        table = table.with(round);
        for (const edit of round) {
          if (edit.entry === null) model.delete(edit.name);
          else model.set(edit.name, { name: edit.name, ...edit.entry });
        }
        assert.deepEqual(table.bytes, emitTree([...model.values()], 20));
        const parsed = TreeTable.parse(table.bytes, 20);
        assert.deepEqual(parsed.ok && parsed.value.entries(), table.entries());
        for (const wanted of model.values()) assert.deepEqual(table.get(wanted.name), wanted);
        assert.equal(table.get('nobody'), null);
      }
    }),
    { numRuns: 60, seed: 6 },
  );
});

test('modes of old Gits › parsed › what they stand for; the bytes stay', () => {
  const bytes = raw(['0100644', 'a'], ['100600', 'b'], ['100711', 'c'], ['040000', 'd']);
  const parsed = parseTree(bytes, 20);
  const modes = parsed.ok && parsed.value.map(({ mode }) => mode);
  assert.deepEqual(modes, [MODE_FILE, MODE_FILE, MODE_EXECUTABLE, MODE_DIRECTORY]);
  const table = TreeTable.parse(bytes, 20);
  assert.ok(table.ok);
  const edited = table.value.with([{ name: 'b', entry: null }]);
  assert.deepEqual(edited.bytes, raw(['0100644', 'a'], ['100711', 'c'], ['040000', 'd']));
});

test('malformed trees › parsed › a fault', () => {
  assert.equal(faultOf(raw(['100644', 'b'], ['100644', 'a'])), 'field');
  assert.equal(faultOf(raw(['100644', 'a'], ['100644', 'a'])), 'field');
  assert.equal(faultOf(raw(['100644', 'a'], ['100644', 'a.b'], ['40000', 'a'])), 'field');
  assert.equal(faultOf(raw(['40000', 'a'], ['100644', 'a.b'])), 'field');
  assert.equal(faultOf(raw(['100644', ''])), 'field');
  assert.equal(faultOf(raw(['100644', 'a/b'])), 'field');
  assert.equal(faultOf(raw(['', 'a'])), 'field');
  assert.equal(faultOf(raw(['100648', 'a'])), 'field');
  assert.equal(faultOf(raw(['00100644', 'a'])), 'field');
  assert.equal(faultOf(raw(['4', 'abc d'])), 'field');
  assert.equal(faultOf(raw(['4000', 'a'])), 'field');
  const whole = raw(['100644', 'a'], ['40000', 'b']);
  for (let count = 1; count < whole.length; count++) {
    if (count !== 29) assert.equal(faultOf(whole.slice(0, count)), 'short');
  }
});

test('a name at the bound › parsed › taken; one byte more › a fault, and not a name', () => {
  const longest = 'n'.repeat(NAME_BYTES_MAX);
  assert.equal(parseTree(raw(['100644', longest]), 20).ok, true);
  assert.equal(isEntryName(longest), true);
  assert.equal(faultOf(raw(['100644', `${longest}n`])), 'field');
  assert.equal(isEntryName(`${longest}n`), false);
  assert.equal(isEntryName('ä'.repeat(NAME_BYTES_MAX / 2)), true);
  assert.equal(isEntryName(`n${'ä'.repeat(NAME_BYTES_MAX / 2)}`), false);
});

test('formatted › as git ls-tree, without kinds', () => {
  const text = formatTree([entry('a', MODE_DIRECTORY), entry('b')]);
  assert.equal(text, `040000 ${idOf(1)}\ta\n100644 ${idOf(1)}\tb`);
});
