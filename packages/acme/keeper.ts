/**
 * Keeps one certificate fresh: gets it, gets another before it runs out, and goes on with the one
 * it has while that fails. Synchronous, with a timer; only what is kept on a device is awaited
 * (keep.ts). Read first: renewal.ts (when), order.ts (how).
 */

import {
  after,
  assert,
  type Duration,
  type Instant,
  type Logger,
  millis,
  seconds,
  Timer,
  type TimerQueue,
  type WallTime,
} from '#core';
import type { Clock, CryptoPrimitives, Entropy } from '#device';
import type { Certificate } from '#x509';
import { type ChainCheck, checkChain, readChain, renewalIdOf, requestFor } from './certificate.ts';
import type { ChallengeType, Responder } from './challenge.ts';
import { runProcedure } from './driver.ts';
import { type Failure, formatAcmeError } from './error.ts';
import { backOff, chance, jittered } from './jitter.ts';
import type { AcmeLimits } from './limits.ts';
import { OrderProcedure } from './order.ts';
import { ownRenewalTime, RenewalInfoProcedure, suggestedRenewalTime } from './renewal.ts';
import type { AcmeSession } from './session.ts';
import type { Certified } from './tls-alpn-01.ts';
import type { AcmeTransport } from './transport.ts';
import type { Identifier, RenewalInfo } from './wire/resources.ts';

export interface KeeperOptions {
  readonly session: AcmeSession;
  readonly transport: AcmeTransport;
  readonly timers: TimerQueue;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly crypto: CryptoPrimitives;
  readonly limits: AcmeLimits;
  readonly log: Logger;
  /** At least one, each once. */
  readonly identifiers: readonly Identifier[];
  /** Kinds of proof that can be given, the best first. */
  readonly challenges: readonly ChallengeType[];
  readonly responder: Responder;
  /**
   * Puts a certificate into use for new connections. The key is the keeper's: it is wiped a while
   * after another one was installed.
   */
  readonly install: (certified: Certified) => void;
  /** A certificate has come that is to survive a restart. */
  readonly save: (certified: Certified) => void;
}

interface Current {
  readonly certified: Certified;
  readonly leaf: Certificate;
  readonly info: RenewalInfo | null;
  readonly renewAt: WallTime;
}

/** Handshakes that began with a key have ended when it is wiped: they may take far less time. */
const RETIRE_TIME = seconds(600);

export class CertificateKeeper {
  readonly counters = { acmeCertificates: 0, acmeFailures: 0 };
  private readonly options: KeeperOptions;
  private readonly timer = new Timer(() => this.decide());
  private current: Current | null = null;
  private isBusy = false;
  /** In a row. */
  private failures = 0;
  private retryAt: Instant;
  /** When to ask the authority what it suggests; null: it suggests nothing. */
  private askAt: Instant | null = null;

  constructor(options: KeeperOptions) {
    assert(options.identifiers.length >= 1);
    assert(options.identifiers.length <= options.limits.namesMax);
    this.options = options;
    this.retryAt = options.timers.now;
  }

  /** Seconds since 1970 until which the current certificate is good; null: there is none. */
  get goodUntil(): WallTime | null {
    return this.current?.leaf.notAfter ?? null;
  }

  /** With what is left from before, if it is of use; then goes on for ever. */
  start(kept: Certified | null): void {
    if (kept !== null) this.takeUp(kept);
    const { timers } = this.options;
    timers.arm(this.timer, timers.now);
  }

  /** Gets another one now, whatever the time; for operators and tests. */
  renewNow(): void {
    const { timers } = this.options;
    if (this.current !== null) this.current = { ...this.current, renewAt: this.wall() };
    this.retryAt = timers.now;
    timers.arm(this.timer, timers.now);
  }

  checkInvariants(): void {
    this.options.session.checkInvariants();
    assert(this.isBusy || this.timer.at !== (Number.POSITIVE_INFINITY as Instant));
  }

  private wall(): WallTime {
    return this.options.clock.wall();
  }

  /** What is to be done now, or when to think again. */
  private decide(): void {
    if (this.isBusy) return;
    const { timers, limits } = this.options;
    const { now } = timers;
    const { current, askAt } = this;
    if (current !== null && askAt !== null && now >= askAt) {
      this.ask(current);
      return;
    }
    const waitMillis = current === null ? 0 : current.renewAt - this.wall();
    if (waitMillis <= 0 && now >= this.retryAt) {
      this.order();
      return;
    }
    const wait = millis(Math.max(0, waitMillis));
    const due = waitMillis <= 0 ? this.retryAt : after(now, wait);
    const review = after(now, limits.reviewMax);
    timers.arm(this.timer, Math.min(due, review, askAt ?? review) as Instant);
  }

