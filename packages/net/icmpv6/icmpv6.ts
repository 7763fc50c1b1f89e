/**
 * ICMP for IPv6 (RFC 4443): answers echo, tells senders what is wrong with their packets, and
 * passes errors about ours to their transport. Messages of neighbour discovery and multicast
 * listeners go to their own. Not here: sending echo.
 */

import { assert, hot, type TimerQueue, writeU16be } from '#core';
import type { ForeignAddresses, ForeignFault } from '../foreign.ts';
import type { IcmpErrorInput, IcmpErrorKind } from '../icmp-error.ts';
import type { Route, TransportInput } from '../ip.ts';
import { upperHeader } from '../ipv6/header-chain.ts';
import type { Ipv6Errors } from '../ipv6/ipv6-input.ts';
import type { Ipv6Output } from '../ipv6/ipv6-output.ts';
import { icmpv6ErrorsBurst, icmpv6ErrorsPerSecond } from '../ipv6/limits.ts';
import { type Ipv6Address, isIpv6HostAddress, isIpv6Multicast } from '../ipv6-address.ts';
import { TokenBucket } from '../token-bucket.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';
import {
  checkIcmpv6,
  emitIcmpv6,
  ICMPV6_CODE_ADDRESS,
  ICMPV6_CODE_NEXT_HEADER,
  ICMPV6_CODE_OPTION,
  ICMPV6_CODE_PORT,
  ICMPV6_CODE_PROHIBITED,
  ICMPV6_CODE_REASSEMBLY,
  ICMPV6_CODE_TRANSIT,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_HEADER_BYTES,
  ICMPV6_INFORMATION_MIN,
  ICMPV6_PACKET_TOO_BIG,
  ICMPV6_PARAMETER_PROBLEM,
  ICMPV6_TIME_EXCEEDED,
  ICMPV6_UNREACHABLE,
  icmpv6Body,
  icmpv6Code,
  icmpv6Type,
  icmpv6Word,
  PROTOCOL_ICMPV6,
} from '../wire/icmpv6.ts';
import {
  checkIpv6Header,
  IPV6_HEADER_BYTES,
  IPV6_MTU_BYTES_MIN,
  ipv6Destination,
  ipv6PayloadBytes,
  ipv6Source,
} from '../wire/ipv6.ts';
import { isMldType } from '../wire/mld.ts';
import { isNdpType, NDP_REDIRECT } from '../wire/ndp.ts';

/** RFC 4443 §2.4 (c): as much of the packet as fits the smallest link. */
const QUOTED_BYTES_MAX = IPV6_MTU_BYTES_MIN - IPV6_HEADER_BYTES - ICMPV6_HEADER_BYTES;
/** What transports need to know their packet by. */
const TRANSPORT_BYTES_MIN = 8;

const FOREIGN_CODES: Record<ForeignFault, number> = {
  port: ICMPV6_CODE_PORT,
  host: ICMPV6_CODE_ADDRESS,
  prohibited: ICMPV6_CODE_PROHIBITED,
};

/** A part of ICMPv6 with a protocol of its own. */
export interface Icmpv6Part {
  /** A message with a good checksum in frame[at..end), borrowed for this call. */
  receive(
    frame: Uint8Array,
    at: number,
    end: number,
    source: Ipv6Address,
    destination: Ipv6Address,
  ): void;
}

/** Whether an address is ours alone. */
export interface Ipv6Ours {
  isOurs(address: Ipv6Address): boolean;
}

export class Icmpv6 implements TransportInput, Ipv6Errors {
  readonly counters = {
    icmpv6Malformed: 0,
    icmpv6EchoAnswered: 0,
    icmpv6EchoIgnored: 0,
    icmpv6ErrorsReceived: 0,
    icmpv6ErrorsStray: 0,
    icmpv6ErrorsSent: 0,
    icmpv6ErrorsWithheld: 0,
    icmpv6Ignored: 0,
    /** For hosts that we stand in for, and that can't be asked from here. */
    icmpv6EchoProhibited: 0,
  };
  /** Null unless we stand in for others. */
  foreign: ForeignAddresses | null = null;
  private readonly ip: Ipv6Output;
  private readonly ours: Ipv6Ours;
  private readonly ndp: Icmpv6Part;
  private readonly mld: Icmpv6Part;
  private readonly budget: TokenBucket;
  private readonly errorInputs = new Map<number, IcmpErrorInput>();

