/** The pack that answers a fetch. Read first: fetch-v2.ts. */

import { writeU32be } from '#core';
import { MODE_DIRECTORY, MODE_SUBMODULE, type ObjectKind } from '../object.ts';
import { ID_BYTES, type ObjectId } from '../object-id.ts';
import type { FetchRequest } from '../wire/fetch-request.ts';
import { parseTree } from '../wire/tree.ts';
import type { CommitGraph } from './commit-graph.ts';
import type { ShallowChange } from './shallow.ts';
import { got } from './stop.ts';
import type { UploadPackOptions } from './upload-pack.ts';

export interface AnswerPack {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly describe: () => string;
}

export async function packFor(
  options: Pick<UploadPackOptions, 'backend' | 'crypto' | 'zlib'>,
  graph: CommitGraph,
  request: FetchRequest,
  haves: readonly ObjectId[],
  change: ShallowChange | null,
): Promise<AnswerPack> {
  const { backend } = options;
  const idBytes = ID_BYTES[backend.hash];
  const out = new Set<ObjectId>();
  const addTree = async (id: ObjectId, to: Set<ObjectId>, not: Set<ObjectId>): Promise<void> => {
    if (to.has(id) || not.has(id)) return;
    to.add(id);
    const tree = parseTree(got(await backend.readObject(id))!.bytes, idBytes);
    if (!tree.ok) return;
    for (const { mode, id: child } of tree.value) {
      if (mode === MODE_DIRECTORY) await addTree(child, to, not);
      else if (mode !== MODE_SUBMODULE && !not.has(child)) to.add(child);
    }
  };
  const has = new Set<ObjectId>();
  const known = new Set(request.shallow);
  const haveCommits = [...haves];
  for (let id = haveCommits.pop(); id !== undefined; id = haveCommits.pop()) {
    if (has.has(id)) continue;
    const node = await graph.commit(id);
    if (node === null) continue;
    has.add(id);
    await addTree(node.tree, has, new Set());
    if (!known.has(id)) haveCommits.push(...node.parents);
  }
  const stack: ObjectId[] = [];
  for (const want of request.wants) {
    const peeled = await graph.peel(want);
    for (const tag of peeled!.tags) out.add(tag);
    if (peeled!.kind === 'commit') stack.push(peeled!.id);
    else if (peeled!.kind === 'tree') await addTree(peeled!.id, out, has);
    else out.add(peeled!.id);
  }
  for (const id of change?.unshallow ?? []) stack.push(...(await graph.need(id)).parents);
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    if (out.has(id) || has.has(id)) continue;
    out.add(id);
    const node = await graph.need(id);
    await addTree(node.tree, out, has);
    if (!change?.ends.has(id)) stack.push(...node.parents);
  }
  async function* bytes(): AsyncGenerator<Uint8Array, void, void> {
    const hash = options.crypto.createHash(backend.hash);
    const send = (piece: Uint8Array): Uint8Array => {
      hash.update(piece);
      return piece;
    };
    const head = Uint8Array.of(0x50, 0x41, 0x43, 0x4b, 0, 0, 0, 2, 0, 0, 0, 0);
    writeU32be(head, 8, out.size);
    yield send(head);
    for (const id of out) {
      const object = got(await backend.readObject(id))!;
      yield send(entryHead(object.kind, object.bytes.length));
      yield send(options.zlib.deflate(object.bytes));
    }
    yield hash.digest();
  }
  return { bytes: bytes(), describe: () => `${out.size} objects\n` };
}

const TYPES: Record<ObjectKind, number> = { commit: 1, tree: 2, blob: 3, tag: 4 };

function entryHead(kind: ObjectKind, sizeBytes: number): Uint8Array {
  const head: number[] = [];
  let left = Math.floor(sizeBytes / 16);
  let byte = (TYPES[kind] << 4) | (sizeBytes & 15);
  while (left > 0) {
    head.push(byte | 0x80);
    byte = left & 0x7f;
    left = Math.floor(left / 128);
  }
  head.push(byte);
  return Uint8Array.from(head);
}
