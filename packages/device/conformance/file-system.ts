/**
 * What every FileSystem must do, as cases that any target can run. A case fails by throwing.
 * Required reading: file-system.ts. Not here: what survives a loss of power, which needs a file
 * system that can lose it (targets/sim); symbolic links, which need one that can make them.
 */

import { assert, type Result } from '#core';
import {
  FILE_NAME_BYTES_MAX,
  FILE_PATH_BYTES_MAX,
  type FileError,
  type FileSystem,
  isFilePath,
  makeDirectories,
  type OpenFile,
  writeNewFile,
} from '#device';

export interface FileSystemCase {
  readonly name: string;
  /**
   * `files` is empty; `settle` lets watchers say what they have to say, until `isDone`, or for as
   * long as it takes to be sure that they have nothing to say.
   */
  run(files: FileSystem, settle: (isDone?: () => boolean) => Promise<void>): Promise<void> | void;
}

const ABSENT = 'absent';
const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
const textOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

function value<T>(result: Result<T, FileError>): T {
  assert(result.ok, result.ok ? '' : `${result.error.kind} ${result.error.path}`);
  return result.value;
}

function refused(result: Result<unknown, FileError>, kind: FileError['kind'], path: string): void {
  assert(!result.ok, `${path}: refused`);
  assert(result.error.kind === kind, `${path}: ${result.error.kind} should be ${kind}`);
  assert(result.error.path === path, `${path}: names ${result.error.path}`);
}

function expectText(files: FileSystem, path: string, want: string): void {
  const got = textOf(value(files.readFile(path, 1_000)));
  assert(got === want, `${path}: ${JSON.stringify(got)} should be ${JSON.stringify(want)}`);
}

const names = (files: FileSystem, path: string): string =>
  value(files.list(path))
    .map((entry) => `${entry.name}:${entry.kind}`)
    .sort()
    .join(' ');

const writeText = (files: FileSystem, path: string, text: string): void =>
  value(writeNewFile(files, path, bytesOf(text)));

const contents: FileSystemCase = {
  name: 'new files › read whole and in part; taken names refused',
  run(files) {
    writeText(files, 'a', 'hello');
    value(files.makeDirectory('d'));
    const sealed = value(files.open('d/é', 'sealed'));
    value(sealed.append(bytesOf('12')));
    value(sealed.append(bytesOf('345')));
    value(sealed.sync());
    sealed.close();
    expectText(files, 'a', 'hello');
    expectText(files, 'd/é', '12345');
    refused(files.open('a', 'new'), 'exists', 'a');
    refused(files.open('d/é', 'sealed'), 'exists', 'd/é');
    refused(writeNewFile(files, 'a', bytesOf('x')), 'exists', 'a');
    expectText(files, 'a', 'hello');
    const file = value(files.open('d/é', 'read'));
    const into = new Uint8Array(3).fill(0xa5);
    assert(value(file.read(3, into)) === 2, 'two bytes are left');
    assert(textOf(into) === '45\xa5', 'no byte more');
    assert(value(file.read(5, into)) === 0 && value(file.read(50, into)) === 0, 'the end');
    assert(value(file.read(1, into)) === 3 && textOf(into) === '234', 'from the middle');
    assert(value(file.stat()).sizeBytes === 5, 'its size');
    file.close();
    file.close();
  },
};

const scratched: FileSystemCase = {
  name: 'scratch › read and written over before it is closed, then as any other',
  run(files) {
    const file = value(files.open('a', 'scratch'));
    value(file.append(bytesOf('0123456789')));
    value(file.write(2, bytesOf('xy')));
    const into = new Uint8Array(4);
    assert(value(file.read(1, into)) === 4 && textOf(into) === '1xy4', 'as written over');
    value(file.append(bytesOf('end')));
    value(file.write(0, bytesOf('>')));
    value(file.sync());
    file.close();
    expectText(files, 'a', '>1xy456789end');
    refused(files.open('a', 'scratch'), 'exists', 'a');
  },
};

const appended: FileSystemCase = {
  name: 'append › makes the file, then goes on at its end, also beside another',
  run(files) {
    const first = value(files.open('log', 'append'));
    value(first.append(bytesOf('one ')));
    const second = value(files.open('log', 'append'));
    value(second.append(bytesOf('two ')));
    value(first.append(bytesOf('three')));
    value(first.append(new Uint8Array(0)));
    first.close();
    second.close();
    expectText(files, 'log', 'one two three');
  },
};

const bounded: FileSystemCase = {
  name: 'a file at the reader’s bound › read; one byte longer › refused with its size',
  run(files) {
    writeText(files, 'a', 'hello');
    assert(textOf(value(files.readFile('a', 5))) === 'hello', 'at the bound');
    const long = files.readFile('a', 4);
    refused(long, 'too long', 'a');
    assert(!long.ok && long.error.kind === 'too long' && long.error.sizeBytes === 5, 'its size');
    writeText(files, 'empty', '');
    assert(value(files.readFile('empty', 0)).length === 0, 'nothing');
  },
};

