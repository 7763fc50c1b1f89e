/**
 * `morgana/compose`: what a morgana.compose.ts is written with: several unikernels, the networks
 * that they are on, and in which order they start. It is evaluated on the developer's machine;
 * names that don't exist are type errors in an editor, and one sentence from `defineCompose`
 * otherwise (compose-check.ts). Not here: starting anything (tools/cli/compose).
 */

import { checkCompose, checkIsCompose } from './compose-check.ts';

/** Has what defineCompose returns, also from another copy of this module. */
const COMPOSED = Symbol.for('morgana.compose');

/** Whether a file exports what defineCompose returned. */
export const isComposed = (value: unknown): value is ComposeConfig =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, COMPOSED);

/** The network of a file that declares none. */
export const DEFAULT_NETWORK = 'default';

export interface NetworkSpec {
  /** As '10.77.0.0/24', private, /16 to /27. One that no other network has unless given. */
  readonly subnet?: string;
  /** 'off': nobody gives addresses and names, nothing leaves the network. */
  readonly gateway?: 'on' | 'off';
  /** Whether its unikernels reach what listens on this machine's loopback, as host.internal. */
  readonly host?: boolean;
  /** Share of frames that get lost, 0 to 1. */
  readonly loss?: number;
  /** What each frame takes longer. */
  readonly delayMs?: number;
  /** Megabits per second to each port. */
  readonly rateMbit?: number;
}

/** How it is known that a unikernel does its work: one of the three. */
export type HealthCheck = (
  | {
      /** A path that is answered with 200 to 399. */ readonly http: string;
      readonly port?: number;
    }
  | { /** A port that takes connections. */ readonly tcp: number }
  | { /** Matches a line of its log. */ readonly log: RegExp }
) & {
  /** Between two questions, once it is healthy; default 1000. */
  readonly intervalMs?: number;
  /** For one answer; default 2000. */
  readonly timeoutMs?: number;
  /** How long after its start it may take to become healthy; default 30000. */
  readonly startPeriodMs?: number;
};

export type Condition = 'started' | 'healthy';

/** `N` and `K`: the names of the file's networks and unikernels. */
export interface UnikernelSpec<N extends string = string, K extends string = string> {
  /** As of `morgana run`, relative to the file: a directory or a module. */
  readonly app: string;
  /** Default 'pvh'. */
  readonly target?: 'pvh' | 'process' | 'node';
  /**
   * An interface on each, in this order; the file's only one unless given. None: target node on the
   * host's sockets, others without a network.
   */
  readonly networks?: readonly N[];
  /** On the first network, which always gives it this one; any free one unless given. */
  readonly address?: string;
  /** Of the first interface, as '02:00:00:00:00:01'; made from the names unless given. */
  readonly mac?: string;
  /** Boot-time arguments: `{ port: 80 }` is `--port=80`. */
  readonly args?: { readonly [name: string]: string | number | boolean };
  /** As of `morgana run --publish`: '8080:80', '0.0.0.0:8080:80', '5353:53/udp'. */
  readonly publish?: readonly string[];
  /** Default 16; not of target node. */
  readonly memoryMib?: number;
  /** As of `morgana run --disk`, by name: 'data.img', 'data.img,size=64M', 'data.img,readonly'. */
  readonly disks?: { readonly [name: string]: string };
  /** What must have come to pass before this one is started. */
  readonly after?: { readonly [P in K]?: Condition };
  readonly health?: HealthCheck;
  /** 'on-failure': started again when it ends with another code than 0; default 'no'. */
  readonly restart?: 'no' | 'on-failure';
}

/** A file that was found right, with every default in it. */
export interface ComposeConfig {
  readonly name: string;
  readonly networks: { readonly [name: string]: NetworkSpec };
  readonly unikernels: { readonly [name: string]: ComposedUnikernel };
  /** Names of the unikernels, each behind those that it starts after. */
  readonly order: readonly string[];
}

type Optional = 'address' | 'mac' | 'health';

export interface ComposedUnikernel
  extends Required<Omit<UnikernelSpec, Optional>>,
    Pick<UnikernelSpec, Optional> {}

/** Declares unikernels that run together. Throws a TypeError that names place and mistake. */
export function defineCompose<
  const N extends string = typeof DEFAULT_NETWORK,
  const K extends string = string,
>(compose: {
  /** Of the project: lower-case letters, digits and '-'. Two of one name don't run at once. */
  readonly name: string;
  readonly networks?: { readonly [P in N]: NetworkSpec };
  readonly unikernels: { readonly [P in K]: UnikernelSpec<NoInfer<N>, NoInfer<K>> };
}): ComposeConfig {
  checkIsCompose(compose);
  const networks: Record<string, NetworkSpec> = { ...compose.networks };
  if (Object.keys(networks).length === 0) networks[DEFAULT_NETWORK] = {};
  const given: Record<string, UnikernelSpec> = compose.unikernels;
  const order = checkCompose({ name: compose.name, networks, unikernels: given });
  const unikernels = Object.fromEntries(
    Object.entries(given).map(([name, spec]) => [name, withDefaults(spec, networks)]),
  );
  const config = { name: compose.name, networks, unikernels, order };
  Object.defineProperty(config, COMPOSED, { value: true });
  return config;
}

const withDefaults = (
  spec: UnikernelSpec,
  networks: Record<string, NetworkSpec>,
): ComposedUnikernel => ({
  target: 'pvh',
  networks: Object.keys(networks),
  args: {},
  publish: [],
  memoryMib: 16,
  disks: {},
  after: {},
  restart: 'no',
  // What is there and undefined isn't given.
  ...Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined)),
  app: spec.app,
});
