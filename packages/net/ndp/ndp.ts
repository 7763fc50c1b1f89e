/**
 * Neighbour discovery (RFC 4861) of a host: which messages are valid (§6.1, §7.1), questions about
 * link addresses asked and answered, conflicts noticed. What routers advertise goes to
 * router-advertisements.ts. Redirects are counted and ignored: any host on the link could send
 * them, and to believe one is to give it our traffic. Read first: ndp-neighbors.ts,
 * duplicate-detection.ts.
 */

import { assert, hot, type Instant, type Logger, since, type TimerQueue } from '#core';
import type { Entropy, NetDevice } from '#device';
import type { Ipv6AddressCache } from '../ipv6/address-cache.ts';
import { ndpDefendInterval } from '../ipv6/limits.ts';
import type { Ipv6OwnAddresses, OwnAddress } from '../ipv6/own-addresses.ts';
import { selectSource } from '../ipv6/source-selection.ts';
import {
  IPV6_ALL_NODES,
  IPV6_ALL_ROUTERS,
  IPV6_ANY,
  type Ipv6Address,
  isIpv6Any,
  isIpv6LinkLocal,
  isIpv6Multicast,
  solicitedNodeOf,
} from '../ipv6-address.ts';
import { formatIpv6Address } from '../ipv6-text.ts';
import type { MemoryAccount } from '../memory-budget.ts';
import { ETHERNET_HEADER_BYTES, formatMac, isStationMac, MAC_BYTES } from '../wire/ethernet.ts';
import { IPV6_HOP_LIMIT_AT } from '../wire/ipv6.ts';
import {
  emitNdp,
  NDP_NEIGHBOR_ADVERTISEMENT,
  NDP_NEIGHBOR_SOLICITATION,
  NDP_REDIRECT,
  NDP_ROUTER_ADVERTISEMENT,
  NDP_ROUTER_SOLICITATION,
  type NdpRepr,
  parseNdp,
  type RouterAdvertisement,
} from '../wire/ndp.ts';
import {
  NDP_SOURCE_LINK_ADDRESS,
  NDP_TARGET_LINK_ADDRESS,
  type NdpOption,
} from '../wire/ndp-options.ts';
import { DuplicateDetection } from './duplicate-detection.ts';
import type { LinkMessages } from './link-messages.ts';
import { NdpNeighbors } from './ndp-neighbors.ts';

/** RFC 4861 §3.1: no router has forwarded it. */
const HOP_LIMIT = 255;

type Solicitation = Extract<NdpRepr, { type: typeof NDP_NEIGHBOR_SOLICITATION }>;
type Advertisement = Extract<NdpRepr, { type: typeof NDP_NEIGHBOR_ADVERTISEMENT }>;

export interface NdpEvents {
  /** A valid advertisement; `router` is its link-local address, `mac` null when not told. */
  advertised(message: RouterAdvertisement, router: Ipv6Address, mac: Uint8Array | null): void;
  /** A valid question for routers. */
  asked(): void;
  /** A packet (from its Ethernet header on, without parts) whose neighbour doesn't answer. */
  unresolved(head: Uint8Array): void;
  /** A neighbour doesn't answer, or isn't a router any more. */
  lost(neighbor: Ipv6Address): void;
  unique(own: OwnAddress): void;
  duplicate(own: OwnAddress): void;
}

export class Ndp {
  readonly counters = {
    ndpMalformed: 0,
    ndpForwarded: 0,
    ndpInvalid: 0,
    ndpForeign: 0,
    ndpConflicts: 0,
    ndpRedirects: 0,
  };
  readonly neighbors: NdpNeighbors;
  readonly duplicates: DuplicateDetection;
  private readonly device: NetDevice;
  private readonly timers: TimerQueue;
  private readonly logger: Logger;
  private readonly own: Ipv6OwnAddresses;
  private readonly cache: Ipv6AddressCache;
  private readonly messages: LinkMessages;
  private readonly events: NdpEvents;
  private defendedAt: Instant | null = null;
  /** What our advertisements of neighbours say; questions for routers are heard. */
  isRouter = false;