  private order(): void {
    const { options } = this;
    const { crypto, clock, entropy, limits, identifiers, responder } = options;
    const key = crypto.generatePrivateKey('P-256', entropy);
    const procedure = new OrderProcedure({
      crypto,
      clock,
      limits,
      identifiers,
      responder,
      csr: requestFor(identifiers, key, entropy),
      challenges: () => options.challenges,
      replaces: this.current === null ? null : renewalIdOf(this.current.leaf),
      readChain: (bytes) => readChain(bytes, this.check(key.spki)),
    });
    this.isBusy = true;
    runProcedure(options.session, procedure, options.transport, options.timers, (failure) => {
      this.isBusy = false;
      if (failure === null) this.succeeded({ chain: procedure.chain!, key });
      else {
        key.destroy();
        this.failed(failure);
      }
      this.decide();
    });
  }

  private check(spki: Uint8Array): ChainCheck {
    const { identifiers, limits } = this.options;
    return { identifiers, spki, at: this.wall(), certificatesMax: limits.chainMax };
  }

  private succeeded(certified: Certified): void {
    const isTaken = this.takeUp(certified);
    assert(isTaken, 'it was checked when it came');
    this.counters.acmeCertificates += 1;
    this.failures = 0;
    const { timers, limits } = this.options;
    const left = millis(this.goodUntil! - this.wall());
    this.retryAt = after(timers.now, Math.min(limits.renewAgainMin, left / 2) as Duration);
    this.options.save(certified);
  }

  /** Puts a certificate into use, if it is one for us and good now. */
  private takeUp(certified: Certified): boolean {
    const { log, timers, entropy, install } = this.options;
    const checked = checkChain(certified.chain, this.check(certified.key.spki));
    if (!checked.ok) {
      log.info(`a certificate from before is of no use: ${checked.error}`);
      return false;
    }
    const leaf = checked.value;
    const before = this.current;
    const renewAt = ownRenewalTime(leaf, chance(entropy));
    this.current = { certified, leaf, info: null, renewAt };
    this.askAt = timers.now;
    install(certified);
    log.info(`a certificate for ${this.names()}, good until ${dateOf(leaf.notAfter)}`);
    if (before !== null) {
      const retire = new Timer(() => before.certified.key.destroy());
      timers.arm(retire, after(timers.now, RETIRE_TIME));
    }
    return true;
  }

  private failed({ error, retryAfter }: Failure): void {
    const { log, limits, timers, entropy } = this.options;
    const { renewRetryFirst, renewRetryMax, renewToldMax } = limits;
    const leftMillis = this.current === null ? 0 : this.current.leaf.notAfter - this.wall();
    const most = leftMillis > 0 ? Math.min(renewRetryMax, millis(leftMillis / 4)) : renewRetryMax;
    const own = backOff(renewRetryFirst, this.failures, most as Duration);
    const told = Math.min(retryAfter ?? 0, renewToldMax);
    const wait = jittered(Math.max(own, told, renewRetryFirst) as Duration, entropy);
    this.failures += 1;
    this.counters.acmeFailures += 1;
    this.retryAt = after(timers.now, wait);
    const minutes = Math.ceil(wait / 60e6);
    const again = `next try in ${minutes} min`;
    log.warn(
      `no certificate for ${this.names()}: ${formatAcmeError(error)}; ${again}${this.old()}`,
    );
  }

  /** What becomes of the one that there is. */
  private old(): string {
    if (this.current === null) return '';
    const { notAfter } = this.current.leaf;
    const date = dateOf(notAfter);
    return this.wall() < notAfter ? `; the one until ${date} goes on` : `; ours expired at ${date}`;
  }

  /** What the authority suggests (RFC 9773); that it fails changes nothing. */
  private ask(current: Current): void {
    const { session, transport, timers, clock, log } = this.options;
    const id = renewalIdOf(current.leaf);
    if (id === null) {
      this.askAt = null;
      this.decide();
      return;
    }
    const procedure = new RenewalInfoProcedure(id, clock);
    this.isBusy = true;
    runProcedure(session, procedure, transport, timers, (failure) => {
      this.isBusy = false;
      this.askAt = after(timers.now, procedure.checkAfter);
      if (procedure.info !== null) this.suggested(current, procedure.info);
      else if (failure?.error.kind === 'not offered') this.askAt = null;
      else if (failure !== null) log.debug(`no renewal info: ${formatAcmeError(failure.error)}`);
      this.decide();
    });
  }

  /** A window is drawn from once. */
  private suggested(current: Current, info: RenewalInfo): void {
    const before = current.info;
    if (before?.start === info.start && before.end === info.end) return;
    const renewAt = suggestedRenewalTime(info, current.leaf, chance(this.options.entropy));
    this.current = { ...current, info, renewAt };
    this.options.log.debug(`the authority suggests to renew from ${dateOf(info.start)} on`);
  }

  private names(): string {
    return this.options.identifiers.map(({ value }) => value).join(', ');
  }
}

const dateOf = (time: WallTime): string =>
  new Date(time).toISOString().slice(0, 16).replace('T', ' ');
