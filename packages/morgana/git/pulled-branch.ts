/**
 * A branch of a remote repository, kept up to date in memory: pulled when it is told to, and again
 * after a failure, later each time. Who shows it gets each commit's files whole, and keeps the old
 * ones until the new ones are there. Read first: packages/store/commit-content.ts.
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
  type ExchangeError,
  formatExchangeError,
  type GitTransport,
  MemoryBackend,
  type ObjectId,
  Remote,
} from '#git';
import { NO_DEEPENING } from '#git/wire';
import { CommitContent, formatContentError, Repository } from '#store';

/** Between a failure and the next try, doubled with each. */
export const RETRY_MILLIS_MIN = 1_000;
export const RETRY_MILLIS_MAX = 60_000;
/** A pull that takes longer is given up: a server may answer a byte a minute. */
export const PULL_MILLIS_MAX = 120_000;
/** So many times a commit's files' bytes are kept; then all is thrown away and pulled anew. */
const HISTORY_FACTOR = 3;

export interface PulledBranchOptions {
  /** Opened for each pull, and closed behind it. */
  readonly connect: () => GitTransport;
  readonly branch: string;
  /** Of the files of one commit. */
  readonly bytesMax: number;
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
  /** What is shown; null until the first pull. */
  content: CommitContent | null = null;
  private readonly options: PulledBranchOptions;
  private readonly retry = new Timer(() => this.pull());
  private backend: MemoryBackend;
  /** The backend has the files of a commit, and where its history ends. */
  private isBegun = false;
  /** Nothing was ever fetched into the backend, not even in part. */
  private isFresh = true;
  private isPulling = false;
  private isAskedAgain = false;
  private failuresInRow = 0;

  constructor(options: PulledBranchOptions) {
    this.options = options;
    this.backend = this.newBackend();
  }

  /** Soon it is what the remote is now; asked while a pull is under way, there is one more. */
  pull(): void {
    if (this.isPulling) {
      this.isAskedAgain = true;
      return;
    }
    this.isPulling = true;
    this.options.timers.stop(this.retry);
    void this.pullUntilDone();
  }

  checkInvariants(): void {
    assert(this.isPulling || !this.isAskedAgain, 'only a pull under way is asked again');
  }

  private async pullUntilDone(): Promise<void> {
    do {
      this.isAskedAgain = false;
      this.counts.pulls++;
      const pulled = await this.pullOnce();
      if (pulled.ok) this.failuresInRow = 0;
      else this.failed(pulled.error);
    } while (this.isAskedAgain);
    this.isPulling = false;
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

  private async pullOnce(): Promise<Result<void, string>> {
    const fetched = await this.fetch();
    if (!fetched.ok) return err(formatExchangeError(fetched.error));
    const commit = fetched.value;
    const { log, crypto, clock, bytesMax, changed } = this.options;
    if (commit === this.content?.commit) return ok(undefined);
    const author = { name: 'morgana', email: 'morgana@localhost' };
    const entropy = null;
    const repository = Repository.open({ backend: this.backend, crypto, clock, author, entropy });
    const previous = this.content;
    const loaded = await CommitContent.load(repository, commit, { bytesMax, previous });
    if (!loaded.ok) return err(`commit ${commit}: ${formatContentError(loaded.error)}`);
    this.content = loaded.value;
    this.counts.changes++;
    changed(loaded.value);
    log.info(`shows ${commit}: ${loaded.value.paths().length} files`);
    return ok(undefined);
  }

  /** Where the branch is, with its objects here. */
  private async fetch(): Promise<Result<ObjectId, ExchangeError>> {
    const wasFresh = this.isFresh;
    const first = await this.fetchInto();
    if (first.ok || wasFresh || !isFull(first.error)) return first;
    // Full of what was: what is now may fit by itself.
    this.backend = this.newBackend();
    this.isBegun = false;
    return this.fetchInto();
  }

  private async fetchInto(): Promise<Result<ObjectId, ExchangeError>> {
    this.isFresh = false;
    const { crypto, zlib, timers, connect, branch } = this.options;
    let transport: GitTransport | null = null;
    const late = new Timer(() => void transport?.close());
    timers.arm(late, after(timers.now, millis(PULL_MILLIS_MAX)));
    const remote = new Remote({
      backend: this.backend,
      crypto,
      zlib,
      connect: () => {
        transport = connect();
        return transport;
      },
    });
    const ref = `refs/heads/${branch}`;
    const fetched = await remote.fetch({
      refspecs: [`+${ref}:${ref}`],
      tags: 'none',
      // Of the first the files only; later what came since.
      ...(this.isBegun ? {} : { deepening: { ...NO_DEEPENING, depth: 1 } }),
    });
    timers.stop(late);
    if (!fetched.ok) return fetched;
    this.isBegun = true;
    const [found] = fetched.value.refs;
    assert(found?.to != null, 'a branch that was fetched is somewhere');
    return ok(found.to);
  }

  private newBackend(): MemoryBackend {
    return new MemoryBackend({ bytesMax: HISTORY_FACTOR * this.options.bytesMax });
  }
}

const isFull = (error: ExchangeError): boolean =>
  error.kind === 'backend' && error.error.kind === 'full';
