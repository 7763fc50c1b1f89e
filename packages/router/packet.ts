// tidy: int32
/**
 * One IPv4 packet on its way through, read once: the header fields that forwarding and translation
 * change stand in `v`, and go into the copy that leaves with one native call. The frame itself
 * isn't touched, so that errors can quote it. One object serves all packets of a router.
 */

import { hot } from '#core';
import type { ChecksumRequest, NetDevice } from '#device';
import { type Ipv4Address, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '#net';
import {
  checkIpv4,
  ETHERNET_HEADER_BYTES,
  IPV4_BYTES_MAX,
  IPV4_DONT_FRAGMENT_BIT,
  IPV4_FRAGMENT_OFFSET_MASK,
  IPV4_HEADER_BYTES,
  IPV4_MORE_FRAGMENTS_BIT,
  ipv4Fragment,
  ipv4HeaderBytes,
  ipv4TotalBytes,
  pseudoHeaderSum,
  TCP_HEADER_BYTES,
  UDP_HEADER_BYTES,
} from '#net/wire';

/** Where `Packet.v` has what. Single constants: the bundler puts them where they are used. */
export const TTL = 0;
export const PROTOCOL = 1;
const HEADER_SUM = 2;
export const SOURCE = 3;
export const DESTINATION = 4;
/** Both ports of TCP and UDP in one word; type and code of ICMP. */
export const PORTS = 5;
export const TCP_SEQ = 6;
export const TCP_ACKED = 7;
export const TCP_FLAGS = 8;
const TCP_SUM = 10;
const UDP_SUM = 7;
const ICMP_SUM = 6;
export const ICMP_IDENTIFIER = 7;

/** Offsets in the transport header. */
const TCP_SUM_AT = 16;
const UDP_SUM_AT = 6;

/** Where the fields begin, in the frame: the time to live. */
const FIELDS_AT = ETHERNET_HEADER_BYTES + 8;
const PLAIN_AT = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;
const IP_LAYOUT = 'bbhww';
const TCP_LAYOUT = 'wwwhhh';
const UDP_LAYOUT = 'whh';
const ICMP_LAYOUT = 'hhh';
const PLAIN_TCP = IP_LAYOUT + TCP_LAYOUT;
const PLAIN_UDP = IP_LAYOUT + UDP_LAYOUT;
const PLAIN_ICMP = IP_LAYOUT + ICMP_LAYOUT;
/** Bytes of the transport header that its layout reads. */
const TCP_BYTES = TCP_HEADER_BYTES;
const ICMP_BYTES = 8;
const FRAGMENT_MASK = IPV4_MORE_FRAGMENTS_BIT | IPV4_FRAGMENT_OFFSET_MASK;
/** One hop less in ones' complement: the high byte of the word is the time to live. */
const HOP_DELTA = 0xfeff;

export type ReadResult = 'ok' | 'malformed' | 'bad checksum' | 'short transport' | 'bad offload';

export class Packet {
  readonly v = new Int32Array(11);
  frame!: Uint8Array;
  /** Where the transport header begins, and the packet ends: padding of Ethernet may follow. */
  at = PLAIN_AT;
  end = 0;
  /** What the device left to do, as the next one is to be asked for it. */
  request: ChecksumRequest | null = null;
  private readonly ownRequest = { startAt: 0, fieldAt: 0, segmentBytes: 0, headerBytes: 0 };
  /** Flags and offset. */
  fragment = 0;
  /** TCP, UDP or ICMP, whole and without options: what nearly all packets are. */
  isPlain = false;
  /** Index in `v` of the transport's checksum; 0: none was read. */
  private sumIndex = 0;
  private layout = IP_LAYOUT;

  /** What comes after the first fragment: it has no transport header. */
  get isLaterFragment(): boolean {
    return (this.fragment & IPV4_FRAGMENT_OFFSET_MASK) !== 0;
  }

  get isFragment(): boolean {
    return (this.fragment & FRAGMENT_MASK) !== 0;
  }

  get mayFragment(): boolean {
    return (this.fragment & IPV4_DONT_FRAGMENT_BIT) === 0;
  }

  get hasTransport(): boolean {
    return this.sumIndex !== 0;
  }

  get source(): Ipv4Address {
    return this.v[SOURCE] as Ipv4Address;
  }

  get destination(): Ipv4Address {
    return this.v[DESTINATION] as Ipv4Address;
  }

  /**
   * Reads a frame of `device`, which came with `fields` (EthernetLink's): borrowed until the next
   * packet is read.
   */
  read(
    frame: Uint8Array,
    fields: Int32Array,
    checksumGood: boolean,
    device: NetDevice,
  ): ReadResult {
    this.frame = frame;
    this.request = null;
    this.isPlain = false;
    const result = this.readFields(frame, fields);
    if (!checksumGood || result !== 'ok') return result;
    const request = device.receivedRequest?.() ?? null;
    return request === null || this.takeRequest(request) ? 'ok' : 'bad offload';
  }

  private readFields(frame: Uint8Array, fields: Int32Array): ReadResult {
    const totalBytes = fields[4]!;
    this.end = totalBytes + ETHERNET_HEADER_BYTES;
    const fragment = fields[5]!;
    this.fragment = fragment;
    if (
      fields[3] !== 0x45 ||
      (fragment & FRAGMENT_MASK) !== 0 ||
      totalBytes < IPV4_HEADER_BYTES ||
      this.end > frame.length
    ) {
      return this.readSlowly(frame);
    }
    if (hot.checksum(frame, ETHERNET_HEADER_BYTES, IPV4_HEADER_BYTES, 0) !== 0xffff) {
      return 'bad checksum';
    }
    this.at = PLAIN_AT;
    const protocol = fields[6]!;
    const bytes = totalBytes - IPV4_HEADER_BYTES;
    if (protocol === PROTOCOL_TCP) {
      if (bytes < TCP_BYTES) return 'short transport';
      this.layout = PLAIN_TCP;
      this.sumIndex = TCP_SUM;
    } else if (protocol === PROTOCOL_UDP) {
      if (bytes < UDP_HEADER_BYTES) return 'short transport';
      this.layout = PLAIN_UDP;
      this.sumIndex = UDP_SUM;
    } else if (protocol === PROTOCOL_ICMP) {
      if (bytes < ICMP_BYTES) return 'short transport';
      this.layout = PLAIN_ICMP;
      this.sumIndex = ICMP_SUM;
    } else {
      this.layout = IP_LAYOUT;
      this.sumIndex = 0;
    }
    this.isPlain = this.sumIndex !== 0;
    hot.unpack(this.layout, frame, FIELDS_AT, this.v);
    return 'ok';
  }

  /** With options, or a fragment. */
  private readSlowly(frame: Uint8Array): ReadResult {
    const b = frame.subarray(ETHERNET_HEADER_BYTES);
    const fault = checkIpv4(b);
    if (fault !== null) return fault.kind === 'checksum' ? 'bad checksum' : 'malformed';
    const headerBytes = ipv4HeaderBytes(b);
    this.at = ETHERNET_HEADER_BYTES + headerBytes;
    this.end = ETHERNET_HEADER_BYTES + ipv4TotalBytes(b);
    this.fragment = ipv4Fragment(b);
    const offset = (this.fragment & IPV4_FRAGMENT_OFFSET_MASK) * 8;
    if (offset + ipv4TotalBytes(b) > IPV4_BYTES_MAX) return 'malformed';
    this.layout = IP_LAYOUT;
    this.sumIndex = 0;
    const protocol = b[9]!;
    if (!this.isLaterFragment) {
      const options = 'x'.repeat(headerBytes - IPV4_HEADER_BYTES);
      const [layout, bytes, sumIndex] = transportOf(protocol);
      if (this.end - this.at < bytes) return 'short transport';
      if (sumIndex !== 0) this.layout = IP_LAYOUT + options + layout;
      this.sumIndex = sumIndex;
    }
    hot.unpack(this.layout, frame, FIELDS_AT, this.v);
    return 'ok';
  }

  /** False when we can't do what is left to do. */
  private takeRequest(request: Readonly<ChecksumRequest>): boolean {
    const { v, ownRequest: own, at, sumIndex } = this;
    const { startAt, segmentBytes } = request;
    const isTcp = sumIndex === TCP_SUM;
    if (segmentBytes !== 0 && (!isTcp || !this.isHeaderWhole)) return false;
    own.startAt = at;
    own.fieldAt = isTcp ? TCP_SUM_AT : UDP_SUM_AT;
    own.segmentBytes = segmentBytes;
    own.headerBytes = isTcp ? this.headerEnd : 0;
    if (startAt === 0) {
      // Summed already, but for the segments that it will be cut into.
      v[TCP_SUM] = pseudoHeaderSum(this.source, this.destination, PROTOCOL_TCP, this.end - at);
    } else if (startAt !== at || request.fieldAt !== own.fieldAt || sumIndex === ICMP_SUM) {
      return false;
    }
    this.request = own;
    return sumIndex !== 0;
  }

  /** Of TCP: its data begin after the header, and in the packet. */
  private get isHeaderWhole(): boolean {
    return this.headerEnd >= this.at + TCP_HEADER_BYTES && this.headerEnd <= this.end;
  }

  /** Where the payload of TCP begins; of others, a header of 8 bytes ends. */
  get headerEnd(): number {
    if (this.v[PROTOCOL] !== PROTOCOL_TCP) return this.at + UDP_HEADER_BYTES;
    return this.at + ((this.v[TCP_FLAGS]! >> 12) & 15) * 4;
  }

  /** One hop less. */
  age(): void {
    const { v } = this;
    v[TTL]! -= 1;
    const sum = 0xffff - v[HEADER_SUM]! + HOP_DELTA;
    v[HEADER_SUM] = 0xffff - ((sum & 0xffff) + (sum >> 16));
  }

  /**
   * Another source: its address, and its port (TCP's, UDP's) or identifier (ICMP's). The deltas are
   * what that changes in sums: of the addresses, and of addresses and ports.
   */
  setSource(address: number, port: number, addressDelta: number, delta: number): void {
    const { v } = this;
    v[SOURCE] = address;
    const sum = 0xffff - v[HEADER_SUM]! + addressDelta;
    v[HEADER_SUM] = 0xffff - ((sum & 0xffff) + (sum >> 16));
    if (v[PROTOCOL] === PROTOCOL_ICMP) v[ICMP_IDENTIFIER] = port;
    else v[PORTS] = (port << 16) | (v[PORTS]! & 0xffff);
    this.adjustTransport(addressDelta, delta);
  }

  setDestination(address: number, port: number, addressDelta: number, delta: number): void {
    const { v } = this;
    v[DESTINATION] = address;
    const sum = 0xffff - v[HEADER_SUM]! + addressDelta;
    v[HEADER_SUM] = 0xffff - ((sum & 0xffff) + (sum >> 16));
    if (v[PROTOCOL] === PROTOCOL_ICMP) v[ICMP_IDENTIFIER] = port;
    else v[PORTS] = (v[PORTS]! & -0x10000) | port;
    this.adjustTransport(addressDelta, delta);
  }

  /** Of a fragment that isn't the first. */
  setAddresses(source: number, destination: number, addressDelta: number): void {
    const { v } = this;
    v[SOURCE] = source;
    v[DESTINATION] = destination;
    v[HEADER_SUM] = adjusted(v[HEADER_SUM]!, addressDelta);
  }

  /** Some bytes of the transport changed by `delta`. */
  adjustPayload(delta: number): void {
    if (this.request !== null) return; // Whoever fills it in sums what is there then.
    this.adjustSum(delta);
  }

  /** The fields into a copy of the frame that begins at `to[0]`. */
  write(to: Uint8Array): void {
    hot.pack(this.layout, to, FIELDS_AT, this.v);
    // The layout skips options by writing zeros.
    if (this.at !== PLAIN_AT && this.sumIndex !== 0) {
      hot.copy(to, PLAIN_AT, this.frame, PLAIN_AT, this.at - PLAIN_AT);
    }
  }

  private adjustTransport(addressDelta: number, delta: number): void {
    const { request, v, sumIndex } = this;
    if (request !== null) {
      // The pseudo-header's sum, as it is: ports are summed later.
      v[sumIndex] = folded(v[sumIndex]! + addressDelta);
    } else if (sumIndex === TCP_SUM) {
      // `adjusted`, without the call.
      const sum = 0xffff - v[TCP_SUM]! + delta;
      v[TCP_SUM] = 0xffff - ((sum & 0xffff) + (sum >> 16));
    } else if (sumIndex === ICMP_SUM) this.adjustSum(folded(delta + 0xffff - addressDelta));
    else this.adjustSum(delta);
  }

  private adjustSum(delta: number): void {
    const { v, sumIndex } = this;
    if (sumIndex === UDP_SUM) {
      // None was computed (RFC 768); a sum of zero is written as its other form.
      if (v[UDP_SUM] === 0) return;
      const sum = adjusted(v[UDP_SUM]!, delta);
      v[UDP_SUM] = sum === 0 ? 0xffff : sum;
    } else v[sumIndex] = adjusted(v[sumIndex]!, delta);
  }
}

/** Layout, bytes and index of the checksum. */
function transportOf(protocol: number): readonly [string, number, number] {
  switch (protocol) {
    case PROTOCOL_TCP:
      return [TCP_LAYOUT, TCP_BYTES, TCP_SUM];
    case PROTOCOL_UDP:
      return [UDP_LAYOUT, UDP_HEADER_BYTES, UDP_SUM];
    case PROTOCOL_ICMP:
      return [ICMP_LAYOUT, ICMP_BYTES, ICMP_SUM];
    default:
      return ['', 0, 0];
  }
}

/** A checksum after the words that it covers changed by `delta` (RFC 1624 §3, equation 3). */
export function adjusted(checksum: number, delta: number): number {
  const sum = 0xffff - checksum + delta;
  return 0xffff - ((sum & 0xffff) + (sum >> 16));
}

/** Of two 16-bit values in ones' complement. */
export const folded = (sum: number): number => {
  const once = (sum & 0xffff) + (sum >> 16);
  return (once & 0xffff) + (once >> 16);
};

/** What sums change by when word `was` becomes `is` (each 32 bits): 0..0xffff. */
export const wordDelta = (was: number, is: number): number =>
  folded(0x1fffe - (was >>> 16) - (was & 0xffff) + (is >>> 16) + (is & 0xffff));