  constructor(
    device: NetDevice,
    timers: TimerQueue,
    entropy: Entropy,
    logger: Logger,
    own: Ipv6OwnAddresses,
    cache: Ipv6AddressCache,
    messages: LinkMessages,
    memory: MemoryAccount,
    events: NdpEvents,
  ) {
    this.device = device;
    this.timers = timers;
    this.logger = logger;
    this.own = own;
    this.cache = cache;
    this.messages = messages;
    this.events = events;
    this.neighbors = new NdpNeighbors(device, timers, memory, {
      solicit: (target, mac) => this.solicit(target, mac),
      lost: (address) => events.lost(address),
      unresolved: (head) => events.unresolved(head),
    });
    this.duplicates = new DuplicateDetection(timers, entropy, {
      ask: (target, nonce) => this.ask(target, nonce),
      unique: (address) => events.unique(address),
      duplicate: (address) => events.duplicate(address),
    });
  }

  /** A message at frame[at..end), whose checksum is good and which came whole (RFC 6980). */
  receive(
    frame: Uint8Array,
    at: number,
    end: number,
    source: Ipv6Address,
    destination: Ipv6Address,
  ): void {
    if (frame[ETHERNET_HEADER_BYTES + IPV6_HOP_LIMIT_AT] !== HOP_LIMIT) {
      this.counters.ndpForwarded += 1;
      return;
    }
    const parsed = parseNdp(frame.subarray(at, end));
    if (!parsed.ok) {
      this.counters.ndpMalformed += 1;
      return;
    }
    const message = parsed.value;
    switch (message.type) {
      case NDP_NEIGHBOR_SOLICITATION:
        this.solicited(message, source, destination, frame);
        return;
      case NDP_NEIGHBOR_ADVERTISEMENT:
        this.advertised(message, destination);
        return;
      case NDP_ROUTER_ADVERTISEMENT: {
        const mac = macOf(message.options, NDP_SOURCE_LINK_ADDRESS);
        if (!isIpv6LinkLocal(source) || mac === 'bad') this.counters.ndpInvalid += 1;
        else this.events.advertised(message, this.cache.intern(source), mac);
        return;
      }
      case NDP_REDIRECT:
        this.counters.ndpRedirects += 1;
        return;
      case NDP_ROUTER_SOLICITATION:
        if (this.isRouter) this.askedForRouters(message.options, source);
        return;
    }
  }

  /** RFC 4861 §6.3.7; RFC 4429 §3.2: no link address with an address that may be another's. */
  solicitRouters(): void {
    const own = this.own.linkLocal;
    const isSure = own !== null && !own.isOptimistic;
    this.send(own?.address ?? IPV6_ANY, IPV6_ALL_ROUTERS, null, {
      type: NDP_ROUTER_SOLICITATION,
      options: isSure ? [this.linkAddress(NDP_SOURCE_LINK_ADDRESS)] : [],
    });
  }

  /** RFC 4861 §6.2: to all nodes. False when no address of ours is surely ours yet. */
  advertiseRouter(message: RouterAdvertisement): boolean {
    const own = this.own.linkLocal;
    if (own === null || own.isOptimistic) return false;
    this.send(own.address, IPV6_ALL_NODES, null, message);
    return true;
  }

  checkInvariants(): void {
    this.neighbors.checkInvariants();
    this.duplicates.checkInvariants();
  }

  /** RFC 4861 §6.1.1, §6.2.6. */
  private askedForRouters(options: readonly NdpOption[], source: Ipv6Address): void {
    const mac = macOf(options, NDP_SOURCE_LINK_ADDRESS);
    if (mac === 'bad' || (isIpv6Any(source) && mac !== null)) {
      this.counters.ndpInvalid += 1;
      return;
    }
    if (mac !== null) this.neighbors.heard(this.cache.intern(source), mac).isRouter = false;
    this.events.asked();
  }

  /** RFC 4861 §7.1.1, §7.2.3, §7.2.4. */
  private solicited(
    { target, options }: Solicitation,
    source: Ipv6Address,
    destination: Ipv6Address,
    frame: Uint8Array,
  ): void {
    const mac = macOf(options, NDP_SOURCE_LINK_ADDRESS);
    const isProbe = isIpv6Any(source);
    const isToGroup = destination.equals(solicitedNodeOf(target));
    const isWrong =
      isIpv6Multicast(target) || mac === 'bad' || (isProbe && (mac !== null || !isToGroup));
    if (isWrong) {
      this.counters.ndpInvalid += 1;
      return;
    }
    const own = this.own.find(target);
    if (own === null) {
      this.counters.ndpForeign += 1;
      return;
    }
    if (isProbe) {
      const nonce = options.find((option) => option.kind === 'nonce')?.nonce ?? null;
      if (own.isOptimistic) this.duplicates.wanted(own, nonce);
      else this.advertise(own, IPV6_ALL_NODES, null, false);
      return;
    }
    const asker = this.cache.intern(source);
    if (mac !== null) this.neighbors.heard(asker, mac);
    const known = this.neighbors.find(asker);
    // A neighbour that asks us alone needn't tell its link address (§4.3): then the frame does.
    const to = known?.isUsable ? known.mac : frame.slice(MAC_BYTES, 2 * MAC_BYTES);
    if (isStationMac(to)) this.advertise(own, asker, to, true);
  }

