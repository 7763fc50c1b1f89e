/**
 * ICMP (RFC 792, RFC 1122 §3.2.2): answers echo, tells senders what is wrong with their packets,
 * and passes errors about ours to their transport.
 *
 * Ignored, and counted: redirects (any host on the link could send them, and to believe one is to
 * give it our traffic. Deviates: RFC 1122 §3.2.2.2 asks hosts to follow them), timestamp requests
 * (which §3.2.2.8 leaves to us), mask requests (RFC 6918), source quench (RFC 6633). Not here:
 * sending echo.
 */

import { assert, hot, type Instant, since, type TimerQueue } from '#core';
import type { ForeignAddresses, ForeignFault } from '../foreign.ts';
import type { IcmpErrorInput, IcmpErrorKind } from '../icmp-error.ts';
import { type Ipv4Address, PROTOCOL_ICMP, type TransportInput } from '../ip.ts';
import { isHostAddress, isMulticast } from '../ip-address.ts';
import type { InterfaceAddresses } from '../ipv4/interface-addresses.ts';
import type { Ipv4Errors } from '../ipv4/ipv4-input.ts';
import type { Ipv4Output } from '../ipv4/ipv4-output.ts';
import {
  icmpErrorBytesMax,
  icmpErrorPayloadBytesMin,
  icmpErrorsBurst,
  icmpErrorsPerSecond,
} from '../limits.ts';
import { plateauBelow } from '../path-mtu.ts';
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';
import {
  checkIcmpv4,
  emitIcmpv4,
  ICMPV4_CODE_FRAGMENTATION_NEEDED,
  ICMPV4_CODE_HOST,
  ICMPV4_CODE_PORT,
  ICMPV4_CODE_PROHIBITED,
  ICMPV4_CODE_PROTOCOL,
  ICMPV4_CODE_REASSEMBLY,
  ICMPV4_CODE_TRANSIT,
  ICMPV4_ECHO_REPLY,
  ICMPV4_ECHO_REQUEST,
  ICMPV4_HEADER_BYTES,
  ICMPV4_PARAMETER_PROBLEM,
  ICMPV4_REDIRECT,
  ICMPV4_TIME_EXCEEDED,
  ICMPV4_UNREACHABLE,
  icmpv4Body,
  icmpv4Code,
  icmpv4Mtu,
  icmpv4Type,
  isIcmpv4Error,
} from '../wire/icmpv4.ts';
import {
  checkIpv4Header,
  IPV4_DONT_FRAGMENT_BIT,
  IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_HEADER_BYTES,
  ipv4Destination,
  ipv4Fragment,
  ipv4HeaderBytes,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalBytes,
} from '../wire/ipv4.ts';

const FOREIGN_CODES: Record<ForeignFault, number> = {
  port: ICMPV4_CODE_PORT,
  host: ICMPV4_CODE_HOST,
  prohibited: ICMPV4_CODE_PROHIBITED,
};

