/**
 * Receiving IPv6: what is plain, for an address of ours and from a known peer goes to its
 * transport after one comparison chain; everything else is looked at again slowly, and each reason
 * to drop has a counter. Read first: RFC 8200 §4, RFC 8504. Not here: forwarding.
 */

import { assert, hot, writeU16be } from '#core';
import type { ForeignAddresses } from '../foreign.ts';
import { PROTOCOL_TCP, type TransportInput } from '../ip.ts';
import {
  type Ipv6Address,
  isIpv4Mapped,
  isIpv6Any,
  isIpv6HostAddress,
  isIpv6Multicast,
} from '../ipv6-address.ts';
import type { FragmentOwner, Reassembly } from '../reassembly.ts';
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';
import {
  ICMPV6_CODE_FIELD,
  ICMPV6_CODE_NEXT_HEADER,
  ICMPV6_CODE_OPTION,
  PROTOCOL_ICMPV6,
} from '../wire/icmpv6.ts';
import { IPV6_HEADER_BYTES, IPV6_HOP_LIMIT_AT, IPV6_PAYLOAD_BYTES_MAX } from '../wire/ipv6.ts';
import {
  checkExtension,
  extensionBytes,
  extensionNextHeader,
  FRAGMENT_HEADER_BYTES,
  fragmentIdentification,
  fragmentOffset,
  HEADER_DESTINATION,
  HEADER_FRAGMENT,
  HEADER_HOP_BY_HOP,
  HEADER_NONE,
  HEADER_ROUTING,
  hasMoreFragments,
  OPTION_PAD1,
  OPTION_PADN,
  OPTION_ROUTER_ALERT,
  routingSegmentsLeft,
} from '../wire/ipv6-extensions.ts';
import { isMldType } from '../wire/mld.ts';
import { isNdpType } from '../wire/ndp.ts';
import { AddressPair, NOBODY } from './address-pair.ts';
import { chainEnd } from './header-chain.ts';
import { extensionBytesMax, extensionHeadersMax, extensionOptionsMax } from './limits.ts';

/** Version, class and flow; payload length; next header; source and destination, as in RFC 8200. */
const LAYOUT = 'whbxwwwwwwww';
const TRANSPORT_AT = ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES;
const PAYLOAD_BYTES_AT = ETHERNET_HEADER_BYTES + 4;
const NEXT_HEADER_AT = ETHERNET_HEADER_BYTES + 6;
const HOP_LIMIT_AT = ETHERNET_HEADER_BYTES + IPV6_HOP_LIMIT_AT;
/** Bytes of a transport's header that a first fragment must have (RFC 7112, RFC 1858). */
const TRANSPORT_BYTES_MIN = 8;
const CODE_INCOMPLETE_CHAIN = 3;

/** Tells senders what is wrong with their packets (icmpv6/). The packet is frame[14..end). */
export interface Ipv6Errors {
  /** `pointer`: the offset in the packet of what is wrong. */
  parameterProblem(frame: Uint8Array, end: number, code: number, pointer: number): void;
  /** The rest of the datagram that this first fragment begins didn't come in time. */
  reassemblyTimeExceeded(frame: Uint8Array, end: number): void;
  /** A packet for another host may go no further than to us. */
  hopLimitExceeded(frame: Uint8Array, end: number): void;
}

/** What is for us. */
export interface Ipv6Destinations {
  /** Our own object for one of our addresses; null for others. */
  own(address: Ipv6Address): Ipv6Address | null;
  isMember(group: Ipv6Address): boolean;
  /** Whether an address is a neighbour's, not link-local. */
  isOnLink(address: Ipv6Address): boolean;
  /** This stack's object for an address. */
  of(w0: number, w1: number, w2: number, w3: number): Ipv6Address;
}

/** Where a packet is while its headers are read. */
interface Cursor {
  frame: Uint8Array;
  end: number;
  /** The next header's type, where it begins, and where its type stands. */
  next: number;
  at: number;
  nextAt: number;
  headers: number;
  /** It came with a fragment header: in pieces, or alone with one (RFC 6946). */
  isFragmented: boolean;
}

