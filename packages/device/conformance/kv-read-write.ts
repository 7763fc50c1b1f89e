/**
 * What every KvReadWrite must do, as cases for any: what kv.ts says. Required reading: kv.ts. Not
 * here: what survives a loss of power, and how many commits a store makes of it.
 */

import { assert, hot, type Result } from '#core';
import { KV_CHANGES_MAX, type KvError, type KvReadWrite } from '#device';

export interface KvReadWriteCase {
  readonly name: string;
  /** `device` is empty. */
  run(device: KvReadWrite): Promise<void>;
}

const bytesOf = (text: string): Uint8Array => hot.utf8Encode(text);

function done<T>(result: Result<T, KvError>): T {
  assert(result.ok, `done, not ${result.ok || result.error.kind}`);
  return result.value;
}

function refused(result: Result<unknown, KvError>, kind: KvError['kind']): void {
  assert(!result.ok && result.error.kind === kind, `refused: ${kind}`);
}

/** The content at `path` as text, or null. */
async function textAt(device: KvReadWrite, path: string): Promise<string | null> {
  const entry = done(await device.get(path));
  return entry === null ? null : hot.utf8Decode(entry.bytes, 0, entry.bytes.length, true);
}

const listOf = async (device: KvReadWrite, directory = ''): Promise<string> =>
  done(await device.list(directory)).join(' ');

const setAndGet: KvReadWriteCase = {
  name: 'set › got, another, removed',
  async run(device) {
    assert((await textAt(device, 'a/b')) === null && (await listOf(device)) === '', 'empty');
    done(await device.set('a/b', bytesOf('one')));
    done(await device.set('c', bytesOf('')));
    assert((await textAt(device, 'a/b')) === 'one' && (await textAt(device, 'c')) === '', 'set');
    const first = done(await device.get('a/b'))!.digest;
    done(await device.set('a/b', bytesOf('two')));
    assert((await textAt(device, 'a/b')) === 'two', 'another');
    assert(done(await device.get('a/b'))!.digest !== first, 'with another digest');
    done(await device.remove('a/b'));
    done(await device.remove('a/b'));
    assert((await textAt(device, 'a/b')) === null && (await listOf(device)) === 'c', 'removed');
  },
};

const lists: KvReadWriteCase = {
  name: 'list › of a directory, in byte order; of what is none › empty',
  async run(device) {
    for (const path of ['b', 'a/z', 'a/y/x', 'a-', 'ab/c', '\u{10000}', '\uff5e']) {
      done(await device.set(path, bytesOf(path)));
    }
    const all = await listOf(device);
    assert(all === 'a- a/y/x a/z ab/c b \uff5e \u{10000}', 'all of them');
    assert((await listOf(device, 'a')) === 'a/y/x a/z', 'of a directory');
    assert((await listOf(device, 'a/y')) === 'a/y/x', 'below');
    assert((await listOf(device, 'b')) === '' && (await listOf(device, 'none')) === '', 'none');
  },
};

const batches: KvReadWriteCase = {
  name: 'batch › all at once, the last of one path; one that is refused › none',
  async run(device) {
    done(await device.set('old', bytesOf('o')));
    const change = (path: string, text: string | null) => ({
      path,
      bytes: text === null ? null : bytesOf(text),
    });
    const changes = [change('a', '1'), change('b', '2'), change('a', '3'), change('old', null)];
    done(await device.batch(changes));
    assert((await listOf(device)) === 'a b' && (await textAt(device, 'a')) === '3', 'all');
    const bad = [change('a', '4'), change('../x', '5')];
    refused(await device.batch(bad), 'bad path');
    refused(await device.batch([change('c', '6'), change('b/d', '7')]), 'in the way');
    assert((await listOf(device)) === 'a b' && (await textAt(device, 'a')) === '3', 'none');
    done(await device.batch([]));
    const many = Array.from({ length: KV_CHANGES_MAX + 1 }, () => change('a', '8'));
    refused(await device.batch(many), 'too many changes');
    done(await device.batch(many.slice(1)));
    assert((await textAt(device, 'a')) === '8', 'as many as may be');
  },
};

const paths: KvReadWriteCase = {
  name: 'bad paths, and what is in the way › refused; got › nothing',
  async run(device) {
    for (const path of ['', '/', 'a/', '/a', 'a//b', '.', '..', 'a/../b', './a', 'a\0', '\ud800']) {
      refused(await device.set(path, bytesOf('x')), 'bad path');
      refused(await device.remove(path), 'bad path');
      assert((await textAt(device, path)) === null, 'nothing is there');
    }
    done(await device.set('a/b', bytesOf('x')));
    refused(await device.set('a', bytesOf('x')), 'in the way');
    refused(await device.set('a/b/c', bytesOf('x')), 'in the way');
    done(await device.remove('a'));
    assert((await listOf(device)) === 'a/b', 'as it was');
    // What makes room in the same change is no longer there.
    done(
      await device.batch([
        { path: 'a/b', bytes: null },
        { path: 'a', bytes: bytesOf('y') },
      ]),
    );
    assert((await listOf(device)) === 'a', 'in its place');
  },
};

const together: KvReadWriteCase = {
  name: 'many at once › all are there',
  async run(device) {
    const names = Array.from({ length: 20 }, (_, number) => `n${number}`);
    const results = await Promise.all(names.map((name) => device.set(name, bytesOf(name))));
    for (const result of results) done(result);
    for (const name of names) assert((await textAt(device, name)) === name, name);
  },
};

const snapshots: KvReadWriteCase = {
  name: 'a snapshot › stays as it was',
  async run(device) {
    assert(done(await device.snapshot()).paths().length === 0, 'of nothing');
    done(await device.set('a', bytesOf('1')));
    const then = done(await device.snapshot());
    done(await device.set('a', bytesOf('2')));
    done(await device.set('b', bytesOf('3')));
    assert(then.paths().join() === 'a' && then.get('a')?.bytes[0] === 0x31, 'as it was');
  },
};

const watches: KvReadWriteCase = {
  name: 'watch › told what changes there, and nothing else; ended › nothing more',
  async run(device) {
    const told: string[] = [];
    let wake = (): void => {};
    const end = done(
      await device.watch('a', (changed) => {
        told.push(...changed);
        wake();
      }),
    );
    const reached = async (path: string): Promise<void> => {
      while (!told.includes(path)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    done(await device.set('b', bytesOf('1')));
    done(await device.set('a/x', bytesOf('1')));
    done(await device.set('a/x', bytesOf('1')));
    await reached('a/x');
    done(
      await device.batch([
        { path: 'a/y', bytes: bytesOf('2') },
        { path: 'a/x', bytes: null },
      ]),
    );
    await reached('a/y');
    assert(told.join(' ') === 'a/x a/x a/y', 'each once, in order');
    end();
    done(await device.set('a/z', bytesOf('3')));
    assert(told.length === 3, 'nothing more');
  },
};

export const kvReadWriteCases: readonly KvReadWriteCase[] = [
  setAndGet,
  lists,
  batches,
  paths,
  together,
  snapshots,
  watches,
];
