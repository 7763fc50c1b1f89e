/**
 * Commits on a repository until it is killed, saying each one that lasts: `node disk-child.ts
 * PATH SEED`. For disk-campaign.ts.
 */
import { writeSync } from 'node:fs';
import { openStore } from './disk-store.ts';

const [path = '', seed = '1'] = process.argv.slice(2);
const { repository } = openStore(path);
const main = repository.branch('main');
for (let k = 0; ; k++) {
  const at = [`d${(k * 7) % 5}`, `f${(k * 13) % 11}`] as [string, string];
  const done = await main.set(at, new TextEncoder().encode(`${seed} ${k}\n`.repeat(1 + (k % 40))));
  if (!done.ok) throw new Error(JSON.stringify(done.error));
  const head = await main.head();
  if (!head.ok || head.value === null) throw new Error('no head');
  writeSync(1, `${head.value}\n`);
  if (k % 25 === 24) await repository.branch(`side/${k}`).setHead(head.value);
}
