/** How requests reach a server: HTTPS (http-transport.ts), or a server within the tests. */

import type { Result } from '#core';
import type { TransportError } from './error.ts';
import type { AcmeUrl } from './wire/url.ts';

export interface AcmeRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: AcmeUrl;
  /** The value of Accept; null: none. */
  readonly accept: string | null;
  /** Of a POST: application/jose+json. */
  readonly body: Uint8Array | null;
  /** A longer answer is 'too long'. */
  readonly bodyBytesMax: number;
}

export interface AcmeAnswer {
  readonly status: number;
  /** Fields by name in lower case; the last of several. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** A request on its way. */
export interface Sending {
  /** Gives up: `done` isn't called any more. Harmless afterwards. */
  cancel(): void;
}

export interface AcmeTransport {
  /** `done` is called once, never within this call. */
  send(request: AcmeRequest, done: (result: Result<AcmeAnswer, TransportError>) => void): Sending;
}
