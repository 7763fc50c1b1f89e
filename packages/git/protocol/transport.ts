/** How a client reaches a server of Git's protocols: HTTP, or one stream both ways (git://). */

import type { Result } from '#core';

/** What a server does: gives packs, or takes them. */
export type GitService = 'git-upload-pack' | 'git-receive-pack';

/** Why nothing, or no more, comes from the server. */
export type TransportError =
  /** No connection, or it broke. */
  | { readonly kind: 'unreachable'; readonly message: string }
  /** 401 or 403: nobody, or not the right one, asked. */
  | { readonly kind: 'not allowed'; readonly status: number; readonly message: string }
  /** There is no repository at this place. */
  | { readonly kind: 'no repository'; readonly message: string }
  /** Something else than Git's protocol answered. */
  | { readonly kind: 'not git'; readonly message: string };

/**
 * A repository on a server, for one fetch or push. Streams of answers may be rejected when the
 * connection breaks; their pieces are never changed.
 */
export interface GitTransport {
  /** True: each call is answered without memory of those before, and ends (HTTP). */
  readonly isStateless: boolean;
  /** The server's advertisement: pkt-lines. A transport with one stream leaves it open. */
  discover(
    service: GitService,
    version: 0 | 1 | 2,
  ): Promise<Result<AsyncIterable<Uint8Array>, TransportError>>;
  /** Sends a request and gives the answer; without memory, a whole conversation anew each time. */
  call(
    service: GitService,
    version: 0 | 1 | 2,
    body: AsyncIterable<Uint8Array>,
  ): Promise<Result<AsyncIterable<Uint8Array>, TransportError>>;
  /** Nothing more is asked. */
  close(): Promise<void>;
}
