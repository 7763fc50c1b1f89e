/**
 * ICMP (RFC 792, RFC 1122 §3.2.2): answers echo, tells senders that nobody listens, and passes
 * errors about our packets to their transport. Not here: redirects (ignored: a host on the link
 * could send them), sending echo.
 */

import { assert, hot, type Instant, since, type TimerQueue } from '#core';
import type { IcmpErrorInput, IcmpErrorKind } from '../icmp-error.ts';
import { type Ipv4Address, PROTOCOL_ICMP, type Route, type TransportInput } from '../ip.ts';
import type { InterfaceAddresses } from '../ipv4/interface-addresses.ts';
import type { Ipv4Output } from '../ipv4/ipv4-output.ts';
import { icmpErrorPayloadBytes, icmpErrorsBurst, icmpErrorsPerSecond } from '../limits.ts';
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';
import {
  checkIcmpv4,
  emitIcmpv4,
  ICMPV4_CODE_FRAGMENTATION_NEEDED,
  ICMPV4_CODE_PORT,
  ICMPV4_CODE_PROTOCOL,
  ICMPV4_ECHO_REPLY,
  ICMPV4_ECHO_REQUEST,
  ICMPV4_HEADER_BYTES,
  ICMPV4_PARAMETER_PROBLEM,
  ICMPV4_TIME_EXCEEDED,
  ICMPV4_UNREACHABLE,
  icmpv4Body,
  icmpv4Code,
  icmpv4Mtu,
  icmpv4Type,
} from '../wire/icmpv4.ts';
import {
  checkIpv4Header,
  IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_HEADER_BYTES,
  ipv4Destination,
  ipv4Fragment,
  ipv4HeaderBytes,
  ipv4Protocol,
  ipv4Source,
} from '../wire/ipv4.ts';

export class Icmpv4 implements TransportInput {
  readonly counters = {
    icmpMalformed: 0,
    icmpEchoAnswered: 0,
    icmpEchoIgnored: 0,
    icmpErrorsReceived: 0,
    icmpErrorsStray: 0,
    icmpErrorsSent: 0,
    icmpErrorsWithheld: 0,
    icmpIgnored: 0,
  };
  private readonly ip: Ipv4Output;
  private readonly addresses: InterfaceAddresses;
  private readonly timers: TimerQueue;
  private readonly errorInputs = new Map<number, IcmpErrorInput>();
  /** Token bucket of errors sent. */
  private tokens = icmpErrorsBurst;
  private tokensAt: Instant;

  constructor(ip: Ipv4Output, addresses: InterfaceAddresses, timers: TimerQueue) {
    this.ip = ip;
    this.addresses = addresses;
    this.timers = timers;
    this.tokensAt = timers.now;
  }

  registerErrors(protocol: number, input: IcmpErrorInput): void {
    assert(!this.errorInputs.has(protocol));
    this.errorInputs.set(protocol, input);
  }

  packet(
    frame: Uint8Array,
    at: number,
    end: number,
    source: Ipv4Address,
    destination: Ipv4Address,
  ): void {
    const message = frame.subarray(at, end);
    if (checkIcmpv4(message) !== null) {
      this.counters.icmpMalformed += 1;
      return;
    }
    switch (icmpv4Type(message)) {
      case ICMPV4_ECHO_REQUEST:
        this.answerEcho(message, source, destination);
        return;
      case ICMPV4_UNREACHABLE:
      case ICMPV4_TIME_EXCEEDED:
      case ICMPV4_PARAMETER_PROBLEM:
        this.passError(message);
        return;
      default:
        this.counters.icmpIgnored += 1;
    }
  }

  /**
   * Nobody listens on the UDP port that the packet at frame[at..end) is for. The caller knows it
   * was for us alone.
   */
  portUnreachable(frame: Uint8Array, at: number, end: number): void {
    this.sendUnreachable(ICMPV4_CODE_PORT, frame, at, end);
  }

  protocolUnreachable(frame: Uint8Array, at: number, end: number): void {
    this.sendUnreachable(ICMPV4_CODE_PROTOCOL, frame, at, end);
  }

  checkInvariants(): void {
    assert(this.tokens >= 0 && this.tokens <= icmpErrorsBurst);
  }

