/**
 * The management port's HTTP: who may, and which command (packages/inspect/commands.ts) a request
 * is. Everything wants `Authorization: Bearer TOKEN`.
 *
 *     GET /metrics                          Prometheus' text format
 *     GET /snapshot?connections=N&from=N&heap=true
 *     GET /log, /log?follow=true            levels by source; lines as they come
 *     PUT /log                              body: levels, as of --log
 *     POST /profile?seconds=N&hz=N          a CPU profile
 *     GET /pcap?port=N&snapBytes=N&interface=N
 */

import { after, hot, type Logger, seconds, Timer, type TimerQueue } from '#core';
import type { Exchange, HeaderField, HttpHandler, PreparedResponse } from '#http';
import {
  type Commands,
  type ControlStream,
  EXPOSITION_TYPE,
  errorText,
  formatMetrics,
  Refusal,
  settle,
} from '#inspect';

/** 128 bits in hexadecimal are twice as many; fewer than this can be guessed. */
export const TOKEN_CHARACTERS_MIN = 16;
export const TOKEN_CHARACTERS_MAX = 256;
/** How long the answer to a wrong token takes, as a rule. */
const FAILURE_WAIT = seconds(2);
/**
 * Such answers under way; more are given at once: what waits here can't be evicted, so strangers
 * would keep operators out. Tokens are too long to be guessed at any speed.
 */
export const FAILURES_WAITING_MAX = 8;
/** Levels of PUT /log; longer: 413. */
const BODY_BYTES_MAX = 4_096;
/** Of a stream, for a client that reads too slowly: above it pieces are dropped. */
const QUEUED_BYTES_MAX = 131_072;

const TEXT_TYPE = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json';
const PCAP_TYPE = 'application/vnd.tcpdump.pcap';
const TEXT: HeaderField = ['content-type', TEXT_TYPE];
const NO_STORE: HeaderField = ['cache-control', 'no-store'];
const NO_PIECES: readonly Uint8Array[] = [];

type Options = Readonly<Record<string, unknown>>;

class ExchangeStream implements ControlStream {
  readonly pieces = NO_PIECES;
  private readonly exchange: Exchange;
  private readonly type: string;
  private listeners: (() => void)[] = [];

  constructor(exchange: Exchange, type: string) {
    this.exchange = exchange;
    this.type = type;
  }

  get isOpen(): boolean {
    return !this.exchange.finished;
  }

  /** The response's head leaves. */
  begin(): void {
    const { exchange } = this;
    if (exchange.responded) return;
    exchange.begin(200, [['content-type', this.type], NO_STORE], null);
  }

  write(bytes: Uint8Array): boolean {
    const { exchange } = this;
    if (!this.isOpen || exchange.queuedBytes > QUEUED_BYTES_MAX) return false;
    this.begin();
    exchange.write(bytes.slice());
    return true;
  }

  onEnd(listener: () => void): void {
    this.listeners.push(listener);
  }

  lost(): void {
    for (const listener of this.listeners.splice(0)) listener();
  }
}

export class ManagementHandler implements HttpHandler {
  readonly counters = { managementRequests: 0, managementFailures: 0 };
  private readonly commands: Commands;
  private readonly token: Uint8Array;
  private readonly timers: TimerQueue;
  private readonly log: Logger;
  private failuresWaiting = 0;
  private readonly routes: Readonly<Record<string, (exchange: Exchange, options: Options) => void>>;

  constructor(commands: Commands, token: string, timers: TimerQueue, log: Logger) {
    this.commands = commands;
    this.token = hot.utf8Encode(token);
    this.timers = timers;
    this.log = log;
    this.routes = {
      'GET /metrics': (exchange) => this.metrics(exchange),
      'GET /snapshot': (exchange, options) =>
        this.run(exchange, JSON_TYPE, () => commands.snapshot(options)),
      'GET /log': (exchange, options) => this.follow(exchange, options),
      'PUT /log': (exchange) => this.setLevels(exchange),
      'POST /profile': (exchange, options) =>
        this.run(exchange, JSON_TYPE, (stream) => commands.profile(options, stream)),
      'GET /pcap': (exchange, options) =>
        this.run(exchange, PCAP_TYPE, (stream) => commands.pcap(options, stream)),
    };
  }

  /** Nothing follows from a head alone. */
  answer(): PreparedResponse | null {
    return null;
  }

