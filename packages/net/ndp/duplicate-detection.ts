/**
 * Whether somebody else has one of our addresses: RFC 4862 §5.4 in RFC 4429's optimistic form (the
 * address is used meanwhile, so a boot waits for nothing), with RFC 7527's nonces, which tell our
 * own question that a link loops back from a rival's. Deviates: RFC 4862 §5.4.2 delays the first
 * question by up to a second at random; RFC 4429 §3.1 leaves out addresses set by hand. Not here:
 * what becomes of an address that is somebody else's (ipv6/slaac.ts).
 */

import { after, assert, type Duration, hot, type Instant, Timer, type TimerQueue } from '#core';
import type { Entropy } from '#device';
import type { OwnAddress } from '../ipv6/own-addresses.ts';
import type { Ipv6Address } from '../ipv6-address.ts';

const NONCE_BYTES = 6;
/** RFC 4862 §5.1: DupAddrDetectTransmits. */
const QUESTIONS = 1;

interface Trial {
  readonly own: OwnAddress;
  readonly nonce: Uint8Array;
  questionsLeft: number;
  readonly timer: Timer;
}

export interface DuplicateEvents {
  /** Asks all who have `target`, from nobody. */
  ask(target: Ipv6Address, nonce: Uint8Array): void;
  /** Nobody objected. */
  unique(own: OwnAddress): void;
  duplicate(own: OwnAddress): void;
}

export class DuplicateDetection {
  readonly counters = { dadDuplicates: 0, dadLoops: 0 };
  private readonly timers: TimerQueue;
  private readonly entropy: Entropy;
  private readonly events: DuplicateEvents;
  private readonly trials = new Map<OwnAddress, Trial>();

  constructor(timers: TimerQueue, entropy: Entropy, events: DuplicateEvents) {
    this.timers = timers;
    this.entropy = entropy;
    this.events = events;
  }

  /** `own` is optimistic; after `wait` without an answer it is ours. */
  start(own: OwnAddress, wait: Duration): void {
    assert(own.isOptimistic && !this.trials.has(own));
    const nonce = new Uint8Array(NONCE_BYTES);
    this.entropy.fill(nonce);
    const timer = new Timer((now) => this.next(trial, wait, now));
    const trial: Trial = { own, nonce, questionsLeft: QUESTIONS, timer };
    this.trials.set(own, trial);
    // Not within this call: the caller isn't done with it.
    this.timers.arm(timer, this.timers.now);
  }

  /** The address is gone. */
  stop(own: OwnAddress): void {
    const trial = this.trials.get(own);
    if (trial !== undefined) this.timers.stop(trial.timer);
    this.trials.delete(own);
  }

  /** Somebody said that an optimistic address of ours is theirs. */
  claimed(own: OwnAddress): void {
    if (!this.trials.has(own)) return;
    this.counters.dadDuplicates += 1;
    this.stop(own);
    this.events.duplicate(own);
  }

  /** Somebody, `nonce` says who, asks for an optimistic address of ours to use it. */
  wanted(own: OwnAddress, nonce: Uint8Array | null): void {
    const isOurs = [...this.trials.values()].some(
      (trial) => nonce?.length === NONCE_BYTES && hot.equal(nonce, 0, trial.nonce, 0, NONCE_BYTES),
    );
    if (isOurs) this.counters.dadLoops += 1;
    else this.claimed(own);
  }

  checkInvariants(): void {
    for (const { own, questionsLeft } of this.trials.values()) {
      assert(own.isOptimistic && questionsLeft >= 0);
    }
  }

  private next(trial: Trial, wait: Duration, now: Instant): void {
    if (trial.questionsLeft > 0) {
      trial.questionsLeft -= 1;
      this.events.ask(trial.own.address, trial.nonce);
      this.timers.arm(trial.timer, after(now, wait));
      return;
    }
    this.trials.delete(trial.own);
    trial.own.isOptimistic = false;
    this.events.unique(trial.own);
  }
}
