/** Git's protocol over a link, the client's side: one question at a time. Read first: sync-link. */

import { err, ok, type Result } from '#core';
import type { GitService, GitTransport, TransportError } from '#git';
import type { BodyQueue, SyncLink } from './sync-link.ts';

const EMPTY: AsyncIterable<Uint8Array> = {
  async *[Symbol.asyncIterator]() {},
};

export class SyncTransport implements GitTransport {
  readonly isStateless = true;
  private readonly link: SyncLink;
  /** The answer that comes, or came last. */
  private answer: BodyQueue | null = null;
  /** The question that is being sent. */
  private asking: Promise<unknown> = Promise.resolve();

  constructor(link: SyncLink) {
    this.link = link;
  }

  discover(
    service: GitService,
    version: 0 | 1 | 2,
  ): Promise<Result<AsyncIterable<Uint8Array>, TransportError>> {
    return this.ask('discover', service, version, EMPTY);
  }

  call(
    service: GitService,
    version: 0 | 1 | 2,
    body: AsyncIterable<Uint8Array>,
  ): Promise<Result<AsyncIterable<Uint8Array>, TransportError>> {
    return this.ask('call', service, version, body);
  }

  /** Resolves when the link may be asked again. */
  async close(): Promise<void> {
    this.answer?.drop();
    await this.whole();
  }

  private async whole(): Promise<void> {
    try {
      await this.asking;
      await this.answer?.whole();
    } catch {
      // The link is gone, and says so itself.
    }
  }

  private async ask(
    what: 'discover' | 'call',
    service: GitService,
    version: 0 | 1 | 2,
    body: AsyncIterable<Uint8Array>,
  ): Promise<Result<AsyncIterable<Uint8Array>, TransportError>> {
    const { link } = this;
    await this.whole();
    if (link.isOver) return err({ kind: 'unreachable', message: 'the connection is gone' });
    link.say({ say: 'ask', what, service, version });
    const answer = link.expectBody();
    this.answer = answer;
    if (what === 'call') {
      // An answer may begin, and end, before the whole question was sent.
      this.asking = link
        .sendBody(body, () => !answer.isOver)
        .then(
          () => link.say({ say: 'end' }),
          () => link.break('a question that failed'),
        );
    }
    return ok(answer);
  }
}