  /** RFC 4861 §7.1.2, §7.2.5; RFC 4862 §5.4.4. */
  private advertised(message: Advertisement, destination: Ipv6Address): void {
    const { target, isRouter, isSolicited, isOverride, options } = message;
    const mac = macOf(options, NDP_TARGET_LINK_ADDRESS);
    if (isIpv6Multicast(target) || mac === 'bad' || (isSolicited && isIpv6Multicast(destination))) {
      this.counters.ndpInvalid += 1;
      return;
    }
    const own = this.own.find(target);
    if (own === null) {
      const address = this.cache.intern(target);
      this.neighbors.advertised(address, { mac, isRouter, isSolicited, isOverride });
      return;
    }
    // A hub may give us back what we sent.
    if (mac !== null && hot.equal(mac, 0, this.device.mac, 0, MAC_BYTES)) return;
    if (own.isOptimistic) this.duplicates.claimed(own);
    else this.defend(own, mac);
  }

  /** Somebody else uses an address that is surely ours: say so, once in a while. */
  private defend(own: OwnAddress, mac: Uint8Array | null): void {
    this.counters.ndpConflicts += 1;
    const { now } = this.timers;
    if (this.defendedAt !== null && since(this.defendedAt, now) < ndpDefendInterval) return;
    this.defendedAt = now;
    const who = mac === null ? 'somebody' : formatMac(mac);
    this.logger.warn(`${who} uses our address ${formatIpv6Address(own.address)}`);
    this.advertise(own, IPV6_ALL_NODES, null, false);
  }

  private solicit(target: Ipv6Address, mac: Uint8Array | null): boolean {
    const sure = this.own.list.filter((own) => !own.isOptimistic);
    const source = selectSource(sure, target, this.timers.now);
    if (source === null) return false;
    const to = mac === null ? solicitedNodeOf(target) : target;
    this.send(source.address, to, mac, {
      type: NDP_NEIGHBOR_SOLICITATION,
      target,
      options: [this.linkAddress(NDP_SOURCE_LINK_ADDRESS)],
    });
    return true;
  }

  private ask(target: Ipv6Address, nonce: Uint8Array): void {
    this.send(IPV6_ANY, solicitedNodeOf(target), null, {
      type: NDP_NEIGHBOR_SOLICITATION,
      target,
      options: [{ kind: 'nonce', nonce }],
    });
  }

  private advertise(
    own: OwnAddress,
    to: Ipv6Address,
    mac: Uint8Array | null,
    isSolicited: boolean,
  ): void {
    this.send(own.address, to, mac, {
      type: NDP_NEIGHBOR_ADVERTISEMENT,
      isRouter: this.isRouter,
      isSolicited,
      // RFC 4429 §3.3: others' knowledge is better than ours until we are sure.
      isOverride: !own.isOptimistic,
      target: own.address,
      options: [this.linkAddress(NDP_TARGET_LINK_ADDRESS)],
    });
  }

  private linkAddress(
    type: typeof NDP_SOURCE_LINK_ADDRESS | typeof NDP_TARGET_LINK_ADDRESS,
  ): NdpOption {
    return { kind: 'link address', type, mac: this.device.mac };
  }

  private send(
    source: Ipv6Address,
    destination: Ipv6Address,
    mac: Uint8Array | null,
    repr: NdpRepr,
  ): void {
    assert(mac === null || isStationMac(mac));
    this.messages.send({
      source,
      destination,
      mac,
      hopLimit: HOP_LIMIT,
      isAlert: false,
      emit: (to, at) => emitNdp(to, at, repr),
    });
  }
}

/** The link address of an option, null when there is none, 'bad' when no station can have it. */
function macOf(options: readonly NdpOption[], type: number): Uint8Array | null | 'bad' {
  for (const option of options) {
    if (option.kind !== 'link address' || option.type !== type) continue;
    return isStationMac(option.mac) ? option.mac : 'bad';
  }
  return null;
}
