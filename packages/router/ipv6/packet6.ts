// tidy: int32
/**
 * One IPv6 packet on its way through, read once; forwarding changes nothing of it but the hop
 * limit. One object serves all packets of a router.
 */

import { hot, readU16be, readU32be } from '#core';
import type { ChecksumRequest, NetDevice } from '#device';
import { Ipv6Address, PROTOCOL_TCP, PROTOCOL_UDP } from '#net';
import {
  checkExtension,
  ETHERNET_HEADER_BYTES,
  extensionBytes,
  extensionNextHeader,
  FRAGMENT_HEADER_BYTES,
  fragmentIdentification,
  fragmentOffset,
  HEADER_DESTINATION,
  HEADER_FRAGMENT,
  HEADER_HOP_BY_HOP,
  HEADER_ROUTING,
  hasMoreFragments,
  IPV6_HEADER_BYTES,
  PROTOCOL_ICMPV6,
  routingSegmentsLeft,
  TCP_HEADER_BYTES,
} from '#net/wire';
import { extensionsMax } from '../limits.ts';

/** Version, class and flow; payload bytes; next header; hop limit; both addresses. */
const LAYOUT = 'whbbwwwwwwww';
const IP_AT = ETHERNET_HEADER_BYTES;
const HOP_LIMIT_AT = IP_AT + 7;
const PLAIN_AT = IP_AT + IPV6_HEADER_BYTES;
const TRANSPORT_BYTES_MIN = 8;
const TCP_SUM_AT = 16;
const UDP_SUM_AT = 6;
/** Equal to no address. */
const NOBODY = new Ipv6Address(Number.NaN, 0, 0, 0);

export type Read6Result = 'ok' | 'malformed' | 'short transport' | 'bad offload' | 'source routed';

/** Makes equal addresses mostly one object (Ipv6Forwarding.ways). */
export interface Addresses {
  of(w0: number, w1: number, w2: number, w3: number): Ipv6Address;
}

export class Packet6 {
  readonly mayFragment = false;
  frame!: Uint8Array;
  at = PLAIN_AT;
  end = 0;
  request: ChecksumRequest | null = null;
  source = NOBODY;
  destination = NOBODY;
  hopLimit = 0;
  protocol = 0;
  /** Both ports of TCP and UDP, or type, code and identifier's place of ICMPv6; else 0. */
  sourcePort = 0;
  destinationPort = 0;
  /** Of TCP. */
  flags = 0;
  /** Of ICMPv6. */
  type = 0;
  isFragment = false;
  /** Not the first fragment: there is no transport header. */
  isLaterFragment = false;
  identification = 0;
  private readonly addresses: Addresses;
  private readonly v = new Int32Array(12);
  private readonly ownRequest = { startAt: 0, fieldAt: 0, segmentBytes: 0, headerBytes: 0 };

  constructor(addresses: Addresses) {
    this.addresses = addresses;
  }

  /** Borrows `frame`, of `device`, until the next packet is read. */
  read(frame: Uint8Array, checksumGood: boolean, device: NetDevice): Read6Result {
    this.frame = frame;
    this.request = null;
    if (frame.length < PLAIN_AT) return 'malformed';
    const { v } = this;
    hot.unpack(LAYOUT, frame, IP_AT, v);
    const end = v[1]! + PLAIN_AT;
    if (v[0]! >> 28 !== 6 || end > frame.length) return 'malformed';
    this.end = end;
    this.hopLimit = v[3]!;
    this.readAddresses();
    this.at = PLAIN_AT;
    this.isFragment = false;
    this.isLaterFragment = false;
    this.protocol = v[2]!;
    const isPlain = v[2] === PROTOCOL_TCP || v[2] === PROTOCOL_UDP || v[2] === PROTOCOL_ICMPV6;
    if (!isPlain) {
      const result = this.readChain();
      if (result !== 'ok') return result;
    }
    const result = this.readTransport();
    if (result !== 'ok' || !checksumGood) return result;
    const request = device.receivedRequest?.() ?? null;
    return request === null || this.takeRequest(request) ? 'ok' : 'bad offload';
  }