export class Ipv6Input implements FragmentOwner {
  readonly counters = {
    ipv6Received: 0,
    ipv6Malformed: 0,
    /** Sources that no packet of another host has. */
    ipv6BadSource: 0,
    ipv6SourceOurs: 0,
    ipv6NotOurs: 0,
    /** For others, taken by `foreign`, but from no neighbour, or with no hop left. */
    ipv6ForeignSource: 0,
    ipv6ForeignHops: 0,
    ipv6NotJoined: 0,
    ipv6GroupForTcp: 0,
    ipv6BadHeader: 0,
    ipv6BadOption: 0,
    ipv6TooManyHeaders: 0,
    ipv6Routed: 0,
    ipv6Fragments: 0,
    ipv6BadFragment: 0,
    ipv6FragmentedControl: 0,
    ipv6NoNextHeader: 0,
    ipv6UnknownHeader: 0,
  };
  readonly payloadBytesMax = IPV6_PAYLOAD_BYTES_MAX;
  /** Null unless we stand in for others. */
  foreign: ForeignAddresses | null = null;
  private readonly to: Ipv6Destinations;
  private readonly reassembly: Reassembly;
  private readonly errors: Ipv6Errors;
  private readonly transports: (TransportInput | null)[] = new Array(256).fill(null);
  private readonly fields = new Int32Array(11);
  private received = 0;
  /** The last good pair since `reset`: most packets are from and to the same. */
  private lastSource: Ipv6Address = NOBODY;
  private lastDestination: Ipv6Address = NOBODY;
  /** The last pair that `foreign` took. */
  private readonly lastForeign = new AddressPair();

  constructor(to: Ipv6Destinations, reassembly: Reassembly, errors: Ipv6Errors) {
    this.to = to;
    this.reassembly = reassembly;
    this.errors = errors;
  }

  /** Once a protocol (0..255). */
  register(protocol: number, transport: TransportInput): void {
    assert(this.transports[protocol] === null, 'protocol registered twice');
    this.transports[protocol] = transport;
  }

  /** Our addresses changed. */
  reset(): void {
    this.lastSource = NOBODY;
    this.lastDestination = NOBODY;
    this.lastForeign.set(NOBODY, NOBODY);
  }

  /** A frame for our station, or for a group of stations (`isGroup`). Borrowed for this call. */
  receive(frame: Uint8Array, isGroup: boolean, checksumGood: boolean): void {
    if (frame.length < TRANSPORT_AT) {
      this.counters.ipv6Malformed += 1;
      return;
    }
    const f = this.fields;
    hot.unpack(LAYOUT, frame, ETHERNET_HEADER_BYTES, f);
    const end = f[1]! + TRANSPORT_AT;
    // The version, as a signed integer's highest four bits.
    if (f[0]! >> 28 !== 6 || end > frame.length) {
      this.counters.ipv6Malformed += 1;
      return;
    }
    const destination = this.lastDestination;
    if (
      f[10] === destination.w3 &&
      f[9] === destination.w2 &&
      f[8] === destination.w1 &&
      f[7] === destination.w0 &&
      !isGroup
    ) {
      const source = this.sourceOf(f);
      const transport = source === null ? null : this.transports[f[2]!];
      if (source !== null && transport) {
        this.received += 1;
        transport.packet(frame, TRANSPORT_AT, end, source, destination, checksumGood);
        return;
      }
    }
    if (this.foreign !== null && !isGroup && frame[HOP_LIMIT_AT]! > 1 && this.lastForeign.is(f)) {
      const transport = this.transports[f[2]!];
      if (transport) {
        this.received += 1;
        const { source, destination: to } = this.lastForeign;
        transport.packet(frame, TRANSPORT_AT, end, source, to, checksumGood);
        return;
      }
    }
    this.receiveSlowly(frame, end, isGroup, checksumGood);
  }

