/**
 * A response made once and sent many times. Its bytes are rebuilt only when the Date field changes,
 * so sending it costs one or two writes.
 */

import { assert, hot } from '#core';
import { latin1Bytes } from './latin1-bytes.ts';
import { statusText } from './status.ts';

/** Up to this, head and body are kept in one array: one write, one packet. */
export const JOINED_BODY_BYTES_MAX = 1_100;

const NONE = new Uint8Array(0);

export class PreparedResponse {
  readonly status: number;
  /** The parts of the body, sent one after the other; shared, never changed. */
  readonly parts: readonly Uint8Array[];
  /** Status line and fields without Date, Connection and the empty line, each with its CRLF. */
  private readonly headText: string;
  private readonly joined: boolean;
  private stamp = -1;
  private bytes: Uint8Array = NONE;

  /**
   * `fieldLines`: the fields, each ended by CRLF, Content-Length included, Date and Connection not.
   * `parts` must add up to it (or be empty: an answer to HEAD, a 304). `joined`: keep a copy of a
   * short body beside the head.
   */
  constructor(status: number, fieldLines: string, parts: readonly Uint8Array[], joined = true) {
    assert(fieldLines === '' || fieldLines.endsWith('\r\n'), 'unfinished field line');
    this.status = status;
    this.parts = parts;
    this.headText = `HTTP/1.1 ${status} ${statusText(status)}\r\n${fieldLines}`;
    const only = parts.length === 1 ? parts[0]! : null;
    this.joined = joined && only !== null && only.length <= JOINED_BODY_BYTES_MAX;
  }

  /** True when `headBytes` already ends with the body, so `parts` must not be written. */
  get isWhole(): boolean {
    return this.joined;
  }

  /**
   * Head (and body, when `isWhole`), to be sent as it is on a connection that stays open.
   * `dateLine` is the Date field with its CRLF; `stamp` changes whenever it does. The array never
   * changes: a later stamp makes another one.
   */
  headBytes(stamp: number, dateLine: string): Uint8Array {
    if (this.stamp === stamp) return this.bytes;
    const head = `${this.headText}${dateLine}\r\n`;
    const body = this.joined ? this.parts[0]! : null;
    const bytes = new Uint8Array(head.length + (body === null ? 0 : body.length));
    hot.writeLatin1(bytes, 0, head);
    if (body !== null) hot.copy(bytes, head.length, body, 0, body.length);
    this.stamp = stamp;
    this.bytes = bytes;
    return bytes;
  }

  /** The head alone, with `connection` ("close" or "keep-alive") said in it. */
  headWith(connection: string, dateLine: string): Uint8Array {
    return latin1Bytes(`${this.headText}${dateLine}Connection: ${connection}\r\n\r\n`);
  }
}
