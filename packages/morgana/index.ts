/**
 * `morgana`: the types that an application's main module is written with. What runs is devices,
 * handed to `start`; there is nothing to import but types. Read also: config.ts.
 */

import type { Logger, TimerQueue } from '#core';
import type { Clock, Entropy } from '#device';
import type { ArgSpecs, ArgValues } from './arguments.ts';
import type { UnikernelConfig } from './config.ts';
import type { DeviceSpecs, DeviceValues } from './devices.ts';

export type { Duration, Instant, Logger, Result, Timer, TimerQueue, WallTime } from '#core';
export type {
  Clock,
  ConnectError,
  DatagramHandler,
  DatagramSocket,
  Endpoint,
  Entropy,
  Flow,
  FlowEnd,
  FlowHandler,
  KvEntry,
  KvReadOnly,
  ListenError,
  Listener,
  NetDevice,
  Stack,
} from '#device';
export type { UnikernelConfig } from './config.ts';

/** What every `start` receives besides its devices. */
export interface Environment {
  /** The program's own log source, named after it. */
  readonly log: Logger;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Deadlines of the event loop; `timers.now` is the monotonic time of this turn. */
  readonly timers: TimerQueue;
  /** Memory that the machine has. */
  readonly memoryBytes: number;
}

export type Context<D extends DeviceSpecs, A extends ArgSpecs> = DeviceValues<D> &
  Environment & { readonly args: ArgValues<A> };

/**
 * The `start` of a configuration. A number (0..126) ends the image with that exit code; nothing
 * leaves it running for as long as its devices have work; a rejection ends it with exit code 70
 * and the error.
 */
export type Start<C> =
  C extends UnikernelConfig<infer D, infer A>
    ? (context: Context<D, A>) => Promise<number | undefined> | Promise<void>
    : never;
