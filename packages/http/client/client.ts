/**
 * An HTTP/1.1 client: requests in, connections kept and used again by origin (RFC 9112 §9.3).
 * Synchronous. Read first: exchange.ts, client-connection.ts, limits.ts. Not here: redirects and
 * the rest of fetch (fetch.ts), proxies, HTTP/2, Expect.
 */

import { assert, Timer, type TimerQueue } from '#core';
import type { Connecting, ConnectSecure, Flow } from '#device';
import { type ActiveRequest, ClientConnection, type ConnectionOwner } from './client-connection.ts';
import type { ClientError, ClientExchange, ClientHandler, ClientRequest } from './exchange.ts';
import { type ClientLimits, checkClientLimits, DEFAULT_CLIENT_LIMITS } from './limits.ts';

export interface HttpClientOptions {
  /** Opens connections: a Stack's, or one that puts TLS on it. */
  readonly connect: ConnectSecure;
  readonly timers: TimerQueue;
  readonly limits?: Partial<ClientLimits>;
}

/** Methods that may be sent twice (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'PUT',
  'DELETE',
  'TRACE',
]);

export class HttpClient {
  readonly counters = {
    clientRequests: 0,
    clientConnections: 0,
    clientReused: 0,
    clientRetries: 0,
    clientFailures: 0,
    clientRefused: 0,
    clientEvicted: 0,
  };
  private readonly connect: ConnectSecure;
  private readonly timers: TimerQueue;
  readonly limits: ClientLimits;
  private readonly origins = new Map<string, Origin>();
  /** In the order of becoming idle, the oldest first. */
  private readonly idleConnections = new Set<ClientConnection>();
  private readonly owners = new Map<ClientConnection, Origin>();
  private opening = 0;
  private waiting = 0;

  constructor({ connect, timers, limits: given }: HttpClientOptions) {
    const limits = { ...DEFAULT_CLIENT_LIMITS, ...given };
    checkClientLimits(limits);
    this.connect = connect;
    this.timers = timers;
    this.limits = limits;
  }

  /** Nothing of `handler` is called before this returns. */
  request(request: ClientRequest, handler: ClientHandler): ClientExchange {
    this.counters.clientRequests += 1;
    const exchange = new Exchange(this, request, handler);
    if (this.waiting >= this.limits.waitingMax) {
      this.counters.clientRefused += 1;
      exchange.failLater(this.timers);
      return exchange;
    }
    this.enqueue(exchange, false);
    return exchange;
  }

  checkInvariants(): void {
    const { limits, idleConnections, owners } = this;
    assert(owners.size + this.opening <= limits.connectionsMax);
    let waiting = 0;
    let opening = 0;
    for (const origin of this.origins.values()) {
      waiting += origin.queue.length;
      opening += origin.openings.size;
      assert(origin.count <= limits.originConnectionsMax);
      assert(origin.count > 0 || origin.queue.length > 0, 'an origin without use');
      assert(origin.openings.size <= Math.max(origin.queue.length, 0), 'a needless opening');
    }
    assert(waiting === this.waiting && waiting <= limits.waitingMax + limits.connectionsMax);
    assert(opening === this.opening);
    for (const connection of idleConnections) assert(connection.isIdle && owners.has(connection));
    for (const connection of owners.keys()) connection.checkInvariants();
  }

  // What follows is for this file.

  /** `first`: before those that wait already. */
  enqueue(exchange: Exchange, first: boolean): void {
    const { host, port } = exchange.request;
    const key = `${host.toLowerCase()} ${port}`;
    const origin = this.origins.get(key) ?? new Origin(key, host, port);
    this.origins.set(key, origin);
    exchange.origin = origin;
    if (first) origin.queue.unshift(exchange);
    else origin.queue.push(exchange);
    this.waiting += 1;
    this.dispatch(origin);
  }

  /** The exchange doesn't wait any more. */
  dequeue(exchange: Exchange): void {
    const { origin } = exchange;
    const at = origin?.queue.indexOf(exchange) ?? -1;
    if (origin === null || at < 0) return;
    origin.queue.splice(at, 1);
    this.waiting -= 1;
    this.trim(origin);
  }

  /** Gives waiting requests connections: idle ones, then new ones. */
  private dispatch(origin: Origin): void {
    while (origin.queue.length > 0) {
      const connection = origin.idle.pop();
      if (connection === undefined) break;
      this.idleConnections.delete(connection);
      this.counters.clientReused += 1;
      this.give(origin, connection);
    }
    while (origin.openings.size < origin.queue.length && this.hasRoom(origin)) this.open(origin);
    this.trim(origin);
  }

  /** Whether `origin` may have one more connection; an idle one of another may go for it. */
  private hasRoom(origin: Origin): boolean {
    if (origin.count >= this.limits.originConnectionsMax) return false;
    if (this.owners.size + this.opening < this.limits.connectionsMax) return true;
    for (const oldest of this.idleConnections) {
      this.counters.clientEvicted += 1;
      oldest.close();
      // Others heard of the room too.
      return (
        origin.openings.size < origin.queue.length &&
        origin.count < this.limits.originConnectionsMax &&
        this.owners.size + this.opening < this.limits.connectionsMax
      );
    }
    return false;
  }

  private open(origin: Origin): void {
    const opening: Opening = { connecting: null };
    origin.openings.add(opening);
    origin.count += 1;
    this.opening += 1;
    opening.connecting = this.connect(origin.host, origin.port, (result) => {
      this.opening -= 1;
      origin.count -= 1;
      origin.openings.delete(opening);
      if (result.ok) this.opened(origin, result.value);
      else this.openFailed(origin, { kind: 'connect', error: result.error });
    });
  }

  private opened(origin: Origin, flow: Flow): void {
    this.counters.clientConnections += 1;
    const connection = new ClientConnection(flow, this.owner, this.timers, this.limits);
    this.owners.set(connection, origin);
    origin.count += 1;
    // Openings beyond the queue are given up, so somebody waits.
    this.give(origin, connection);
    this.dispatch(origin);
  }

  /** The one that waits for the longest has had its try. */
  private openFailed(origin: Origin, error: ClientError): void {
    const exchange = origin.queue.shift();
    if (exchange !== undefined) this.waiting -= 1;
    this.dispatch(origin);
    exchange?.fail(error);
  }

  private give(origin: Origin, connection: ClientConnection): void {
    const exchange = origin.queue.shift();
    assert(exchange !== undefined, 'a connection that nobody waits for');
    this.waiting -= 1;
    exchange.start(connection);
  }

  private readonly owner: ConnectionOwner = {
    idle: (connection) => {
      const origin = this.owners.get(connection)!;
      origin.idle.push(connection);
      this.idleConnections.add(connection);
      this.dispatch(origin);
    },
    gone: (connection) => {
      const origin = this.owners.get(connection);
      if (origin === undefined) return;
      this.owners.delete(connection);
      this.idleConnections.delete(connection);
      origin.count -= 1;
      const at = origin.idle.indexOf(connection);
      if (at >= 0) origin.idle.splice(at, 1);
      this.dispatch(origin);
      this.dispatchOthers();
    },
  };

  /** There is room for another connection: of any origin whose requests wait for one. */
  private dispatchOthers(): void {
    for (const origin of this.origins.values()) {
      if (this.owners.size + this.opening >= this.limits.connectionsMax) return;
      if (origin.queue.length > origin.openings.size) this.dispatch(origin);
    }
  }

  /** Gives up openings that nobody waits for, and forgets an origin without use. */
  private trim(origin: Origin): void {
    for (const opening of origin.openings) {
      if (origin.openings.size <= origin.queue.length) break;
      origin.openings.delete(opening);
      origin.count -= 1;
      this.opening -= 1;
      opening.connecting?.cancel();
    }
    if (origin.count === 0 && origin.queue.length === 0) this.origins.delete(origin.key);
  }
}

