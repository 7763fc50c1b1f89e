/**
 * `morgana store export` and `import`: Git's bundles, files that `git clone`, `git fetch` and `git
 * bundle verify` take. Read first: packages/git/wire/bundle.ts.
 */

import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import {
  type BundleFault,
  exportBundle,
  formatBackendError,
  formatBundleFault,
  HEADS,
  importBundle,
  type ObjectId,
  TAGS,
} from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { EXIT_OK, Failure } from '../failure.ts';
import { shown } from '../places.ts';
import { must, safe, shortId } from './answers.ts';
import type { OpenStore } from './open.ts';

/** Where branches go that ours can't just move to. */
const ASIDE = 'refs/remotes/import/';

export async function exportWord(opened: OpenStore, file: string, json: boolean): Promise<number> {
  const { backend, repository } = opened;
  const listed = await backend.listRefs('refs/');
  if (!listed.ok) throw backendFailed(opened, listed.error);
  const refs = listed.value.filter(({ name }) => name.startsWith(HEADS) || name.startsWith(TAGS));
  if (refs.length === 0) {
    throw new Failure({
      what: 'there is no branch and no tag to export',
      mend: 'set something first',
    });
  }
  const head = must(opened, await repository.readRef('HEAD'));
  const named = head === null ? refs : [{ name: 'HEAD', id: head }, ...refs];
  const request = { refs: named, without: [] };
  const exported = await exportBundle(backend, { crypto: nodeCrypto, zlib }, request);
  if (!exported.ok) throw bundleFailed(exported.error, file);
  const { pieces, objects } = exported.value;
  await writeWhole(file, async (to) => {
    for await (const piece of pieces) await to.write(piece);
  });
  if (json) opened.out.json({ file, objects, refs: refs.map(({ name }) => name) });
  else opened.out.text(`${refs.length} branches and tags, ${objects} objects in ${shown(file)}\n`);
  return EXIT_OK;
}

/** In place of what is there when it is complete, not before. */
async function writeWhole(file: string, fill: (to: FileHandle) => Promise<void>): Promise<void> {
  const part = `${file}.part`;
  const to = await open(part, 'w');
  try {
    await fill(to);
    await to.sync();
    await to.close();
    await rename(part, file);
  } catch (error) {
    await to.close();
    await rm(part, { force: true });
    throw error;
  }
}

/** New branches are made, ours are fast-forwarded; others are kept aside, and told. */
export async function importWord(opened: OpenStore, file: string, json: boolean): Promise<number> {
  const { backend } = opened;
  const tools = { crypto: nodeCrypto, zlib };
  const imported = await importBundle(backend, tools, piecesOf(file));
  if (!imported.ok) throw bundleFailed(imported.error, file);
  const { head, objects } = imported.value;
  const outcomes: { name: string; id: ObjectId; outcome: string }[] = [];
  for (const { name, id } of head.refs) {
    const isKnown = name.startsWith(HEADS) || name.startsWith(TAGS);
    if (isKnown) outcomes.push({ name, id, outcome: await place(opened, name, id) });
  }
  if (json) opened.out.json({ objects, refs: outcomes });
  else {
    const lines = outcomes.map(
      ({ name, id, outcome }) => `${safe(name)} ${shortId(id)}: ${outcome}\n`,
    );
    opened.out.text(lines.join(''));
  }
  return EXIT_OK;
}

async function place(opened: OpenStore, name: string, id: ObjectId): Promise<string> {
  const { repository } = opened;
  const here = must(opened, await repository.readRef(name));
  if (here === id) return 'up to date';
  const reason = 'import: from a bundle';
  if (here === null) {
    must(opened, await repository.moveRef(name, null, id, reason));
    return 'new';
  }
  if (name.startsWith(HEADS)) {
    const moved = await repository.branch(name.slice(HEADS.length)).fastForward(id);
    if (moved.ok) return moved.value ? 'fast-forward' : 'up to date';
    if (moved.error.kind !== 'not a fast-forward') must(opened, moved);
  }
  const aside = `${ASIDE}${name.slice(name.startsWith(HEADS) ? HEADS.length : TAGS.length)}`;
  must(opened, await repository.moveRef(aside, 'any', id, reason));
  return `kept as import/${safe(aside.slice(ASIDE.length))}, to be merged`;
}

async function* piecesOf(file: string): AsyncGenerator<Uint8Array> {
  for await (const piece of createReadStream(file)) yield new Uint8Array(piece as Buffer);
}

function bundleFailed(fault: BundleFault, file: string): Failure {
  const mends = {
    'missing prerequisites': 'import an earlier one first',
    'other hash': 'make a store with the other --object-format',
    'cut off': 'clone it, or pull from one with all of its history first',
    malformed: 'see "git bundle --help"',
  } as const;
  const mend = mends[fault.kind as keyof typeof mends] ?? '';
  return new Failure({ what: safe(formatBundleFault(fault)), where: shown(file), mend });
}

const backendFailed = (
  { root }: OpenStore,
  error: Parameters<typeof formatBackendError>[0],
): Failure => new Failure({ what: formatBackendError(error), where: shown(root) });
