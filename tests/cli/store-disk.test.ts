/** A repository on a disk: one file that all targets write in turn, and what is refused. */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Workspace } from './cli.ts';

const CONFIG = `import { defineUnikernel, disk, store } from 'morgana/config';
const data = disk();
export default defineUnikernel({
  name: 'notes',
  main: './main.ts',
  devices: { data, repo: store.on(data), scratch: store.memory() },
});
`;
/** Counts its boots in the repository, collects garbage, and ends with the count. */
const MAIN = `import type { Start } from 'morgana';
import { BlockBackend } from 'morgana/store';
import type config from './morgana.config.ts';
export const start: Start<typeof config> = async ({ repo, scratch, log }) => {
  const store = repo.branch('main');
  const found = await store.find(['count']);
  if (!found.ok) return 98;
  const count = found.value === undefined ? 0 : found.value[0]!;
  const done = await store.set(['count'], Uint8Array.of(count + 1));
  const other = await scratch.branch('main').set(['x'], Uint8Array.of(1));
  if (!done.ok || !other.ok) return 97;
  if (repo.backend instanceof BlockBackend) {
    const collected = await repo.backend.collect().done;
    const check = await repo.backend.check();
    if (!collected.ok || !check.ok || check.value.problemCount > 0) return 96;
    log.info('objects ' + check.value.objects);
  }
  return count + 1;
};
`;
const work = new Workspace({
  'notes/morgana.config.ts': CONFIG,
  'notes/main.ts': MAIN,
});
after(() => work.remove());

test('a blank file › formatted, then written by every target in turn', async () => {
  const disk = '--disk=data=notes.img';
  for (const [index, words] of [
    ['--target=node', `${disk},size=2M`],
    ['--target=process', disk, '--keep-image=notes.run'],
    ['--target=pvh', disk],
  ].entries()) {
    const { code, stdout, stderr } = await work.run(['run', 'notes', ...words]);
    assert.equal(code, index + 1, `${words}: ${stdout}${stderr}`);
    assert.match(stdout, new RegExp(`info notes: objects ${3 * (index + 1)}$`, 'm'));
  }
});

test('a disk with other data › refused, and left so', async () => {
  writeFileSync(work.path('other.img'), Buffer.alloc(2 << 20, 'other'));
  const refused = await work.run(['run', 'notes.run', '--disk=data=other.img']);
  assert.equal(refused.code, 69);
  assert.match(refused.stdout, /disk 'data': it has other data, which is left alone/);
  assert.ok(readFileSync(work.path('other.img')).subarray(0, 5).equals(Buffer.from('other')));
});
