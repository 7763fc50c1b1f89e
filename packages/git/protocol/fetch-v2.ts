/**
 * The fetch command of version 2: sections of an answer. Read first: gitprotocol-v2(5), "fetch".
 */

import type { ObjectId } from '../object-id.ts';
import type { FetchArguments, FetchRequest } from '../wire/fetch-request.ts';
import { markBytes } from '../wire/pkt-line.ts';
import { pktLine, pktLines } from '../wire/pkt-text.ts';
import { BAND_BYTES_MAX } from '../wire/side-band.ts';
import { joinBytes } from '../wire/text.ts';
import { CommitGraph } from './commit-graph.ts';
import { CommonObjects } from './common.ts';
import { packAnswer } from './pack-answer.ts';
import { packFor } from './pack-for.ts';
import { type ShallowChange, shallowChange } from './shallow.ts';
import type { UploadPackOptions } from './upload-pack.ts';
import { checkWants } from './wants.ts';

export async function* fetchV2(
  options: UploadPackOptions,
  taken: FetchArguments,
): AsyncGenerator<Uint8Array, void, void> {
  const request = taken.request();
  const { backend } = options;
  const graph = new CommitGraph(backend);
  await checkWants(options, graph, request, true);
  const common = new CommonObjects(backend, graph);
  for (const have of request.haves) await common.take(have);
  const isDone = taken.flags.has('done');
  if (!isDone && request.wants.length === 0 && request.haves.length === 0) {
    yield markBytes('flush');
    return;
  }
  if (!isDone && request.haves.length > 0) {
    const isReady = !taken.flags.has('wait-for-done') && (await common.isReady(request.wants));
    yield acknowledgments(common.ids, isReady);
    if (!isReady) return;
  }
  const change = await shallowOf(options, graph, request);
  const form = { bandBytesMax: BAND_BYTES_MAX, progress: !taken.flags.has('no-progress') };
  const pack = await packFor(options, graph, request, common.ids, change);
  const shallow = [...(change?.shallow ?? []), ...pack.shallow];
  if (change !== null || shallow.length > 0) yield shallowInfo(shallow, change?.unshallow ?? []);
  yield pktLine('packfile');
  yield* packAnswer(pack.bytes, form, pack.describe);
}

function acknowledgments(common: readonly ObjectId[], isReady: boolean): Uint8Array {
  const lines = ['acknowledgments'];
  if (common.length === 0) lines.push('NAK');
  for (const id of common) lines.push(`ACK ${id}`);
  if (isReady) lines.push('ready');
  return joinBytes([pktLines(lines), markBytes(isReady ? 'delim' : 'flush')]);
}

function shallowInfo(shallow: readonly ObjectId[], unshallow: readonly ObjectId[]): Uint8Array {
  const lines = ['shallow-info', ...shallowLines(shallow, unshallow)];
  return joinBytes([pktLines(lines), markBytes('delim')]);
}

export const shallowLines = (
  shallow: readonly ObjectId[],
  unshallow: readonly ObjectId[],
): string[] => [
  ...shallow.map((id) => `shallow ${id}`),
  ...unshallow.map((id) => `unshallow ${id}`),
];

/** Null for a client whose history is whole and stays so. */
export async function shallowOf(
  { backend }: UploadPackOptions,
  graph: CommitGraph,
  { wants, shallow, deepening }: FetchRequest,
): Promise<ShallowChange | null> {
  const has = new Set(shallow);
  if (deepening !== null) return shallowChange(graph, backend, wants, has, deepening);
  return has.size === 0 ? null : { ends: has, shallow: [], unshallow: [] };
}
