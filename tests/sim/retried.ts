/**
 * What is done over one connection, and begun again when it breaks or the client crashed, until it
 * is done. On a healed network too many failures are a failure of ours.
 */

import { after, millis, Timer } from '#core';
import type { Flow, FlowEnd } from '#device';
import type { StackHost } from './stack-host.ts';

/** Something that must work on a healthy network didn't. */
export class LivenessFailure extends Error {
  override readonly name = 'LivenessFailure';
}

const NO_ADDRESS_WAIT_MILLIS = 200;
const RETRY_WAIT_MILLIS = 1_000;
/** ARP may have to learn anew after a cut; everything else has no excuse. */
const ATTEMPTS_MAX = 20;

export abstract class Retried {
  isDone = false;
  attempts = 0;
  protected readonly client: StackHost;
  private readonly server: StackHost;
  private readonly port: number;
  private readonly isHealed: () => boolean;
  private readonly timer = new Timer(() => this.attempt());

  constructor(client: StackHost, server: StackHost, port: number, isHealed: () => boolean) {
    this.client = client;
    this.server = server;
    this.port = port;
    this.isHealed = isHealed;
    client.run(() => {
      if (this.attempts > 0 && !this.isDone) this.startAfter(RETRY_WAIT_MILLIS);
    });
  }

  startAfter(waitMillis: number): void {
    const { timers } = this.client.world;
    timers.arm(this.timer, after(timers.now, millis(waitMillis)));
  }

  /** The connection is open: attaches to the flow, and says how it ended. */
  protected abstract begin(flow: Flow, finished: (how: FlowEnd) => void): void;

  /** Whether it is done, when the flow ended so. */
  protected abstract isGood(how: FlowEnd): boolean;

  private attempt(): void {
    const address = this.server.addressFor(this.client);
    if (address === null || this.client.address() === null) {
      this.startAfter(NO_ADDRESS_WAIT_MILLIS);
      return;
    }
    this.attempts += 1;
    const { boots } = this.client;
    const mustWork = this.isHealed();
    const failed = (how: string): void => {
      if (mustWork && this.attempts > ATTEMPTS_MAX) {
        throw new LivenessFailure(`${this.name} ended with ${how}`);
      }
      this.startAfter(RETRY_WAIT_MILLIS);
    };
    this.client.tcp.connect(address, this.port, (result) => {
      if (this.client.boots !== boots) return;
      if (!result.ok) {
        failed(result.error.kind);
        return;
      }
      this.begin(result.value, (how) => {
        if (this.client.boots !== boots) return;
        if (this.isGood(how)) this.isDone = true;
        else failed(how);
      });
    });
  }

  get name(): string {
    return `a connection from ${this.client.name} to ${this.server.name}:${this.port}`;
  }
}
