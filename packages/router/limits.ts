/** Every bound of the router, and what happens at it. */

import { assert, seconds } from '#core';

/**
 * Sessions of address translation, unless the application says otherwise: the next one evicts one
 * that isn't established (nat/sessions.ts), or is refused.
 */
export const natSessionsDefault = 4_096;
export const natSessionsMin = 64;
export const natSessionsMax = 60_000;
/**
 * Of those, what one inside host may begin, and what all outside ones may: the next one evicts one
 * of the same.
 */
export const natHostShare = 1 / 2;
/** Entries that an eviction looks at before it takes what it has. */
export const natEvictionLooksMax = 32;

/** RFC 4787 REQ-5: no less than two minutes, five are recommended. */
export const udpTimeout = seconds(300);
/** RFC 5382 REQ-5: idle connections that are open, and those that open or close. */
export const tcpEstablishedTimeout = seconds(7_440);
export const tcpTransitoryTimeout = seconds(240);
/** RFC 5508 REQ-2. */
export const icmpTimeout = seconds(60);

/** Random ports that are tried before a search in order, and how many that looks at. */
export const natPortTries = 8;
export const natPortSearchMax = 1_024;

/** RFC 5382 REQ-4: how long nobody is told that an unsolicited SYN finds nothing. */
export const heldSynTime = seconds(6);
/** SYNs that wait for that; more are dropped without a word. */
export const heldSynsMax = 256;
/** What is kept of each: enough for an error to quote. */
export const heldSynBytesMax = 128;

/** Datagrams of one side whose fragments are under way; the next one forgets the oldest. */
export const datagramsMax = 128;
/** Fragments that came before their datagram's first; more are dropped. */
export const fragmentsHeldMax = 48;
/** Of all datagrams of one side together; more are dropped. */
export const fragmentBytesMax = 262_144;
export const fragmentTime = seconds(30);

/** Port forwards; more are refused when they are read. */
export const portForwardsMax = 256;
/** Ways of destinations that are forwarded as they are; full, the table begins anew. */
export const waysMax = 1_024;

assert(natSessionsDefault >= natSessionsMin && natSessionsDefault <= natSessionsMax);
// A port is never looked for in vain for long: most are free.
assert(natSessionsMax < 64_512 && natPortSearchMax < 64_512);
// The largest datagram over the smallest usual MTU, its first fragment last.
assert(fragmentsHeldMax * 1_480 >= 65_535);

/** Extension headers of one IPv6 packet; more are dropped (RFC 8504 §5.3). */
export const extensionsMax = 8;
/** Rules of the firewall; more are refused when they are read. */
export const firewallRulesMax = 256;