  /** RFC 8200 §4.5: the sender hears of it. The head and payload become a packet again. */
  reassemblyExpired(head: Uint8Array, payload: Uint8Array): void {
    const frame = new Uint8Array(head.length + payload.length);
    hot.copy(frame, 0, head, 0, head.length);
    hot.copy(frame, head.length, payload, 0, payload.length);
    this.errors.reassemblyTimeExceeded(frame, frame.length);
  }

  /** Folds the hot path's counter into the named ones. */
  snapshot(): Readonly<Record<string, number>> {
    this.counters.ipv6Received = this.received;
    return this.counters;
  }

  /** A source that is another host's one address; null when it isn't, or the packet is special. */
  private sourceOf(f: Int32Array): Ipv6Address | null {
    const last = this.lastSource;
    if (f[6] === last.w3 && f[5] === last.w2 && f[4] === last.w1 && f[3] === last.w0) return last;
    const source = this.to.of(f[3]!, f[4]!, f[5]!, f[6]!);
    if (!isIpv6HostAddress(source) || this.to.own(source) !== null) return null;
    this.lastSource = source;
    return source;
  }

  private receiveSlowly(
    frame: Uint8Array,
    end: number,
    isGroup: boolean,
    checksumGood: boolean,
  ): void {
    const f = this.fields;
    const next = f[2]!;
    const source = this.to.of(f[3]!, f[4]!, f[5]!, f[6]!);
    const destination = this.to.of(f[7]!, f[8]!, f[9]!, f[10]!);
    const isToGroup = isIpv6Multicast(destination);
    // Who asks whether an address is free has none, and speaks to groups (RFC 4862 §5.4.2).
    const isAsking = isIpv6Any(source) && isToGroup;
    if (!isAsking && !isIpv6HostAddress(source)) {
      this.counters.ipv6BadSource += 1;
      return;
    }
    if (this.to.own(source) !== null) {
      this.counters.ipv6SourceOurs += 1;
      return;
    }
    const to = isToGroup
      ? this.joined(destination)
      : (this.ownOf(destination, isGroup) ?? this.taken(frame, end, source, destination, isGroup));
    if (to === null) return;
    const cursor: Cursor = {
      frame,
      end,
      next,
      at: TRANSPORT_AT,
      nextAt: NEXT_HEADER_AT,
      headers: 0,
      isFragmented: false,
    };
    if (!this.readHeaders(cursor, source, to)) return;
    const isGood = checksumGood && !cursor.isFragmented;
    this.deliver(cursor, source, to, isToGroup, isGood);
  }

  /** A group that we are in; null, and counted, for others. */
  private joined(group: Ipv6Address): Ipv6Address | null {
    if (this.to.isMember(group)) return group;
    this.counters.ipv6NotJoined += 1;
    return null;
  }

  /** Our object for one of our addresses; null for others. */
  private ownOf(destination: Ipv6Address, isGroup: boolean): Ipv6Address | null {
    // One host's address in a frame for many stations is somebody's mistake.
    const own = isGroup || isIpv4Mapped(destination) ? null : this.to.own(destination);
    if (own !== null) this.lastDestination = own;
    return own;
  }

  /** Not ours: of a host that we stand in for, from a neighbour; else null, counted by reason. */
  private taken(
    frame: Uint8Array,
    end: number,
    source: Ipv6Address,
    destination: Ipv6Address,
    isGroup: boolean,
  ): Ipv6Address | null {
    if (isGroup || this.foreign?.takes(destination) !== true) {
      this.counters.ipv6NotOurs += 1;
      return null;
    }
    // Nobody else's answers would find their way back (RFC 4443 §3.1, beyond scope of source).
    if (!this.to.isOnLink(source)) {
      this.counters.ipv6ForeignSource += 1;
      return null;
    }
    if (frame[HOP_LIMIT_AT]! <= 1) {
      this.counters.ipv6ForeignHops += 1;
      this.errors.hopLimitExceeded(frame, end);
      return null;
    }
    this.lastForeign.set(source, destination);
    return destination;
  }