  /** RFC 1122 §3.2.2.6: the same data, from the address that was asked. */
  private answerEcho(message: Uint8Array, source: Ipv4Address, destination: Ipv4Address): void {
    // A broadcast echo may be dropped, and answering would multiply traffic.
    const route = this.addresses.isOurs(destination) ? this.ip.route(source, destination) : null;
    const frame = route === null ? null : this.fits(route, message.length);
    if (route === null || frame === null) {
      this.counters.icmpEchoIgnored += 1;
      return;
    }
    const at = route.transportAt;
    hot.copy(frame, at, message, 0, message.length);
    frame[at] = ICMPV4_ECHO_REPLY;
    frame[at + 1] = 0;
    frame[at + 2] = 0;
    frame[at + 3] = 0;
    const sum = 0xffff - hot.checksum(frame, at, message.length, 0);
    frame[at + 2] = sum >> 8;
    frame[at + 3] = sum;
    this.counters.icmpEchoAnswered += 1;
    this.ip.finish(route, PROTOCOL_ICMP, message.length, [], null);
  }

  /** Memory for a message, or null when it is too large for the way or the queue is full. */
  private fits(route: Route, messageBytes: number): Uint8Array | null {
    return IPV4_HEADER_BYTES + messageBytes > route.mtuBytes ? null : this.ip.begin();
  }

  private passError(message: Uint8Array): void {
    this.counters.icmpErrorsReceived += 1;
    const about = icmpv4Body(message);
    // The header's checksum was ours; a broken one shows that the error isn't about our packet.
    const isWhole =
      checkIpv4Header(about) === null &&
      about.length >= ipv4HeaderBytes(about) + icmpErrorPayloadBytes;
    const input = isWhole ? this.errorInputs.get(ipv4Protocol(about)) : undefined;
    if (input === undefined || !this.addresses.isOurs(ipv4Source(about))) {
      this.counters.icmpErrorsStray += 1;
      return;
    }
    const kind = errorKind(icmpv4Type(message), icmpv4Code(message));
    input.icmpError({
      kind,
      mtuBytes: kind === 'fragmentation needed' ? icmpv4Mtu(message) : 0,
      source: ipv4Source(about),
      destination: ipv4Destination(about),
      transport: about.subarray(ipv4HeaderBytes(about)),
    });
  }

  private sendUnreachable(code: number, frame: Uint8Array, at: number, end: number): void {
    const packet = frame.subarray(ETHERNET_HEADER_BYTES, end);
    const source = ipv4Source(packet);
    const destination = ipv4Destination(packet);
    // Never about groups, fragments after the first, or other errors (RFC 1122 §3.2.2); ICMP has a
    // handler.
    const isAllowed =
      this.addresses.isOurs(destination) &&
      (ipv4Fragment(packet) & IPV4_FRAGMENT_OFFSET_MASK) === 0 &&
      this.takeToken();
    const route = isAllowed ? this.ip.route(source, destination) : null;
    const quotedEnd = Math.min(end, at + icmpErrorPayloadBytes);
    const body = frame.subarray(ETHERNET_HEADER_BYTES, quotedEnd);
    const out = route === null ? null : this.fits(route, ICMPV4_HEADER_BYTES + body.length);
    if (route === null || out === null) {
      this.counters.icmpErrorsWithheld += 1;
      return;
    }
    const bytes = emitIcmpv4(out, route.transportAt, {
      type: ICMPV4_UNREACHABLE,
      code,
      word0: 0,
      word1: 0,
      body,
    });
    this.counters.icmpErrorsSent += 1;
    this.ip.finish(route, PROTOCOL_ICMP, bytes, [], null);
  }

  private takeToken(): boolean {
    const now = this.timers.now;
    const gained = (since(this.tokensAt, now) / 1_000_000) * icmpErrorsPerSecond;
    this.tokens = Math.min(icmpErrorsBurst, this.tokens + gained);
    this.tokensAt = now;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}

function errorKind(type: number, code: number): IcmpErrorKind {
  if (type === ICMPV4_TIME_EXCEEDED) return 'time exceeded';
  if (type === ICMPV4_PARAMETER_PROBLEM) return 'parameter problem';
  if (code === ICMPV4_CODE_PROTOCOL) return 'protocol unreachable';
  if (code === ICMPV4_CODE_PORT) return 'port unreachable';
  if (code === ICMPV4_CODE_FRAGMENTATION_NEEDED) return 'fragmentation needed';
  return 'unreachable';
}