interface Opening {
  connecting: Connecting | null;
}

class Origin {
  readonly key: string;
  readonly host: string;
  readonly port: number;
  readonly queue: Exchange[] = [];
  readonly idle: ClientConnection[] = [];
  readonly openings = new Set<Opening>();
  /** Connections, and those that are being opened. */
  count = 0;

  constructor(key: string, host: string, port: number) {
    this.key = key;
    this.host = host;
    this.port = port;
  }
}

/** Bytes of a streamed body that wait for a connection; above it the writer waits. */
const EARLY_BYTES_MAX = 65_536;

/** A request on its way: waiting, or on a connection. */
class Exchange implements ClientExchange, ActiveRequest {
  readonly request: ClientRequest;
  readonly handler: ClientHandler;
  origin: Origin | null = null;
  private readonly client: HttpClient;
  private connection: ClientConnection | null = null;
  private retries = 0;
  private isOver = false;
  /** Of a streamed body, before there is a connection. */
  private early: Uint8Array[] = [];
  private earlyBytes = 0;
  private isFinished = false;
  /** Some of the body has left: it can't be sent again. */
  private hasWritten = false;

  constructor(client: HttpClient, request: ClientRequest, handler: ClientHandler) {
    this.client = client;
    this.request = request;
    // The end of an exchange is known here too: what comes late must not reach the next one.
    this.handler = {
      response: (head) => handler.response(head),
      data: (bytes) => {
        if (!this.isOver) handler.data(bytes);
      },
      drained: () => {
        if (!this.isOver) handler.drained();
      },
      end: () => {
        if (this.isOver) return;
        this.isOver = true;
        this.connection = null;
        handler.end();
      },
      failed: (error) => {
        if (this.isOver) return;
        this.isOver = true;
        this.connection = null;
        handler.failed(error);
      },
    };
  }

