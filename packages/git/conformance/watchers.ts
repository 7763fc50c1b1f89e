/** Cases about who is told that refs changed. */

import { assert } from '#core';
import type { ObjectId } from '../object-id.ts';
import { refused, update, value, writeCommits } from './expect.ts';
import type { BackendCase } from './index.ts';

const MAIN = 'refs/heads/main';

export const watchCases: readonly BackendCase[] = [
  {
    name: 'watched › a ref made, moved, removed, HEAD set › told after each',
    async run(world) {
      const { backend } = world;
      const [a, b] = (await writeCommits(world, 2)) as [ObjectId, ObjectId];
      await world.settle();
      let calls = 0;
      const stop = backend.watchRefs(() => calls++);
      const told = async (what: string): Promise<void> => {
        await world.settle();
        assert(calls > 0, `told that a ref was ${what}`);
        calls = 0;
      };
      value(await update(world, { name: MAIN, from: null, to: a }), 'made');
      await told('made');
      value(await update(world, { name: MAIN, from: a, to: b }), 'moved');
      await told('moved');
      value(await update(world, { name: MAIN, from: b, to: null }), 'removed');
      await told('removed');
      value(await backend.setHead('refs/heads/other'), 'HEAD set');
      await told('pointed elsewhere');
      stop();
    },
  },
  {
    name: 'two watchers, one of them ended twice › a ref changes › the other one is told',
    async run(world) {
      const [a] = (await writeCommits(world, 1)) as [ObjectId];
      await world.settle();
      const calls = [0, 0];
      const stops = [0, 1].map((i) => world.backend.watchRefs(() => calls[i]!++));
      stops[0]!();
      stops[0]!();
      value(await update(world, { name: MAIN, from: null, to: a }), 'made');
      await world.settle();
      assert(calls[0] === 0, 'ended');
      assert(calls[1]! > 0, 'told');
      stops[1]!();
    },
  },
  {
    name: 'watched › a transaction refused, objects written › nobody is told',
    async run(world) {
      const [a] = (await writeCommits(world, 1)) as [ObjectId];
      await world.settle();
      let calls = 0;
      const stop = world.backend.watchRefs(() => calls++);
      refused(await update(world, { name: MAIN, from: a, to: a }), 'moved');
      await writeCommits(world, 3);
      await world.settle();
      assert(calls === 0, 'not told');
      stop();
    },
  },
];
