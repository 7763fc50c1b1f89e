/**
 * `morgana store export` and `import`: Git's bundles, files that `git clone`, `git fetch` and `git
 * bundle verify` take. Read first: packages/git/wire/bundle.ts.
 */

import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import {
  formatBackendError,
  formatPackFault,
  HEADS,
  isPackFault,
  type ObjectId,
  packPieces,
  selectObjects,
  TAGS,
  unpackObjects,
} from '#git';
import { emitBundleHead, type ParsedBundleHead, parseBundleHead } from '#git/wire';
import { nodeCrypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { EXIT_OK, Failure } from '../failure.ts';
import { shown } from '../places.ts';
import { must, safe, shortId } from './answers.ts';
import type { OpenStore } from './open.ts';

/** Where branches go that ours can't just move to. */
const ASIDE = 'refs/remotes/import/';
const PACK = { ofsDelta: true, thin: false, deltas: { window: 10, depth: 50 }, reuse: true };

export async function exportBundle(
  opened: OpenStore,
  file: string,
  json: boolean,
): Promise<number> {
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
  const selected = await selectObjects(backend, { wants: named.map(({ id }) => id), haves: [] });
  if (!selected.ok) throw backendFailed(opened, selected.error);
  const tools = { crypto: nodeCrypto, zlib };
  const pieces = packPieces(backend, tools, selected.value, PACK);
  await writeWhole(file, async (to) => {
    await to.write(emitBundleHead({ hash: backend.hash, prerequisites: [], refs: named }));
    for await (const piece of pieces) await to.write(piece);
  });
  const objects = selected.value.count;
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
export async function importBundle(
  opened: OpenStore,
  file: string,
  json: boolean,
): Promise<number> {
  const { backend } = opened;
  const bundle = await readHead(file);
  if (bundle.head.hash !== backend.hash) {
    throw new Failure({
      what: `objects of ${shown(file)} are named by ${bundle.head.hash}, here by ${backend.hash}`,
      mend: 'make a store with the other --object-format',
    });
  }
  await needPrerequisites(opened, file, bundle.head);
  const tools = { crypto: nodeCrypto, zlib };
  const unpacked = await unpackObjects(bundle.pack, backend, tools, { check: 'objects' });
  if (!unpacked.ok) {
    const { error } = unpacked;
    const what = isPackFault(error) ? formatPackFault(error) : formatBackendError(error);
    throw new Failure({ what: `${shown(file)}: ${what}`, mend: 'get it again' });
  }
  const outcomes: { name: string; id: ObjectId; outcome: string }[] = [];
  for (const { name, id } of bundle.head.refs) {
    const isKnown = name.startsWith(HEADS) || name.startsWith(TAGS);
    if (isKnown) outcomes.push({ name, id, outcome: await place(opened, name, id) });
  }
  if (json) opened.out.json({ objects: unpacked.value.objects, refs: outcomes });
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

interface ReadBundle {
  readonly head: ParsedBundleHead;
  readonly pack: AsyncIterable<Uint8Array>;
}

async function readHead(file: string): Promise<ReadBundle> {
  const pieces = createReadStream(file)[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let bytes: Uint8Array = new Uint8Array(0);
  for (;;) {
    const next = await pieces.next();
    const isEnd = next.done === true;
    if (!isEnd) bytes = new Uint8Array(Buffer.concat([bytes, next.value]));
    const head = parseBundleHead(bytes);
    if (head.ok) {
      const first = bytes.subarray(head.value.packAt);
      return { head: head.value, pack: piecesFrom(first, pieces) };
    }
    if (!isEnd && head.error.kind === 'short') continue;
    throw new Failure({ what: `${shown(file)} is no bundle`, mend: 'see "git bundle --help"' });
  }
}

async function* piecesFrom(
  first: Uint8Array,
  rest: AsyncIterator<Buffer>,
): AsyncGenerator<Uint8Array> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    yield new Uint8Array(next.value);
  }
}

async function needPrerequisites(
  opened: OpenStore,
  file: string,
  { prerequisites }: ParsedBundleHead,
): Promise<void> {
  const missing: string[] = [];
  for (const { id, comment } of prerequisites) {
    const has = await opened.backend.hasObject(id);
    if (!has.ok) throw backendFailed(opened, has.error);
    if (!has.value) missing.push(`missing: ${id} ${safe(comment)}`);
  }
  if (missing.length === 0) return;
  throw new Failure({
    what: `${shown(file)} goes on from ${missing.length} commits that aren't here`,
    mend: 'import an earlier one first',
    detail: missing,
  });
}

const backendFailed = (
  { root }: OpenStore,
  error: Parameters<typeof formatBackendError>[0],
): Failure => new Failure({ what: formatBackendError(error), where: shown(root) });
