/** A repository in memory with its server, and remotes to others, for tests. */

import { nodeCrypto as crypto } from '#targets/node/crypto';
import { MemoryBackend } from '../memory-backend.ts';
import { type NamedObject, nameObject } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { tools } from '../pack/test-git.ts';
import { must } from '../test-must.ts';
import { emitCommit } from '../wire/commit.ts';
import { emitTree } from '../wire/tree.ts';
import { Remote } from './client/remote.ts';
import { LocalTransport } from './local-transport.ts';
import { ReceivePack, type ReceivePackOptions } from './receive-pack.ts';
import type { GitTransport } from './transport.ts';
import { UploadPack } from './upload-pack.ts';

export class Replica {
  readonly backend = new MemoryBackend();
  readonly uploadPack = new UploadPack({ backend: this.backend, ...tools });
  readonly receivePack: ReceivePack<undefined>;
  #made = 0;

  constructor(options: Partial<ReceivePackOptions<undefined>> = {}) {
    this.receivePack = new ReceivePack({ backend: this.backend, ...tools, ...options });
  }

  remoteTo(other: Replica, name = 'origin', version: 0 | 1 | 2 = 2): Remote {
    const { uploadPack, receivePack } = other;
    const transport = { uploadPack, receivePack, pusher: undefined };
    return this.remoteVia(() => new LocalTransport(transport), name, version);
  }

  remoteVia(connect: () => GitTransport, name = 'origin', version: 0 | 1 | 2 = 2): Remote {
    return new Remote({ backend: this.backend, ...tools, connect, name, version });
  }

  async tip(name: string): Promise<ObjectId | null> {
    return must(await this.backend.readRef(name))?.id ?? null;
  }

  /** A commit with one file, a text twenty times or these bytes, without a ref. */
  async commit(file: string | Uint8Array, parents: readonly ObjectId[]): Promise<ObjectId> {
    const isText = typeof file === 'string';
    const content = isText ? new Uint8Array(Buffer.from(file.repeat(20))) : file;
    const blob = nameObject(crypto, 'SHA-1', 'blob', content);
    const entries = [{ mode: 0o100644, name: 'file', id: blob.id }] as const;
    const tree = nameObject(crypto, 'SHA-1', 'tree', emitTree(entries, 20));
    const who = { name: 'A', email: 'a@b', seconds: 1_600_000_000 + this.#made++, zoneMinutes: 0 };
    const bytes = emitCommit({
      tree: tree.id,
      parents,
      author: who,
      committer: who,
      extraHeaders: '',
      message: isText ? file : 'bytes',
    });
    const commit = nameObject(crypto, 'SHA-1', 'commit', bytes);
    must(await this.backend.writeObjects([blob, tree, commit] as NamedObject[]));
    return commit.id;
  }

  /** A commit on top of a branch, which moves. */
  async grow(branch: string, file: string | Uint8Array): Promise<ObjectId> {
    const name = `refs/heads/${branch}`;
    const from = await this.tip(name);
    const to = await this.commit(file, from === null ? [] : [from]);
    must(await this.backend.updateRefs([{ name, from, to }], 'test'));
    return to;
  }
}

/** All that an iterable gives, as one array. */
export async function bytesFrom(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return new Uint8Array(Buffer.concat(all));
}

export async function* piecesOf(...pieces: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
