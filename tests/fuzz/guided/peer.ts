/** The other end of a TCP connection, which knows what a good peer would, and may not be one. */

import { readU16be, readU32be, toU32 } from '#core';
import type { Ipv4Address } from '#net';
import {
  emitEthernetHeader,
  emitIpv4,
  emitTcp,
  emptyTcpOptions,
  pseudoHeaderSum,
  TCP_ACK,
  type TcpOptions,
} from '#net/wire';
import { GATEWAY_MAC, type Subject, US } from './subject.ts';

const IP_AT = 14;
const TCP_AT = 34;
const PROTOCOL_TCP = 6;

/** What a segment of ours says. */
export interface Heard {
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
  readonly payload: Uint8Array;
}

export interface Sending {
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
  readonly urgent?: number;
  readonly payload: Uint8Array;
  readonly options: TcpOptions;
  /** Options after those, as bytes. */
  readonly extra?: Uint8Array;
  readonly isBroken?: boolean;
}

/** Byte of the peer's stream with this sequence number: the same whenever it is sent. */
export const streamByte = (seq: number): number => (toU32(seq) * 7 + (toU32(seq) >>> 8)) & 0xff;

export class Peer {
  readonly address: Ipv4Address;
  readonly port: number;
  /** The port of ours that it talks to; 0 until our SYN tells it. */
  ourPort: number;
  readonly iss: number;
  /** Its next sequence number, if it were good. */
  next: number;
  /** The end of what we sent so far; and the last acknowledgment, window and timestamp from us. */
  ourNext = 0;
  ourAck = 0;
  ourWindow = 0;
  ourTimestamp = 0;
  heard = 0;
  /** Sequence numbers of the SYNs that it sent. */
  readonly syns: number[] = [];
  onHeard: (heard: Heard) => void = () => {};
  private readonly subject: Subject;

  constructor(subject: Subject, address: Ipv4Address, port: number, ourPort: number, iss: number) {
    this.subject = subject;
    this.address = address;
    this.port = port;
    this.ourPort = ourPort;
    this.iss = iss;
    this.next = iss;
  }

  /** A frame of ours to this peer. */
  hear(frame: Uint8Array): void {
    const headerBytes = (frame[TCP_AT + 12]! >> 4) * 4;
    const flags = frame[TCP_AT + 13]!;
    const end = IP_AT + readU16be(frame, IP_AT + 2);
    const payload = frame.subarray(TCP_AT + headerBytes, end);
    const seq = readU32be(frame, TCP_AT + 4);
    const ack = readU32be(frame, TCP_AT + 8);
    const length = payload.length + (flags & 1) + ((flags >> 1) & 1);
    if ((flags & 4) === 0) {
      if ((flags & 2) !== 0 || ((seq + length - this.ourNext) | 0) > 0) {
        this.ourNext = toU32(seq + length);
      }
      if ((flags & TCP_ACK) !== 0) this.ourAck = ack;
      this.ourPort = readU16be(frame, TCP_AT);
    }
    this.ourWindow = readU16be(frame, TCP_AT + 14);
    this.hearTimestamp(frame, TCP_AT + 20, TCP_AT + headerBytes);
    this.heard += 1;
    this.onHeard({ flags, seq, ack, window: this.ourWindow, payload });
  }

  send(segment: Sending): void {
    const { payload, extra = new Uint8Array(0) } = segment;
    const frame = new Uint8Array(TCP_AT + 120 + payload.length);
    emitEthernetHeader(frame, 0, this.subject.wire.mac, GATEWAY_MAC, 0x0800);
    const transport = new Uint8Array(120 + payload.length);
    const body = Uint8Array.from([...extra, ...payload]);
    const repr = {
      ...segment,
      sourcePort: this.port,
      destinationPort: this.ourPort,
      urgent: segment.urgent ?? 0,
      payload: body,
    };
    const bytes = emitTcp(transport, 0, repr, 0);
    transport[12] = transport[12]! + ((extra.length / 4) << 4);
    transport.fill(0, 16, 18);
    const whole = transport.subarray(0, bytes);
    const sum = this.sum(whole) ^ (segment.isBroken === true ? 0x1234 : 0);
    transport[16] = sum >> 8;
    transport[17] = sum;
    const length = emitIpv4(frame, IP_AT, {
      trafficClass: 0,
      identification: 1,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 64,
      protocol: PROTOCOL_TCP,
      source: this.address,
      destination: US,
      options: new Uint8Array(0),
      payload: whole,
    });
    this.subject.wire.inject(frame.slice(0, IP_AT + length));
  }

  /** An ordinary segment of a good peer. */
  say(flags: number, payload: Uint8Array = new Uint8Array(0)): void {
    const seq = this.next;
    this.next = toU32(seq + payload.length + (flags & 1) + ((flags >> 1) & 1));
    this.send({
      flags,
      seq,
      ack: this.ourNext,
      window: 65_535,
      payload,
      options: emptyTcpOptions(),
    });
  }

  private sum(segment: Uint8Array): number {
    const view = new DataView(segment.buffer, segment.byteOffset, segment.length);
    let sum = pseudoHeaderSum(this.address, US, PROTOCOL_TCP, segment.length);
    for (let i = 0; i + 1 < segment.length; i += 2) sum += view.getUint16(i);
    if (segment.length % 2 === 1) sum += segment[segment.length - 1]! << 8;
    while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65_536);
    return 0xffff - sum;
  }

  private hearTimestamp(frame: Uint8Array, from: number, end: number): void {
    for (let i = from; i < end; ) {
      const kind = frame[i]!;
      if (kind === 0) return;
      if (kind === 8) this.ourTimestamp = readU32be(frame, i + 2);
      i += kind === 1 ? 1 : Math.max(2, frame[i + 1]!);
    }
  }
}