const missing: FileSystemCase = {
  name: 'what isn’t there › absent, by its own name, on the way too',
  run(files) {
    writeText(files, 'file', 'x');
    for (const path of ['none', 'none/a', 'none/a/b']) {
      refused(files.readFile(path, 10), ABSENT, path);
      refused(files.open(path, 'read'), ABSENT, path);
      refused(files.remove(path), ABSENT, path);
      refused(files.touch(path), ABSENT, path);
      refused(files.list(path), ABSENT, path);
      refused(files.removeDirectory(path), ABSENT, path);
      refused(files.syncDirectory(path), ABSENT, path);
      refused(
        files.watch(path, () => {}),
        ABSENT,
        path,
      );
      refused(files.rename(path, 'b'), ABSENT, path);
      refused(files.link(path, 'b'), ABSENT, path);
      assert(value(files.stat(path)) === null, 'no stat');
    }
    for (const path of ['none/a', 'none/a/b']) {
      refused(files.open(path, 'new'), ABSENT, path);
      refused(files.open(path, 'append'), ABSENT, path);
      refused(files.makeDirectory(path), ABSENT, path);
      refused(files.rename('file', path), ABSENT, path);
      refused(files.link('file', path), ABSENT, path);
    }
    assert(names(files, '') === 'file:file', 'nothing was made');
  },
};

const kinds: FileSystemCase = {
  name: 'files and directories in each other’s place › refused',
  run(files) {
    writeText(files, 'file', 'x');
    value(files.makeDirectory('dir'));
    writeText(files, 'dir/in', 'y');
    for (const path of ['dir', '']) refused(files.readFile(path, 10), 'directory', path);
    for (const mode of ['read', 'append'] as const) {
      refused(files.open('dir', mode), 'directory', 'dir');
    }
    refused(files.open('dir', 'new'), 'exists', 'dir');
    refused(files.remove('dir'), 'directory', 'dir');
    refused(files.list('file'), 'no directory', 'file');
    refused(files.syncDirectory('file'), 'no directory', 'file');
    refused(files.removeDirectory('file'), 'no directory', 'file');
    refused(files.removeDirectory('dir'), 'not empty', 'dir');
    refused(files.makeDirectory('dir'), 'exists', 'dir');
    refused(files.makeDirectory('file'), 'exists', 'file');
    refused(files.open('file/a', 'new'), 'no directory', 'file/a');
    refused(files.readFile('file/a', 10), 'no directory', 'file/a');
    refused(files.makeDirectory('file/a'), 'no directory', 'file/a');
    refused(files.rename('file', 'dir'), 'directory', 'dir');
    refused(makeDirectories(files, 'dir/in/a'), 'no directory', 'dir/in/a');
    expectText(files, 'file', 'x');
    expectText(files, 'dir/in', 'y');
  },
};

const moved: FileSystemCase = {
  name: 'rename › replaces; a reader keeps what it opened; link › one more name',
  run(files) {
    writeText(files, 'old', 'old');
    writeText(files, 'new', 'new');
    const reader = value(files.open('old', 'read'));
    value(files.rename('new', 'old'));
    expectText(files, 'old', 'new');
    refused(files.readFile('new', 10), ABSENT, 'new');
    const into = new Uint8Array(3);
    assert(value(reader.read(0, into)) === 3 && textOf(into) === 'old', 'what it opened');
    reader.close();
    value(files.link('old', 'second'));
    refused(files.link('old', 'second'), 'exists', 'second');
    const [a, b] = [value(files.stat('old')), value(files.stat('second'))];
    assert(a?.inode === b?.inode, 'the same file');
    value(files.remove('old'));
    expectText(files, 'second', 'new');
    value(makeDirectories(files, 'a/b/c'));
    value(makeDirectories(files, 'a/b/c'));
    writeText(files, 'a/b/c/x', 'deep');
    value(files.rename('a/b', 'moved'));
    expectText(files, 'moved/c/x', 'deep');
    assert(names(files, 'a') === '', 'gone from where it was');
    value(files.removeDirectory('a'));
    assert(names(files, '') === 'moved:directory second:file', 'what is left');
  },
};

const removedOpen: FileSystemCase = {
  name: 'a file removed while it is open › its reader goes on',
  run(files) {
    writeText(files, 'a', 'abc');
    const file: OpenFile = value(files.open('a', 'read'));
    value(files.remove('a'));
    writeText(files, 'a', 'other');
    const into = new Uint8Array(3);
    assert(value(file.read(0, into)) === 3 && textOf(into) === 'abc', 'as it was');
    file.close();
    value(files.remove('a'));
    assert(names(files, '') === '', 'empty');
  },
};

