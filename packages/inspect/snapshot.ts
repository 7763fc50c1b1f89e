/**
 * The snapshot of a unikernel as `morgana inspect --json` prints it. New fields may come under one
 * version; none goes or changes its meaning.
 */

import type { HeapVitals, LoopVitals, StackSnapshot, TlsServerSnapshot } from '#device';

export interface UnikernelSnapshot {
  readonly version: 1;
  /** The program's name, and the machine's kind. */
  readonly name: string;
  readonly target: string;
  /** Since the machine's clock began, as a rule at boot; wall time since 1970. */
  readonly uptimeMicros: number;
  readonly wallMillis: number;
  /** Memory that the machine has. */
  readonly memoryBytes: number;
  readonly timers: { readonly count: number; readonly nextMicros: number | null };
  /** The level of each log source; '*' is that of all others. */
  readonly logLevels: Readonly<Record<string, string>>;
  /** Absent where the machine can't tell; `heap` is null unless it was asked for. */
  readonly loop?: LoopVitals;
  readonly heap?: HeapVitals | null;
  /** By the name of the device; null for one that tells nothing. */
  readonly stacks: Readonly<Record<string, StackSnapshot | null>>;
  readonly control?: Readonly<Record<string, number>>;
  /** Counters of the management port and of syslog, where they are on. */
  readonly management?: Readonly<Record<string, number>>;
  /** `fault`, a text: why the last connection to the server failed. */
  readonly syslog?: Readonly<Record<string, number | string>>;
  /** TLS for those who connect (`tls.server`), and for what the program asks of others. */
  readonly tls?: TlsServerSnapshot;
  readonly tlsClient?: Readonly<Record<string, number>>;
  /** What the program itself tells (`inspect.section` of its context), by section. */
  readonly program?: Readonly<Record<string, unknown>>;
}

/** A stack that tells nothing. */
export const BARE_STACK: StackSnapshot = {
  addresses: [],
  connections: { count: 0, list: [] },
  counters: {},
};
