/**
 * Connections to numeric addresses, and no names: all that a program needs which opens none, so
 * that it doesn't link a resolver. With names: names.ts.
 */

import { err, ok, type Result, Timer, type TimerQueue } from '#core';
import type { ConnectError, Connecting, Entropy, Flow, NameError, Stack } from '#device';
import type { DnsServer } from '#dns';

export type Opened = (result: Result<Flow, ConnectError>) => void;

/** What is under names. */
export interface NumericStack extends Pick<Stack, 'bind' | 'addresses'> {
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  isAddress(text: string): boolean;
  /**
   * As Stack.connect to a text that `isAddress`, but `opened` may be called within the call when it
   * fails at once.
   */
  open(address: string, port: number, opened: Opened): Connecting;
  /** RFC 6724 §6: best destination first. */
  order(addresses: readonly string[]): readonly string[];
}

/** The part of a Stack that is about names. */
export interface StackNames extends Pick<Stack, 'connect' | 'resolve' | 'counters'> {
  /** Uses these servers and domains from now on, and forgets what it knew. */
  configure(servers: readonly DnsServer[], search: readonly string[]): void;
}

export type NamesMaker = (numeric: NumericStack) => StackNames;

export class NumericNames implements StackNames {
  private readonly numeric: NumericStack;

  constructor(numeric: NumericStack) {
    this.numeric = numeric;
  }

  configure(): void {}

  connect(text: string, port: number, opened: Opened): Connecting {
    if (!this.numeric.isAddress(text)) return this.later(opened, err({ kind: 'no name servers' }));
    let isWithin = true;
    let late: Connecting | null = null;
    // What fails at once is told later too: callers expect one order only.
    const tell = (result: Result<Flow, ConnectError>): void => {
      if (isWithin) late = this.later(opened, result);
      else opened(result);
    };
    const connecting = this.numeric.open(text, port, tell);
    isWithin = false;
    return late ?? connecting;
  }

  resolve(text: string): Promise<Result<readonly string[], NameError>> {
    const isAddress = this.numeric.isAddress(text);
    return Promise.resolve(isAddress ? ok([text]) : err({ kind: 'no name servers' }));
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }

  /** Tells `opened` once this call is over. */
  later(opened: Opened, result: Result<Flow, ConnectError>): Connecting {
    const { timers } = this.numeric;
    const timer = new Timer(() => opened(result));
    timers.arm(timer, timers.now);
    return { cancel: () => timers.stop(timer) };
  }
}
