/** Cases about refs, their names and their transactions. */

import { assert } from '#core';
import { REF_UPDATES_MAX } from '../limits.ts';
import type { ObjectId } from '../object-id.ts';
import { type BackendWorld, expectRef, refused, update, value, writeCommits } from './expect.ts';
import type { BackendCase } from './index.ts';

const MAIN = 'refs/heads/main';
const RACERS = 8;

async function names(world: BackendWorld, prefix: string): Promise<string> {
  const refs = value(await world.backend.listRefs(prefix), 'listed');
  return refs.map(({ name }) => name).join(' ');
}

const to = (name: string, id: ObjectId | null, from: ObjectId | null | 'any' = 'any') => ({
  name,
  from,
  to: id,
});

/** `git check-ref-format` refuses each of these behind "refs/". */
export const BAD_REF_NAMES: readonly string[] = [
  'heads/.a',
  'heads/a.lock',
  'heads/a.lock/b',
  'heads/a..b',
  'heads/a b',
  'heads/a~b',
  'heads/a^b',
  'heads/a:b',
  'heads/a?b',
  'heads/a*b',
  'heads/a[b',
  'heads/a\\b',
  'heads/a\x7fb',
  'heads/a\nb',
  'heads/a\0b',
  'heads//a',
  '/heads/a',
  'heads/a/',
  'heads/a.',
  'heads/a@{b',
  'heads/./a',
  'heads/../a',
  '',
];

/** And each of these is a name. */
export const GOOD_REF_NAMES: readonly string[] = [
  'heads/a',
  'heads/a/b/c',
  'heads/a.b',
  'heads/@',
  'heads/a@b',
  'heads/-a',
  'heads/{a}',
  'heads/größe',
  'heads/🌳',
  'tags/v1.0',
  'notes/x',
  'lock',
];

