/** A store that others sync with over WebSockets, as a handler of our HTTP server. */

import type { Logger, TimerQueue } from '#core';
import { primitives } from '#crypto/platform';
import { zlib } from '#git/zlib/platform';
import {
  acceptWebSocket,
  type Exchange,
  type HttpHandler,
  type RequestHead,
  type WebSocketOptions,
} from '#http';
import type { Repository, Shape } from '#store';
import { SyncServer, type SyncServerOptions } from '#store/sync';

export interface SyncHandlerOptions extends Pick<SyncServerOptions, 'schema' | 'push'> {
  readonly timers: TimerQueue;
  readonly log: Logger;
  /** Which pages may connect, and who at all; pages of this host unless given. */
  readonly allows?: WebSocketOptions['allows'];
}

export class SyncHandler implements HttpHandler {
  readonly server: SyncServer;
  private readonly options: SyncHandlerOptions;

  constructor({ backend }: Pick<Repository<Shape>, 'backend'>, options: SyncHandlerOptions) {
    this.options = options;
    this.server = new SyncServer({ ...options, backend, crypto: primitives, zlib });
  }

  answer(_head: RequestHead): null {
    return null;
  }

  request(exchange: Exchange): void {
    const { timers, allows } = this.options;
    const { address, port } = exchange.remote;
    const pages = allows === undefined ? {} : { allows };
    const socket = acceptWebSocket(exchange, { timers, crypto: primitives, ...pages });
    if (socket !== null) this.server.accept(socket, `${address}:${port}`);
  }
}
