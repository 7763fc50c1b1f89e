/** What a TCP stack is made from. */

import type { Logger, TimerQueue } from '#core';
import type { Entropy, NetOffload } from '#device';
import type { IpRouter } from '../ip.ts';
import type { MemoryBudget } from '../memory-budget.ts';
import type { TcpLimits } from './limits.ts';

export interface TcpConfig {
  readonly ip: IpRouter;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  readonly log: Logger;
  readonly offload: NetOffload;
  readonly limits?: TcpLimits;
  /** The whole stack's; one of its own when absent. */
  readonly memory?: MemoryBudget;
  /** Offers timestamps (RFC 7323) in active opens, true unless said otherwise; answers always. */
  readonly timestamps?: boolean;
  /** Asks for ECN (RFC 3168) in active opens, false unless said otherwise; answers always. */
  readonly ecn?: boolean;
  /** Nagle's rule for all connections; true unless said otherwise. */
  readonly nagle?: boolean;
}
