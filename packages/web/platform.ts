/**
 * What the web API needs of the machine: timers, clock, entropy, console. Web globals have no
 * argument to take it from, so it is installed once per program, before the application's first
 * module is evaluated.
 */

import type { ConnectSecure, Machine, Stack } from '#device';

/** The part of a machine that web globals stand on. */
export type WebPlatform = Pick<Machine, 'timers' | 'clock' | 'entropy' | 'console'>;

let installed: WebPlatform | null = null;
let originMillis = 0;

/** Gives the web API its machine. Calling it again replaces the machine: tests do that. */
export function installWeb(machine: WebPlatform): void {
  installed = machine;
  originMillis = machine.clock.wall() - machine.timers.now / 1_000;
}

/** The installed machine; throws when the application was evaluated before installWeb. */
export function platform(): WebPlatform {
  if (installed === null) {
    throw new Error('a web API was used before installWeb(machine): import the app after it');
  }
  return installed;
}

/** What `fetch` opens connections with. */
export interface WebNetwork extends Pick<Stack, 'connect'> {
  /** For https: URLs, with ALPN http/1.1; absent: the program has no TLS for that. */
  readonly connectSecure?: ConnectSecure;
}

let network: WebNetwork | null = null;

/** Gives the web API a network: the program's runner does, once its stack is there. */
export function installNetwork(stack: WebNetwork | null): void {
  network = stack;
}

/** The installed network; null when the program has none. */
export const installedNetwork = (): WebNetwork | null => network;

/** Milliseconds since 1970 at which performance.now() was 0. */
export function timeOriginMillis(): number {
  platform();
  return originMillis;
}