  request(exchange: Exchange): void {
    const given = exchange.head.get('authorization') ?? '';
    const bearer = /^Bearer +([!-~]+)$/i.exec(given)?.[1] ?? '';
    if (!isSame(hot.utf8Encode(bearer), this.token)) {
      this.refuse(exchange);
      return;
    }
    this.counters.managementRequests += 1;
    const { method, path, query } = exchange.head;
    const added = method === 'POST' ? this.commands.added.get(path.slice(1)) : undefined;
    if (added !== undefined) {
      this.run(exchange, JSON_TYPE, (stream) => added({ id: 0, ask: path.slice(1) }, stream));
      return;
    }
    const route = this.routes[`${method} ${path}`];
    if (route !== undefined) route(exchange, optionsOf(query ?? ''));
    else respond(exchange, PATHS.has(path) ? 405 : 404, `${Object.keys(this.routes).join('\n')}\n`);
  }

  private metrics(exchange: Exchange): void {
    const snapshot = this.commands.snapshot({ connections: 0, heap: true });
    const text = hot.utf8Encode(formatMetrics(snapshot));
    exchange.respond(200, [['content-type', EXPOSITION_TYPE], NO_STORE], text);
  }

  private follow(exchange: Exchange, { follow }: Options): void {
    this.run(exchange, follow === true ? TEXT_TYPE : JSON_TYPE, (stream) => {
      const answer = this.commands.log({ follow }, stream);
      if (follow === true) stream.begin();
      return answer;
    });
  }

  private setLevels(exchange: Exchange): void {
    let text = '';
    exchange.attach({
      data(bytes) {
        if (text.length + bytes.length > BODY_BYTES_MAX) respond(exchange, 413, 'too long\n');
        else text += hot.latin1(bytes, 0, bytes.length);
      },
      end: () => {
        if (exchange.responded) return;
        this.run(
          exchange,
          JSON_TYPE,
          (stream) => this.commands.log({ levels: text }, stream),
          true,
        );
      },
      drained() {},
      aborted() {},
    });
  }

  /** A command's value is the response, unless it streamed. */
  private run(
    exchange: Exchange,
    type: string,
    command: (stream: ExchangeStream) => unknown,
    isAttached = false,
  ): void {
    const stream = new ExchangeStream(exchange, type);
    // Called by promises too: whatever these threw would end the program.
    const failed = (error: unknown): void => {
      const isRefusal = error instanceof Refusal;
      if (!isRefusal) this.log.error(`${exchange.head.path}: ${errorText(error)}`);
      if (exchange.responded) exchange.abort();
      else respond(exchange, isRefusal ? 400 : 500, `${errorText(error)}\n`);
    };
    const done = (value: unknown): void => {
      if (exchange.responded) {
        exchange.finish();
        return;
      }
      let json: string;
      try {
        json = JSON.stringify(value ?? null);
      } catch (error) {
        failed(error);
        return;
      }
      exchange.respond(200, [['content-type', JSON_TYPE], NO_STORE], hot.utf8Encode(json));
    };
    if (!isAttached) {
      exchange.attach({ data() {}, end() {}, drained() {}, aborted: () => stream.lost() });
    }
    settle(() => command(stream), done, failed);
  }

  /**
   * Late, so that nobody can guess quickly. The exchange isn't attached to: a body of who knows
   * whom isn't read, and whoever leaves keeps their place until the answer would have been given.
   */
  private refuse(exchange: Exchange): void {
    this.counters.managementFailures += 1;
    if (this.failuresWaiting >= FAILURES_WAITING_MAX) {
      refuseNow(exchange);
      return;
    }
    this.failuresWaiting += 1;
    const timer = new Timer(() => {
      this.failuresWaiting -= 1;
      refuseNow(exchange);
    });
    this.timers.arm(timer, after(this.timers.now, FAILURE_WAIT));
  }
}

const PATHS = new Set(['/metrics', '/snapshot', '/log', '/profile', '/pcap']);

function respond(exchange: Exchange, status: number, text: string): void {
  exchange.respond(status, [TEXT, NO_STORE], hot.utf8Encode(text));
}

function refuseNow(exchange: Exchange): void {
  const challenge: HeaderField = ['www-authenticate', 'Bearer realm="management"'];
  exchange.respond(401, [TEXT, challenge], hot.utf8Encode('401 Unauthorized\n'));
}

/** In a time that follows from the length of `given` alone. */
export function isSame(given: Uint8Array, secret: Uint8Array): boolean {
  let difference = given.length ^ secret.length;
  for (let i = 0; i < given.length; i++) difference |= given[i]! ^ secret[i % secret.length]!;
  return difference === 0;
}

/** "a=1&b=true&c=x"; numbers and truth values are told apart from text. */
function optionsOf(query: string): Options {
  const options: Record<string, unknown> = {};
  for (const pair of query === '' ? [] : query.split('&')) {
    const [name = '', text = ''] = pair.split('=');
    if (text === 'true' || text === 'false') options[name] = text === 'true';
    else options[name] = /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  }
  return options;
}
