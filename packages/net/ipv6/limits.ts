/** Every bound of IPv6 outside of transports, and what happens at it. Read first: ../limits.ts. */

import { assert, millis, seconds } from '#core';

/** Entries of the neighbour cache; the next one evicts the one that serves least. */
export const ndpNeighborsMax = 256;
/** Packets that wait for one link address; the next one replaces the oldest (RFC 4861 §7.2.2). */
export const ndpQueuePacketsMax = 8;
/** RFC 4861 §10. */
export const ndpReachableTimeDefault = seconds(30);
export const ndpRetransmitDefault = seconds(1);
export const ndpDelayFirstProbe = seconds(5);
export const ndpSolicitationsMax = 3;
/** What routers may set the two times above to; anything else is ignored. */
export const ndpReachableMillisMax = 3_600_000;
export const ndpRetransmitMillisMin = 10;
export const ndpRetransmitMillisMax = 60_000;
/** An entry that nobody sends to leaves the cache after this time. */
export const ndpIdleLifetime = seconds(120);
/** NAs in answer to neighbours that ask for what is ours are always sent; those of defence not. */
export const ndpDefendInterval = seconds(10);

/** Addresses of the interface, the link-local one included; more prefixes are ignored. */
export const ipv6AddressesMax = 16;
/** RFC 7217 §6: how often another address is tried when one is somebody else's. */
export const addressRetriesMax = 3;
/** RFC 4862 §5.5.3 (e): a prefix's lifetime is never cut below this by an advertisement. */
export const twoHours = seconds(7_200);
/** Lifetimes over this are forever: keeps timers exact. RFC 4861 §4.6.2: 0xffffffff is infinity. */
export const lifetimeSecondsMax = 0x7fffffff;

/** Default routers; the next one replaces one of the least preference, or is ignored. */
export const routersMax = 8;
/** Prefixes on the link, and routes that routers told (RFC 4191); more are ignored. */
export const onLinkPrefixesMax = 32;
export const ipv6RoutesMax = 32;
/** Of one router advertisement; the rest are ignored. */
export const ndpOptionsMax = 64;
/** DNS servers and search domains learnt by RDNSS and DNSSL (RFC 8106 §5.3.1: three at least). */
export const rdnssServersMax = 4;
export const dnsslNamesMax = 6;

/**
 * Router solicitations (RFC 7559 §2): the first wait, doubled each time up to the last, each moved
 * by up to a tenth either way. Deviates: RFC 7559 begins with 4 s; an image asks as soon as it is
 * on, perhaps before its link is.
 */
export const solicitRouterFirst = seconds(1);
export const solicitRouterMax = seconds(3_600);
export const solicitRouterJitterShare = 0.1;

/** Extension headers of one packet, and options of one header; more are dropped (RFC 8504 §5.3). */
export const extensionHeadersMax = 8;
export const extensionOptionsMax = 16;
/** Bytes of all extension headers of one packet (RFC 8883 allows such a bound). */
export const extensionBytesMax = 512;

/**
 * What we advertise as a router (RFC 4861 §6.2.1, §10): the time between advertisements, that
 * between the first ones and how many those are, the least between two, what a solicitation waits
 * for at most, and how many goodbyes there are.
 */
export const advertisementIntervalMax = seconds(600);
export const advertisementIntervalMin = seconds(198);
export const advertisementIntervalFirst = seconds(16);
export const advertisementsFirst = 3;
export const advertisementSpacing = seconds(3);
export const advertisementDelayMax = millis(500);
export const advertisementsLast = 3;
/** While there is no address to advertise from. */
export const advertisementRetry = seconds(1);
/** Advertising more is refused by assertion, as is what doesn't fit the smallest link. */
export const advertisedPrefixesMax = 16;
/** How often a prefix that is advertised no more is taken back. */
export const prefixGoodbyes = 3;

/** Multicast groups of the host, the solicited-node ones included; `join` refuses the next. */
export const multicastGroupsMax = 64;
/** RFC 3810 §9: robustness, unsolicited report interval. */
export const mldRobustness = 2;
export const mldReportInterval = seconds(1);
/** RFC 3810 §8.2.1 and §9.12 with our defaults: how long an MLDv1 querier rules. */
export const mldOlderVersionTimeout = seconds(260);
/** Records in one report: 1280 bytes less headers, 20 bytes each. */
export const mldRecordsMax = 60;

/** RFC 8415 §7.6, for Information-request. Deviates: INF_MAX_DELAY is 1 s there (see above). */
export const informationDelayMax = millis(100);
export const informationRetryFirst = seconds(1);
export const informationRetryMax = seconds(3_600);
export const informationRetryJitterShare = 0.1;
export const informationRefreshDefault = seconds(86_400);
export const informationRefreshSecondsMin = 600;

/** Cached ways to destinations; the oldest leaves the cache, its holders keep it. */
export const ipv6WaysMax = 256;
/** RFC 4861 §6.3.2. */
export const hopLimitDefault = 64;

/** ICMPv6 errors sent: this many at once, then this many a second; the rest are dropped. */
export const icmpv6ErrorsBurst = 10;
export const icmpv6ErrorsPerSecond = 10;

// An interface has a link-local address, one from each of two prefixes, and their groups.
assert(ipv6AddressesMax >= 3 && multicastGroupsMax > ipv6AddressesMax);
// Every report fits the smallest link: headers of 40, 8 and 8 bytes.
assert(56 + mldRecordsMax * 20 <= 1280);
