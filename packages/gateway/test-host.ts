/** For tests: a flow and a host, all of whose answers the test gives. */

import { err, ok, type Result } from '#core';
import type { ConnectError, Connecting, DatagramHandler, Flow, FlowHandler, Stack } from '#device';

export class FakeFlow implements Flow {
  readonly local = { address: '192.0.2.1', port: 1 };
  readonly remote = { address: '192.0.2.2', port: 2 };
  queuedBytes = 0;
  lowWaterBytes = 65_536;
  noDelay = false;
  handler: FlowHandler | null = null;
  isAsked = false;
  readonly calls: string[] = [];

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }
  write(bytes: Uint8Array): void {
    this.queuedBytes += bytes.length;
  }
  shutdown(): void {
    this.calls.push('shutdown');
  }
  abort(): void {
    this.calls.push('abort');
    this.handler?.closed('reset');
  }
  askIfAlive(): void {
    this.isAsked = true;
  }
  pause(): void {
    this.calls.push('pause');
  }
  resume(): void {
    this.calls.push('resume');
  }
  take(): string[] {
    return this.calls.splice(0);
  }
}

export class FakeHost implements Stack {
  readonly connects: ((result: Result<Flow, ConnectError>) => void)[] = [];
  readonly binds: (() => void)[] = [];
  readonly sent: string[] = [];
  /** Of the last bind. */
  receiver: DatagramHandler | null = null;
  cancelled = 0;
  closed = 0;

  connect(
    _: string,
    _port: number,
    opened: (result: Result<Flow, ConnectError>) => void,
  ): Connecting {
    this.connects.push(opened);
    return {
      cancel: () => {
        this.cancelled += 1;
      },
    };
  }
  bind(port: number, receiver: DatagramHandler): ReturnType<Stack['bind']> {
    this.receiver = receiver;
    return new Promise((resolve) => {
      this.binds.push(() =>
        resolve(
          ok({
            local: { address: '0.0.0.0', port: port || 1_000 },
            send: (bytes, to) => {
              this.sent.push(`${to.address}:${to.port} ${bytes.length}`);
              return true;
            },
            join: () => false,
            leave: () => {},
            close: () => {
              this.closed += 1;
            },
          }),
        ),
      );
    });
  }
  listen(port: number): ReturnType<Stack['listen']> {
    const close = (): void => {
      this.closed += 1;
    };
    return Promise.resolve(ok({ port, close }));
  }
  resolve(): ReturnType<Stack['resolve']> {
    return Promise.resolve(err({ kind: 'no name servers' }));
  }
  addresses(): string[] {
    return [];
  }
  counters(): Record<string, number> {
    return {};
  }
}
