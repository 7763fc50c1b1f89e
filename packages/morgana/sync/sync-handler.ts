/** A store that others sync with over WebSockets, as a handler of our HTTP server. */

import type { Logger, TimerQueue } from '#core';
import { primitives } from '#crypto/platform';
import type { CryptoPrimitives, Zlib } from '#device';
import { zlib as ownZlib } from '#git/zlib/platform';
import {
  acceptWebSocket,
  type Exchange,
  type HttpHandler,
  type RequestHead,
  type WebSocketOptions,
} from '#http';
import type { Repository, Shape } from '#store';
import { SyncServer, type SyncServerOptions } from '#store/sync';

export interface SyncHandlerOptions
  extends Pick<SyncServerOptions, 'schema' | 'push' | 'channelsMax'>,
    Pick<WebSocketOptions, 'allows' | 'hosts'> {
  readonly timers: TimerQueue;
  readonly log: Logger;
  /** Others than the target's own. */
  readonly crypto?: CryptoPrimitives;
  readonly zlib?: Zlib;
}

/** Takes WebSockets of clients that keep a store the same as the repository here. */
export class SyncHandler implements HttpHandler {
  readonly server: SyncServer;
  private readonly options: SyncHandlerOptions;
  private readonly crypto: CryptoPrimitives;

  constructor({ backend }: Pick<Repository<Shape>, 'backend'>, options: SyncHandlerOptions) {
    this.options = options;
    this.crypto = options.crypto ?? primitives;
    const { crypto } = this;
    this.server = new SyncServer({ zlib: ownZlib, ...options, backend, crypto });
  }

  answer(_head: RequestHead): null {
    return null;
  }

  request(exchange: Exchange): void {
    const { timers, allows, hosts = [] } = this.options;
    const { address, port } = exchange.remote;
    const pages = allows === undefined ? { hosts } : { allows };
    const socket = acceptWebSocket(exchange, { timers, crypto: this.crypto, ...pages });
    if (socket !== null) this.server.accept(socket, `${address}:${port}`);
  }
}
