/** TCP/IP below applications. `#net/wire` has the formats. */
export type { IcmpError, IcmpErrorInput, IcmpErrorKind } from './icmpv4/icmpv4.ts';
export * from './ip.ts';
export * from './ip-address.ts';
export type { InterfaceAddress } from './ipv4/interface-addresses.ts';
export { memoryBytesDefault, memoryBytesMin } from './limits.ts';
export { type MemoryAccount, MemoryBudget, type MemoryKind } from './memory-budget.ts';
export {
  type ConfigurationListener,
  type NetConfiguration,
  NetStack,
  type NetStackOptions,
} from './net-stack.ts';
export {
  DEFAULT_LIMITS as TCP_LIMITS,
  type TcpConfig,
  type TcpLimits,
  TcpStack,
} from './tcp/index.ts';
export { Udp, type UdpReceiver, UdpSocket } from './udp/udp.ts';
