/** Every bound of the versioned ARP cache, and what happens at it. */

import { assert, millis, seconds } from '#core';

/** An entry's life: asked for again at the first use in its last part, never used after it. */
export const freshTime = seconds(45);
export const staleTime = seconds(15);
/** Entries that are over leave the table so often, each time later by up to the second. */
export const sweepInterval = seconds(1);
export const sweepDitherMax = millis(9);
/** Between requests for one address, and how many there are: given up after six seconds. */
export const requestInterval = seconds(1.5);
export const requestsMax = 4;

/**
 * Entries that end, and words that one was removed; learning one more evicts the one that ends
 * first, of those that others know if there is one. What others know evicts nothing: it leaves the
 * store.
 */
export const recordsMax = 1_024;
/** A host's static entries; more are refused, by the configuration and by the API. */
export const staticsMax = 128;
/** One host's file of them; longer ones are malformed. */
export const staticTableBytesMax = 32 + staticsMax * 48;
/** Other hosts whose static entries are known; those of one more aren't used. */
export const staticHostsMax = 32;
/** Others' static entries that are used; those of further hosts, by name, aren't. */
export const heardStaticsMax = 1_024;
/**
 * Times a boot that we write our static entries again after somebody else did; later a table that
 * has others isn't pulled.
 */
export const staticsKeptMax = 16;
/** Notes of stations that use our addresses; the oldest leaves. */
export const conflictsMax = 32;
/** Records in which a pulled table may differ from ours; more are refused, all of them. */
export const pulledChangesMax = 4_096;
/** By how much another's clock may be ahead; entries that end later yet aren't used. */
export const pulledAheadMax = seconds(60);
/** A refreshed entry is committed when what is committed ends within this. */
export const refreshAhead = seconds(15);

/** Changes that wait to be committed one by one; those beyond become one commit together. */
export const queuedChangesMax = 64;
/** After the store failed: before the next try, doubled each time up to the last. */
export const retryFirst = seconds(1);
export const retryMax = seconds(60);

/** One record's text; longer ones are malformed. */
export const recordBytesMax = 512;
/** Letters of who learned something. */
export const hostNameMax = 64;

/** Commits of a pulled history that are looked at, where it leads to what was cut off here. */
export const pulledCommitsMax = 10_000;
/** Commits of history: at twice as many, it ends so that at most so many are left. */
export const historyCommitsKept = 1_000;
/** Pushes that lose to another before one gives up. */
export const pushTriesMax = 5;

// Whoever pulls within half a life sees an entry that is in use.
assert(refreshAhead * 2 <= freshTime + staleTime);
// Two full tables without an address in common.
assert(2 * (recordsMax + conflictsMax + staticHostsMax) <= pulledChangesMax);
assert(staticsMax <= heardStaticsMax);
assert(sweepInterval + sweepDitherMax < refreshAhead);

/** Objects that one copy from a store in this process takes; more are refused. */
export const copyObjectsMax = 100_000;
