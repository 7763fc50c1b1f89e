/**
 * A webhook as GitHub, Gitea and others sign them: a POST whose body's HMAC-SHA-256 stands in
 * X-Hub-Signature-256. What the body says isn't read: a push is a reason to look, and looking twice
 * does no harm, so a message that is sent again does none. Read first: GitHub's "Validating webhook
 * deliveries".
 */

import { hot, type Logger } from '#core';
import { constantTimeEqual } from '#crypto';
import type { CryptoPrimitives } from '#device';
import type { Exchange, HttpHandler, RequestHead } from '#http';

/** Of a message. GitHub's are some ten kilobytes; a larger one is refused with 413. */
export const WEBHOOK_BODY_BYTES_MAX = 524_288;
/** Messages in progress, whose senders aren't known yet; one more is told to come again: 503. */
export const WEBHOOK_BODIES_MAX = 4;
/** What a message's memory begins with. */
const BODY_BYTES_FIRST = 4_096;
const SIGNATURE = /^sha256=([0-9a-f]{64})$/;

export interface WebhookOptions {
  /** "/webhook". */
  readonly path: string;
  /** Shared with who sends; not empty. */
  readonly secret: string;
  readonly crypto: CryptoPrimitives;
  readonly log: Logger;
  /** Somebody who knows the secret says that something was pushed. */
  pushed(): void;
}

/** Takes signed messages that something was pushed; every other request is refused. */
export class Webhook {
  /** Messages by what became of them. */
  readonly counts = { taken: 0, refused: 0, busy: 0 };
  private readonly options: WebhookOptions;
  private readonly key: Uint8Array;
  private bodies = 0;

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

  private take(exchange: Exchange): void {
    const signature = SIGNATURE.exec(exchange.head.get('x-hub-signature-256') ?? '')?.[1];
    if (signature === undefined) {
      this.refuse(exchange, 'has no signature');
      return;
    }
    if (this.bodies === WEBHOOK_BODIES_MAX) {
      this.counts.busy++;
      exchange.respond(503, [['Retry-After', '1']], text('too many at once\n'));
      return;
    }
    this.bodies++;
    let isHeld = true;
    const release = (): void => {
      if (isHeld) this.bodies--;
      isHeld = false;
    };
    // One array, not the pieces: a byte each would cost a hundred times the body.
    let body = new Uint8Array(BODY_BYTES_FIRST);
    let bytes = 0;
    exchange.attach({
      data(piece) {
        const end = bytes + piece.length;
        if (end > body.length) {
          const grown = new Uint8Array(Math.max(end, 2 * body.length));
          hot.copy(grown, 0, body, 0, bytes);
          body = grown;
        }
        hot.copy(body, bytes, piece, 0, piece.length);
        bytes = end;
      },
      end: () => {
        release();
        this.judge(exchange, body.subarray(0, bytes), signature);
      },
      drained() {},
      aborted: release,
    });
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

const text = (words: string): Uint8Array => hot.utf8Encode(words);