const stats: FileSystemCase = {
  name: 'stat › kind, size, and another identity once replaced',
  run(files) {
    assert(value(files.stat(''))?.kind === 'directory', 'the root');
    writeText(files, 'a', 'abc');
    const before = value(files.stat('a'));
    assert(before?.kind === 'file' && before.sizeBytes === 3, 'a file');
    writeText(files, 'b', 'abd');
    value(files.rename('b', 'a'));
    const now = value(files.stat('a'));
    assert(now !== null && now.inode !== before.inode, 'another file');
    value(files.touch('a'));
    const touched = value(files.stat('a'));
    assert(touched !== null, 'it is there');
    // A host may set whole milliseconds, where the time of writing had more digits.
    assert(touched.modifiedNanos > now.modifiedNanos - 1_000_000n, 'not earlier');
    assert(touched.inode === now.inode && touched.sizeBytes === 3, 'the same file');
    value(files.makeDirectory('d'));
    assert(value(files.stat('d'))?.kind === 'directory', 'a directory');
  },
};

const syncs: FileSystemCase = {
  name: 'sync of a file, of a directory and of the root, alone and together › done',
  async run(files) {
    value(files.makeDirectory('d'));
    const file = value(files.open('d/a', 'append'));
    value(file.sync());
    value(file.append(bytesOf('x')));
    value(file.sync());
    file.close();
    value(files.syncDirectory('d'));
    value(files.syncDirectory(''));
    const both = [value(files.open('d/b', 'sealed')), value(files.open('d/c', 'append'))];
    for (const one of both) value(one.append(bytesOf('x')));
    value(await files.syncAll(both, ['d', '']));
    value(await files.syncAll([], []));
    refused(await files.syncAll(both, ['', 'none']), ABSENT, 'none');
    for (const one of both) one.close();
  },
};

const WRONG_PATHS = ['/', '/a', 'a/', 'a//b', '.', '..', '../a', 'a/..', 'a/../b', './a', 'a/.'];

const outside: FileSystemCase = {
  name: 'paths that aren’t below the root › refused by every call',
  run(files) {
    writeText(files, 'a', 'x');
    const long = 'n'.repeat(FILE_NAME_BYTES_MAX);
    const deep = `${'d/'.repeat(FILE_PATH_BYTES_MAX / 2)}d`;
    const wide = 'é'.repeat(FILE_NAME_BYTES_MAX / 2 + 1);
    for (const path of [...WRONG_PATHS, 'a\0b', `${long}n`, wide, deep, `/etc/passwd`]) {
      assert(!isFilePath(path), path);
      refused(files.open(path, 'read'), 'name', path);
      refused(files.open(path, 'append'), 'name', path);
      refused(files.readFile(path, 10), 'name', path);
      refused(files.rename(path, 'b'), 'name', path);
      refused(files.rename('a', path), 'name', path);
      refused(files.link('a', path), 'name', path);
      refused(files.remove(path), 'name', path);
      refused(files.touch(path), 'name', path);
      refused(files.makeDirectory(path), 'name', path);
      refused(files.removeDirectory(path), 'name', path);
      refused(files.list(path), 'name', path);
      refused(files.stat(path), 'name', path);
      refused(files.syncDirectory(path), 'name', path);
      refused(
        files.watch(path, () => {}),
        'name',
        path,
      );
    }
    writeText(files, long, 'at the bound');
    expectText(files, long, 'at the bound');
    assert(isFilePath('a/...') && isFilePath('.a/b..') && isFilePath('..a'), 'dots in names');
  },
};

const watched: FileSystemCase = {
  name: 'watch › told of an entry made, replaced and removed, until it ends',
  async run(files, settle) {
    value(files.makeDirectory('d'));
    await settle();
    let told = 0;
    const end = value(
      files.watch('d', () => {
        told++;
      }),
    );
    const steps = [
      () => writeText(files, 'd/a', 'x'),
      () => writeText(files, 'd/b', 'y'),
      () => value(files.rename('d/b', 'd/a')),
      () => value(files.remove('d/a')),
    ];
    for (const step of steps) {
      const before = told;
      step();
      await settle(() => told > before);
      assert(told > before, 'told');
    }
    end();
    const before = told;
    writeText(files, 'd/c', 'x');
    await settle();
    assert(told === before, 'no more');
  },
};

export const fileSystemCases: readonly FileSystemCase[] = [
  contents,
  scratched,
  appended,
  bounded,
  missing,
  kinds,
  moved,
  removedOpen,
  stats,
  syncs,
  outside,
  watched,
];
