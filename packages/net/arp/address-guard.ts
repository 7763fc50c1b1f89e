/**
 * Keeps our addresses ours (RFC 5227): probes for conflicts, announces, defends. Read first: RFC
 * 5227 §2.
 *
 * Deviates from §2.1: addresses are used at once, while they are probed or announced. A program
 * here answers its first request within a tenth of a second of power-on, and probing takes five.
 * - Addresses given by hand are announced without probing, and defended for ever (§2.4 (c)): a
 *   server that gives up its address because somebody says so can be switched off by anybody.
 * - Addresses from DHCP are probed while in use, and announced only when nobody objects; a conflict
 *   in that time, or a second one within DEFEND_INTERVAL later (§2.4 (b)), gives them back.
 */

import {
  after,
  type Duration,
  type Instant,
  type Logger,
  readU32be,
  since,
  Timer,
  type TimerQueue,
} from '#core';
import type { Entropy } from '#device';
import type { Ipv4Address } from '../ip.ts';
import { formatIpv4Address } from '../ip-address.ts';
import {
  arpAnnounceInterval,
  arpAnnouncements,
  arpAnnounceWait,
  arpDefendInterval,
  arpProbeIntervalMax,
  arpProbeIntervalMin,
  arpProbes,
} from '../limits.ts';
import { formatMac } from '../wire/ethernet.ts';

/** Broadcasts an ARP request for `target`, which comes from `sender`. */
export type AskAll = (sender: Ipv4Address | null, target: Ipv4Address) => void;

/** Another station has `address` too: stop using it. */
export type GiveUp = (address: Ipv4Address) => void;

export class AddressGuard {
  readonly counters = { arpConflicts: 0, arpProbes: 0, arpAnnouncements: 0 };
  private readonly timers: TimerQueue;
  private readonly entropy: Entropy;
  private readonly logger: Logger;
  private readonly askAll: AskAll;
  private readonly random = new Uint8Array(4);
  private readonly timer = new Timer((now) => this.next(now));
  private addresses: readonly Ipv4Address[] = [];
  private giveUp: GiveUp | null = null;
  private probesLeft = 0;
  private announcementsLeft = 0;
  private defendedAt: Instant | null = null;

  constructor(timers: TimerQueue, entropy: Entropy, logger: Logger, askAll: AskAll) {
    this.timers = timers;
    this.entropy = entropy;
    this.logger = logger;
    this.askAll = askAll;
  }

  /** These are ours from now on. `giveUp`: null for those that are kept whatever happens. */
  claim(addresses: readonly Ipv4Address[], giveUp: GiveUp | null): void {
    this.timers.stop(this.timer);
    this.addresses = addresses;
    this.giveUp = giveUp;
    this.probesLeft = giveUp === null ? 0 : arpProbes;
    this.announcementsLeft = arpAnnouncements;
    this.defendedAt = null;
    this.next(this.timers.now);
  }

  /** A station with another link address sends as `address`, which is ours. */
  conflict(address: Ipv4Address, mac: Uint8Array): void {
    this.counters.arpConflicts += 1;
    const now = this.timers.now;
    const isAgain = this.defendedAt !== null && since(this.defendedAt, now) < arpDefendInterval;
    if (this.giveUp !== null && (this.isProbing || isAgain)) {
      this.lose(address, mac);
      return;
    }
    if (isAgain) return;
    this.defendedAt = now;
    this.logger.warn(`${formatMac(mac)} uses our address ${formatIpv4Address(address)}`);
    this.announce(address);
  }

  /**
   * A station asks whether anybody has `address`, which is ours. True when it is as new to it as we
   * are: then nobody has it (RFC 5227 §2.1.1), and no answer is due.
   */
  probed(address: Ipv4Address, mac: Uint8Array): boolean {
    if (!this.isProbing) return false;
    this.counters.arpConflicts += 1;
    this.lose(address, mac);
    return true;
  }

  private get isProbing(): boolean {
    return this.giveUp !== null && this.announcementsLeft === arpAnnouncements;
  }

  private lose(address: Ipv4Address, mac: Uint8Array): void {
    const { giveUp } = this;
    this.logger.warn(`${formatMac(mac)} has ${formatIpv4Address(address)} already: given up`);
    this.claim([], null);
    giveUp?.(address);
  }

  private next(now: Instant): void {
    if (this.addresses.length === 0) return;
    if (this.probesLeft > 0) {
      for (const address of this.addresses) {
        this.counters.arpProbes += 1;
        this.askAll(null, address);
      }
      this.probesLeft -= 1;
      this.timers.arm(this.timer, after(now, this.waitAfterProbe()));
      return;
    }
    if (this.announcementsLeft === 0) return;
    for (const address of this.addresses) this.announce(address);
    this.announcementsLeft -= 1;
    if (this.announcementsLeft > 0) this.timers.arm(this.timer, after(now, arpAnnounceInterval));
  }

  private announce(address: Ipv4Address): void {
    this.counters.arpAnnouncements += 1;
    this.askAll(address, address);
  }

  private waitAfterProbe(): Duration {
    if (this.probesLeft === 0) return arpAnnounceWait;
    this.entropy.fill(this.random);
    const share = readU32be(this.random, 0) / 0x100000000;
    const span = arpProbeIntervalMax - arpProbeIntervalMin;
    return Math.round(arpProbeIntervalMin + share * span) as Duration;
  }
}