export class Icmpv4 implements TransportInput, Ipv4Errors {
  readonly counters = {
    icmpMalformed: 0,
    icmpEchoAnswered: 0,
    icmpEchoIgnored: 0,
    icmpErrorsReceived: 0,
    icmpErrorsStray: 0,
    icmpErrorsSent: 0,
    icmpErrorsWithheld: 0,
    /** For hosts that we stand in for, and that can't be asked from here. */
    icmpEchoProhibited: 0,
    icmpRedirects: 0,
    icmpIgnored: 0,
  };
  /** Null unless we stand in for others. */
  foreign: ForeignAddresses | null = null;
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
        if (this.foreign !== null && !this.addresses.isOurs(destination)) {
          this.foreignEcho(this.foreign, frame, at, end);
        } else this.answerEcho(message, source, destination);
        return;
      case ICMPV4_UNREACHABLE:
      case ICMPV4_TIME_EXCEEDED:
      case ICMPV4_PARAMETER_PROBLEM:
        this.passError(message);
        return;
      case ICMPV4_REDIRECT:
        this.counters.icmpRedirects += 1;
        return;
      default:
        this.counters.icmpIgnored += 1;
    }
  }

  /**
   * Nobody listens on the UDP port that the packet at frame[at..end) is for. The caller knows it
   * was for us alone.
   */
  portUnreachable(frame: Uint8Array, _at: number, end: number): void {
    this.sendError(ICMPV4_UNREACHABLE, ICMPV4_CODE_PORT, 0, frame, end);
  }

  protocolUnreachable(frame: Uint8Array, _at: number, end: number): void {
    this.sendError(ICMPV4_UNREACHABLE, ICMPV4_CODE_PROTOCOL, 0, frame, end);
  }

  parameterProblem(frame: Uint8Array, _at: number, end: number, pointer: number): void {
    this.sendError(ICMPV4_PARAMETER_PROBLEM, 0, pointer << 8, frame, end);
  }

  reassemblyTimeExceeded(frame: Uint8Array, _at: number, end: number): void {
    this.sendError(ICMPV4_TIME_EXCEEDED, ICMPV4_CODE_REASSEMBLY, 0, frame, end);
  }

  timeExceeded(frame: Uint8Array, end: number): void {
    this.sendError(ICMPV4_TIME_EXCEEDED, ICMPV4_CODE_TRANSIT, 0, frame, end);
  }

  /** A packet for a host that we stand in for can't go there. */
  foreignFault(frame: Uint8Array, end: number, fault: ForeignFault): void {
    this.sendError(ICMPV4_UNREACHABLE, FOREIGN_CODES[fault], 0, frame, end);
  }

  /**
   * About a packet that came to us for another host, and can't go on (RFC 1812 §4.3.2.7). `word`:
   * what follows the checksum, as the next hop's MTU where the packet is too large.
   */
  forwardingError(type: number, code: number, word: number, frame: Uint8Array, end: number): void {
    const packet = frame.subarray(ETHERNET_HEADER_BYTES, end);
    const isTold = this.isAboutForwarded(packet);
    if (isTold) this.send(type, code, (word >> 16) & 0xffff, word & 0xffff, packet);
    else this.counters.icmpErrorsWithheld += 1;
  }

  /** Our own packet found no neighbour: its transport hears what a router would have said. */
  unresolved(frame: Uint8Array): void {
    const about = frame.subarray(ETHERNET_HEADER_BYTES);
    const isFirst = (ipv4Fragment(about) & IPV4_FRAGMENT_OFFSET_MASK) === 0;
    const transport = about.subarray(ipv4HeaderBytes(about));
    if (!isFirst || transport.length < icmpErrorPayloadBytesMin) return;
    const [source, destination] = [ipv4Source(about), ipv4Destination(about)];
    const input = this.errorInputs.get(ipv4Protocol(about));
    input?.icmpError({ kind: 'unreachable', mtuBytes: 0, source, destination, transport });
  }

  checkInvariants(): void {
    assert(this.tokens >= 0 && this.tokens <= icmpErrorsBurst);
  }

  /** RFC 1122 §3.2.2.6: the same data, however long, from the address that was asked. */
  private answerEcho(message: Uint8Array, source: Ipv4Address, destination: Ipv4Address): void {
    // A broadcast echo may be dropped, and answering would multiply traffic.
    const route = this.isUnicast(destination) ? this.ip.route(source, destination) : null;
    if (route === null) {
      this.counters.icmpEchoIgnored += 1;
      return;
    }
    if (IPV4_HEADER_BYTES + message.length > route.mtuBytes) {
      const reply = message.slice();
      this.makeReply(reply, 0, reply.length);
      if (this.ip.sendDatagram(route, PROTOCOL_ICMP, reply)) this.counters.icmpEchoAnswered += 1;
      else this.counters.icmpEchoIgnored += 1;
      return;
    }
    const frame = this.ip.begin();
    if (frame === null) {
      this.counters.icmpEchoIgnored += 1;
      return;
    }
    hot.copy(frame, route.transportAt, message, 0, message.length);
    this.makeReply(frame, route.transportAt, message.length);
    this.counters.icmpEchoAnswered += 1;
    this.ip.finish(route, PROTOCOL_ICMP, message.length, [], null);
  }

  private foreignEcho(foreign: ForeignAddresses, frame: Uint8Array, at: number, end: number): void {
    const packet = frame.subarray(ETHERNET_HEADER_BYTES, end);
    const destination = ipv4Destination(packet);
    if (!this.isUnicast(destination)) this.counters.icmpEchoIgnored += 1;
    else if (foreign.answersEcho(destination)) {
      this.answerEcho(frame.subarray(at, end), ipv4Source(packet), destination);
    } else {
      this.counters.icmpEchoProhibited += 1;
      this.foreignFault(frame, end, 'prohibited');
    }
  }

  /** Ours, or of one host that we stand in for. */
  private isUnicast(address: Ipv4Address): boolean {
    if (this.addresses.isOurs(address)) return true;
    return this.foreign?.takes(address) ?? false;
  }

  private makeReply(b: Uint8Array, at: number, count: number): void {
    b[at] = ICMPV4_ECHO_REPLY;
    b[at + 1] = 0;
    b[at + 2] = 0;
    b[at + 3] = 0;
    const sum = 0xffff - hot.checksum(b, at, count, 0);
    b[at + 2] = sum >> 8;
    b[at + 3] = sum;
  }

  private passError(message: Uint8Array): void {
    this.counters.icmpErrorsReceived += 1;
    const about = icmpv4Body(message);
    // The header's checksum was ours; a broken one shows that the error isn't about our packet.
    const isWhole =
      checkIpv4Header(about) === null &&
      about.length >= ipv4HeaderBytes(about) + icmpErrorPayloadBytesMin;
    const input = isWhole ? this.errorInputs.get(ipv4Protocol(about)) : undefined;
    const kind = errorKind(icmpv4Type(message), icmpv4Code(message));
    const mtuBytes = kind === 'fragmentation needed' ? reportedMtu(message, about) : 0;
    if (input === undefined || !this.isUnicast(ipv4Source(about)) || mtuBytes === null) {
      this.counters.icmpErrorsStray += 1;
      return;
    }
    const destination = ipv4Destination(about);
    const isBelieved = input.icmpError({
      kind,
      mtuBytes,
      source: ipv4Source(about),
      destination,
      transport: about.subarray(ipv4HeaderBytes(about)),
    });
    if (isBelieved && kind === 'fragmentation needed') this.ip.lowerPathMtu(destination, mtuBytes);
  }

  /** An error about the packet that begins after the Ethernet header and ends at `end`. */
  private sendError(
    type: number,
    code: number,
    word0: number,
    frame: Uint8Array,
    end: number,
  ): void {
    const packet = frame.subarray(ETHERNET_HEADER_BYTES, end);
    const destination = ipv4Destination(packet);
    // Of what another host can't do, a router tells (RFC 1812 §4.3.2.4); of its ports, it itself.
    const isInName = type === ICMPV4_UNREACHABLE && code === ICMPV4_CODE_PORT;
    const from = isInName || this.addresses.isOurs(destination) ? destination : undefined;
    if (this.isAboutPlain(packet)) this.send(type, code, word0, 0, packet, from);
    else this.counters.icmpErrorsWithheld += 1;
  }

  /** To the packet's source; `from`: one of our addresses, the one that suits unless given. */
  private send(
    type: number,
    code: number,
    word0: number,
    word1: number,
    packet: Uint8Array,
    from?: Ipv4Address,
  ): void {
    const route = this.takeToken() ? this.ip.route(ipv4Source(packet), from) : null;
    const out = route === null ? null : this.ip.begin();
    if (route === null || out === null) {
      this.counters.icmpErrorsWithheld += 1;
      return;
    }
    const bytesMax = Math.min(icmpErrorBytesMax, route.mtuBytes);
    const body = packet.subarray(0, bytesMax - IPV4_HEADER_BYTES - ICMPV4_HEADER_BYTES);
    const bytes = emitIcmpv4(out, route.transportAt, { type, code, word0, word1, body });
    this.counters.icmpErrorsSent += 1;
    this.ip.finish(route, PROTOCOL_ICMP, bytes, [], null);
  }

  /**
   * Never about what was for many, fragments after the first, or other errors (RFC 1122 §3.2.2):
   * of ICMP, only about echo requests.
   */
  private isAboutPlain(packet: Uint8Array): boolean {
    if (!this.isUnicast(ipv4Destination(packet))) return false;
    if ((ipv4Fragment(packet) & IPV4_FRAGMENT_OFFSET_MASK) !== 0) return false;
    if (ipv4Protocol(packet) !== PROTOCOL_ICMP) return true;
    return packet[ipv4HeaderBytes(packet)] === ICMPV4_ECHO_REQUEST;
  }

  /**
   * The same for what isn't ours: from one host, not to many, not about other errors (RFC 1812
   * §4.3.2.7).
   */
  private isAboutForwarded(packet: Uint8Array): boolean {
    const source = ipv4Source(packet);
    if (!isHostAddress(source) || this.addresses.isBroadcast(source)) return false;
    if (isMulticast(ipv4Destination(packet))) return false;
    if ((ipv4Fragment(packet) & IPV4_FRAGMENT_OFFSET_MASK) !== 0) return false;
    if (ipv4Protocol(packet) !== PROTOCOL_ICMP) return true;
    return !isIcmpv4Error(packet[ipv4HeaderBytes(packet)] ?? ICMPV4_REDIRECT);
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

/**
 * The MTU that an error claims about our packet, or our guess (RFC 1191 §5) where a router doesn't
 * say; null when it can't be: the packet was no larger, or might have been cut in fragments.
 */
function reportedMtu(message: Uint8Array, about: Uint8Array): number | null {
  if (checkIpv4Header(about) !== null) return null;
  const packetBytes = ipv4TotalBytes(about);
  const mtuBytes = icmpv4Mtu(message) === 0 ? plateauBelow(packetBytes) : icmpv4Mtu(message);
  const isPossible = mtuBytes < packetBytes && (ipv4Fragment(about) & IPV4_DONT_FRAGMENT_BIT) !== 0;
  return isPossible ? mtuBytes : null;
}

function errorKind(type: number, code: number): IcmpErrorKind {
  if (type === ICMPV4_TIME_EXCEEDED) return 'time exceeded';
  if (type === ICMPV4_PARAMETER_PROBLEM) return 'parameter problem';
  if (code === ICMPV4_CODE_PROTOCOL) return 'protocol unreachable';
  if (code === ICMPV4_CODE_PORT) return 'port unreachable';
  if (code === ICMPV4_CODE_FRAGMENTATION_NEEDED) return 'fragmentation needed';
  return 'unreachable';
}