  /** Leaves `c` at the first header that isn't an extension; false when that was all. */
  private readHeaders(c: Cursor, source: Ipv6Address, destination: Ipv6Address): boolean {
    for (;;) {
      switch (c.next) {
        case HEADER_HOP_BY_HOP:
          // Only right after the IPv6 header (RFC 8200 §4.1).
          if (c.at !== TRANSPORT_AT) return this.unknownHeader(c);
          if (!this.readOptions(c, destination)) return false;
          break;
        case HEADER_DESTINATION:
          if (!this.readOptions(c, destination)) return false;
          break;
        case HEADER_ROUTING:
          if (!this.readRouting(c)) return false;
          break;
        case HEADER_FRAGMENT:
          if (!this.readFragment(c, source, destination)) return false;
          break;
        case HEADER_NONE:
          this.counters.ipv6NoNextHeader += 1;
          return false;
        default:
          return true;
      }
      c.headers += 1;
      const bytes = c.at - TRANSPORT_AT;
      if (c.headers > extensionHeadersMax || bytes > extensionBytesMax) {
        this.counters.ipv6TooManyHeaders += 1;
        return false;
      }
    }
  }

  /** The header at `c.at` is whole: moves behind it. */
  private skip(c: Cursor): Uint8Array | null {
    const header = c.frame.subarray(c.at, c.end);
    if (checkExtension(header) !== null) {
      this.counters.ipv6BadHeader += 1;
      return null;
    }
    c.nextAt = c.at;
    c.next = extensionNextHeader(header);
    c.at += extensionBytes(header);
    return header;
  }

  /** RFC 8200 §4.2: what is done about an option that isn't known stands in its first two bits. */
  private readOptions(c: Cursor, destination: Ipv6Address): boolean {
    const { at: from } = c;
    if (this.skip(c) === null) return false;
    let options = 0;
    for (let at = from + 2; at < c.at; ) {
      const type = c.frame[at]!;
      const bytes = type === OPTION_PAD1 ? 1 : 2 + (at + 1 < c.at ? c.frame[at + 1]! : c.at);
      options += 1;
      if (at + bytes > c.at || options > extensionOptionsMax) {
        this.counters.ipv6BadOption += 1;
        return false;
      }
      const isKnown = type === OPTION_PAD1 || type === OPTION_PADN || type === OPTION_ROUTER_ALERT;
      const action = isKnown ? 0 : type >> 6;
      if (action !== 0) {
        this.counters.ipv6BadOption += 1;
        const isTold = action === 2 || (action === 3 && !isIpv6Multicast(destination));
        if (isTold) this.problem(c, ICMPV6_CODE_OPTION, at);
        return false;
      }
      at += bytes;
    }
    return true;
  }

  /**
   * No type is known; type 0 is dead (RFC 5095 §3). Without segments left all are passed over (RFC
   * 8200 §4.4).
   */
  private readRouting(c: Cursor): boolean {
    const { at } = c;
    const header = this.skip(c);
    if (header === null) return false;
    if (routingSegmentsLeft(header) === 0) return true;
    this.counters.ipv6Routed += 1;
    this.problem(c, ICMPV6_CODE_FIELD, at + 2);
    return false;
  }