  constructor(
    ip: Ipv6Output,
    ours: Ipv6Ours,
    ndp: Icmpv6Part,
    mld: Icmpv6Part,
    timers: TimerQueue,
  ) {
    this.ip = ip;
    this.ours = ours;
    this.ndp = ndp;
    this.mld = mld;
    this.budget = new TokenBucket(timers, icmpv6ErrorsBurst, icmpv6ErrorsPerSecond);
  }

  registerErrors(protocol: number, input: IcmpErrorInput): void {
    assert(!this.errorInputs.has(protocol));
    this.errorInputs.set(protocol, input);
  }

  packet(
    frame: Uint8Array,
    at: number,
    end: number,
    source: Ipv6Address,
    destination: Ipv6Address,
  ): void {
    const message = frame.subarray(at, end);
    const pseudoSum = pseudoHeaderSum(source, destination, PROTOCOL_ICMPV6, end - at);
    if (checkIcmpv6(message, pseudoSum) !== null) {
      this.counters.icmpv6Malformed += 1;
      return;
    }
    const type = icmpv6Type(message);
    if (type === ICMPV6_ECHO_REQUEST) {
      if (this.foreign?.takes(destination) === true && !this.foreign.answersEcho(destination)) {
        this.counters.icmpv6EchoProhibited += 1;
        this.foreignFault(frame, end, 'prohibited');
      } else this.answerEcho(message, source, destination);
    } else if (type >= ICMPV6_UNREACHABLE && type <= ICMPV6_PARAMETER_PROBLEM) {
      this.passError(message);
    } else if (isNdpType(type)) this.ndp.receive(frame, at, end, source, destination);
    else if (isMldType(type)) this.mld.receive(frame, at, end, source, destination);
    else this.counters.icmpv6Ignored += 1;
  }

  portUnreachable(frame: Uint8Array, end: number): void {
    this.sendError(ICMPV6_UNREACHABLE, ICMPV6_CODE_PORT, 0, frame, end);
  }

  parameterProblem(frame: Uint8Array, end: number, code: number, pointer: number): void {
    this.sendError(ICMPV6_PARAMETER_PROBLEM, code, pointer, frame, end);
  }

  reassemblyTimeExceeded(frame: Uint8Array, end: number): void {
    this.sendError(ICMPV6_TIME_EXCEEDED, ICMPV6_CODE_REASSEMBLY, 0, frame, end);
  }

  hopLimitExceeded(frame: Uint8Array, end: number): void {
    this.sendError(ICMPV6_TIME_EXCEEDED, ICMPV6_CODE_TRANSIT, 0, frame, end);
  }

  /** A packet for a host that we stand in for can't go there. */
  foreignFault(frame: Uint8Array, end: number, fault: ForeignFault): void {
    this.sendError(ICMPV6_UNREACHABLE, FOREIGN_CODES[fault], 0, frame, end);
  }

  /** About a packet that came to us for another host, and can't go on (RFC 4443 §3). */
  forwardingError(type: number, code: number, word: number, frame: Uint8Array, end: number): void {
    this.sendError(type, code, word, frame, end);
  }

  checkInvariants(): void {
    this.budget.checkInvariants();
  }

  /** RFC 4443 §4.2: the same data, from the address that was asked. */
  private answerEcho(message: Uint8Array, source: Ipv6Address, destination: Ipv6Address): void {
    // An echo to a group may be answered; it would multiply traffic.
    const route = this.isUnicast(destination) ? this.ip.route(source, destination) : null;
    if (route === null || !this.sendEcho(route, message)) this.counters.icmpv6EchoIgnored += 1;
    else this.counters.icmpv6EchoAnswered += 1;
  }

  /** Ours, or of one host that we stand in for. */
  private isUnicast(address: Ipv6Address): boolean {
    return this.ours.isOurs(address) || (this.foreign?.takes(address) ?? false);
  }

  private sendEcho(route: Route, message: Uint8Array): boolean {
    const count = message.length;
    if (IPV6_HEADER_BYTES + count > route.mtuBytes) {
      const reply = message.slice();
      makeReply(reply, 0, count, route);
      return this.ip.sendDatagram(route, PROTOCOL_ICMPV6, reply);
    }
    const frame = this.ip.begin();
    if (frame === null) return false;
    hot.copy(frame, route.transportAt, message, 0, count);
    makeReply(frame, route.transportAt, count, route);
    this.ip.finish(route, PROTOCOL_ICMPV6, count, [], null);
    return true;
  }

