/**
 * The table's store: every change is a branch, a commit with its reason, and a merge into the main
 * one (which moves there when nothing else came between). One thing at a time, behind the table:
 * what is learned waits in the queue, what others commit is told to the table. A store that fails
 * stops nothing: it is tried again. Read first: neighbor-table.ts, change-queue.ts.
 */

import { after, assert, err, type Logger, ok, Timer, type TimerQueue } from '#core';
import type { ObjectId } from '#git';
import { formatIpv4Address, parseIpv4Address } from '#net';
import { formatStoreError, type Repository, type Store, type Tree } from '#store';
import type { Change, ChangeQueue, RecordPath } from './change-queue.ts';
import { cutHistory, measureHistory } from './cut-history.ts';
import {
  historyCommitsKept,
  pulledChangesMax,
  pulledCommitsMax,
  pushTriesMax,
  retryFirst,
  retryMax,
  staticsKeptMax,
} from './limits.ts';
import {
  type Content,
  KINDS,
  type NeighborPath,
  type NeighborShape,
  neighborSchema,
  type Outcome,
  pathOf,
  stepsOf,
} from './neighbor-store.ts';
import type { NeighborTable } from './neighbor-table.ts';
import { hostOf, type NeighborRecord } from './record.ts';
import type { NeighborRemote } from './remote.ts';
import type { StaticTable } from './static-table.ts';

export interface HistoryOptions {
  readonly repository: Repository;
  /** 'main' unless given. */
  readonly branch?: string;
  readonly table: NeighborTable;
  readonly queue: ChangeQueue;
  readonly timers: TimerQueue;
  readonly log: Logger;
  /** Author of commits, as records have it. */
  readonly host: string;
  /** Names of remotes that may be pulled from; any unless given. */
  readonly peers?: readonly string[];
  /** Commits that are kept, at least; historyCommitsKept unless given. */
  readonly commitsKept?: number;
  /** Called when history was cut: what nothing names any more can go. */
  readonly collect?: () => Promise<unknown>;
}

type NeighborTree = Tree<NeighborShape>;

export class NeighborHistory {
  readonly counters = {
    commits: 0,
    merges: 0,
    historyCuts: 0,
    storeFailures: 0,
    pullFailures: 0,
  };
  readonly repository: Repository<NeighborShape>;
  private readonly options: HistoryOptions;
  private readonly main: Store<NeighborShape>;
  private readonly topic: Store<NeighborShape>;
  private readonly kept: number;
  private readonly timer = new Timer(() => this.wake());
  private retry = retryFirst;
  /** The end of what is under way: one thing at a time. */
  private last: Promise<unknown> = Promise.resolve();
  private isCommitting = false;
  private warned = '';
  /** The commit that the table knows. */
  private seen: ObjectId | null = null;
  /** Of the main branch's history, at most; 0: not counted yet. */
  private commitCount = 0;

  constructor(options: HistoryOptions) {
    this.options = options;
    const { branch = 'main', host, commitsKept = historyCommitsKept } = options;
    this.repository = options.repository.with(neighborSchema);
    this.main = this.repository.branch(branch);
    this.topic = this.repository.branch(`learning/${host}`);
    this.kept = commitsKept;
  }

  /** Tells the table what the store has, and begins it when it is empty. */
  async start(): Promise<Outcome<void>> {
    const started = await this.inTurn(() => this.begin());
    if (!started.ok) return started;
    const { table } = this.options;
    table.onChange = () => this.wake();
    this.repository.backend.watchRefs(() => this.wake());
    this.wake();
    return ok(undefined);
  }

  /** Merges what `remote` has; true: something came. What is no store of neighbours is refused. */
  pull(remote: NeighborRemote): Promise<Outcome<boolean>> {
    return this.inTurn(() => this.pullNow(remote));
  }

