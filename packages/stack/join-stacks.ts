/** NetStack and TcpStack on one device: everything between frames and flows, without promises. */

import type { Logger, TimerQueue } from '#core';
import type { Entropy, NetDevice } from '#device';
import {
  type ArpPolicy,
  MemoryBudget,
  memoryBytesDefault,
  NetStack,
  PROTOCOL_TCP,
  type TcpConfig,
  TcpStack,
} from '#net';

export interface JoinOptions {
  readonly device: NetDevice;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  readonly netLog: Logger;
  readonly tcpLog: Logger;
  /** What the whole stack may hold; memoryBytesDefault unless given. */
  readonly memoryBytes?: number;
  /** Instead of TCP's defaults. */
  readonly tcp?: Partial<Pick<TcpConfig, 'limits' | 'nagle'>>;
  readonly arp?: ArpPolicy;
}

/** The stack owns `device` from now on, and is silent until configured or told to use DHCP. */
export function joinStacks(options: JoinOptions): {
  readonly net: NetStack;
  readonly tcp: TcpStack;
} {
  const { device, timers, entropy, netLog, tcpLog } = options;
  const memory = new MemoryBudget(options.memoryBytes ?? memoryBytesDefault);
  const arp = options.arp === undefined ? {} : { arp: options.arp };
  const net = new NetStack({ device, timers, entropy, logger: netLog, memory, ...arp });
  const tcp = new TcpStack({
    ip: net.ip,
    timers,
    entropy,
    log: tcpLog,
    offload: device.offload,
    memory,
    ...options.tcp,
  });
  net.registerTransport(PROTOCOL_TCP, tcp, tcp);
  net.onTransmitReady(() => tcp.transmitReady());
  return { net, tcp };
}
