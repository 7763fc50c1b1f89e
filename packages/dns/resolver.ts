/**
 * A stub resolver (RFC 1034 §5.3.1): questions of applications go to name servers that resolve for
 * us, answers are kept for as long as they say. Synchronous: messages and timers come in, callbacks
 * go out. Read first: query.ts, response.ts, limits.ts. Not here: DNSSEC validation, multicast DNS
 * (RFC 6762), a hosts file.
 */

import { after, assert, err, ok, type Result, seconds, Timer, type TimerQueue } from '#core';
import { addressFamily, type Entropy, isNeverHost } from '#device';
import { DnsCache } from './cache.ts';
import { candidates, knownAddresses, parseHostName } from './host-name.ts';
import { checkLimits, DEFAULT_LIMITS, type DnsLimits } from './limits.ts';
import { Query, type QueryContext, type QueryCounters } from './query.ts';
import type { Answer, Outcome, ResolveError } from './response.ts';
import { NameServers } from './servers.ts';
import type { DnsServer, DnsTransport } from './transport.ts';
import { dnsType, isName, lowerName } from './wire/index.ts';

export interface DnsConfiguration {
  /** Numeric addresses; in the order to be asked. */
  readonly servers: readonly DnsServer[];
  /** Domains for names with fewer than `ndots` dots. */
  readonly search: readonly string[];
  /** 1 as a rule. */
  readonly ndots: number;
}

export interface ResolverOptions {
  readonly transport: DnsTransport;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  readonly limits?: Partial<DnsLimits>;
}

export type Family = 'ipv4' | 'ipv6';
export type Resolved = (outcome: Outcome) => void;

/** A question that somebody asked. */
export interface Resolving {
  /** The answer is not wanted any more: nothing is called after this. */
  cancel(): void;
}

interface Shared {
  readonly query: Query;
  readonly callers: Set<Resolved>;
}

export class Resolver {
  private readonly limits: DnsLimits;
  private readonly timers: TimerQueue;
  private readonly context: QueryContext;
  private readonly cache: DnsCache;
  private servers = new NameServers([]);
  private search: readonly string[] = [];
  private ndots = 1;
  /** Questions on their way, by name and type: whoever asks the same shares it. */
  private readonly queries = new Map<string, Shared>();
  private readonly lookups = new Set<Lookup>();
  private readonly counts: QueryCounters & { dnsAsked: number; dnsRefused: number } = {
    dnsAsked: 0,
    dnsRefused: 0,
    dnsQueries: 0,
    dnsStreams: 0,
    dnsRetries: 0,
    dnsMalformed: 0,
    dnsForeign: 0,
    dnsFailures: 0,
    dnsWithoutEdns: 0,
  };

  /** Knows no servers until configured. */
  constructor({ transport, timers, entropy, limits: given }: ResolverOptions) {
    const limits = { ...DEFAULT_LIMITS, ...given };
    checkLimits(limits);
    this.limits = limits;
    this.timers = timers;
    this.context = { transport, timers, entropy, limits, counters: this.counts };
    this.cache = new DnsCache(limits.cacheEntriesMax);
  }

  /**
   * Uses these servers from now on. What was known is forgotten: another network may have other
   * answers. Questions on their way stay with their servers.
   */
  configure({ servers, search, ndots }: DnsConfiguration): void {
    const { serversMax, searchMax } = this.limits;
    const usable = servers.filter((one) => addressFamily(one.address) !== null);
    this.servers = new NameServers(usable.slice(0, serversMax));
    this.search = search
      .map((domain) => lowerName(domain.replace(/^\.|\.$/g, '')))
      .filter((domain) => parseHostName(domain) !== null)
      .slice(0, searchMax);
    this.ndots = ndots;
    this.cache.clear();
  }

  /** Whether there is anybody to ask. */
  get isConfigured(): boolean {
    return this.servers.list.length > 0;
  }

  /**
   * Records of `type` at host name `text`, with the search list where the name is short. `resolved`
   * is called once, later; not after `cancel`.
   */
  resolve(text: string, type: number, resolved: Resolved): Resolving {
    this.counts.dnsAsked += 1;
    const host = parseHostName(text);
    if (host === null) return this.later(err({ kind: 'bad name' }), resolved);
    if (isNeverHost(host.name)) return this.later(err({ kind: 'name not found' }), resolved);
    if (this.lookups.size >= this.limits.callersMax) {
      this.counts.dnsRefused += 1;
      return this.later(err({ kind: 'too many names' }), resolved);
    }
    const names = candidates(host, this.search, this.ndots);
    const lookup = new Lookup(names, (name, asked) => this.ask(name, type, asked), {
      resolved,
      ended: () => this.lookups.delete(lookup),
    });
    this.lookups.add(lookup);
    lookup.start();
    return lookup;
  }

