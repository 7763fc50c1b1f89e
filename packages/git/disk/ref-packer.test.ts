import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { wallTimeOfMillis } from '#core';
import { writeNewFile } from '#device';
import { SimCrash, type SimFileSystem, SimRandom } from '#targets/sim/index';
import type { RefUpdate } from '../backend.ts';
import type { ObjectId } from '../object-id.ts';
import { must } from '../test-must.ts';
import type { DiskBackend } from './disk-backend.ts';
import { commitObjects, openTest, simRepository, TestHome } from './test-repository.ts';

const home = new TestHome();
after(() => home.close());

const MAIN = 'refs/heads/main';
const clock = { wall: () => wallTimeOfMillis(Date.now()) };
const OPTIONS = { pruneBefore: null };
const THIS = { id: 4_711, host: 'here', isAlive: (id: number) => id === 42 };

async function commit(backend: DiskBackend, text: string): Promise<ObjectId> {
  const objects = commitObjects(text, []);
  must(await backend.writeObjects(objects));
  return objects.at(-1)!.id;
}

const set = async (backend: DiskBackend, name: string, to: ObjectId | null): Promise<void> =>
  void must(await backend.updateRefs([{ name, from: 'any', to } satisfies RefUpdate], 'test'));

test('refs of all kinds › packed › as git packs them, the others stay files', async () => {
  const { path, files } = home.repository();
  const backend = openTest(files, 1, { clock, isSynced: false });
  const first = await commit(backend, 'one');
  for (const name of [MAIN, 'refs/heads/deep/er/branch', 'refs/bisect/bad']) {
    await set(backend, name, first);
  }
  home.git(path, 'tag', '-a', '-m', 'm', 'v1', first);
  home.git(path, 'symbolic-ref', 'refs/heads/link', MAIN);
  home.git(path, 'pack-refs', '--all');
  const theirs = readFileSync(join(path, 'packed-refs'), 'utf8');
  // As an old Git wrote it: what tags lead to isn't told.
  const old = theirs.split('\n').filter((line) => !/^[#^]/.test(line));
  writeFileSync(join(path, 'packed-refs'), old.join('\n'));
  const second = await commit(backend, 'two');
  await set(backend, MAIN, second);
  const before = home.git(path, 'show-ref', '--head', '--dereference');
  writeFileSync(join(path, 'refs/heads/broken'), 'x');
  writeFileSync(join(path, 'refs/heads/gone'), `${'1'.repeat(40)}\n`);
  assert.equal(must(await backend.packRefs()), 1);
  const ours = readFileSync(join(path, 'packed-refs'), 'utf8');
  assert.equal(ours, theirs.replace(`${first} ${MAIN}`, `${second} ${MAIN}`));
  assert.deepEqual(readdirSync(join(path, 'refs/heads')).sort(), ['broken', 'gone', 'link']);
  assert.ok(existsSync(join(path, 'refs/bisect/bad')));
  assert.equal(must(await backend.packRefs()), 0);
  for (const name of ['broken', 'gone']) rmSync(join(path, 'refs/heads', name));
  assert.equal(home.git(path, 'show-ref', '--head', '--dereference'), before);
  await backend.close();
});

/** Runs once, when packed-refs has just been replaced. */
function whenPacked(files: SimFileSystem, work: () => void): void {
  const rename = files.rename.bind(files);
  files.rename = (from, to) => {
    const renamed = rename(from, to);
    if (to === 'packed-refs') work();
    return renamed;
  };
}

test('refs changed and locked by others meanwhile › packed › their files stay; none can be removed', async () => {
  const files = simRepository(3);
  const backend = openTest(files, 4);
  const [first, second] = [await commit(backend, 'one'), await commit(backend, 'two')];
  const names = [MAIN, 'refs/heads/held', 'refs/heads/other/moved'];
  for (const name of names) await set(backend, name, first);
  whenPacked(files, () => {
    assert.ok(must(files.stat('packed-refs.lock')) !== null, 'who removes a ref must wait');
    must(files.open('refs/heads/held.lock', 'new')).close();
    must(writeNewFile(files, 'moved', new TextEncoder().encode(`${second}\n`)));
    must(files.rename('moved', 'refs/heads/other/moved'));
  });
  assert.equal(must(await backend.packRefs()), 3);
  const refs = must(await backend.listRefs(''));
  assert.deepEqual(
    refs.map(({ id }) => id),
    [first, first, second],
  );
  assert.deepEqual(
    must(files.list('refs/heads'))
      .map(({ name }) => name)
      .sort(),
    ['held', 'held.lock', 'other'],
  );
  must(files.remove('refs/heads/held.lock'));
  must(files.open('packed-refs.lock', 'new')).close();
  const busy = await backend.packRefs();
  assert.ok(!busy.ok && busy.error.kind === 'busy');
  const removed = await backend.updateRefs([{ name: MAIN, from: first, to: null }], 'test');
  assert.ok(!removed.ok && removed.error.kind === 'busy', 'packed just now, it would come back');
  await backend.close();
});

test('power lost at every step of packing, and of changes after it › no ref is lost', async () => {
  for (let step = 0; ; step++) {
    const files = simRepository(3);
    const backend = openTest(files, 4);
    const [first, second] = [await commit(backend, 'one'), await commit(backend, 'two')];
    const told = new Map<string, ObjectId | null>();
    const change = async (name: string, to: ObjectId | null) => {
      told.delete(name);
      await set(backend, name, to);
      told.set(name, to);
    };
    for (const name of [MAIN, 'refs/heads/b/c', 'refs/tags/d', 'refs/x/y']) {
      await change(name, first);
    }
    must(await backend.packRefs());
    for (const name of [MAIN, 'refs/heads/e', 'refs/tags/d']) await change(name, second);
    files.crashAt = files.steps + step;
    try {
      must(await backend.packRefs());
      await change('refs/heads/e', null);
      await change(MAIN, first);
      await change('refs/heads/b/c', second);
      await change('refs/heads/b/c', null);
      assert.ok(step > 40, `${step} steps`);
      break;
    } catch (error) {
      if (!(error instanceof SimCrash)) throw error;
    }
    const again = openTest(files.crashed(new SimRandom(step)), 5);
    for (const [name, id] of told) {
      assert.equal(must(await again.readRef(name))?.id ?? null, id, `step ${step}: ${name}`);
    }
    await again.close();
  }
});

test('gc.pid left by a dead process of this host › collected › nobody waits; others count', async () => {
  const { path, files } = home.repository();
  const backend = openTest(files, 1, { clock, isSynced: false, process: THIS });
  await set(backend, MAIN, await commit(backend, 'one'));
  for (const text of ['41 here', '41 here\n', 'no process']) {
    writeFileSync(join(path, 'gc.pid'), text);
    must(await backend.gc(OPTIONS));
    assert.ok(!existsSync(join(path, 'gc.pid')));
  }
  for (const text of ['42 here', '41 elsewhere', '0 morgana']) {
    writeFileSync(join(path, 'gc.pid'), text);
    const busy = await backend.gc(OPTIONS);
    assert.ok(!busy.ok && busy.error.kind === 'busy', text);
    assert.equal(readFileSync(join(path, 'gc.pid'), 'utf8'), text);
    assert.ok(!existsSync(join(path, 'gc.pid.lock')));
  }
  const old = new Date(Date.now() - 13 * 3_600_000);
  utimesSync(join(path, 'gc.pid'), old, old);
  must(await backend.gc(OPTIONS));
  writeFileSync(join(path, 'gc.pid.lock'), '');
  const hour = new Date(Date.now() - 3 * 3_600_000);
  utimesSync(join(path, 'gc.pid.lock'), hour, hour);
  const busy = await backend.gc(OPTIONS);
  assert.ok(!busy.ok && busy.error.kind === 'busy');
  assert.match(busy.error.what, /^gc\.pid\.lock exists, made 3 hours ago: .*remove that file/);
  await backend.close();
});
