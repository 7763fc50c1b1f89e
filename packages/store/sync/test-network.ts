/** For tests: channels in virtual time between clients and a server, cut when a test says so. */

import { setImmediate as settle } from 'node:timers/promises';
import {
  after,
  instantOfMicros,
  Log,
  millis,
  SeededRandom,
  Timer,
  TimerQueue,
  wallTimeOfMillis,
} from '#core';
import { MemoryBackend, type ObjectBackend } from '#git';
import { portableZlib as zlib } from '#git/zlib';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { counter } from '../data/counter.ts';
import * as form from '../data/form.ts';
import { Repository } from '../repository.ts';
import { defineSchema } from '../schema.ts';
import { entropyOf } from '../test-world.ts';
import { SyncClient, type SyncClientOptions, type SyncState } from './sync-client.ts';
import type { SyncChannel, SyncChannelHandler } from './sync-link.ts';
import { SyncServer, type SyncServerOptions } from './sync-server.ts';

export const schema = defineSchema({ counts: { '*': form.content('count', counter) } });
export type Counts = (typeof schema)['shape'];
const SCHEMA = 'counts 1';

/** One end; messages take a millisecond to the other one. */
export class TestChannel implements SyncChannel {
  queuedBytes = 0;
  peer!: TestChannel;
  isClosed = false;
  private readonly timers: TimerQueue;
  private handler: SyncChannelHandler | null = null;
  private isPaused = false;
  private readonly waiting: (string | Uint8Array)[] = [];

  constructor(timers: TimerQueue) {
    this.timers = timers;
  }

  attach(handler: SyncChannelHandler): void {
    this.handler = handler;
  }

  send(message: string | Uint8Array): void {
    if (this.isClosed) return;
    this.queuedBytes += message.length;
    const timer = new Timer(() => {
      this.queuedBytes -= message.length;
      this.peer.deliver(message);
      this.handler?.drained();
    });
    this.timers.arm(timer, after(this.timers.now, millis(1)));
  }

  close(code = 1_000, reason = ''): void {
    if (this.isClosed) return;
    this.isClosed = true;
    // Behind what was sent.
    const timer = new Timer(() => this.peer.over(code, reason));
    this.timers.arm(timer, after(this.timers.now, millis(1)));
  }

  /** The network breaks here: what is on its way is lost. */
  cut(): void {
    for (const end of [this, this.peer]) end.over(1_006, '');
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    while (!this.isPaused && this.waiting.length > 0) this.deliver(this.waiting.shift()!);
  }

  private deliver(message: string | Uint8Array): void {
    if (this.isClosed) return;
    if (this.isPaused) this.waiting.push(message);
    else this.handler?.message(message);
  }

  private over(code: number, reason: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.handler?.closed(code, reason);
  }
}

export class Network {
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly random: SeededRandom;
  readonly backend = new MemoryBackend();
  readonly server: SyncServer;
  readonly lines: string[] = [];
  /** Servers' ends of what is open. */
  readonly channels = new Set<TestChannel>();
  isDown = false;
  readonly log = new Log((line) => this.lines.push(line), 'debug').source('sync');

  constructor(seed: number, options: Partial<SyncServerOptions> = {}) {
    this.random = new SeededRandom(seed);
    const { backend, timers, log } = this;
    const push = {};
    this.server = new SyncServer({
      backend,
      crypto,
      zlib,
      timers,
      log,
      schema: SCHEMA,
      push,
      ...options,
    });
  }

  connect(): [client: TestChannel, server: TestChannel] {
    const [client, server] = [new TestChannel(this.timers), new TestChannel(this.timers)];
    client.peer = server;
    server.peer = client;
    this.channels.add(server);
    return [client, server];
  }

  /** All say the same of who and when: commits differ by their marks alone. */
  repository(backend: ObjectBackend = new MemoryBackend()): Repository<Counts> {
    const clock = { wall: () => wallTimeOfMillis(1_800_000_000_000) };
    const author = { name: 'A', email: '' };
    const entropy = entropyOf(this.random);
    return Repository.open({ backend, crypto, clock, author, entropy }).with(schema);
  }

  client(
    repository: Repository<Counts>,
    options: Partial<SyncClientOptions<Counts>> = {},
  ): TestClient {
    const states: SyncState[] = [];
    const whys: string[] = [];
    const made = new SyncClient({
      repository,
      crypto,
      zlib,
      log: this.log,
      schema: SCHEMA,
      connect: async () => {
        if (this.isDown) return null;
        const [client, server] = this.connect();
        this.server.accept(server, 'test');
        return client;
      },
      later: (count, fire) => {
        const timer = new Timer(fire);
        this.timers.arm(timer, after(this.timers.now, millis(count)));
        return () => this.timers.stop(timer);
      },
      random: () => this.random.unit(),
      onState: (state, why) => {
        states.push(state);
        if (why !== '') whys.push(why);
      },
      ...options,
    });
    return { client: made, repository, states, whys };
  }

  /** Lets virtual time and promises pass until `isDone`, at most so many seconds. */
  async until(isDone: () => boolean, secondsMax = 300): Promise<void> {
    const end = this.timers.now + secondsMax * 1e6;
    for (let quiet = 0; !isDone() || quiet < 3; ) {
      await settle();
      const next = this.timers.nextDeadline();
      if (next > end) {
        if (isDone()) return;
        throw new Error(`not done after ${secondsMax} s:\n${this.lines.slice(-10).join('\n')}`);
      }
      if (isDone()) quiet += 1;
      this.timers.run(instantOfMicros(Math.max(next, this.timers.now)));
    }
  }

  /** Lets so many microseconds pass. */
  async pass(micros: number): Promise<void> {
    const end = instantOfMicros(this.timers.now + micros);
    for (;;) {
      await settle();
      const next = this.timers.nextDeadline();
      if (next > end) break;
      this.timers.run(next);
    }
    this.timers.run(end);
  }

  cutSome(share: number): void {
    for (const channel of this.channels) {
      if (channel.isClosed) this.channels.delete(channel);
      else if (this.random.unit() < share) channel.cut();
    }
  }
}

export interface TestClient {
  readonly client: SyncClient<Counts>;
  readonly repository: Repository<Counts>;
  readonly states: SyncState[];
  readonly whys: string[];
}

export async function add(
  repository: Repository<Counts>,
  name: string,
  count: number,
): Promise<void> {
  const store = repository.branch('main');
  const done = await store.withTree([], async (tree) => {
    const before = await tree.find(['counts', name]);
    if (!before.ok) return before;
    return tree.set(['counts', name], (before.value ?? 0) + count);
  });
  if (!done.ok) throw new Error(JSON.stringify(done.error));
}

export async function countsOf(repository: Repository<Counts>): Promise<Record<string, number>> {
  const store = repository.branch('main');
  const listed = await store.list(['counts']);
  if (!listed.ok) throw new Error(listed.error.kind);
  const counts: Record<string, number> = {};
  for (const { step } of listed.value) {
    const found = await store.get(['counts', step]);
    if (!found.ok) throw new Error(found.error.kind);
    counts[step] = found.value;
  }
  return counts;
}

export async function headOf(repository: Repository<Counts>): Promise<string | null> {
  const head = await repository.headOf('main');
  if (!head.ok) throw new Error(head.error.kind);
  return head.value;
}