  /** Numeric addresses of one family for `text`, which may be such an address itself. */
  addresses(
    text: string,
    family: Family,
    resolved: (result: Result<readonly string[], ResolveError>) => void,
  ): Resolving {
    const known = knownAddresses(text);
    if (known !== null) {
      const found = known.filter((address) => addressFamily(address) === family);
      const outcome: Result<readonly string[], ResolveError> =
        found.length > 0 ? ok(found) : err({ kind: 'no such record' });
      return this.laterCall(() => resolved(outcome));
    }
    return this.resolve(text, family === 'ipv4' ? dnsType.a : dnsType.aaaa, (outcome) => {
      resolved(outcome.ok ? ok(addressesOf(outcome.value)) : outcome);
    });
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.counts, ...this.cache.counters, ...this.context.transport.counters() };
  }

  checkInvariants(): void {
    assert(this.queries.size <= this.limits.queriesMax);
    assert(this.lookups.size <= this.limits.callersMax);
    this.cache.checkInvariants();
    for (const { callers } of this.queries.values()) assert(callers.size > 0);
  }

  /** From the cache, from a question on its way, or by a new one; `resolved` is called later. */
  private ask(name: string, type: number, resolved: Resolved): Resolving {
    const key = `${type} ${name}`;
    const known = this.cache.get(key, this.timers.now);
    if (known !== null) return this.later(known, resolved);
    // As a caller's own, so that the same function may ask twice.
    const caller: Resolved = (outcome) => resolved(outcome);
    const shared = this.queries.get(key);
    if (shared !== undefined) {
      shared.callers.add(caller);
      return { cancel: () => this.leave(key, shared, caller) };
    }
    if (!isName(name)) return this.later(err({ kind: 'bad name' }), resolved);
    if (this.servers.list.length === 0) {
      return this.later(err({ kind: 'no name servers' }), resolved);
    }
    if (this.queries.size >= this.limits.queriesMax) {
      this.counts.dnsRefused += 1;
      return this.later(err({ kind: 'too many names' }), resolved);
    }
    return this.askServers(key, name, type, caller);
  }

  private askServers(key: string, name: string, type: number, caller: Resolved): Resolving {
    const { servers } = this;
    const query = new Query(this.context, servers, name, type, (outcome, ttlSeconds) => {
      this.queries.delete(key);
      // A network that was left says nothing about this one.
      if (servers === this.servers) this.keep(key, outcome, ttlSeconds);
      for (const one of shared.callers) one(outcome);
    });
    const shared: Shared = { query, callers: new Set([caller]) };
    this.queries.set(key, shared);
    query.start();
    return { cancel: () => this.leave(key, shared, caller) };
  }

  private keep(key: string, outcome: Outcome, ttlSeconds: number): void {
    if (ttlSeconds <= 0 || sizeOf(outcome) > this.limits.answerBytesMax) return;
    this.cache.put(key, outcome, after(this.timers.now, seconds(ttlSeconds)));
  }

  private leave(key: string, shared: Shared, caller: Resolved): void {
    shared.callers.delete(caller);
    if (shared.callers.size > 0 || this.queries.get(key) !== shared) return;
    shared.query.cancel();
    this.queries.delete(key);
  }

  private later(outcome: Outcome, resolved: Resolved): Resolving {
    return this.laterCall(() => resolved(outcome));
  }

  private laterCall(call: () => void): Resolving {
    const timer = new Timer(call);
    this.timers.arm(timer, this.timers.now);
    return { cancel: () => this.timers.stop(timer) };
  }
}

/** One caller's name under the names that the search list makes of it. */
class Lookup implements Resolving {
  private readonly names: readonly string[];
  private readonly ask: (name: string, resolved: Resolved) => Resolving;
  private readonly told: { readonly resolved: Resolved; readonly ended: () => void };
  private next = 0;
  private asking: Resolving | null = null;
  private isDone = false;
  /** What was learnt on the way; told when no name has an answer. */
  private best: ResolveError | null = null;

  constructor(
    names: readonly string[],
    ask: (name: string, resolved: Resolved) => Resolving,
    told: { readonly resolved: Resolved; readonly ended: () => void },
  ) {
    this.names = names;
    this.ask = ask;
    this.told = told;
  }

  start(): void {
    this.asking = this.ask(this.names[this.next]!, (outcome) => this.answered(outcome));
  }

  cancel(): void {
    if (this.isDone) return;
    this.isDone = true;
    this.asking?.cancel();
    this.told.ended();
  }

  private answered(outcome: Outcome): void {
    if (this.isDone) return;
    if (!outcome.ok) {
      this.best = worse(this.best, outcome.error);
      this.next += 1;
      if (mayGoOn(outcome.error) && this.next < this.names.length) {
        this.start();
        return;
      }
    }
    this.isDone = true;
    this.told.ended();
    this.told.resolved(outcome.ok ? outcome : err(this.best!));
  }
}

/** Whether another name of the search list may have an answer. */
const mayGoOn = ({ kind }: ResolveError): boolean =>
  kind === 'name not found' || kind === 'no such record' || kind === 'name servers failed';

/** The one that says more: a name that exists, or a failure, over "not found". */
const worse = (before: ResolveError | null, now: ResolveError): ResolveError =>
  before === null || now.kind !== 'name not found' ? now : before;

function addressesOf({ records }: Answer): string[] {
  return records.flatMap((data) => (data.kind === 'address' ? [data.address] : []));
}

/** Roughly what an outcome holds in memory, in bytes of names and data. */
function sizeOf(outcome: Outcome): number {
  if (!outcome.ok) return 0;
  let bytes = outcome.value.name.length;
  for (const data of outcome.value.records) {
    if (data.kind === 'txt') for (const text of data.texts) bytes += text.length;
    else if (data.kind === 'other') bytes += data.bytes.length;
    else if (data.kind === 'svcb') for (const { value } of data.params) bytes += value.length;
    bytes += 64;
  }
  return bytes;
}
