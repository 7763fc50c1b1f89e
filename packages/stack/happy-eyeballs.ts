/**
 * Happy Eyeballs, version 2 (RFC 8305): one connection to a name that may have many addresses, of
 * which some don't work. Both families are asked for at once; attempts begin one after the other,
 * with the families taking turns, and the first that succeeds ends the rest. Nothing is remembered:
 * the next connection may be on another network. Synchronous. Read first: RFC 8305 §3 to §5.
 */

import {
  after,
  assert,
  type Duration,
  err,
  FOREVER,
  millis,
  type Result,
  Timer,
  type TimerQueue,
} from '#core';
import {
  addressFamily,
  type ConnectError,
  type Connecting,
  type Flow,
  type NameError,
} from '#device';
import type { Family, ResolveError, Resolving } from '#dns';
import type { Opened } from './numeric-stack.ts';

/** How long an address of IPv4 waits for those of IPv6 (§3). */
export const RESOLUTION_DELAY: Duration = millis(50);
/** From one attempt to the next while nothing is decided (§5: 250 ms, at least 100 ms). */
export const ATTEMPT_DELAY: Duration = millis(250);
/** Addresses that are tried; the rest of a long list is ignored. */
export const ATTEMPTS_MAX = 16;

export interface EyeballsNetwork {
  readonly timers: TimerQueue;
  /** Families that we have an address of: only their addresses are of use. */
  families(): readonly Family[];
  /** As Resolver.addresses: `resolved` is called once, later. */
  lookUp(
    name: string,
    family: Family,
    resolved: (result: Result<readonly string[], ResolveError>) => void,
  ): Resolving;
  /** Best destination first (RFC 6724 §6). */
  order(addresses: readonly string[]): readonly string[];
  /** To a numeric address. `opened` may be called within the call. */
  open(address: string, port: number, opened: Opened): Connecting;
}

/** What an application is told of a resolver's error. */
export function nameError(error: ResolveError): NameError {
  switch (error.kind) {
    case 'bad name':
      return { kind: 'bad address' };
    case 'no such record':
      return { kind: 'no address' };
    default:
      return { kind: error.kind };
  }
}

/** The more an error says about the peer, the higher: it is the one that is told. */
const RANK: Record<ConnectError['kind'], number> = {
  refused: 9,
  timeout: 8,
  unreachable: 7,
  'no port': 6,
  'name servers failed': 5,
  'name servers silent': 4,
  'no address': 3,
  'too many names': 2,
  'no name servers': 1,
  'name not found': 1,
  'bad address': 0,
};

export class HappyEyeballs implements Connecting {
  private readonly network: EyeballsNetwork;
  private readonly port: number;
  private readonly opened: Opened;
  /** Questions without an answer yet. */
  private readonly lookups = new Map<Family, Resolving>();
  /** Addresses not tried yet, best first; of those tried, and of those that are being tried. */
  private untried: readonly string[] = [];
  private readonly tried = new Set<string>();
  private readonly attempts = new Map<string, Connecting>();
  private lastFamily: Family | null = null;
  /** §3's wait is over, one way or the other. */
  private mayBegin = false;
  private error: ConnectError | null = null;
  private isDone = false;
  private readonly resolutionTimer = new Timer(() => this.begin());
  /** While it runs, a new attempt must wait. */
  private readonly attemptTimer = new Timer(() => this.tryNext());

  /** `opened` is called once, later. */
  constructor(network: EyeballsNetwork, name: string, port: number, opened: Opened) {
    this.network = network;
    this.port = port;
    this.opened = opened;
    const families = network.families();
    if (families.length === 0) {
      this.error = { kind: 'unreachable' };
      this.network.timers.arm(this.attemptTimer, this.network.timers.now);
      return;
    }
    // §3: AAAA first, A right after it.
    for (const family of ['ipv6', 'ipv4'] as const) {
      if (!families.includes(family)) continue;
      const lookup = network.lookUp(name, family, (result) => this.resolved(family, result));
      this.lookups.set(family, lookup);
    }
  }

  cancel(): void {
    if (this.isDone) return;
    this.isDone = true;
    const { timers } = this.network;
    timers.stop(this.resolutionTimer);
    timers.stop(this.attemptTimer);
    for (const lookup of this.lookups.values()) lookup.cancel();
    for (const attempt of this.attempts.values()) attempt.cancel();
    this.lookups.clear();
    this.attempts.clear();
  }

  checkInvariants(): void {
    assert(this.tried.size <= ATTEMPTS_MAX);
    for (const address of this.attempts.keys()) assert(this.tried.has(address));
    assert(!this.isDone || this.attempts.size + this.lookups.size === 0);
  }

  private resolved(family: Family, result: Result<readonly string[], ResolveError>): void {
    if (this.isDone) return;
    this.lookups.delete(family);
    if (result.ok) {
      const fresh = result.value.filter((address) => !this.tried.has(address));
      this.untried = this.network.order([...this.untried, ...fresh]);
    } else {
      this.fail(nameError(result.error));
    }
    if (this.mayBegin) {
      this.goOn();
    } else if (this.lookups.size === 0 || (family === 'ipv6' && result.ok)) {
      this.begin();
    } else if (result.ok) {
      // §3: IPv4 is here first, and waits a little.
      const { timers } = this.network;
      timers.arm(this.resolutionTimer, after(timers.now, RESOLUTION_DELAY));
    }
  }

  private begin(): void {
    this.network.timers.stop(this.resolutionTimer);
    this.mayBegin = true;
    this.goOn();
  }

  /** Something changed: tries the next address unless the last attempt is too young. */
  private goOn(): void {
    if (this.attemptTimer.at === FOREVER) this.tryNext();
  }

  private tryNext(): void {
    const { timers } = this.network;
    timers.stop(this.attemptTimer);
    const address = this.takeNext();
    if (address === null) {
      this.endIfNothingIsLeft();
      return;
    }
    timers.arm(this.attemptTimer, after(timers.now, ATTEMPT_DELAY));
    let isOver = false;
    const attempt = this.network.open(address, this.port, (result) => {
      isOver = true;
      this.attempts.delete(address);
      this.attempted(result);
    });
    // It may have failed within the call.
    if (isOver) return;
    if (this.isDone) attempt.cancel();
    else this.attempts.set(address, attempt);
  }

  private attempted(result: Result<Flow, ConnectError>): void {
    if (this.isDone) {
      if (result.ok) result.value.abort();
      return;
    }
    if (result.ok) {
      this.cancel();
      this.opened(result);
      return;
    }
    this.fail(result.error);
    // §5: an attempt that failed holds nobody up.
    this.network.timers.arm(this.attemptTimer, this.network.timers.now);
  }

  /** §4: the families take turns, each in its order. */
  private takeNext(): string | null {
    if (this.tried.size >= ATTEMPTS_MAX) this.untried = [];
    const isOther = (address: string) => addressFamily(address) !== this.lastFamily;
    const next = this.untried.find(isOther) ?? this.untried[0];
    if (next === undefined) return null;
    this.untried = this.untried.filter((address) => address !== next);
    this.lastFamily = addressFamily(next);
    this.tried.add(next);
    return next;
  }

  private fail(error: ConnectError): void {
    if (this.error === null || RANK[error.kind] > RANK[this.error.kind]) this.error = error;
  }

  private endIfNothingIsLeft(): void {
    if (this.isDone || this.attempts.size > 0 || this.lookups.size > 0) return;
    if (this.untried.length > 0) return;
    this.cancel();
    this.opened(err(this.error ?? { kind: 'no address' }));
  }
}
