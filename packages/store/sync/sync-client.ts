/**
 * The side that keeps a branch the same as a server's: fetches, merges here, pushes, whenever one
 * of the two moves, and connects again when the connection breaks. Read first: README.md,
 * sync-server.ts. Transport-free: a channel, waiting and chance are arguments.
 */

import { err, type Logger, ok, type Result } from '#core';
import type { CryptoPrimitives, Zlib } from '#device';
import { formatExchangeError, HEADS, type ObjectId, REMOTES, Remote } from '#git';
import type { Repository } from '../repository.ts';
import type { Shape } from '../schema.ts';
import type { Store } from '../store.ts';
import { formatStoreError } from '../store-error.ts';
import {
  ANSWER_WAIT_MS,
  HELLO_WAIT,
  LOOK_EVERY_MS,
  RECONNECT_FIRST_MS,
  RECONNECT_MAX_MS,
  ROUNDS_MAX,
} from './limits.ts';
import { type SyncChannel, SyncLink } from './sync-link.ts';
import { SYNC_PROTOCOL, type SyncMessage } from './sync-message.ts';
import { SyncTransport } from './sync-transport.ts';

export type SyncState =
  /** No connection, or not yet; tried again by itself. */
  | 'offline'
  /** Connected; something moved, here or there. */
  | 'syncing'
  /** Both branches are the same. */
  | 'in sync'
  /** What the two sides did doesn't merge: nothing is pushed until the branch here moves. */
  | 'conflict'
  /** The server has another protocol, hash or schema, or takes no pushes: not tried again. */
  | 'refused'
  | 'stopped';

export interface SyncClientOptions<S extends Shape> {
  readonly repository: Repository<S>;
  /** 'main' unless given; of the same name there. */
  readonly branch?: string;
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  readonly log: Logger;
  /** As the server's: what contents mean, and which version of it. */
  readonly schema: string;
  /** A new channel; null: the server can't be reached. Must not reject. */
  readonly connect: () => Promise<SyncChannel | null>;
  /** Calls `fire` after so many milliseconds, unless what it returned is called before. */
  readonly later: Later;
  /** 0 to less than 1: clients that were cut off together must not come back together. */
  readonly random: () => number;
  /** Called when `state` changes; must not throw. */
  readonly onState?: (state: SyncState, why: string) => void;
}

export type Later = (millis: number, fire: () => void) => () => void;

/** How a connection ended, or a round on it. */
type Ended = 'lost' | 'refused' | 'failed';

const REMOTE = 'sync';
const HELLO_WAIT_MS = HELLO_WAIT / 1_000;

/** Keeps a branch the same as a server's, over connections that it makes again when they end. */
export class SyncClient<S extends Shape> {
  readonly counters = { connections: 0, rounds: 0, fetched: 0, merged: 0, pushed: 0, failures: 0 };
  private readonly options: SyncClientOptions<S>;
  private readonly store: Store<S>;
  private readonly branch: string;
  private now: SyncState = 'offline';
  private link: SyncLink | null = null;
  private wake: (() => void) | null = null;
  private endPause: (() => void) | null = null;
  /** The server's refs moved, as far as it said. */
  private hasMoved = false;
  private isStopped = false;
  private greeting: ((message: SyncMessage | null) => void) | null = null;
  private readonly unwatch: () => void;

  /** Begins at once. */
  constructor(options: SyncClientOptions<S>) {
    this.options = options;
    this.branch = options.branch ?? 'main';
    this.store = options.repository.branch(this.branch);
    this.unwatch = options.repository.backend.watchRefs(() => this.wake?.());
    void this.run();
  }

  get state(): SyncState {
    return this.now;
  }