  private passError(message: Uint8Array): void {
    this.counters.icmpv6ErrorsReceived += 1;
    const about = icmpv6Body(message);
    const upper = checkIpv6Header(about) === null ? upperHeader(about) : null;
    const isWhole = upper !== null && about.length >= upper.at + TRANSPORT_BYTES_MIN;
    const input = isWhole ? this.errorInputs.get(upper.protocol) : undefined;
    const kind = errorKind(icmpv6Type(message), icmpv6Code(message));
    // Less than every link carries is taken for that (RFC 8201 §4, RFC 8021).
    const toldBytes = Math.max(icmpv6Word(message), IPV6_MTU_BYTES_MIN);
    const mtuBytes = kind === 'fragmentation needed' ? toldBytes : 0;
    const isPossible =
      input !== undefined &&
      this.isUnicast(ipv6Source(about)) &&
      mtuBytes < IPV6_HEADER_BYTES + ipv6PayloadBytes(about);
    if (!isPossible || upper === null) {
      this.counters.icmpv6ErrorsStray += 1;
      return;
    }
    const destination = ipv6Destination(about);
    const error = {
      kind,
      mtuBytes,
      source: ipv6Source(about),
      destination: this.ip.intern(destination),
      transport: about.subarray(upper.at),
    };
    const isBelieved = input.icmpError(error);
    if (isBelieved && kind === 'fragmentation needed') this.ip.lowerPathMtu(destination, mtuBytes);
  }

  /** An error about the packet that begins after the Ethernet header and ends at `end`. */
  private sendError(
    type: number,
    code: number,
    word: number,
    frame: Uint8Array,
    end: number,
  ): void {
    const packet = frame.subarray(ETHERNET_HEADER_BYTES, end);
    const source = ipv6Source(packet);
    const destination = ipv6Destination(packet);
    const isAllowed =
      isIpv6HostAddress(source) &&
      (!isIpv6Multicast(destination) || isForGroups(type, code)) &&
      !isAboutError(packet) &&
      this.budget.take();
    // Of what another host can't do, a router tells; of its ports, it itself (RFC 4443 §2.2).
    const isInName = type === ICMPV6_UNREACHABLE && code === ICMPV6_CODE_PORT;
    const isFrom = isInName ? this.isUnicast(destination) : this.ours.isOurs(destination);
    const from = isFrom ? destination : undefined;
    const route = isAllowed ? this.ip.route(source, from) : null;
    const out = route === null ? null : this.ip.begin();
    if (route === null || out === null) {
      this.counters.icmpv6ErrorsWithheld += 1;
      return;
    }
    const body = packet.subarray(0, QUOTED_BYTES_MAX);
    const pseudoSum = sumOf(route, ICMPV6_HEADER_BYTES + body.length);
    const repr = { type, code, word, body };
    const bytes = emitIcmpv6(out, route.transportAt, repr, pseudoSum);
    this.counters.icmpv6ErrorsSent += 1;
    this.ip.finish(route, PROTOCOL_ICMPV6, bytes, [], null);
  }
}

const sumOf = (route: Route, lengthBytes: number): number =>
  pseudoHeaderSum(route.source, route.destination, PROTOCOL_ICMPV6, lengthBytes);

function makeReply(b: Uint8Array, at: number, count: number, route: Route): void {
  b[at] = ICMPV6_ECHO_REPLY;
  b[at + 1] = 0;
  writeU16be(b, at + 2, 0);
  writeU16be(b, at + 2, 0xffff - hot.checksum(b, at, count, sumOf(route, count)));
}

/** RFC 4443 §2.4 (e.3): the two errors that may be about what was sent to a group. */
const isForGroups = (type: number, code: number): boolean =>
  type === ICMPV6_PACKET_TOO_BIG ||
  (type === ICMPV6_PARAMETER_PROBLEM && code === ICMPV6_CODE_OPTION);

/** RFC 4443 §2.4 (e.1), (e.2): no errors about errors and redirects, or what may be one. */
function isAboutError(packet: Uint8Array): boolean {
  const upper = upperHeader(packet);
  if (upper === null) return false;
  if (upper.protocol !== PROTOCOL_ICMPV6) return false;
  const type = packet[upper.at] ?? 0;
  return type < ICMPV6_INFORMATION_MIN || type === NDP_REDIRECT;
}

function errorKind(type: number, code: number): IcmpErrorKind {
  if (type === ICMPV6_PACKET_TOO_BIG) return 'fragmentation needed';
  if (type === ICMPV6_TIME_EXCEEDED) return 'time exceeded';
  if (type === ICMPV6_PARAMETER_PROBLEM) {
    return code === ICMPV6_CODE_NEXT_HEADER ? 'protocol unreachable' : 'parameter problem';
  }
  return code === ICMPV6_CODE_PORT ? 'port unreachable' : 'unreachable';
}
