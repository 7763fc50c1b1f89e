/** The pack that answers a fetch. Read first: fetch-v2.ts; ../pack/select-objects.ts. */

import type { ObjectId } from '../object-id.ts';
import { type PackRequest, selectSteps, shallowOf } from '../pack/select-objects.ts';
import type { Selection } from '../pack/selection.ts';
import { PackStopped, packSteps, type WriteOptions } from '../pack/write-pack.ts';
import { TAGS } from '../ref-name.ts';
import type { FetchRequest } from '../wire/fetch-request.ts';
import type { CommitGraph } from './commit-graph.ts';
import { SEARCHED_OBJECTS_MAX } from './limits.ts';
import type { ShallowChange } from './shallow.ts';
import { got, Stop } from './stop.ts';
import type { UploadPackOptions } from './upload-pack.ts';

export interface AnswerPack {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly describe: () => string;
  /** Commits of it whose parents aren't here, and of which the client doesn't know that. */
  readonly shallow: readonly ObjectId[];
}

/** As Git's own server looks for deltas, where it does. */
const DELTAS = { window: 10, depth: 50 };

type Context = Pick<UploadPackOptions, 'backend' | 'crypto' | 'zlib' | 'turn' | 'packing'>;

/** Throws Stop, now or while the bytes are read. */
export async function packFor(
  context: Context,
  graph: CommitGraph,
  request: FetchRequest,
  haves: readonly ObjectId[],
  change: ShallowChange | null,
): Promise<AnswerPack> {
  const isQuick = context.packing === 'quick';
  const wants = [...request.wants];
  for (const id of change?.unshallow ?? []) wants.push(...(await graph.need(id)).parents);
  const asked = {
    wants,
    haves,
    haveEnds: new Set(request.shallow),
    ...(change === null ? {} : { ends: change.ends }),
    filter: request.filter ?? null,
  } satisfies PackRequest;
  const selection = await select(context, asked);
  if (request.flags.includes('include-tag')) await addTags(context, graph, selection);
  const options: WriteOptions = {
    ofsDelta: request.flags.includes('ofs-delta'),
    // Of what a partial clone's commits lead to it may have nothing.
    thin: request.flags.includes('thin-pack') && asked.filter === null,
    // Where much is sent, what is stored is copied; looking for more would keep a client waiting.
    deltas: !isQuick && selection.count <= SEARCHED_OBJECTS_MAX ? DELTAS : null,
    reuse: true,
    ...(isQuick ? { level: 0 as const } : {}),
  };
  const known = change?.ends ?? asked.haveEnds;
  const shallow = got(await shallowOf(context.backend, selection)).filter((id) => !known.has(id));
  return {
    shallow,
    bytes: piecesOf(context, selection, options),
    describe: () => `${selection.count} objects\n`,
  };
}

/** In steps, so that others get their turn. */
async function select({ backend, turn }: Context, asked: PackRequest): Promise<Selection> {
  const steps = selectSteps(backend, asked);
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return got(step.value);
    await turn?.();
  }
}

/** Tags of what is sent come along (gitprotocol-capabilities(5), "include-tag"). */
async function addTags(
  { backend }: Context,
  graph: CommitGraph,
  selection: Selection,
): Promise<void> {
  const { table } = selection;
  for (const { id } of got(await backend.listRefs(TAGS))) {
    const peeled = await graph.peel(id);
    if (peeled === null || !selection.isChosen(table.addId(peeled.id))) continue;
    for (const tag of peeled.tags) {
      const index = table.addId(tag);
      if (selection.isNew(index)) selection.choose(index, 'tag', 0);
    }
  }
}

async function* piecesOf(
  { backend, crypto, zlib, turn }: Context,
  selection: Selection,
  options: WriteOptions,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for await (const { bytes } of packSteps(backend, { crypto, zlib }, selection, options)) {
      if (bytes === null) await turn?.();
      else yield bytes;
    }
  } catch (error) {
    if (error instanceof PackStopped) throw new Stop({ kind: 'backend', error: error.error });
    throw error;
  }
}
