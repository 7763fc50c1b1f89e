/** A client without a network, in virtual time, over the flows of test-flow.ts. */

import assert from 'node:assert/strict';
import {
  after,
  err,
  hot,
  instantOfMicros,
  micros,
  ok,
  type Result,
  Timer,
  TimerQueue,
} from '#core';
import type { ConnectError, Connecting, Flow } from '#device';
import { FakeFlow } from '../test-flow.ts';
import { HttpClient } from './client.ts';
import type { ClientExchange, ClientHandler, ClientRequest } from './exchange.ts';
import type { ClientLimits } from './limits.ts';

export const GET: ClientRequest = {
  method: 'GET',
  host: 'a.example',
  port: 80,
  authority: 'a.example',
  target: '/x?y',
  fields: [['accept', '*/*']],
  body: null,
};
export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi';

/** What an exchange's handler was told, as text. */
export class Told implements ClientHandler {
  readonly log: string[] = [];
  body = '';
  exchange!: ClientExchange;
  onData: () => void = () => {};

  response(head: { status: number }): void {
    this.log.push(`response ${head.status}`);
  }

  data(bytes: Uint8Array): void {
    this.body += hot.latin1(bytes, 0, bytes.length);
    bytes.fill(0xa5);
    this.onData();
  }

  end(): void {
    this.log.push('end');
  }

  failed(error: { kind: string }): void {
    this.log.push(`failed ${error.kind}`);
  }

  drained(): void {
    this.log.push('drained');
  }
}

export class ClientBench {
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly flows: FakeFlow[] = [];
  readonly places: string[] = [];
  readonly client: HttpClient;
  cancelled = 0;
  /** What the next connections come to; a flow when there is none. */
  readonly failures: ConnectError[] = [];
  isSilent = false;

  constructor(limits: Partial<ClientLimits> = {}) {
    const { timers } = this;
    const connect = (
      host: string,
      port: number,
      opened: (result: Result<Flow, ConnectError>) => void,
    ): Connecting => {
      this.places.push(`${host}:${port}`);
      const timer = new Timer(() => {
        const failure = this.failures.shift();
        if (failure !== undefined) return opened(err(failure));
        const flow = new FakeFlow();
        this.flows.push(flow);
        opened(ok(flow));
      });
      if (!this.isSilent) timers.arm(timer, after(timers.now, micros(1_000)));
      return {
        cancel: () => {
          this.cancelled += 1;
          timers.stop(timer);
        },
      };
    };
    this.client = new HttpClient({ connect, timers, limits });
  }

  ask(request: Partial<ClientRequest> = {}): Told {
    const told = new Told();
    told.exchange = this.client.request({ ...GET, ...request }, told);
    assert.deepEqual(told.log, [], 'nothing within the call');
    return told;
  }

  pass(seconds: number): void {
    const end = after(this.timers.now, micros(Math.round(seconds * 1e6)));
    for (let next = this.timers.nextDeadline(); next <= end; next = this.timers.nextDeadline()) {
      this.timers.run(next);
      this.client.checkInvariants();
    }
    this.timers.run(end);
    this.client.checkInvariants();
  }

  /** The flow of the connection made last. */
  get flow(): FakeFlow {
    return this.flows.at(-1)!;
  }

  /** One request over a fresh connection, which is idle then. */
  warm(): FakeFlow {
    const told = this.ask();
    this.pass(0.01);
    this.flow.takeText();
    this.flow.send(OK);
    assert.deepEqual(told.log, ['response 200', 'end']);
    return this.flow;
  }
}