  /** No more syncing; what was committed here stays. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.unwatch();
    this.become('stopped', '');
    this.link?.end(1_000, 'stopped');
    this.wake?.();
    this.endPause?.();
  }

  private become(state: SyncState, why: string): void {
    if (this.now === state || this.now === 'stopped') return;
    this.now = state;
    this.options.onState?.(state, why);
  }

  private async run(): Promise<void> {
    const { random } = this.options;
    let pauseMs = RECONNECT_FIRST_MS;
    while (!this.isStopped) {
      const rounds = this.counters.rounds;
      const ended = await this.connected().catch((error: unknown) => {
        // A connection that is an application's, or a bug of ours: tried again all the same.
        this.options.log.error(`sync of ${this.branch}: ${error}`);
        this.link?.end(1_000, '');
        return 'failed' as const;
      });
      if (ended === 'refused') return;
      if (this.counters.rounds > rounds && ended === 'lost') pauseMs = RECONNECT_FIRST_MS;
      this.become('offline', '');
      if (this.isStopped) return;
      // What is committed meanwhile waits: a person who types must not knock at each letter.
      await this.woken(pauseMs * (0.5 + random() / 2), 'stopped');
      pauseMs = Math.min(2 * pauseMs, RECONNECT_MAX_MS);
    }
  }

  /** One connection, to its end. */
  private async connected(): Promise<Ended> {
    const channel = await this.options.connect();
    if (channel === null || this.isStopped) {
      channel?.close();
      return 'failed';
    }
    this.counters.connections += 1;
    const link = new SyncLink(channel, {
      said: (message) => this.said(message),
      gone: () => {
        this.greeting?.(null);
        this.wake?.();
      },
    });
    this.link = link;
    const greeted = await this.greet(link);
    if (greeted !== null) {
      link.end(1_000, '');
      return greeted;
    }
    const ended = await this.follow(link, new SyncTransport(link));
    link.end(1_000, '');
    return ended;
  }

  private said(message: SyncMessage): void {
    if (this.greeting !== null) this.greeting(message);
    else if (message.say === 'moved') {
      this.hasMoved = true;
      this.wake?.();
    } else this.link?.break(`${message.say} from a server`);
  }

  /** Null: the server is one of ours. */
  private async greet(link: SyncLink): Promise<Ended | null> {
    const { schema, repository, later } = this.options;
    const ours = { protocol: SYNC_PROTOCOL, hash: repository.backend.hash, schema };
    const answer = new Promise<SyncMessage | null>((resolve) => {
      this.greeting = resolve;
    });
    link.say({ say: 'hello', ...ours });
    const cancel = later(HELLO_WAIT_MS, () => this.greeting?.(null));
    const said = await answer;
    cancel();
    this.greeting = null;
    if (said === null) return 'failed';
    if (said.say === 'refused') {
      this.become('refused', said.why);
      return 'refused';
    }
    const isSame = said.say === 'hello' && said.schema === schema && said.hash === ours.hash;
    if (isSame && said.protocol === SYNC_PROTOCOL) return null;
    this.become('refused', 'the server is another than it should be');
    return 'refused';
  }

  /** Syncs whenever something moves, until the link is gone. */
  private async follow(link: SyncLink, transport: SyncTransport): Promise<Ended> {
    for (;;) {
      this.hasMoved = false;
      this.become('syncing', '');
      const unwatch = this.endWhenSilent(link);
      const synced = await this.round(transport).finally(unwatch);
      if (link.isOver) return 'lost';
      if (!synced.ok) {
        this.counters.failures += 1;
        const { why, kind } = synced.error;
        this.options.log.warn(`sync of ${this.branch}: ${why}`);
        if (kind === 'refused') this.become('refused', why);
        if (kind !== 'conflict') return kind;
        this.become('conflict', why);
      } else this.become('in sync', '');
      await this.untilMoved(link, synced.ok ? synced.value : null, !synced.ok);
      if (link.isOver) return 'lost';
    }
  }

  /** Ends the link when nothing comes for a while, until what is returned is called. */
  private endWhenSilent(link: SyncLink): () => void {
    const { later } = this.options;
    let heard = link.heard;
    let cancel: () => void;
    const look = (): void => {
      if (link.heard === heard) {
        link.end(1_000, 'silent');
        return;
      }
      heard = link.heard;
      cancel = later(ANSWER_WAIT_MS, look);
    };
    cancel = later(ANSWER_WAIT_MS, look);
    return () => cancel();
  }

