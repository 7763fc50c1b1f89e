/** `morgana store watch`: what changes at a path, until Ctrl-C. */

import type { HeadChange } from '#store';
import { EXIT_OK } from '../failure.ts';
import { must } from './answers.ts';
import type { OpenStore } from './open.ts';
import { pathOf } from './path-text.ts';
import { changeLine } from './reading.ts';

/** Ends after `count` changes of the head; null: when the user does. */
export async function watch(
  opened: OpenStore,
  word: string,
  count: number | null,
  json: boolean,
): Promise<number> {
  const path = pathOf(word);
  return new Promise<number>((resolve, reject) => {
    let seen = 0;
    let stop = (): void => {};
    // The watch of a repository keeps no process alive.
    const awake = setInterval(() => {}, 60_000);
    const end = (): void => {
      stop();
      clearInterval(awake);
      resolve(EXIT_OK);
    };
    const told = async (change: HeadChange): Promise<void> => {
      if (count !== null && seen >= count) return;
      for await (const one of change.diff()) {
        const { kind, path: below } = must(opened, one);
        const at = [...path, ...below];
        const { branch, before, after } = change;
        if (json) opened.out.jsonLine({ kind, path: at, branch, before, after });
        else opened.out.text(changeLine({ kind, path: at }));
      }
      if (++seen === count) end();
    };
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
    process.stdout.on('error', end);
    opened.store.watchPath(path, told).then((watching) => {
      stop = must(opened, watching);
      opened.out.note(`morgana: watching ${opened.branch}\n`);
      if (count === 0) end();
    }, reject);
  });
}
