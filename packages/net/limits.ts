/** Every bound of the stack outside of TCP, and what happens at it. */

import { assert, millis, seconds } from '#core';

/**
 * The declared memory of a stack (memory-budget.ts), and the least that one can work in. The same
 * for every size of machine: a bound that follows the memory would make an image behave differently
 * where it is tested and where it runs.
 */
export const memoryBytesDefault = 2 * 1_048_576;
export const memoryBytesMin = 262_144;
/**
 * Shares of the budget. `own` is what a kind may take alone, `total` how full the budget may be
 * while it takes more: what is less important stops first, so that it can't keep out the rest.
 */
export const memoryLevels = {
  /** From here on windows are smaller, in proportion to what is left. */
  windowsShrink: 1 / 2,
  /** From here on new connections are taken slowly. */
  acceptSlows: 3 / 4,
  fragments: { own: 1 / 8, total: 3 / 4 },
  neighborPackets: { own: 1 / 8, total: 3 / 4 },
  outOfOrder: { own: 1 / 2, total: 3 / 4 },
  /** Beyond either, SYN cookies. */
  halfOpen: { own: 1 / 8, total: 5 / 8 },
  timeWait: { own: 1 / 8, total: 3 / 4 },
  connections: { own: 7 / 8, total: 7 / 8 },
  received: { own: 1, total: 1 },
  sendQueues: { own: 1, total: 1 },
} as const;

/**
 * Entries of the ARP cache; the next one evicts the one that serves least (arp/neighbor-cache.ts).
 */
export const neighborsMax = 256;
/**
 * Packets that wait for one link address; the next one replaces the oldest (RFC 1122 §2.3.2.2). The
 * largest datagram in fragments of 1,500 bytes is 45. All of them share an account of the budget.
 */
export const neighborQueuePacketsMax = 48;
/** What a packet that waits costs in memory beside its bytes. */
export const waitingPacketOverheadBytes = 256;
/**
 * After this time without confirmation an entry is asked for again (RFC 1122 §2.3.2.1: on the order
 * of a minute).
 */
export const neighborLifetime = seconds(60);
/** Between requests for one address: at most one a second (RFC 1122 §2.3.2.1). */
export const arpRequestInterval = seconds(1);
/** Requests without an answer before the waiting packets are dropped. */
export const arpRequestsMax = 3;
/** RFC 5227 §1.1: PROBE_NUM, PROBE_MIN, PROBE_MAX, ANNOUNCE_WAIT. */
export const arpProbes = 3;
export const arpProbeIntervalMin = seconds(1);
export const arpProbeIntervalMax = seconds(2);
export const arpAnnounceWait = seconds(2);
/** RFC 5227 §1.1: ANNOUNCE_NUM, ANNOUNCE_INTERVAL, DEFEND_INTERVAL. */
export const arpAnnouncements = 2;
export const arpAnnounceInterval = seconds(2);
export const arpDefendInterval = seconds(10);

/** Addresses of the interface; configuring more is refused by assertion. */
export const addressesMax = 16;
/** Cached ways to destinations; the oldest leaves the cache, its holders keep it. */
export const routesMax = 256;
/** Entries of the routing table; configuring more is refused by assertion. */
export const tableRoutesMax = 64;
/** Of those, beside addresses' prefixes and the default; more from a DHCP server are ignored. */
export const configuredRoutesMax = 32;
/** Destinations whose path MTU is remembered; the next one replaces the oldest. */
export const pathMtusMax = 256;
/** RFC 1191 §6.3: at least 5 minutes, better 10, before a larger packet is tried again. */
export const pathMtuLifetime = seconds(600);
/**
 * Reports of less are taken for this: a forged one must not make us send nothing but headers (RFC
 * 5927 §7). Every IPv4 link that matters carries it.
 */
export const pathMtuBytesMin = 552;

/** Datagrams that wait for fragments; the next one evicts the oldest. */
export const reassemblyDatagramsMax = 64;
/** What a fragment, and a datagram, costs in memory beside its bytes. */
export const fragmentOverheadBytes = 256;
/**
 * Fragments of one datagram: 65,535 bytes over a link of 576 need 119. More condemn it, as do
 * overlaps.
 */
export const fragmentsPerDatagramMax = 128;
/** RFC 1122 §3.3.2 wants 60 to 120 s; Deviates: Linux's 30 s, memory is what attackers take. */
export const reassemblyTimeout = seconds(30);

/**
 * IPv6 addresses of peers kept as objects, a power of two; the next one takes the place of one
 * (ipv6/address-cache.ts), which then costs an allocation a packet, no more.
 */
export const ipv6CacheSlots = 1024;
/** Time to live of what we send (RFC 1122 §3.2.1.7, the assigned numbers' 64). */
export const ttlDefault = 64;
/** RFC 1112 §6.1: what an application doesn't say otherwise stays on the link. */
export const ttlMulticast = 1;

/**
 * ICMP errors sent: this many at once, then this many a second; the rest are dropped (RFC 1812
 * §4.3.2.8).
 */
export const icmpErrorsBurst = 50;
export const icmpErrorsPerSecond = 50;
/** A whole ICMP error that we send, with as much of the packet as fits (RFC 1812 §4.3.2.3). */
export const icmpErrorBytesMax = 576;
/** Bytes after the IP header that an error must quote to be about anything (RFC 792: 64 bits). */
export const icmpErrorPayloadBytesMin = 8;