  /** True when the packet is whole now: it was alone (RFC 6946), or the last that lacked. */
  private readFragment(c: Cursor, source: Ipv6Address, destination: Ipv6Address): boolean {
    const header = c.frame.subarray(c.at, c.end);
    if (header.length < FRAGMENT_HEADER_BYTES) {
      this.counters.ipv6BadFragment += 1;
      return false;
    }
    const first = extensionNextHeader(header);
    const offset = fragmentOffset(header);
    const isMore = hasMoreFragments(header);
    const payload = header.subarray(FRAGMENT_HEADER_BYTES);
    const at = c.at;
    if (offset === 0 && !isMore) {
      c.nextAt = at;
      c.next = first;
      c.at = at + FRAGMENT_HEADER_BYTES;
      c.isFragmented = true;
      return true;
    }
    this.counters.ipv6Fragments += 1;
    if (!this.isFragmentGood(c, payload, first, offset, isMore)) return false;
    const head = c.frame.slice(0, at);
    head[c.nextAt] = first;
    const key = keyOf(source, destination, fragmentIdentification(header));
    const whole = this.reassembly.take({ key, at: offset, isMore, head, payload }, this);
    if (whole === null) return false;
    const bytes = whole.length - TRANSPORT_AT;
    if (bytes > IPV6_PAYLOAD_BYTES_MAX) {
      // Only with longer headers in the first fragment.
      this.counters.ipv6BadFragment += 1;
      return false;
    }
    writeU16be(whole, PAYLOAD_BYTES_AT, bytes);
    c.frame = whole;
    c.end = whole.length;
    // The headers are the first fragment's, which may differ from this one's: read from the start.
    c.next = whole[NEXT_HEADER_AT]!;
    c.at = TRANSPORT_AT;
    c.nextAt = NEXT_HEADER_AT;
    c.isFragmented = true;
    return true;
  }

  /** RFC 8200 §4.5, RFC 7112: else the sender is told what is wrong. */
  private isFragmentGood(
    c: Cursor,
    payload: Uint8Array,
    first: number,
    offset: number,
    isMore: boolean,
  ): boolean {
    let isGood = true;
    if (isMore && payload.length % 8 !== 0) {
      this.problem(c, ICMPV6_CODE_FIELD, PAYLOAD_BYTES_AT);
      isGood = false;
    } else if (offset + payload.length + c.at - TRANSPORT_AT > IPV6_PAYLOAD_BYTES_MAX) {
      this.problem(c, ICMPV6_CODE_FIELD, c.at + 2);
      isGood = false;
    } else if (offset === 0) {
      const upper = chainEnd(payload, first, 0);
      if (upper === null || upper.at + TRANSPORT_BYTES_MIN > payload.length) {
        this.problem(c, CODE_INCOMPLETE_CHAIN, ETHERNET_HEADER_BYTES);
        isGood = false;
      }
    }
    if (!isGood) this.counters.ipv6BadFragment += 1;
    return isGood;
  }

  private deliver(
    c: Cursor,
    source: Ipv6Address,
    destination: Ipv6Address,
    isToGroup: boolean,
    checksumGood: boolean,
  ): void {
    const { frame, at, end, next } = c;
    if (next === PROTOCOL_TCP && isToGroup) {
      this.counters.ipv6GroupForTcp += 1; // RFC 9293 §3.9.2.3.
      return;
    }
    const type = frame[at] ?? 0;
    if (c.isFragmented && next === PROTOCOL_ICMPV6 && (isNdpType(type) || isMldType(type))) {
      this.counters.ipv6FragmentedControl += 1; // RFC 6980 §5.
      return;
    }
    const transport = this.transports[next];
    if (!transport) {
      this.unknownHeader(c);
      return;
    }
    this.received += 1;
    transport.packet(frame, at, end, source, destination, checksumGood);
  }

  private unknownHeader(c: Cursor): false {
    this.counters.ipv6UnknownHeader += 1;
    this.problem(c, ICMPV6_CODE_NEXT_HEADER, c.nextAt);
    return false;
  }

  /** `at`: in the frame. */
  private problem(c: Cursor, code: number, at: number): void {
    this.errors.parameterProblem(c.frame, c.end, code, at - ETHERNET_HEADER_BYTES);
  }
}

const keyOf = (a: Ipv6Address, b: Ipv6Address, identification: number): string =>
  `${a.w0},${a.w1},${a.w2},${a.w3},${b.w0},${b.w1},${b.w2},${b.w3},${identification}`;
