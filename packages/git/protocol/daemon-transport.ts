/**
 * git://: one connection, a first line that says what is wanted, then both sides of a service. Read
 * first: gitprotocol-pack(5), "Git Transport"; transport.ts. There are no credentials, and nobody
 * knows who the server is: for networks that one trusts.
 */

import { type Duration, err, ok, type Result, seconds, type TimerQueue } from '#core';
import type { Flow } from '#device';
import { markBytes, pktOf } from '../wire/pkt-line.ts';
import { encodeText } from '../wire/text.ts';
import { FlowStream } from './flow-stream.ts';
import { textOf } from './stop.ts';
import type { GitService, GitTransport, TransportError } from './transport.ts';

export interface DaemonTransportOptions {
  /** Opens the connection; the message of an error is for people. */
  readonly connect: () => Promise<Result<Flow, string>>;
  readonly timers: TimerQueue;
  /** As the server is known by name, with the port unless that is 9418. */
  readonly host: string;
  /** "/repo". */
  readonly path: string;
  /** How long the server may say nothing; five minutes unless given. */
  readonly stallMax?: Duration;
}

const STALL_MAX = seconds(300);

export class DaemonTransport implements GitTransport {
  readonly isStateless = false;
  private readonly options: DaemonTransportOptions;
  private stream: FlowStream | null = null;
  private isAsked = false;

  constructor(options: DaemonTransportOptions) {
    this.options = options;
  }

  async discover(
    service: GitService,
    version: 0 | 1 | 2,
  ): Promise<Result<AsyncIterable<Uint8Array>, TransportError>> {
    const { host, path, timers, stallMax = STALL_MAX } = this.options;
    const opened = await this.options.connect();
    if (!opened.ok) return err({ kind: 'unreachable', message: opened.error });
    this.stream = new FlowStream(opened.value, timers, stallMax);
    const extra = version === 0 ? '' : `\0version=${version}\0`;
    return this.send(pktOf(encodeText(`${service} ${path}\0host=${host}\0${extra}`)));
  }

  async call(
    _service: GitService,
    _version: 0 | 1 | 2,
    body: AsyncIterable<Uint8Array>,
  ): Promise<Result<AsyncIterable<Uint8Array>, TransportError>> {
    const stream = this.stream!;
    this.isAsked = true;
    let failed: unknown = null;
    // Beside the answer: a server may speak before it has heard all.
    const pump = async (): Promise<void> => {
      for await (const piece of body) await stream.write(piece);
    };
    pump().catch((error: unknown) => {
      failed = error;
      stream.abort(textOf(error));
    });
    async function* answer(): AsyncGenerator<Uint8Array, void, void> {
      try {
        for await (const piece of stream.pieces()) yield piece;
      } catch (error) {
        throw failed ?? error;
      }
    }
    return ok(answer());
  }

  async close(): Promise<void> {
    const { stream } = this;
    this.stream = null;
    if (stream === null) return;
    // Whoever asked for nothing says so.
    if (!this.isAsked) stream.writeLast(markBytes('flush'));
    stream.close();
  }

  private async send(
    bytes: Uint8Array,
  ): Promise<Result<AsyncIterable<Uint8Array>, TransportError>> {
    const stream = this.stream!;
    try {
      await stream.write(bytes);
      return ok(stream.pieces());
    } catch (error) {
      return err({ kind: 'unreachable', message: textOf(error) });
    }
  }
}
