/** The words of `morgana store` that reach other repositories: clone, pull, push. */

import { appendFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { err, type Result } from '#core';
import type { Flow } from '#device';
import {
  DaemonTransport,
  type ExchangeError,
  formatExchangeError,
  type GitTransport,
  HEADS,
  LocalTransport,
  REMOTES,
  ReceivePack,
  Remote,
  UploadPack,
} from '#git';
import { configValue } from '#git/disk';
import { nodeCrypto } from '#targets/node/crypto';
import { HostStack } from '#targets/node/host-stack';
import { NodeLoop } from '#targets/node/loop';
import { zlib } from '#targets/node/zlib';
import { HttpTransport } from '../../../packages/morgana/git.ts';
import { EXIT_OK, Failure, usageFailure } from '../failure.ts';
import { shown } from '../places.ts';
import { type Answers, must, safe, shortId, stdoutAnswers } from './answers.ts';
import { branchOf, initStore, type OpenStore, openStore, rootOf, type StorePlace } from './open.ts';
import { placeText, type RemotePlace, remotePlace } from './remote-place.ts';
import { type MergeFlags, mustMerge, tell } from './writing.ts';

const REMOTE = 'origin';

function remoteOf({ backend }: OpenStore, word: string): Remote {
  const place = remotePlace(word);
  const connect = (): GitTransport => transportTo(place);
  return new Remote({ backend, crypto: nodeCrypto, zlib, connect, name: REMOTE });
}

function transportTo(place: RemotePlace): GitTransport {
  switch (place.kind) {
    case 'http':
      return new HttpTransport({ url: place.url });
    case 'daemon':
      return daemonTransport(place);
    case 'directory':
      return new DirectoryTransport(place.directory);
  }
}

function daemonTransport(place: Extract<RemotePlace, { kind: 'daemon' }>): GitTransport {
  const loop = new NodeLoop();
  const stack = new HostStack(loop);
  const connect = (): Promise<Result<Flow, string>> =>
    new Promise((resolve) => {
      stack.connect(place.host, place.port, (opened) =>
        resolve(opened.ok ? opened : err(opened.error.kind)),
      );
    });
  return new DaemonTransport({ connect, timers: loop.timers, host: place.name, path: place.path });
}

/** A repository in another directory of this machine, which is closed behind it. */
class DirectoryTransport extends LocalTransport {
  readonly #opened: OpenStore;

  constructor(directory: string) {
    const opened = openStore({ root: directory, branch: null, author: null }, stdoutAnswers);
    const parts = { backend: opened.backend, crypto: nodeCrypto, zlib };
    super({
      uploadPack: new UploadPack(parts),
      receivePack: new ReceivePack<undefined>(parts),
      pusher: undefined,
    });
    this.#opened = opened;
  }

  override async close(): Promise<void> {
    await this.#opened.repository.close();
  }
}

export async function clone(
  flags: StorePlace & { readonly json: boolean; readonly 'object-format': 'sha1' | 'sha256' },
  word: string,
  out: Answers,
): Promise<number> {
  const url = placeText(word);
  const root = rootOf(flags);
  const hash = flags['object-format'] === 'sha1' ? 'SHA-1' : 'SHA-256';
  const wasThere = existsSync(root);
  const isNew = initStore(root, branchOf(flags), hash);
  if (!isNew)
    throw new Failure({ what: `there is already a store in ${shown(root)}`, mend: 'pull' });
  let isCloned = false;
  const opened = openStore(flags, out);
  try {
    const branch = flags.branch === null ? {} : { branch: flags.branch };
    const cloned = await remoteOf(opened, url).clone(branch);
    if (!cloned.ok) throw failed(cloned.error, url);
    const fetch = `+${HEADS}*:${REMOTES}${REMOTE}/*`;
    const config = `[remote "${REMOTE}"]\n\turl = "${url}"\n\tfetch = ${fetch}\n`;
    appendFileSync(path.join(root, 'config'), config);
    isCloned = true;
    const { objects, refs } = cloned.value;
    if (flags.json) opened.out.json({ root, url, objects, refs: refs.length });
    else opened.out.text(`cloned into ${shown(root)}: ${objects} objects\n`);
    return EXIT_OK;
  } finally {
    await opened.repository.close();
    // As git: the next clone, with the right URL, finds what this one found.
    if (!isCloned) unmake(root, wasThere);
  }
}

/** Removes what a clone that failed has made, and nothing that was there. */
function unmake(root: string, wasThere: boolean): void {
  if (!wasThere) rmSync(root, { recursive: true, force: true });
  else for (const name of readdirSync(root)) rmSync(path.join(root, name), { recursive: true });
}

/** Fetches the branch, and merges it into ours. */
export async function pull(
  opened: OpenStore,
  word: string | undefined,
  flags: MergeFlags,
): Promise<number> {
  const url = remoteUrl(opened, word);
  const { branch, store, repository } = opened;
  const seen = `${REMOTES}${REMOTE}/${branch}`;
  const refspecs = [`+${HEADS}${branch}:${seen}`];
  const fetched = await remoteOf(opened, url).fetch({ refspecs });
  if (!fetched.ok) throw failed(fetched.error, url);
  const theirs = must(opened, await repository.readRef(seen));
  if (theirs === null) throw new Failure({ what: `${safe(url)} has no branch ${safe(branch)}` });
  const message = flags.message ?? `pull ${branch} from ${url}`;
  const options = { message, keepBoth: flags['keep-both'], renames: true };
  const merged = mustMerge(opened, await store.mergeWith(theirs, options), flags.json);
  return tell(opened, merged, flags.json);
}

export async function push(
  opened: OpenStore,
  word: string | undefined,
  json: boolean,
): Promise<number> {
  const url = remoteUrl(opened, word);
  const { branch } = opened;
  const pushed = await remoteOf(opened, url).push({
    refspecs: [`${HEADS}${branch}:${HEADS}${branch}`],
  });
  if (!pushed.ok) throw failed(pushed.error, url);
  const [fate] = pushed.value.refs;
  const refusal = pushed.value.unpack ?? fate?.refusal ?? null;
  if (refusal !== null || fate === undefined) {
    throw new Failure({
      what: `${safe(url)} refused ${safe(branch)}: ${safe(refusal ?? 'it took no branch')}`,
      mend: fate?.outcome === 'refused' ? 'pull first when it has commits that are not here' : '',
    });
  }
  if (json) opened.out.json({ url, branch, commit: fate.to, outcome: fate.outcome });
  else opened.out.text(`${safe(branch)} is at ${shortId(fate.to ?? '')} there: ${fate.outcome}\n`);
  return EXIT_OK;
}

function remoteUrl({ backend, root }: OpenStore, word: string | undefined): string {
  if (word !== undefined) return placeText(word);
  const url = configValue(backend.layout.config, `remote.${REMOTE}.url`);
  if (url !== null && url !== undefined) return placeText(url);
  throw usageFailure(`${shown(root)} was cloned from nowhere`, 'name a URL');
}

function failed(error: ExchangeError, url: string): Failure {
  const parts = { what: safe(formatExchangeError(error)), where: safe(url) };
  if (error.kind !== 'other hash') return new Failure(parts);
  return new Failure({ ...parts, mend: 'make a store with the other --object-format' });
}
