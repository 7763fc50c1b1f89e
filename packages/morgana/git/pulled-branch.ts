/**
 * A branch of a remote repository, kept up to date: pulled when it is told to, and again after a
 * failure, later each time. Who shows it gets each commit's files whole, and keeps the old ones
 * until the new ones are there; where they are kept on a disk, they are there again at the next
 * start, before the remote is asked. Read first: packages/store/commit-content.ts.
 */

import {
  after,
  assert,
  err,
  type Logger,
  millis,
  ok,
  type Result,
  Timer,
  type TimerQueue,
} from '#core';
import type { Clock, CryptoPrimitives, Zlib } from '#device';
import {
  type BackendError,
  type ExchangeError,
  formatBackendError,
  formatExchangeError,
  formatRefConflict,
  type GitTransport,
  HEADS,
  isRefConflict,
  MemoryBackend,
  type ObjectBackend,
  type ObjectId,
  type RefUpdate,
  Remote,
} from '#git';
import { NO_DEEPENING } from '#git/wire';
import { CommitContent, formatContentError, Repository } from '#store';

/** Between a failure and the next try, doubled with each. */
export const RETRY_MILLIS_MIN = 1_000;
export const RETRY_MILLIS_MAX = 60_000;
/** A pull that takes longer is given up: a server may answer a byte a minute. */
export const PULL_MILLIS_MAX = 120_000;
/** So many times a commit's files' bytes are kept in memory; then all is thrown away. */
const HISTORY_FACTOR = 3;
/** What came last, shown or not. What is shown is the branch. */
const PULLED = 'refs/remotes/pulled/last';

export interface PulledBranchOptions {
  /** Opened for each pull, and closed behind it. */
  readonly connect: () => GitTransport;
  readonly branch: string;
  /** Of the files of one commit. */
  readonly bytesMax: number;
  /**
   * Where what is pulled is kept, from one start to the next, with nothing else. In memory unless
   * given; then all of it is pulled anew.
   */
  readonly backend?: ObjectBackend | null;
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly log: Logger;
  /** Another commit is there, with all of its files. */
  changed(content: CommitContent): void;
}

/**
 * Follows a branch of a remote repository: `pull` brings its files, and they replace the old ones
 * at once. What fails is tried again, later each time.
 */
export class PulledBranch {
  readonly counts = { pulls: 0, failures: 0, changes: 0 };
  /** What is shown; null until the first pull, or until what is kept is read. */
  content: CommitContent | null = null;
  private readonly options: PulledBranchOptions;
  private readonly branch: string;
  private readonly retry = new Timer(() => void this.pull());
  private backend: ObjectBackend;
  /** Nothing is there that could be thrown away. */
  private isFresh: boolean;
  private isBegun = false;
  private pulling: Promise<void> | null = null;
  private isAskedAgain = false;
  private failuresInRow = 0;

  constructor(options: PulledBranchOptions) {
    this.options = options;
    this.branch = HEADS + options.branch;
    this.isFresh = !options.backend;
    this.backend = options.backend ?? this.inMemory();
  }

  /**
   * Soon it is what the remote is now; asked while a pull is under way, there is one more. Resolves
   * when that has worked or failed.
   */
  pull(): Promise<void> {
    if (this.pulling !== null) {
      this.isAskedAgain = true;
      return this.pulling;
    }
    this.options.timers.stop(this.retry);
    this.pulling = this.pullUntilDone();
    return this.pulling;
  }

  checkInvariants(): void {
    assert(this.pulling !== null || !this.isAskedAgain, 'only a pull under way is asked again');
  }

  private async pullUntilDone(): Promise<void> {
    if (!this.isBegun && this.options.backend) await this.showKept();
    this.isBegun = true;
    do {
      this.isAskedAgain = false;
      this.counts.pulls++;
      const pulled = await this.pullOnce();
      if (pulled.ok) this.failuresInRow = 0;
      else this.failed(pulled.error);
    } while (this.isAskedAgain);
    this.pulling = null;
  }

  private failed(why: string): void {
    const { log, timers } = this.options;
    this.counts.failures++;
    const wait = Math.min(RETRY_MILLIS_MIN * 2 ** this.failuresInRow, RETRY_MILLIS_MAX);
    this.failuresInRow++;
    const shown = this.content === null ? 'nothing to show yet' : 'the old content stays';
    log.warn(`pull failed: ${why}; ${shown}, again in ${wait / 1_000} s`);
    timers.arm(this.retry, after(timers.now, millis(wait)));
  }

  /** What was shown when the program ended. */
  private async showKept(): Promise<void> {
    const { log } = this.options;
    const head = await this.backend.readRef(this.branch);
    if (!head.ok) {
      log.warn(`what was kept can't be read: ${formatBackendError(head.error)}`);
      return;
    }
    const commit = head.value?.id;
    if (commit === undefined) return;
    const loaded = await this.load(commit);
    if (loaded.ok) this.show(loaded.value, ', as they were kept');
    else log.warn(`what was kept can't be shown: ${loaded.error}`);
  }