  /** Brings what we have to `remote`, with what it has that we haven't. */
  push(remote: NeighborRemote): Promise<Outcome<void>> {
    return this.inTurn(async () => {
      for (let i = 0; i < pushTriesMax; i++) {
        const head = await this.main.head();
        if (!head.ok) return this.failed(formatStoreError(head.error));
        if (head.value === null) return ok(undefined);
        const pushed = await remote.push(this.repository, head.value);
        if (!pushed.ok) return pushed;
        if (pushed.value === 'pushed') return ok(undefined);
        const pulled = await this.pullNow(remote, true);
        if (!pulled.ok) return pulled;
      }
      return err(`others pushed to ${remote.name} ${pushTriesMax} times meanwhile`);
    });
  }

  /** Resolves when what was learned until now is committed, or the store has failed. */
  async settled(): Promise<void> {
    for (let before: unknown = null; before !== this.last; ) {
      before = this.last;
      await before;
    }
  }

  /** Something was learned, or the store's branches moved. */
  private wake(): void {
    if (this.isCommitting) return;
    this.isCommitting = true;
    void this.inTurn(() => this.catchUp()).then((done) => {
      this.isCommitting = false;
      const { timers, queue } = this.options;
      if (done.ok) {
        this.retry = retryFirst;
        // What came while the last of it was written.
        if (!queue.isEmpty) this.wake();
        return;
      }
      timers.arm(this.timer, after(timers.now, this.retry));
      this.retry = Math.min(2 * this.retry, retryMax) as typeof retryMax;
    });
  }

  private inTurn<T>(work: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    // Remotes and `collect` are an application's, and may throw: that must not end the program.
    const run = this.last.then(work).catch((error: unknown) => this.failed(String(error)));
    this.last = run;
    return run;
  }

  private failed(why: string): Outcome<never> {
    this.counters.storeFailures += 1;
    this.warn(`the store of neighbours: ${why}`);
    return err(why);
  }

  private notPulled(why: string): Outcome<never> {
    this.counters.pullFailures += 1;
    this.warn(`not pulled from ${why}`);
    return err(why);
  }

  /** Once, however often it is tried. */
  private warn(what: string): void {
    if (what !== this.warned) this.options.log.warn(what);
    this.warned = what;
  }

  private async begin(): Promise<Outcome<void>> {
    const head = await this.main.head();
    if (!head.ok) return this.failed(formatStoreError(head.error));
    if (head.value === null) {
      const begun = await this.main.withTree<readonly [], never>([], (tree) => ok(tree), {
        message: 'begin: an empty cache\n',
        author: this.author,
        allowEmpty: true,
      });
      if (!begun.ok) return this.failed(formatStoreError(begun.error));
      this.commitCount = 1;
      this.seen = begun.value;
      return ok(undefined);
    }
    return this.adoptHead();
  }

  /** Commits what waits, and tells the table what others committed. */
  private async catchUp(): Promise<Outcome<void>> {
    const { queue } = this.options;
    const adopted = await this.adoptHead();
    if (!adopted.ok) return adopted;
    for (let change = queue.first; change !== null; change = queue.first) {
      const done = await this.commit(change);
      if (!done.ok) return done;
      queue.done();
    }
    return this.cutWhenLong();
  }

  private get author(): { readonly name: string; readonly email: string } {
    const { host } = this.options;
    return { name: host, email: `arp@${host}` };
  }

  private async commit(change: Change): Promise<Outcome<void>> {
    const { main, topic } = this;
    const head = await main.head();
    if (!head.ok) return this.failed(formatStoreError(head.error));
    // A branch of the same name may be left from a time when the power went.
    const branched = await topic.setHead(head.value);
    if (!branched.ok) return this.failed(formatStoreError(branched.error));
    const options = { message: change.message, author: this.author };
    const committed = await topic.withTree([], (tree) => written(tree, change), options);
    if (!committed.ok) return this.failed(formatStoreError(committed.error));
    if (committed.value !== null) {
      this.counters.commits += 1;
      this.commitCount += 1;
      if (this.seen === head.value) this.seen = committed.value;
      const merged = await this.merge(
        committed.value,
        `merge what ${this.options.host} learned\n`,
        false,
      );
      if (!merged.ok) return merged;
    }
    const removed = await topic.setHead(null);
    return removed.ok ? removed : this.failed(formatStoreError(removed.error));
  }

