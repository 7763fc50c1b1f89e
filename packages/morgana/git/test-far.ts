/** A remote repository in memory with the branch 'main', and who pulls it, for tests. */

import assert from 'node:assert/strict';
import { err, instantOfMicros, Log, TimerQueue, wallTimeOfMillis } from '#core';
import {
  type GitTransport,
  LocalTransport,
  MemoryBackend,
  type ObjectBackend,
  type ObjectId,
  UploadPack,
} from '#git';
import { Repository } from '#store';
import { nodeCrypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { PulledBranch } from './pulled-branch.ts';

export class Far {
  readonly backend = new MemoryBackend();
  readonly clock = { wall: () => wallTimeOfMillis(0) };
  isAway = false;
  private readonly server = new UploadPack({ backend: this.backend, crypto: nodeCrypto, zlib });
  private readonly repository = Repository.open({
    backend: this.backend,
    crypto: nodeCrypto,
    clock: this.clock,
    author: { name: 'A', email: 'a@b' },
    entropy: null,
  });

  /** Another commit, with its one page; the head. */
  async write(page: string, branch = 'main'): Promise<ObjectId> {
    assert((await this.repository.branch(branch).set(['page'], Buffer.from(page))).ok);
    const head = await this.repository.headOf(branch);
    assert(head.ok && head.value !== null);
    return head.value;
  }

  /** What comes next has no history. */
  async forget(): Promise<void> {
    assert((await this.repository.removeBranch('main')).ok);
  }

  connect(): GitTransport {
    if (!this.isAway) return new LocalTransport({ uploadPack: this.server, pusher: undefined });
    const away = async () => err({ kind: 'unreachable', message: 'no way there' } as const);
    return { isStateless: true, discover: away, call: away, close: async () => {} };
  }
}

/** Who shows a branch of `far`, and what it did. */
export class Site {
  readonly lines: string[];
  readonly branch: PulledBranch;

  constructor(
    far: Far,
    lines: string[],
    { bytesMax = 2_000, branch = 'main', backend = null as ObjectBackend | null } = {},
  ) {
    this.lines = lines;
    this.branch = new PulledBranch({
      connect: () => far.connect(),
      branch,
      bytesMax,
      backend,
      crypto: nodeCrypto,
      zlib,
      clock: far.clock,
      timers: new TimerQueue(instantOfMicros(0)),
      log: new Log((line) => lines.push(line.replace(' site:', '')), 'info').source('site'),
      changed: () => {},
    });
  }

  get page(): string | null {
    const entry = this.branch.content?.get('page');
    return entry == null ? null : Buffer.from(entry.bytes).toString();
  }

  /** Pulls, until that has worked or failed. */
  async pull(): Promise<void> {
    await this.branch.pull();
    this.branch.checkInvariants();
  }
}
