/**
 * The side that has the store which others sync with: answers their fetches and pushes, one at a
 * time on a channel, and says when its refs move. It merges nothing: a client whose push comes too
 * late fetches, merges and pushes again. Read first: README.md, sync-link.ts.
 */

import { after, type Logger, nextTurn, Timer, type TimerQueue } from '#core';
import type { CryptoPrimitives, Zlib } from '#device';
import { type ObjectBackend, ReceivePack, type ReceivePackOptions, UploadPack } from '#git';
import { CHANNELS_MAX, HELLO_WAIT, STALL_WAIT } from './limits.ts';
import {
  type BodyQueue,
  ChannelGone,
  CLOSE_REFUSED,
  CLOSE_TRY_LATER,
  type SyncChannel,
  SyncLink,
} from './sync-link.ts';
import { SYNC_PROTOCOL, type SyncMessage } from './sync-message.ts';

export interface SyncServerOptions {
  readonly backend: ObjectBackend;
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  readonly timers: TimerQueue;
  readonly log: Logger;
  /** What contents mean, and which version of it: clients must say the same. */
  readonly schema: string;
  /** How pushes are taken; absent: none are. */
  readonly push?: Omit<ReceivePackOptions<string>, 'backend' | 'crypto' | 'zlib' | 'turn'>;
  /**
   * Open at once, CHANNELS_MAX unless given; one more is closed at once. Each may have up to
   * BODY_QUEUE_BYTES_MAX and CHANNEL_QUEUE_BYTES_MAX waiting.
   */
  readonly channelsMax?: number;
}

type Ask = Extract<SyncMessage, { say: 'ask' }>;

export class SyncServer {
  readonly counters = { channels: 0, refused: 0, asks: 0, broken: 0, full: 0, stalled: 0 };
  readonly options: SyncServerOptions;
  readonly upload: UploadPack;
  readonly receive: ReceivePack<string> | null;

  constructor(options: SyncServerOptions) {
    this.options = options;
    const { backend, crypto, zlib, timers, push } = options;
    const tools = { backend, crypto, zlib, turn: () => nextTurn(timers) };
    // As gitHandler: where it is an interpreter that compresses, that takes longer than to send.
    this.upload = new UploadPack({
      ...tools,
      packing: zlib.name === 'portable' ? 'quick' : 'small',
    });
    this.receive = push === undefined ? null : new ReceivePack({ ...push, ...tools });
  }

  /** Serves a channel until it ends; `peer` is what `push.accept` is told. */
  accept(channel: SyncChannel, peer: string): void {
    const { channelsMax = CHANNELS_MAX } = this.options;
    if (this.counters.channels >= channelsMax) {
      this.counters.full += 1;
      channel.close(CLOSE_TRY_LATER, `${channelsMax} sync already`);
      return;
    }
    this.counters.channels += 1;
    new Served(this, channel, peer);
  }
}

class Served {
  private readonly server: SyncServer;
  private readonly peer: string;
  private readonly link: SyncLink;
  private readonly timer: Timer;
  private readonly stall: Timer;
  private readonly unwatch: () => void;
  private isGreeted = false;
  private isBusy = false;
  /** What a client that has discovered nothing yet, or again, needs not be told. */
  private isFresh = false;

  constructor(server: SyncServer, channel: SyncChannel, peer: string) {
    this.server = server;
    this.peer = peer;
    const { timers, backend } = server.options;
    this.timer = new Timer(() => this.refuse('no hello came'));
    timers.arm(this.timer, after(timers.now, HELLO_WAIT));
    this.stall = new Timer(() => {
      server.counters.stalled += 1;
      this.link.end(CLOSE_TRY_LATER, 'you do not read');
    });
    this.unwatch = backend.watchRefs(() => this.moved());
    this.link = new SyncLink(channel, {
      said: (message) => this.said(message),
      gone: () => {
        timers.stop(this.timer);
        timers.stop(this.stall);
        this.unwatch();
        server.counters.channels -= 1;
      },
      broken: (why) => {
        server.counters.broken += 1;
        server.options.log.debug(`sync with ${peer}: ${why}`);
      },
      stalled: (isStalled) => {
        if (isStalled) timers.arm(this.stall, after(timers.now, STALL_WAIT));
        else timers.stop(this.stall);
      },
    });
  }

  private said(message: SyncMessage): void {
    if (!this.isGreeted) {
      if (message.say === 'hello') this.greet(message);
      else this.link.break('no hello');
      return;
    }
    if (message.say !== 'ask') this.link.break(`${message.say} from a client`);
    else if (this.isBusy) this.link.break('two questions at once');
    else void this.answer(message);
  }

  private refuse(why: string): void {
    this.server.counters.refused += 1;
    this.link.say({ say: 'refused', why });
    this.link.end(CLOSE_REFUSED, why.slice(0, 100));
  }

  private greet({ protocol, hash, schema }: Extract<SyncMessage, { say: 'hello' }>): void {
    const { options } = this.server;
    options.timers.stop(this.timer);
    const ours = options.backend.hash;
    if (protocol !== SYNC_PROTOCOL) {
      this.refuse(`protocol ${protocol}: this server speaks ${SYNC_PROTOCOL}`);
    } else if (hash !== ours) this.refuse(`hash ${hash}: this server has ${ours}`);
    else if (schema !== options.schema) {
      this.refuse(`schema ${schema}: this server has ${options.schema}`);
    } else {
      this.isGreeted = true;
      this.link.say({ say: 'hello', protocol, hash, schema });
    }
  }

  private moved(): void {
    if (!this.isGreeted || !this.isFresh) return;
    this.isFresh = false;
    this.link.say({ say: 'moved' });
  }

  private async answer(ask: Ask): Promise<void> {
    const { counters, options } = this.server;
    counters.asks += 1;
    this.isBusy = true;
    if (ask.what === 'discover') this.isFresh = true;
    const body = ask.what === 'call' ? this.link.expectBody() : null;
    try {
      const isWhole = await this.link.sendBody(this.pieces(ask, body));
      if (!isWhole) return;
      // What the answer didn't need is read all the same.
      body?.drop();
      await body?.whole();
      // Before its end is heard: the next question may follow at once.
      this.isBusy = false;
      this.link.say({ say: 'end' });
    } catch (error) {
      if (error instanceof ChannelGone) return;
      options.log.error(
        `sync with ${this.peer}: ${error instanceof Error ? error.message : error}`,
      );
      this.isBusy = false;
      this.link.say({ say: 'failed', why: 'the server failed' });
    }
  }

  private async *pieces({ service, version }: Ask, body: BodyQueue | null) {
    const { upload, receive } = this.server;
    if (service === 'git-upload-pack') {
      if (body === null) yield await upload.advertise(version);
      else yield* upload.serve(body, { version, isStateless: true });
    } else if (receive === null) throw new Error('pushes are not taken here');
    else if (body === null) yield await receive.advertise(version === 1 ? 1 : 0);
    else yield* receive.serve(body, this.peer);
  }
}