  private async merge(
    commit: ObjectId,
    message: string,
    isPulled: boolean,
  ): Promise<Outcome<void>> {
    const merge = () => this.main.mergeWith(commit, { message, author: this.author });
    let merged = await merge();
    if (!merged.ok && merged.error.kind === 'dangling' && isPulled) {
      // What it comes from was cut off here, and is half collected.
      const measured = await measureHistory(this.repository, commit, pulledCommitsMax);
      if (measured.ok) merged = await merge();
    }
    if (!merged.ok) return this.failed(formatStoreError(merged.error));
    if (merged.value === null || merged.value === commit) return ok(undefined);
    this.counters.merges += 1;
    this.commitCount += 1;
    return this.adoptHead(isPulled);
  }

  /** `isWhole`: also when there is nothing new, for whoever wants to push. */
  private async pullNow(remote: NeighborRemote, isWhole = false): Promise<Outcome<boolean>> {
    const { peers } = this.options;
    if (peers !== undefined && !peers.includes(remote.name)) {
      return this.notPulled(`${remote.name}: it is none of our peers`);
    }
    const fetched = await remote.fetch(this.repository);
    if (!fetched.ok) return this.notPulled(`${remote.name}: ${fetched.error}`);
    if (fetched.value === null) return ok(false);
    const [ours, theirs] = [await this.main.tree(), await this.repository.at(fetched.value).tree()];
    if (!ours.ok) return this.failed(formatStoreError(ours.error));
    if (!theirs.ok) return this.notPulled(`${remote.name}: ${formatStoreError(theirs.error)}`);
    const { table, host } = this.options;
    // Written again too often, what others make of our static entries must not stay for a boot.
    const guarded = table.counters.staticsKept < staticsKeptMax ? null : host;
    const refused = await refusal(ours.value, theirs.value, guarded);
    if (refused !== null) return this.notPulled(`${remote.name}: ${refused}`);
    const [ourHash, theirHash] = [await ours.value.hash(), await theirs.value.hash()];
    const isSame = ourHash.ok && theirHash.ok && ourHash.value === theirHash.value;
    // Two histories of the same knowledge say nothing new by being merged, again and again.
    if (isSame && !isWhole) return ok(false);
    const mine = await this.adoptHead();
    if (!mine.ok) return mine;
    const before = await this.main.head();
    const merged = await this.merge(fetched.value, `merge what ${remote.name} knows\n`, true);
    if (!merged.ok) return merged;
    const after = await this.main.head();
    if (!before.ok || !after.ok) return this.failed('no head');
    const adopted = await this.adoptHead(true);
    if (!adopted.ok) return adopted;
    this.commitCount = 0;
    const cut = await this.cutWhenLong();
    return cut.ok ? ok(before.value !== after.value) : cut;
  }

  /** Tells the table how the head differs from what it knows. */
  private async adoptHead(isPulled = false): Promise<Outcome<void>> {
    const head = await this.main.head();
    if (!head.ok) return this.failed(formatStoreError(head.error));
    if (head.value === this.seen || head.value === null) return ok(undefined);
    const { repository } = this;
    const before = this.seen === null ? ok(repository.emptyTree()) : await this.treeAt(this.seen);
    const now = await this.treeAt(head.value);
    if (!before.ok) return before;
    if (!now.ok) return now;
    const deep = await notFlat(now.value);
    if (deep !== null) return this.failed(deep);
    for await (const change of before.value.diff(now.value)) {
      if (!change.ok) return this.failed(change.error.kind);
      const path = pathOf(change.value.path);
      if (path === null) continue;
      const content = change.value.after === null ? ok(undefined) : await now.value.find(path);
      if (!content.ok) return this.failed(formatStoreError(content.error));
      this.options.table.adopt(path.join('/'), content.value ?? null, isPulled);
    }
    this.seen = head.value;
    this.commitCount = 0;
    return ok(undefined);
  }

  private async treeAt(commit: ObjectId): Promise<Outcome<NeighborTree>> {
    const tree = await this.repository.at(commit).tree();
    return tree.ok ? tree : this.failed(formatStoreError(tree.error));
  }

