/** Unikernels that serve a repository from a disk, for bench/store-clone.ts. */

import { closeSync, ftruncateSync, openSync } from 'node:fs';
import type { ObjectId } from '#git';
import { BlockBackend } from '#store/block';
import { nodeCrypto } from '#targets/node/crypto';
import { FileBlock } from '#targets/node/file-block';
import { NodeLoop } from '#targets/node/loop';
import { zlib } from '#targets/node/zlib';
import { freePort, type Workspace } from '../tests/cli/cli.ts';
import { copyObjects, gitWith } from './store-disk.ts';

/** A disk with the repository at `path`, as a store keeps it after a collection. */
export async function fillDisk(file: string, path: string, megabytes: number): Promise<void> {
  const fd = openSync(file, 'w');
  ftruncateSync(fd, (64 + 6 * megabytes) * 1_048_576);
  closeSync(fd);
  const git = gitWith(path);
  const disk = FileBlock.open(new NodeLoop(), { name: 'data', file, readOnly: false });
  if (!disk.ok) throw new Error(disk.error);
  const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
  const parts = { device: disk.value, crypto: nodeCrypto, zlib, pause };
  const options = { storeId: new Uint8Array(16).fill(1), overwrite: false };
  const opened = await BlockBackend.openOrFormat(parts, options);
  if (!opened.ok) throw new Error(opened.error.kind);
  await copyObjects(git, path, opened.value);
  const to = git(path, ['rev-parse', 'main']).toString().trim() as ObjectId;
  const updates = [{ name: 'refs/heads/main', from: null, to }];
  const set = await opened.value.updateRefs(updates, 'filled');
  if (!set.ok) throw new Error(set.error.kind);
  await opened.value.close();
}

/** Boots the image of bench/store-push.ts on that disk; its URL, and what ends it. */
export async function startGuest(work: Workspace, target: string, file: string) {
  const port = await freePort();
  const words = ['run', `${import.meta.dirname}/images/store-push`, `--target=${target}`];
  words.push('--memory=256', `--publish=${port}:80`, '--name=clone', `--disk=data=${file}`);
  if (target === 'process') words.push('--network=clone');
  const running = work.start(words);
  await running.wrote(/serving/);
  const stop = async (): Promise<void> => {
    running.child.kill('SIGTERM');
    await running.ended;
  };
  return { url: `http://127.0.0.1:${port}/repo`, stop };
}
