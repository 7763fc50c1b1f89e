/**
 * The sending half of a connection: bytes to the flow, and how far the client has got with them.
 */

import type { Flow } from '#device';
import type { PreparedResponse } from './prepared-response.ts';
import type { HttpServer } from './server.ts';

export class ResponseWriter {
  private readonly flow: Flow;
  private readonly server: HttpServer;
  /** Response bytes written since the connection began. */
  private writtenBytes = 0;
  // As they were at the last look.
  private takenBytes = 0;
  private bodyBytes = 0;

  constructor(flow: Flow, server: HttpServer) {
    this.flow = flow;
    this.server = server;
  }

  /** Queues response bytes; they are the flow's from now on. */
  send(bytes: Uint8Array): void {
    this.writtenBytes += bytes.length;
    this.flow.write(bytes);
  }

  sendAll(parts: readonly Uint8Array[]): void {
    for (let i = 0; i < parts.length; i++) this.send(parts[i]!);
  }

  /** Sends a whole response on an HTTP/1.1 connection that stays open. */
  sendPrepared(response: PreparedResponse): void {
    const server = this.server;
    if (server.timers.now >= server.dateUntil) server.refreshDate();
    const bytes = response.headBytes(server.stamp, server.dateLine);
    this.writtenBytes += bytes.length;
    this.flow.write(bytes);
    if (!response.isWhole) this.sendAll(response.parts);
  }

  /**
   * As `sendPrepared`, with a Connection field: "close" or "keep-alive"; without the parts for
   * `isHead`.
   */
  sendSaying(connection: string, response: PreparedResponse, isHead: boolean): void {
    this.send(response.headWith(connection, this.server.date().dateLine));
    if (!isHead) this.sendAll(response.parts);
  }

  /** Looks how far the client has got; `bodyBytes` of its request's body came. */
  look(bodyBytes: number): void {
    this.takenBytes = this.writtenBytes - this.flow.queuedBytes;
    this.bodyBytes = bodyBytes;
  }

  /** Response bytes that the client took since the last look. */
  takenSince(): number {
    return this.writtenBytes - this.flow.queuedBytes - this.takenBytes;
  }

  /** Body bytes that came since the last look. */
  bodySince(bodyBytes: number): number {
    return bodyBytes - this.bodyBytes;
  }
}
