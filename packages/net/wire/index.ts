/** All wire formats of the network stack; each file is one header. */
export * from './arp.ts';
export * from './checksum.ts';
export * from './dhcpv4.ts';
export * from './dhcpv4-options.ts';
export * from './ethernet.ts';
export * from './icmpv4.ts';
export * from './igmp.ts';
export * from './ipv4.ts';
export * from './ipv4-options.ts';
export * from './tcp.ts';
export * from './udp.ts';