  /** One hop less. */
  write(to: Uint8Array): void {
    to[HOP_LIMIT_AT] = this.hopLimit - 1;
  }

  private readAddresses(): void {
    const { v, source, destination } = this;
    if (v[7] !== source.w3 || v[6] !== source.w2 || v[5] !== source.w1 || v[4] !== source.w0) {
      this.source = this.addresses.of(v[4]!, v[5]!, v[6]!, v[7]!);
    }
    if (
      v[11] !== destination.w3 ||
      v[10] !== destination.w2 ||
      v[9] !== destination.w1 ||
      v[8] !== destination.w0
    ) {
      this.destination = this.addresses.of(v[8]!, v[9]!, v[10]!, v[11]!);
    }
  }

  /** Extension headers, to the transport's or the data of a later fragment. */
  private readChain(): Read6Result {
    const { frame, end } = this;
    for (let count = 0; count <= extensionsMax; count++) {
      const header = frame.subarray(this.at, end);
      switch (this.protocol) {
        case HEADER_HOP_BY_HOP:
        case HEADER_DESTINATION:
        case HEADER_ROUTING:
          if (checkExtension(header) !== null) return 'malformed';
          // RFC 5095: of the old type, and of any that isn't done with its way, nothing good comes.
          if (this.protocol === HEADER_ROUTING && routingSegmentsLeft(header) !== 0) {
            return 'source routed';
          }
          this.at += extensionBytes(header);
          break;
        case HEADER_FRAGMENT: {
          if (header.length < FRAGMENT_HEADER_BYTES) return 'malformed';
          const offset = fragmentOffset(header);
          this.isFragment = offset !== 0 || hasMoreFragments(header);
          this.isLaterFragment = offset !== 0;
          this.identification = fragmentIdentification(header);
          this.at += FRAGMENT_HEADER_BYTES;
          break;
        }
        default:
          return 'ok';
      }
      this.protocol = extensionNextHeader(header);
      if (this.isLaterFragment) return 'ok';
    }
    return 'malformed';
  }

  private readTransport(): Read6Result {
    this.sourcePort = 0;
    this.destinationPort = 0;
    if (this.isLaterFragment) return 'ok';
    const { frame, at, end, protocol } = this;
    const bytes = end - at;
    if (protocol === PROTOCOL_TCP) {
      if (bytes < TCP_HEADER_BYTES) return 'short transport';
      this.flags = frame[at + 13]!;
    } else if (protocol === PROTOCOL_ICMPV6) {
      if (bytes < TRANSPORT_BYTES_MIN) return 'short transport';
      this.type = frame[at]!;
      return 'ok';
    } else if (protocol !== PROTOCOL_UDP) return 'ok';
    else if (bytes < TRANSPORT_BYTES_MIN) return 'short transport';
    const ports = readU32be(frame, at);
    this.sourcePort = ports >>> 16;
    this.destinationPort = ports & 0xffff;
    return 'ok';
  }

  /** As Packet's. */
  private takeRequest(request: Readonly<ChecksumRequest>): boolean {
    const { ownRequest: own, at, frame, protocol, end } = this;
    const isTcp = protocol === PROTOCOL_TCP;
    if ((!isTcp && protocol !== PROTOCOL_UDP) || this.isFragment) return false;
    const headerEnd = isTcp ? at + (frame[at + 12]! >> 4) * 4 : at + TRANSPORT_BYTES_MIN;
    const { startAt, segmentBytes } = request;
    const isWhole = isTcp && headerEnd >= at + TCP_HEADER_BYTES && headerEnd <= end;
    if (segmentBytes !== 0 && (!isWhole || at !== PLAIN_AT)) return false;
    own.startAt = at;
    own.fieldAt = isTcp ? TCP_SUM_AT : UDP_SUM_AT;
    own.segmentBytes = segmentBytes;
    own.headerBytes = headerEnd;
    // A sum that is there already can't be made partial again here: such frames aren't expected.
    if (startAt !== at || request.fieldAt !== own.fieldAt) return false;
    this.request = own;
    return true;
  }
}

/** The identifier of an echo message at `at`. */
export const echoIdentifier = (frame: Uint8Array, at: number): number => readU16be(frame, at + 4);
