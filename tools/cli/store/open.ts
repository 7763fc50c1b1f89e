/**
 * The repository that the command line means: in a directory, with whoever works here as author.
 */

import { randomFillSync } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import path from 'node:path';
import * as timers from 'node:timers/promises';
import { type Duration, millis, wallTimeOfMillis } from '#core';
import { formatFileError } from '#device';
import { HEADS, isBranchName, type ObjectHash } from '#git';
import { type Config, configValue, DiskBackend, formatOpenFault, initRepository } from '#git/disk';
import { type Person, Repository, type Store } from '#store';
import { nodeCrypto } from '#targets/node/crypto';
import { NodeFileSystem } from '#targets/node/file-system';
import { zlib } from '#targets/node/zlib';
import { Failure, usageFailure } from '../failure.ts';
import { nearNames } from '../near-names.ts';
import { shown } from '../places.ts';
import { type Answers, must, safe } from './answers.ts';
import { fileSchema } from './contents.ts';

const DEFAULT_BRANCH = 'main';
/** Of all that there are, in a message. */
const BRANCHES_SHOWN = 5;
/** For a store of a person's machine: a cache that a bench's tree fits into. */
const CACHE_BYTES = 67_108_864;

const clock = { wall: () => wallTimeOfMillis(Date.now()) };
/**
 * Looks at watched refs don't keep the program going; waits for a lock, which are short, do. No
 * wait lets others run: a timer would take a millisecond.
 */
const pause = (wait: Duration): Promise<void> =>
  wait === 0
    ? timers.setImmediate()
    : timers.setTimeout(wait / 1_000, undefined, { ref: wait < millis(200) });

const nodeProcess = {
  id: process.pid,
  host: hostname(),
  isAlive(id: number): boolean {
    try {
      return process.kill(id, 0);
    } catch (error) {
      // There, and somebody else's.
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  },
};

type FileShape = typeof fileSchema.shape;

export interface OpenStore {
  readonly root: string;
  readonly backend: DiskBackend;
  readonly repository: Repository<FileShape>;
  readonly store: Store<FileShape>;
  readonly branch: string;
  readonly out: Answers;
}

export interface StorePlace {
  readonly root: string | null;
  readonly branch: string | null;
  readonly author: string | null;
}

export function branchOf({ branch }: Pick<StorePlace, 'branch'>): string {
  const name = branch ?? DEFAULT_BRANCH;
  if (isBranchName(name)) return name;
  throw usageFailure(`'${name}' can't be a branch`, 'see "git check-ref-format --help"');
}

export const rootOf = ({ root }: Pick<StorePlace, 'root'>): string => path.resolve(root ?? '.');

export function openStore(place: StorePlace, out: Answers): OpenStore {
  const root = rootOf(place);
  const branch = branchOf(place);
  const given = place.author === null ? null : parsePerson(place.author);
  let person = given ?? personOf(null);
  const backend = DiskBackend.open(filesAt(root), {
    crypto: nodeCrypto,
    zlib,
    entropy: { fill: (out) => void randomFillSync(out) },
    author: () => ({ ...person, seconds: Math.floor(Date.now() / 1_000), zoneMinutes: 0 }),
    pause,
    clock,
    process: nodeProcess,
    elsewhere: (to, from) => directory(path.resolve(from.name, to)),
  });
  if (!backend.ok) {
    const isNone = backend.error.kind === 'no repository';
    throw new Failure({
      what: formatOpenFault(backend.error),
      mend: isNone ? 'name its directory with --root, or make one with "morgana store init"' : '',
    });
  }
  person = given ?? personOf(backend.value.layout.config);
  const repository = Repository.open({
    backend: backend.value,
    crypto: nodeCrypto,
    clock,
    author: person,
    entropy: null,
    cacheBytes: CACHE_BYTES,
  }).with(fileSchema);
  const store = repository.branch(branch);
  return { root, backend: backend.value, repository, store, branch, out };
}

/** Refuses a branch that isn't there, unless nothing is and it is where the first commit goes. */
export async function needBranch(opened: OpenStore, isGiven: boolean): Promise<void> {
  const { repository, branch, root } = opened;
  if (must(opened, await repository.headOf(branch)) !== null) return;
  const names = must(opened, await repository.branches());
  if (names.length === 0) {
    if (!isGiven || must(opened, await repository.currentBranch()) === branch) return;
  }
  const near = nearNames(branch, names).map(safe);
  const all = names.slice(0, BRANCHES_SHOWN).map(safe).join(', ');
  const mend = near.length > 0 ? `did you mean ${near.join(' or ')}` : `--branch=NAME: ${all}`;
  throw new Failure({
    what: `there is no branch '${safe(branch)}'`,
    where: `in ${shown(root)}`,
    mend: names.length === 0 ? 'set something first' : mend,
  });
}

/**
 * Makes a bare repository in `root`, which must be empty or not exist; false when one is there
 * already.
 */
export function initStore(root: string, branch: string, hash: ObjectHash): boolean {
  mkdirSync(root, { recursive: true });
  const names = readdirSync(root);
  const isThere = names.includes('HEAD') && names.includes('objects');
  if (isThere) return false;
  if (names.length > 0) {
    throw new Failure({
      what: `${shown(root)} isn't empty`,
      mend: 'name another directory with --root=DIR',
    });
  }
  const made = initRepository(new NodeFileSystem(root), {
    hash,
    isBare: true,
    head: HEADS + branch,
  });
  if (!made.ok) throw new Failure({ what: formatFileError(made.error), where: shown(root) });
  return true;
}

function filesAt(root: string): NodeFileSystem {
  const files = directory(root);
  if (files !== null) return files;
  throw new Failure({
    what: `there is no directory ${shown(root)}`,
    mend: 'name another one with --root=DIR',
  });
}

function directory(at: string): NodeFileSystem | null {
  try {
    return new NodeFileSystem(at);
  } catch {
    return null;
  }
}

function parsePerson(text: string): Person {
  const found = /^\s*([^<>]*?)\s*<([^<>\s]+)>\s*$/.exec(text);
  if (found !== null) return { name: found[1]!, email: found[2]! };
  throw usageFailure(`--author='${text}' is no author`, 'as --author="Ada <ada@example.org>"');
}

/** As Git: the environment, the repository's own configuration, else who runs this. */
function personOf(config: Config | null): Person {
  const { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email } = process.env;
  const own = (key: string) => (config === null ? null : configValue(config, key));
  const { username } = userInfo();
  return {
    name: name || own('user.name') || username,
    email: email || own('user.email') || `${username}@${hostname()}`,
  };
}