export const refCases: readonly BackendCase[] = [
  {
    name: 'fresh › refs listed, HEAD read › none, and main',
    async run(world) {
      assert((await names(world, '')) === '', 'no refs');
      await expectRef(world, MAIN, null);
      const head = value(await world.backend.readRef('HEAD'), 'HEAD');
      assert(head?.symbolic === MAIN, 'HEAD is at main');
    },
  },
  {
    name: 'absent › set › there; moved, removed › gone',
    async run(world) {
      const [a, b] = (await writeCommits(world, 2)) as [ObjectId, ObjectId];
      value(await update(world, to(MAIN, a, null)), 'made');
      await expectRef(world, MAIN, a);
      value(await update(world, to(MAIN, b, a)), 'moved');
      await expectRef(world, MAIN, b);
      value(await update(world, to(MAIN, null, b)), 'removed');
      await expectRef(world, MAIN, null);
      assert((await names(world, '')) === '', 'nothing is left');
    },
  },
  {
    name: 'a ref elsewhere than expected › set, removed › refused, with where it is',
    async run(world) {
      const [a, b] = (await writeCommits(world, 2)) as [ObjectId, ObjectId];
      const absent = await update(world, to(MAIN, b, a));
      refused(absent, 'moved');
      value(await update(world, to(MAIN, a)), 'made');
      for (const wrong of [to(MAIN, b, null), to(MAIN, b, b), to(MAIN, null, b)]) {
        const outcome = await update(world, wrong);
        refused(outcome, 'moved');
        const error = outcome.ok ? null : outcome.error;
        assert(error?.kind === 'moved' && error.actual === a && error.name === MAIN, 'where it is');
      }
      await expectRef(world, MAIN, a);
    },
  },
  {
    name: 'same place, or absent and removed › updated › done',
    async run(world) {
      const [a] = (await writeCommits(world, 1)) as [ObjectId];
      value(await update(world, to(MAIN, null)), 'removing nothing');
      value(await update(world, to(MAIN, null, null)), 'removing nothing, as expected');
      value(await update(world, to(MAIN, a)), 'made');
      value(await update(world, to(MAIN, a, a)), 'moved to where it is');
      value(await update(world), 'no updates');
      await expectRef(world, MAIN, a);
    },
  },
  {
    name: 'several refs, one of them elsewhere › updated › none has changed',
    async run(world) {
      const [a, b] = (await writeCommits(world, 2)) as [ObjectId, ObjectId];
      value(await update(world, to('refs/heads/x', a), to('refs/heads/y', a)), 'made');
      const outcome = await update(
        world,
        to('refs/heads/new', b, null),
        to('refs/heads/x', b, a),
        to('refs/heads/y', b, b),
      );
      refused(outcome, 'moved');
      await expectRef(world, 'refs/heads/x', a);
      await expectRef(world, 'refs/heads/y', a);
      await expectRef(world, 'refs/heads/new', null);
      value(await update(world, to('refs/heads/x', b, a), to('refs/heads/y', null, a)), 'both');
      assert((await names(world, '')) === 'refs/heads/x', 'both or none');
    },
  },
  {
    name: 'many racers from one place › each sets its own › one has won, as the ref tells',
    async run(world) {
      const [start, ...ids] = (await writeCommits(world, RACERS + 1)) as [ObjectId, ...ObjectId[]];
      value(await update(world, to(MAIN, start)), 'made');
      const outcomes = await Promise.all(ids.map((id) => update(world, to(MAIN, id, start))));
      const winners = ids.filter((_, i) => outcomes[i]!.ok);
      assert(winners.length === 1, `${winners.length} have won`);
      for (const outcome of outcomes) if (!outcome.ok) refused(outcome, 'moved');
      await expectRef(world, MAIN, winners[0]!);
    },
  },
  {
    name: 'racers that try again › count to the sum of all',
    async run(world) {
      const ids = (await writeCommits(world, RACERS * 3 + 1)) as [ObjectId, ...ObjectId[]];
      value(await update(world, to(MAIN, ids[0])), 'made');
      const advance = async (): Promise<void> => {
        for (let tries = 0; tries < 1_000; tries++) {
          const at = value(await world.backend.readRef(MAIN), 'read')!.id!;
          const outcome = await update(world, to(MAIN, ids[ids.indexOf(at) + 1]!, at));
          if (outcome.ok) return;
          if (outcome.error.kind !== 'busy') refused(outcome, 'moved');
        }
        throw new Error('never won');
      };
      const racers = Array.from({ length: RACERS }, async () => {
        for (let i = 0; i < 3; i++) await advance();
      });
      await Promise.all(racers);
      await expectRef(world, MAIN, ids.at(-1)!);
    },
  },
  {
    name: 'refs of many kinds › listed by prefix › those, in the order of their bytes',
    async run(world) {
      const [a] = (await writeCommits(world, 1)) as [ObjectId];
      const paths = ['heads/b', 'heads/a/z', 'heads/a-z', 'tags/v1', 'remotes/o/m', 'heads/B'];
      value(await update(world, ...paths.map((path) => to(`refs/${path}`, a))), 'made');
      const heads = 'refs/heads/B refs/heads/a-z refs/heads/a/z refs/heads/b';
      assert((await names(world, 'refs/heads/')) === heads, 'heads');
      assert((await names(world, '')) === `${heads} refs/remotes/o/m refs/tags/v1`, 'all');
      assert((await names(world, 'refs/heads/a')) === 'refs/heads/a-z refs/heads/a/z', 'prefix');
      assert((await names(world, 'refs/nothing/')) === '', 'none');
    },
  },
  {
    name: 'bad names › set › refused; good ones › done, and read back',
    async run(world) {
      const [a] = (await writeCommits(world, 1)) as [ObjectId];
      for (const path of BAD_REF_NAMES) {
        refused(await update(world, to(`refs/${path}`, a)), 'bad name');
      }
      for (const name of ['main', 'HEAD', 'heads/main', '', 'objects/x']) {
        refused(await update(world, to(name, a)), 'bad name');
      }
      for (const path of GOOD_REF_NAMES) {
        value(await update(world, to(`refs/${path}`, a)), path);
        await expectRef(world, `refs/${path}`, a);
        value(await update(world, to(`refs/${path}`, null, a)), `${path} removed`);
      }
      assert((await names(world, '')) === '', 'nothing is left');
    },
  },
  {
    name: 'a ref in a directory’s place, or inside of a ref › set › refused',
    async run(world) {
      const [a] = (await writeCommits(world, 1)) as [ObjectId];
      value(await update(world, to('refs/heads/a/b', a)), 'made');
      for (const name of ['refs/heads/a', 'refs/heads/a/b/c']) {
        refused(await update(world, to(name, a)), 'in the way');
      }
      refused(await update(world, to('refs/heads/d', a), to('refs/heads/d/e', a)), 'in the way');
      assert((await names(world, '')) === 'refs/heads/a/b', 'as it was');
    },
  },
  {
    name: 'a ref removed, and its directory’s name set in the same transaction › done',
    async run(world) {
      const [a] = (await writeCommits(world, 1)) as [ObjectId];
      value(await update(world, to('refs/heads/a/b/c', a)), 'made');
      value(await update(world, to('refs/heads/a', a), to('refs/heads/a/b/c', null)), 'up');
      assert((await names(world, '')) === 'refs/heads/a', 'the directory’s name');
      value(await update(world, to('refs/heads/a', null), to('refs/heads/a/b', a)), 'down');
      assert((await names(world, '')) === 'refs/heads/a/b', 'inside of it');
      value(await update(world, to('refs/heads/a/b', null)), 'removed');
      value(await update(world, to('refs/heads/a', a)), 'no directory is left in the way');
    },
  },
  {
    name: 'one ref twice, or too many › updated › refused, nothing has changed',
    async run(world) {
      const [a] = (await writeCommits(world, 1)) as [ObjectId];
      refused(await update(world, to(MAIN, a), to(MAIN, a)), 'bad transaction');
      const many = Array.from({ length: REF_UPDATES_MAX + 1 }, () => to(MAIN, a));
      refused(await world.backend.updateRefs(many, 'test'), 'bad transaction');
      await expectRef(world, MAIN, null);
    },
  },
  {
    name: 'HEAD › set to a branch that isn’t there yet › names it; no branch has moved',
    async run(world) {
      const { backend } = world;
      value(await backend.setHead('refs/heads/other'), 'set');
      assert(value(await backend.readRef('HEAD'), 'HEAD')?.symbolic === 'refs/heads/other', 'set');
      assert((await names(world, '')) === '', 'no refs');
      refused(await backend.setHead('other'), 'bad name');
      refused(await backend.setHead('refs/heads/a..b'), 'bad name');
      assert(value(await backend.readRef('HEAD'), 'HEAD')?.symbolic === 'refs/heads/other', 'kept');
    },
  },
  {
    name: 'commits › made shallow, and whole again › as told; a set that was given stays',
    async run(world) {
      const { backend } = world;
      const [a, b] = (await writeCommits(world, 2)) as [ObjectId, ObjectId];
      // Not of every backend: a fetch then keeps it by itself.
      if (backend.updateShallow === undefined) return;
      const list = async () => value(await backend.listShallow!(), 'listed');
      assert((await list()).size === 0 && !backend.isShallow!(a), 'whole at first');
      value(await backend.updateShallow({ add: [a, b], remove: [] }), 'added');
      const both = await list();
      value(await backend.updateShallow({ add: [a], remove: [b] }), 'changed');
      assert(both.size === 2 && both.has(a) && both.has(b), 'what was listed then');
      assert([...(await list())].join() === a, 'one is left');
      assert(backend.isShallow!(a) && !backend.isShallow!(b), 'asked one by one');
      value(await backend.updateShallow({ add: [], remove: [a, b] }), 'removed');
      assert((await list()).size === 0 && !backend.isShallow!(a), 'whole again');
    },
  },
  {
    name: 'a name that no ref can have › read › null',
    async run(world) {
      for (const name of ['refs/heads/a..b', 'refs/heads/../../HEAD', 'nothing', '']) {
        await expectRef(world, name, null);
      }
    },
  },
];
