/** Every bound of the gateway beside those of its stack, and what happens at it. */

import { assert, seconds } from '#core';

/** The stack's own memory: connections of many guests, and what their windows may hold. */
export const gatewayMemoryBytes = 64 * 1_048_576;

/**
 * Connections through the gateway, both ways, those being opened included; and those of one guest's
 * address. Beyond: a guest's SYN is dropped (it comes again), a published port's client is reset.
 * (A guest is an address here: one that has many, as IPv6 allows, has as many shares.)
 */
export const relaysMax = 4_096;
export const relaysPerGuestMax = 1_024;
/**
 * What may wait in one direction of a connection for a side that doesn't read; then the other side
 * is paused. All connections share `relayBytesTotalMax`, down to `relayBytesMin` each: at the worst
 * they hold `relaysMax` times twice that, and a piece more that had been read.
 */
export const relayBytesMax = 262_144;
export const relayBytesMin = 65_536;
export const relayBytesTotalMax = 64 * 1_048_576;
/** A side that vanished is found out by asking, when it said nothing for so long. */
export const relayIdleAsk = seconds(120);

/**
 * The host's sockets for guests' datagrams, one a guest's port, and those of one guest's address.
 * Beyond its share: the guest's own that was used longest ago goes, if that was so long ago, else
 * the datagram is lost. Beyond all: one of the guest with the most of them goes to a guest that has
 * fewer, else the one of all that was used longest ago, if that was so long ago.
 */
export const udpMappingsMax = 1_024;
export const udpMappingsPerGuestMax = 256;
export const udpMappingEvictIdle = seconds(2);
/**
 * Datagrams that wait for a socket of the host's, which it gives later, and what those of all
 * mappings take; more are dropped.
 */
export const udpWaitingMax = 16;
export const udpWaitingBytesMax = 1_048_576;

/** Published ports; publishing more is refused. */
export const publishedMax = 256;
/**
 * Clients of a published UDP port, each with a socket towards the guest. Beyond: the one that was
 * idle for longest goes. Idle ones go after this long.
 */
export const publishedUdpClientsMax = 128;
export const publishedUdpIdle = seconds(180);

/** How long guests believe router and prefix without another word (RFC 4861 §6.2.1 has 1,800 s). */
export const routerLifetimeSeconds = 1_800;
export const prefixLifetimeSeconds = 14_400;

/** How long answers about the network's own names may be believed: guests come and go. */
export const nameTtlSeconds = 5;

/** Addresses before the pool, left for the gateway, the host and hosts with fixed addresses. */
export const poolOffset = 16;

assert(relayBytesMin <= relayBytesMax);
// The least share is the flows' own mark, at which they say that they were drained.
assert(relayBytesMin >= 65_536);
