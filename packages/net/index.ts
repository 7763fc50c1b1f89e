/** TCP/IP below applications. `#net/wire` has the formats. */
export {
  ARP_POLICY,
  type ArpCause,
  type ArpEntries,
  type ArpPolicy,
  type ArpRecord,
  type ArpTable,
} from './arp/arp-table.ts';
export {
  Dhcpv4Server,
  type Dhcpv4ServerOptions,
  type LeaseInfo,
} from './dhcpv4/dhcpv4-server.ts';
export type { FixedLease, LeasePool } from './dhcpv4/lease-table.ts';
export type { ServedConfiguration } from './dhcpv4/served-options.ts';
export type { ForeignAddresses, ForeignErrors, ForeignFault } from './foreign.ts';
export type { IcmpError, IcmpErrorInput, IcmpErrorKind } from './icmp-error.ts';
export * from './ip.ts';
export * from './ip-address.ts';
export * from './ip-family.ts';
export type { InterfaceAddress } from './ipv4/interface-addresses.ts';
export { type ForwardingParts, Ipv4Forwarding } from './ipv4/ipv4-forwarding.ts';
export type { Ipv4RouteEntry } from './ipv4/routing-table.ts';
export { type UpperHeader, upperHeader } from './ipv6/header-chain.ts';
export { secretOfText } from './ipv6/interface-identifier.ts';
export type { Ipv6Settings } from './ipv6/ipv6.ts';
export { Ipv6Forwarding, type Ipv6ForwardingParts } from './ipv6/ipv6-forwarding.ts';
export * from './ipv6-address.ts';
export * from './ipv6-text.ts';
export {
  addressesMax as ADDRESSES_MAX,
  configuredRoutesMax as ROUTES_MAX,
  memoryBytesDefault,
  memoryBytesMin,
} from './limits.ts';
export type { Ipv6LinkInput, LinkInput } from './link/ethernet-link.ts';
export type { ForwardingHop } from './link/forwarding-hop.ts';
export { type MemoryAccount, MemoryBudget, type MemoryKind } from './memory-budget.ts';
export {
  type AdvertisedConfiguration,
  type AdvertisedPrefix,
  RouterAdvertiser,
} from './ndp/router-advertiser.ts';
export {
  type ConfigurationListener,
  type NameConfiguration,
  type NetConfiguration,
  NetStack,
  type NetStackOptions,
} from './net-stack.ts';
export { ForeignTcp, type ForeignTcpHandler, type HeldSyn } from './tcp/foreign-tcp.ts';
export {
  DEFAULT_LIMITS as TCP_LIMITS,
  inspectTcp,
  type TcpConfig,
  type TcpLimits,
  TcpStack,
} from './tcp/index.ts';
export {
  ForeignUdp,
  type ForeignUdpFlow,
  type ForeignUdpFlowHandler,
  type ForeignUdpHandler,
} from './udp/foreign-udp.ts';
export { Udp, type UdpReceiver, UdpSocket } from './udp/udp.ts';