/** Multicast groups of all sockets together; joining more is refused. */
export const igmpGroupsMax = 64;
/** RFC 3376 §8.1, §8.11, RFC 2236 §8.10: changes are told so often, within so much time each. */
export const igmpRobustness = 2;
export const igmpChangeInterval = seconds(1);
export const igmpChangeIntervalOld = seconds(10);
/** RFC 3376 §8.12 with the defaults of §8.1 to §8.3: twice 125 s and 10 s. */
export const igmpOldQuerierTimeout = seconds(260);
/** RFC 3376 §7.2.1: what a query of version 1 stands for. */
export const igmpResponseV1 = seconds(10);

/** Open UDP sockets; `bind` refuses the next with 'not permitted'. */
export const udpSocketsMax = 1024;
/**
 * Flows of datagrams to hosts that we stand in for, and those of one peer. Beyond: the one that was
 * used longest ago goes, if that was so long ago, else the new one is refused.
 */
export const foreignFlowsMax = 2_048;
export const foreignFlowsPerPeerMax = 1_024;
export const foreignFlowEvictIdle = seconds(2);
/** Idle flows end after this (RFC 4787 REQ-5), those to DNS servers sooner; looked for so often. */
export const foreignUdpIdle = seconds(180);
export const foreignDnsIdle = seconds(20);
export const foreignExpiryInterval = seconds(1);
/** Ports for port 0 (RFC 6335 §6), and how many random ones are tried before a linear search. */
export const ephemeralPortMin = 49_152;
export const ephemeralPortMax = 65_535;
export const ephemeralPortTries = 8;

/**
 * Wait for an answer, doubled each time up to the last, each moved by up to a quarter either way.
 * Deviates: RFC 2131 §4.1 begins with 4 s. An image asks a tenth of a second after power-on, when
 * the other end of its link may not be up, and a lost answer would cost forty boots.
 */
export const dhcpRetryFirst = millis(250);
export const dhcpRetryMax = seconds(64);
export const dhcpRetryJitterShare = 0.25;
/** DHCPREQUESTs without an answer before the client begins again. */
export const dhcpRequestsMax = 4;
/** Least wait between DHCPREQUESTs of a renewal (RFC 2131 §4.4.5). */
export const dhcpRenewIntervalMin = seconds(60);
/** Least wait before beginning again after a DHCPNAK, doubled for each in a row. */
export const dhcpNakWait = millis(500);
/** Shorter leases than this are refused: renewing them would be most of the traffic. */
export const dhcpLeaseSecondsMin = 10;
/**
 * Leases at or over this never end here (RFC 2131 §3.3: 0xffffffff is infinity); keeps timers
 * exact.
 */
export const dhcpLeaseSecondsMax = 0x7fffffff;
/** DNS servers taken from a lease; the rest are ignored. */
export const dnsServersMax = 4;
/** Time servers taken from a lease; the rest are ignored. */
export const ntpServersMax = 4;
/** RFC 2131 §3.1 (5): least wait after a DECLINE; after ten in a row RFC 5227 §2.1.1's minute. */
export const dhcpDeclineWait = seconds(10);
export const dhcpDeclinesFast = 10;
export const dhcpDeclineWaitSlow = seconds(60);
/** T1 and T2 come up to this share sooner, so that hosts that began together part. */
export const dhcpFuzzShare = 0.02;
/** BOOTP relays may drop anything shorter (RFC 951, RFC 1542 §2.1). */
export const dhcpMessageBytesMin = 300;
/**
 * Addresses of a DHCP server, those of its pool and fixed ones; more are refused by assertion. What
 * is remembered of a client is one entry of them.
 */
export const dhcpServerAddressesMax = 1024;
/** How long an offered address is kept for who was offered it. */
export const dhcpOfferHold = seconds(30);
/** How long a declined address is given to nobody (RFC 2131 §4.3.3). */
export const dhcpDeclinedHold = seconds(600);
/** Longest identifier of a client (RFC 2132 §9.14 says nothing); longer ones are malformed. */
export const dhcpClientIdentifierBytesMax = 255;
/** What every client takes (RFC 2131 §2), less IP and UDP: option 57 may say more, never less. */
export const dhcpReplyBytesMin = 548;
/** What every link carries (RFC 791); smaller MTUs from a lease are ignored. */
export const mtuBytesMin = 576;

assert(Math.log2(ipv6CacheSlots) % 1 === 0);
assert(addressesMax + 1 + configuredRoutesMax <= tableRoutesMax);
// A report of all groups fits the smallest MTU: 24 bytes of IP, 8 and 8 a group of IGMP.
assert(24 + 8 + 8 * igmpGroupsMax <= mtuBytesMin);
// One whole datagram fits into the account of fragments, however small they are.
assert(
  65_535 + (fragmentsPerDatagramMax + 1) * fragmentOverheadBytes + 74 <
    memoryBytesDefault * memoryLevels.fragments.own,
);
assert(ephemeralPortTries < ephemeralPortMax - ephemeralPortMin);
// Every open socket leaves a free ephemeral port, so the linear search always ends.
assert(udpSocketsMax < ephemeralPortMax - ephemeralPortMin);
// A lease outlives the first retransmission of its request.
assert(dhcpLeaseSecondsMin * 1_000_000 > dhcpRetryFirst * (1 + dhcpRetryJitterShare));