  /** At twice as many commits as are kept, the rest goes. */
  private async cutWhenLong(): Promise<Outcome<void>> {
    const { kept, main, repository } = this;
    if (this.commitCount > 0 && this.commitCount < 2 * kept) return ok(undefined);
    const head = await main.head();
    if (!head.ok) return this.failed(formatStoreError(head.error));
    if (head.value === null) return ok(undefined);
    const measured = await measureHistory(repository, head.value, 2 * kept);
    if (!measured.ok) return this.failed(measured.error);
    this.commitCount = measured.value.count;
    if (measured.value.count < 2 * kept) return ok(undefined);
    const cut = await cutHistory(repository, measured.value, kept);
    if (!cut.ok) return this.failed(cut.error);
    if (cut.value === null) return ok(undefined);
    assert(cut.value <= kept);
    this.counters.historyCuts += 1;
    this.commitCount = cut.value;
    await this.options.collect?.();
    return ok(undefined);
  }
}

/** `tree` with what `change` writes. */
async function written(tree: NeighborTree, change: Change) {
  let made = tree;
  for (const [path, content] of change.writes) {
    const next = await withContent(made, path, content);
    if (!next.ok) return next;
    made = next.value;
  }
  if (!change.isWhole) return ok(made);
  for (const kind of ['neighbors', 'conflicts'] as const) {
    const listed = await made.list([kind]);
    if (!listed.ok) return listed;
    for (const { step } of listed.value) {
      if (change.writes.has(`${kind}/${step}`)) continue;
      const next = await made.remove([kind, step]);
      if (!next.ok) return next;
      made = next.value;
    }
  }
  return ok(made);
}

function withContent(tree: NeighborTree, path: RecordPath, content: Content | null) {
  const [kind, name] = stepsOf(path);
  if (content === null) return tree.remove([kind, name]);
  if (kind === 'static') return tree.set([kind, name], content as StaticTable);
  return tree.set([kind, name], content as NeighborRecord);
}

/**
 * Why `theirs` can't be merged into `ours`; null: it can. Looks at what differs. `guarded`: the
 * host whose static entries mayn't; null: nobody's.
 */
async function refusal(
  ours: NeighborTree,
  theirs: NeighborTree,
  guarded: string | null,
): Promise<string | null> {
  const deep = await notFlat(theirs);
  if (deep !== null) return deep;
  let changes = 0;
  for await (const change of ours.diff(theirs)) {
    if (!change.ok) return change.error.kind;
    changes += 1;
    if (changes > pulledChangesMax) return `it differs in more than ${pulledChangesMax} records`;
    const { after: now, path } = change.value;
    const steps = pathOf(path);
    if (guarded !== null && steps?.[0] === 'static' && steps[1] === guarded) {
      return `static/${guarded} is ours, and others changed it ${staticsKeptMax} times`;
    }
    if (now === null) continue;
    if (steps === null || !isName(steps)) return `${path.join('/')} is no neighbour's`;
    const record = await theirs.find(steps);
    if (!record.ok) return formatStoreError(record.error);
  }
  return null;
}

/**
 * What is a directory where none belongs: a few kilobytes of empty ones that hold each other ten
 * times over unfold into billions, which would all be looked at.
 */
async function notFlat(tree: NeighborTree): Promise<string | null> {
  const root = await tree.list([]);
  if (!root.ok) return formatStoreError(root.error);
  for (const { step, kind } of root.value) {
    if (kind !== 'tree') continue;
    const top = KINDS.find((one) => one === step);
    if (top === undefined) return `${step} is no neighbour's`;
    const listed = await tree.list([top]);
    if (!listed.ok) return formatStoreError(listed.error);
    const deep = listed.value.find((entry) => entry.kind === 'tree');
    if (deep !== undefined) return `${step}/${deep.step} is no neighbour's`;
  }
  return null;
}

function isName([kind, text]: NeighborPath): boolean {
  if (kind === 'static') return hostOf(text) === text;
  const address = parseIpv4Address(text);
  return address !== null && formatIpv4Address(address) === text;
}
