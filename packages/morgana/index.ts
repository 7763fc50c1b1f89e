/**
 * `morgana`: the types that an application's main module is written with. What runs is devices,
 * handed to `start`; there is nothing to import but types. Read also: config.ts.
 */

import type { Logger, TimerQueue } from '#core';
import type { Clock, Entropy, StackSnapshot } from '#device';
import type { ArgSpec, ArgSpecs, ArgValues } from './arguments.ts';
import type { UnikernelConfig } from './config.ts';
import type { DeviceSpec, DeviceSpecs, DeviceValues } from './devices.ts';

export type { Duration, Instant, Logger, Result, Timer, TimerQueue, WallTime } from '#core';
export type {
  BlockDevice,
  BlockError,
  Clock,
  ConnectError,
  DatagramHandler,
  DatagramSocket,
  Endpoint,
  Entropy,
  Flow,
  FlowEnd,
  FlowHandler,
  KvChange,
  KvEntry,
  KvError,
  KvReadOnly,
  KvReadWrite,
  ListenError,
  Listener,
  NetDevice,
  Stack,
} from '#device';
export type { FetchInfo } from '#http';
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
  readonly inspect: ProgramInspection;
}

/**
 * What a program adds to its snapshots (`morgana inspect`), each made when somebody looks. A name
 * given again replaces what it meant before. Nothing happens where nobody can look.
 */
export interface ProgramInspection {
  /** Plain data, as JSON can carry it, under `program.NAME`. Numbers are metrics too. */
  section(name: string, take: () => unknown): void;
  /** A stack of the program's own making, beside those of its devices. */
  stack(name: string, take: () => Partial<StackSnapshot>): void;
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

/** The configuration that every `export default { fetch }` has. */
export type HandlerConfig = UnikernelConfig<
  { readonly stack: DeviceSpec<'net.stack'> },
  { readonly port: ArgSpec<'port'> }
>;

/**
 * What a main module may export for `morgana dev`: a change of the application's code is then put
 * in its place while the system, with its connections, runs on. It is called in the new version,
 * with what the version before exported and with the context that `start` had; it takes over what
 * that version holds (listeners, flows, timers), which works on until then. When it returns, or its
 * promise resolves, the new version is the one that counts; when it throws, the old one. With
 * `export default { fetch }` requests go to the new version from then on, and those in progress end
 * in the old one. `P`: what the version before exported, which no compiler can check.
 *
 * A production image never calls it.
 */
export type Reload<C = HandlerConfig, P = Readonly<Record<string, unknown>>> =
  C extends UnikernelConfig<infer D, infer A>
    ? (previous: P, context: Context<D, A>) => Promise<void> | void
    : never;
