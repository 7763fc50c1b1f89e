/** Repositories for tests: on a simulated disk, and in a directory of the host. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as timers from 'node:timers/promises';
import type { FileSystem } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { NodeFileSystem } from '#targets/node/file-system';
import { zlib } from '#targets/node/zlib';
import { SimFileSystem, SimRandom } from '#targets/sim/index';
import { type NamedObject, nameObject } from '../object.ts';
import type { ObjectId } from '../object-id.ts';
import { must } from '../test-must.ts';
import { emitCommit } from '../wire/commit.ts';
import { emitTree } from '../wire/tree.ts';
import { DiskBackend, type DiskBackendOptions } from './disk-backend.ts';
import { type InitOptions, initRepository } from './init.ts';

const INIT: InitOptions = { hash: 'SHA-1', isBare: true, head: 'refs/heads/main' };

export const AUTHOR = {
  name: 'A U Thor',
  email: 'author@example.org',
  seconds: 1_800_000_000,
  zoneMinutes: 120,
};

export function testOptions(seed: number): DiskBackendOptions {
  return {
    crypto: nodeCrypto,
    zlib,
    entropy: new SimRandom(seed),
    author: () => AUTHOR,
    pause: () => timers.setImmediate(),
  };
}

export const blobObject = (text: string): NamedObject =>
  nameObject(nodeCrypto, 'SHA-1', 'blob', new TextEncoder().encode(text));

/** A commit with a file of this text in a directory. */
export function commitObjects(text: string, parents: readonly ObjectId[]): NamedObject[] {
  const object = (kind: NamedObject['kind'], bytes: Uint8Array) =>
    nameObject(nodeCrypto, 'SHA-1', kind, bytes);
  const blob = blobObject(text);
  const inner = object('tree', emitTree([{ mode: 0o100644, name: 'file', id: blob.id }], 20));
  const outer = object('tree', emitTree([{ mode: 0o40000, name: 'dir', id: inner.id }], 20));
  const { seconds } = AUTHOR;
  const author = { name: 'A', email: 'a@example.org', seconds, zoneMinutes: 0 };
  const commit = emitCommit({
    tree: outer.id,
    parents,
    author,
    committer: author,
    extraHeaders: '',
    message: `${text}\n`,
  });
  return [blob, inner, outer, object('commit', commit)];
}

export function openTest(
  files: FileSystem,
  seed = 1,
  more: Partial<DiskBackendOptions> = {},
): DiskBackend {
  return must(DiskBackend.open(files, { ...testOptions(seed), ...more }));
}

/** A simulated disk with a repository on it. */
export function simRepository(seed: number, init: Partial<InitOptions> = {}): SimFileSystem {
  const files = new SimFileSystem(new SimRandom(seed));
  must(initRepository(files, { ...INIT, ...init }));
  return files;
}

/** Directories of the host, removed in the end. */
export class TestHome {
  readonly path = mkdtempSync(join(tmpdir(), 'morgana-git-'));
  #count = 0;

  /** A new, empty one. */
  directory(): string {
    const path = join(this.path, String(this.#count++));
    mkdirSync(path);
    return path;
  }

  /** A repository that we made. */
  repository(init: Partial<InitOptions> = {}): { path: string; files: NodeFileSystem } {
    const path = this.directory();
    const files = new NodeFileSystem(path);
    must(initRepository(files, { ...INIT, ...init }));
    return { path, files };
  }

  /** Runs git, which knows no configuration but the repository's; its output without the end. */
  git(cwd: string, ...args: string[]): string {
    return this.gitWith(cwd, '', args);
  }

  gitWith(cwd: string, input: string | Uint8Array, args: readonly string[]): string {
    return this.bytesOf(cwd, input, args).toString().replace(/\n$/, '');
  }

  bytesOf(cwd: string, input: string | Uint8Array, args: readonly string[]): Buffer {
    const who = ['-c', 'user.name=G', '-c', 'user.email=g@example.org'];
    return execFileSync('git', [...who, ...args], {
      cwd,
      input,
      stdio: ['pipe', 'pipe', 'pipe'],
      maxBuffer: 1 << 28,
      env: { PATH: process.env.PATH, HOME: this.path, GIT_CONFIG_NOSYSTEM: '1', TZ: 'UTC' },
    });
  }

  /** What a simulated disk holds, on the host. */
  copyOf(disk: SimFileSystem): string {
    const path = this.directory();
    for (const { path: name, bytes } of disk.contents()) {
      if (bytes === null) mkdirSync(join(path, name));
      else writeFileSync(join(path, name), bytes);
    }
    return path;
  }

  close(): void {
    rmSync(this.path, { recursive: true });
  }
}

/** A pause for real, for what the kernel tells. */
export const settleHost = (): Promise<void> => timers.setTimeout(60);