  /** Resolves when something moves, or we are stopped; or after so long: true. */
  private async woken(millis: number, by: 'moved' | 'stopped'): Promise<boolean> {
    let isOver = false;
    await new Promise<void>((resolve) => {
      const cancel = this.options.later(millis, () => {
        isOver = true;
        resolve();
      });
      const wake = (): void => {
        cancel();
        resolve();
      };
      if (by === 'moved') this.wake = wake;
      else this.endPause = wake;
    });
    this.wake = null;
    this.endPause = null;
    return isOver;
  }

  /**
   * Waits until the branch is elsewhere than at `head`, or the server says that it moved; not for
   * ever.
   */
  private async untilMoved(link: SyncLink, head: ObjectId | null, isStuck: boolean): Promise<void> {
    let stuckAt: ObjectId | null | undefined;
    for (let isOver = false; !isOver && !link.isOver; ) {
      const woken = this.woken(LOOK_EVERY_MS, 'moved');
      const now = await this.store.head();
      stuckAt ??= now.ok ? now.value : null;
      const known = isStuck ? stuckAt : head;
      if (this.hasMoved || !now.ok || now.value !== known || link.isOver) this.wake?.();
      isOver = (await woken) || this.hasMoved || !now.ok || now.value !== known;
    }
  }

  /** Fetch, merge, push, until both are the same; their head. */
  private async round(
    transport: SyncTransport,
  ): Promise<
    Result<
      ObjectId | null,
      { readonly kind: 'failed' | 'refused' | 'conflict'; readonly why: string }
    >
  > {
    const { repository, crypto, zlib } = this.options;
    const { backend } = repository;
    const connect = () => transport;
    const remote = new Remote({ backend, crypto, zlib, connect, name: REMOTE });
    const name = HEADS + this.branch;
    const failed = (why: string) => err({ kind: 'failed', why } as const);
    for (let i = 0; i < ROUNDS_MAX; i++) {
      this.counters.rounds += 1;
      const refspecs = [`+${name}:${REMOTES}${REMOTE}/${this.branch}`];
      const fetched = await remote.fetch({ refspecs, tags: 'none' });
      const isEmpty = !fetched.ok && fetched.error.kind === 'no such ref';
      if (!fetched.ok && !isEmpty) return failed(formatExchangeError(fetched.error));
      const refs = fetched.ok ? fetched.value.remoteRefs : [];
      if (fetched.ok) this.counters.fetched += fetched.value.objects;
      const theirs = refs.find((ref) => ref.name === name)?.id ?? null;
      if (theirs !== null) {
        const merged = await this.store.mergeWith(theirs, {
          message: `merge ${REMOTE}/${this.branch}`,
        });
        if (!merged.ok) {
          const kind = merged.error.kind === 'conflict' ? 'conflict' : 'failed';
          return err({ kind, why: formatStoreError(merged.error) });
        }
        if (merged.value !== null) this.counters.merged += 1;
      }
      const ours = await this.store.head();
      if (!ours.ok) return failed(formatStoreError(ours.error));
      if (ours.value === theirs || ours.value === null) return ok(ours.value);
      const pushed = await remote.push({ refspecs: [`${name}:${name}`] });
      if (!pushed.ok) {
        // Who takes no pushes will not take the next one.
        const isRefused = pushed.error.kind === 'refused';
        return err({
          kind: isRefused ? 'refused' : 'failed',
          why: formatExchangeError(pushed.error),
        });
      }
      if (pushed.value.isWhole) {
        this.counters.pushed += 1;
        return ok(ours.value);
      }
      const refusal = pushed.value.refs.find(({ outcome }) => outcome === 'refused')?.refusal;
      // Somebody was quicker: once more.
      if (refusal !== undefined && refusal !== null && LATE.test(refusal)) continue;
      return err({ kind: 'refused', why: refusal ?? pushed.value.unpack ?? 'refused' });
    }
    return failed(`others were quicker ${ROUNDS_MAX} times`);
  }
}

/** In our words, and in those of our server. */
const LATE = /fetch first|non-fast-forward|is at|moved|stale/;