  private async load(commit: ObjectId): Promise<Result<CommitContent, string>> {
    const { crypto, clock, bytesMax } = this.options;
    const { backend, content: previous } = this;
    const author = { name: 'morgana', email: 'morgana@localhost' };
    const repository = Repository.open({ backend, crypto, clock, author, entropy: null });
    const loaded = await CommitContent.load(repository, commit, { bytesMax, previous });
    if (loaded.ok) return loaded;
    return err(`commit ${commit}: ${formatContentError(loaded.error)}`);
  }

  private show(content: CommitContent, how: string): void {
    this.content = content;
    this.counts.changes++;
    this.options.changed(content);
    this.options.log.info(`shows ${content.commit}: ${content.paths().length} files${how}`);
  }

  private async pullOnce(): Promise<Result<void, string>> {
    const fetched = await this.fetch();
    if (!fetched.ok) return err(formatExchangeError(fetched.error));
    const commit = fetched.value;
    if (commit === this.content?.commit) return ok(undefined);
    const loaded = await this.load(commit);
    if (!loaded.ok) return loaded;
    const kept = await this.keep(commit);
    if (!kept.ok) return kept;
    this.show(loaded.value, '');
    return ok(undefined);
  }

  /** What is shown from now on is what comes back after a restart. */
  private async keep(commit: ObjectId): Promise<Result<void, string>> {
    const refs = await this.backend.listRefs('refs/');
    if (!refs.ok) return err(formatBackendError(refs.error));
    const updates: RefUpdate[] = [{ name: this.branch, from: 'any', to: commit }];
    for (const { name } of refs.value) {
      // Of a branch that was shown before this one was asked for.
      if (name !== this.branch && name !== PULLED) updates.push({ name, from: 'any', to: null });
    }
    const moved = await this.backend.updateRefs(updates, 'shown');
    if (moved.ok) return moved;
    const { error } = moved;
    return err(isRefConflict(error) ? formatRefConflict(error) : formatBackendError(error));
  }

  /** Where the branch is, with its objects here. */
  private async fetch(): Promise<Result<ObjectId, ExchangeError>> {
    const wasFresh = this.isFresh;
    const first = await this.fetchInto(false);
    if (first.ok || wasFresh || !isFull(first.error)) return first;
    // Full of what was: what is now may fit by itself.
    const made = await this.makeRoom();
    return made.ok ? this.fetchInto(true) : err({ kind: 'backend', error: made.error });
  }

  /** Nothing but what is shown stays, and in memory not that. */
  private async makeRoom(): Promise<Result<void, BackendError>> {
    if (!this.options.backend) {
      this.backend = this.inMemory();
      return ok(undefined);
    }
    const { log } = this.options;
    const dropped = await this.backend.updateRefs(
      [{ name: PULLED, from: 'any', to: null }],
      'full',
    );
    if (!dropped.ok) return isRefConflict(dropped.error) ? ok(undefined) : err(dropped.error);
    log.info('there is no room left for what is pulled: older content is thrown away');
    const collected = await this.backend.collect?.({ depth: 1, sparesRecent: false }).done;
    if (collected === undefined || collected.ok || collected.error.kind === 'cancelled') {
      return ok(undefined);
    }
    return err(collected.error);
  }

  /** `isNewest`: nothing but the newest commit and its files; at first anyway. */
  private async fetchInto(isNewest: boolean): Promise<Result<ObjectId, ExchangeError>> {
    const { timers, connect, branch } = this.options;
    this.isFresh = false;
    let transport: GitTransport | null = null;
    const late = new Timer(() => void transport?.close());
    timers.arm(late, after(timers.now, millis(PULL_MILLIS_MAX)));
    const { crypto, zlib } = this.options;
    const remote = new Remote({
      backend: this.backend,
      crypto,
      zlib,
      connect: () => {
        transport = connect();
        return transport;
      },
    });
    const known = await this.backend.listRefs('refs/');
    const hasDepth = isNewest || (known.ok && known.value.length === 0);
    const fetched = await remote.fetch({
      refspecs: [`+${HEADS}${branch}:${PULLED}`],
      tags: 'none',
      ...(hasDepth ? { deepening: { ...NO_DEEPENING, depth: 1 } } : {}),
    });
    timers.stop(late);
    if (!fetched.ok) return fetched;
    const [found] = fetched.value.refs;
    assert(found?.to != null, 'a branch that was fetched is somewhere');
    return ok(found.to);
  }

  private inMemory(): MemoryBackend {
    return new MemoryBackend({ bytesMax: HISTORY_FACTOR * this.options.bytesMax });
  }
}

const isFull = (error: ExchangeError): boolean =>
  error.kind === 'backend' && error.error.kind === 'full';
