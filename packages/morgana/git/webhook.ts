/**
 * A webhook as GitHub, Gitea and others sign them: a POST whose body's HMAC-SHA-256 stands in
 * X-Hub-Signature-256. What the body says isn't read: a push is a reason to look, and looking twice
 * does no harm, so a message that is sent again does none. Read first: GitHub's "Validating webhook
 * deliveries".
 */

import {
  after,
  assert,
  type Duration,
  hot,
  type Instant,
  type Logger,
  seconds,
  Timer,
  type TimerQueue,
} from '#core';
import { constantTimeEqual } from '#crypto';
import type { CryptoPrimitives } from '#device';
import type { Exchange, ExchangeHandler, HttpHandler, RequestHead } from '#http';

/** Of a message. GitHub's are some ten kilobytes; a larger one is refused with 413. */
export const WEBHOOK_BODY_BYTES_MAX = 524_288;
/**
 * Messages in progress, whose senders aren't known yet. One more takes the place of the one that is
 * under way longest, unless all have just begun: then it is told to come again, 503.
 */
export const WEBHOOK_BODIES_MAX = 4;
/** A body may take so long; longer: 408. */
export const WEBHOOK_BODY_TIME_MAX: Duration = seconds(10);
/** So long nobody takes its place: a message of a sender who isn't slow is here by then. */
export const WEBHOOK_BODY_TIME_SAFE: Duration = seconds(1);
/** What a message's memory begins with. */
const BODY_BYTES_FIRST = 4_096;
const SIGNATURE = /^sha256=([0-9a-f]{64})$/;

export interface WebhookOptions {
  /** "/webhook". */
  readonly path: string;
  /** Shared with who sends; not empty. */
  readonly secret: string;
  readonly crypto: CryptoPrimitives;
  readonly timers: TimerQueue;
  readonly log: Logger;
  /** Somebody who knows the secret says that something was pushed. */
  pushed(): void;
}

/** Takes signed messages that something was pushed; every other request is refused. */
export class Webhook {
  /** Messages by what became of them. */
  readonly counts = { taken: 0, refused: 0, busy: 0, late: 0, replaced: 0 };
  private readonly options: WebhookOptions;
  private readonly key: Uint8Array;
  /** In progress, the oldest first. */
  private readonly bodies = new Set<Body>();

  /** Throws a TypeError without a secret: then anybody could sign. */
  constructor(options: WebhookOptions) {
    if (options.secret === '') throw new TypeError('a webhook needs a secret');
    this.options = options;
    this.key = hot.utf8Encode(options.secret);
  }

  /** A handler that has the webhook at its path, and `others` for all that is none of it. */
  beside(others: HttpHandler): HttpHandler {
    const isOurs = ({ method, path }: RequestHead): boolean =>
      method === 'POST' && path === this.options.path;
    return {
      answer: (head) => (isOurs(head) ? null : others.answer(head)),
      bodyBytesMax: (head) =>
        isOurs(head)
          ? WEBHOOK_BODY_BYTES_MAX
          : (others.bodyBytesMax?.(head) ?? WEBHOOK_BODY_BYTES_MAX),
      request: (exchange) =>
        isOurs(exchange.head) ? this.take(exchange) : others.request(exchange),
    };
  }

  checkInvariants(): void {
    assert(this.bodies.size <= WEBHOOK_BODIES_MAX, 'bodies in progress are bounded');
  }

  private take(exchange: Exchange): void {
    const signature = SIGNATURE.exec(exchange.head.get('x-hub-signature-256') ?? '')?.[1];
    if (signature === undefined) {
      this.refuse(exchange, 'has no signature');
      return;
    }
    if (!this.makeRoom()) {
      this.counts.busy++;
      exchange.respond(503, [['Retry-After', '1']], text('too many at once\n'));
      return;
    }
    const body = new Body(exchange, this.options.timers, {
      whole: (bytes) => this.judge(exchange, bytes, signature),
      late: () => {
        this.counts.late++;
        exchange.respond(408, [], text('too slow\n'));
      },
      over: () => this.bodies.delete(body),
    });
    this.bodies.add(body);
    exchange.attach(body);
  }

  /** Of those that came before the slowest goes, which is the oldest: they are all as short. */
  private makeRoom(): boolean {
    if (this.bodies.size < WEBHOOK_BODIES_MAX) return true;
    const [oldest] = this.bodies;
    assert(oldest !== undefined, 'there is one where there are many');
    if (this.options.timers.now < after(oldest.since, WEBHOOK_BODY_TIME_SAFE)) return false;
    this.counts.replaced++;
    oldest.drop();
    return true;
  }

  private judge(exchange: Exchange, body: Uint8Array, signature: string): void {
    const { crypto, log } = this.options;
    const mac = crypto.hmac('SHA-256', this.key, body);
    const given = new Uint8Array(mac.length);
    for (let i = 0; i < mac.length; i++) {
      given[i] = Number.parseInt(signature.slice(2 * i, 2 * i + 2), 16);
    }
    if (!constantTimeEqual(mac, given)) {
      this.refuse(exchange, 'is signed by somebody else');
      return;
    }
    this.counts.taken++;
    const event = exchange.head.get('x-github-event') ?? 'push';
    if (event === 'push') {
      log.info('webhook: something was pushed');
      this.options.pushed();
    }
    exchange.respond(202, [['Content-Type', 'text/plain']], text('thanks\n'));
  }

  private refuse(exchange: Exchange, why: string): void {
    this.counts.refused++;
    this.options.log.debug(`webhook: a message from ${exchange.remote.address} ${why}`);
    exchange.respond(403, [['Content-Type', 'text/plain']], text(`the message ${why}\n`));
  }
}

interface BodyEvents {
  whole(bytes: Uint8Array): void;
  late(): void;
  /** It isn't in progress any more; before the others. */
  over(): void;
}

/** A message that comes in, within its time. */
class Body implements ExchangeHandler {
  readonly since: Instant;
  private readonly exchange: Exchange;
  private readonly timers: TimerQueue;
  private readonly events: BodyEvents;
  private readonly deadline: Timer;
  private isOver = false;
  // One array, not the pieces: a byte each would cost a hundred times the body.
  private bytes = new Uint8Array(BODY_BYTES_FIRST);
  private length = 0;

  constructor(exchange: Exchange, timers: TimerQueue, events: BodyEvents) {
    this.exchange = exchange;
    this.timers = timers;
    this.events = events;
    this.since = timers.now;
    this.deadline = new Timer(() => {
      this.finish();
      events.late();
    });
    timers.arm(this.deadline, after(timers.now, WEBHOOK_BODY_TIME_MAX));
  }

  data(piece: Uint8Array): void {
    if (this.isOver) return;
    const end = this.length + piece.length;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.bytes.length));
      hot.copy(grown, 0, this.bytes, 0, this.length);
      this.bytes = grown;
    }
    hot.copy(this.bytes, this.length, piece, 0, piece.length);
    this.length = end;
  }

  end(): void {
    if (this.isOver) return;
    const whole = this.bytes.subarray(0, this.length);
    this.finish();
    this.events.whole(whole);
  }

  drained(): void {}

  aborted(): void {
    this.finish();
  }

  /** Another one takes its place. */
  drop(): void {
    this.finish();
    this.exchange.abort();
  }

  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.bytes = NO_BYTES;
    this.timers.stop(this.deadline);
    this.events.over();
  }
}

const NO_BYTES = new Uint8Array(0);

const text = (words: string): Uint8Array => hot.utf8Encode(words);