  get queuedBytes(): number {
    return this.connection === null ? this.earlyBytes : this.connection.queuedBytes;
  }

  get isFull(): boolean {
    const { connection } = this;
    return connection === null ? this.earlyBytes > EARLY_BYTES_MAX : connection.isFull;
  }

  write(bytes: Uint8Array): void {
    if (this.isOver || this.isFinished) return;
    if (this.connection === null) {
      this.early.push(bytes);
      this.earlyBytes += bytes.length;
      return;
    }
    this.hasWritten = true;
    this.connection.write(bytes);
  }

  finish(): void {
    if (this.isOver || this.isFinished) return;
    this.isFinished = true;
    this.connection?.finish();
  }

  pause(): void {
    this.connection?.pause();
  }

  resume(): void {
    this.connection?.resume();
  }

  abort(): void {
    if (this.isOver) return;
    this.isOver = true;
    const { connection } = this;
    this.connection = null;
    if (connection === null) this.client.dequeue(this);
    else connection.abandon();
  }

  /** On `connection` from now on. */
  start(connection: ClientConnection): void {
    this.connection = connection;
    connection.start(this);
    const { early } = this;
    this.early = [];
    this.earlyBytes = 0;
    for (const bytes of early) this.write(bytes);
    if (this.isFinished) connection.finish();
    else if (early.length > 0 && !connection.isFull) this.handler.drained();
  }

  lost(error: ClientError, isStale: boolean): void {
    if (this.isOver) return;
    this.connection = null;
    if (isStale && this.mayRetry()) {
      this.retries += 1;
      this.client.counters.clientRetries += 1;
      this.client.enqueue(this, true);
      return;
    }
    this.fail(error);
  }

  fail(error: ClientError): void {
    this.client.counters.clientFailures += 1;
    this.handler.failed(error);
  }

  failLater(timers: TimerQueue): void {
    timers.arm(new Timer(() => this.fail({ kind: 'busy' })), timers.now);
  }

  /** RFC 9110 §9.2.2: only what may be sent twice, and is still here. */
  private mayRetry(): boolean {
    return (
      IDEMPOTENT.has(this.request.method) &&
      !this.hasWritten &&
      this.retries < this.client.limits.retriesMax
    );
  }
}
