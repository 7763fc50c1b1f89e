/** A repository on a disk: one file that all targets write in turn, and what is refused. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Workspace } from './cli.ts';

const CONFIG = `import { defineUnikernel, disk, kv, store } from 'morgana/config';
const data = disk();
const repo = store.on(data);
export default defineUnikernel({
  name: 'notes',
  main: './main.ts',
  devices: {
    data,
    repo,
    scratch: store.memory(),
    site: kv.tar('./site.tar'),
    now: kv.store(repo, { branch: 'kv' }),
    boot: kv.commit(repo, { branch: 'kv' }),
  },
});
`;
/** Key-value devices: of a tar, of a commit as it was at boot, of a branch. */
const DEVICES = `import type { Start } from 'morgana';
import type config from './morgana.config.ts';
type Devices = Parameters<Start<typeof config>>[0];
export async function boots({ site, now, boot }: Devices): Promise<number> {
  const set = await now.set('boots/' + boot.paths().length, site.get('index.html')!.bytes);
  return set.ok ? boot.paths().length + 1 : -1;
}
`;
/** What leaves a repository and comes into another one: a slice, a bundle, a proof. */
const PARTS = `import {
  defineSchema, exportBundle, exportSlice, importBundle, importSlice, primitives, produceProof,
  type Repository, stock, type Tree, verifyProof,
} from 'morgana/store';
const schema = defineSchema({ count: stock.bytes });
export async function parts(repo: Repository, scratch: Repository): Promise<boolean> {
  const head = await repo.headOf('main');
  if (!head.ok || head.value === null) return false;
  const slice = await exportSlice(repo);
  if (!slice.ok || !(await importSlice(scratch, slice.value)).ok) return false;
  const there = await scratch.at(head.value).find(['count']);
  const bundle = await exportBundle(repo);
  if (!bundle.ok) return false;
  const taken = await importBundle(scratch, bundle.value.pieces);
  const read = async (tree: Tree<typeof schema.shape>) => ({ value: await tree.find(['count']) });
  const made = await produceProof(repo.with(schema), head.value, read);
  if (!made.ok) return false;
  const proven = await verifyProof(primitives, schema, head.value, made.value.proof, read);
  if (!proven.ok || !proven.value.ok || proven.value.value === undefined) return false;
  return there.ok && there.value !== undefined && taken.ok && taken.value.branches.has('main');
}
`;
/** Counts its boots in the repository, collects garbage, and ends with the count. */
const MAIN = `import type { Start } from 'morgana';
import { BlockBackend } from 'morgana/store';
import { boots } from './devices.ts';
import type config from './morgana.config.ts';
import { parts } from './parts.ts';
export const start: Start<typeof config> = async (devices) => {
  const { repo, scratch, log } = devices;
  const store = repo.branch('main');
  const found = await store.find(['count']);
  if (!found.ok) return 98;
  const count = found.value === undefined ? 0 : found.value[0]!;
  const done = await store.set(['count'], Uint8Array.of(count + 1));
  const other = await scratch.branch('main').set(['x'], Uint8Array.of(1));
  if (!done.ok || !other.ok) return 97;
  if (!(await parts(repo, scratch))) return 95;
  if ((await boots(devices)) !== count + 1) return 94;
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
  'notes/devices.ts': DEVICES,
  'notes/parts.ts': PARTS,
  'site/index.html': 'hello',
});
execFileSync('tar', ['-cf', work.path('notes/site.tar'), '-C', work.path('site'), '.']);
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
    assert.match(stdout, new RegExp(`info notes: objects ${1 + 6 * (index + 1)}$`, 'm'));
  }
});

test('a disk with other data › refused, and left so', async () => {
  writeFileSync(work.path('other.img'), Buffer.alloc(2 << 20, 'other'));
  const refused = await work.run(['run', 'notes.run', '--disk=data=other.img']);
  assert.equal(refused.code, 69);
  assert.match(refused.stdout, /disk 'data': it has other data, which is left alone/);
  assert.ok(readFileSync(work.path('other.img')).subarray(0, 5).equals(Buffer.from('other')));
});
