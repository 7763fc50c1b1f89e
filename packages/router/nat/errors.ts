/**
 * ICMP errors through translation (RFC 5508 §4): they go where the packet that they quote came
 * from, and quote it as it was there. What quotes no packet of a session is about nobody's.
 */

import { type Ipv4Address, PROTOCOL_ICMP } from '#net';
import type { NatCounters } from '../counters.ts';
import type { Packet } from '../packet.ts';
import {
  addressMessage,
  type Quoted,
  quoteInside,
  quoteOutside,
  readHead,
  readQuoted,
} from './quoted.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';

/** An error as it is to leave, but for link addresses, and to whom. */
export interface TranslatedError {
  readonly frame: Uint8Array;
  readonly to: Ipv4Address;
}

export class NatErrors {
  private readonly sessions: Sessions;
  private readonly counters: NatCounters;

  constructor(sessions: Sessions, counters: NatCounters) {
    this.sessions = sessions;
    this.counters = counters;
  }

  /** An error to the outside address. */
  fromOutside(packet: Packet, outsideAddress: Ipv4Address): TranslatedError | null {
    const quoted = this.read(packet);
    if (quoted === null) return null;
    const session = quoted.source === outsideAddress ? this.senderOf(quoted) : null;
    if (session === null) return null;
    const frame = packet.frame.slice(0, packet.end);
    const { mapping } = session;
    quoteInside(frame, quoted, mapping);
    addressMessage(frame, packet.at, packet.source, mapping.insideAddress);
    return { frame, to: mapping.insideAddress };
  }

  /**
   * An error of an inside host, or of a router there (RFC 5508 REQ-5), about a packet that came in;
   * `isHairpin`: by the outside address, from another inside host (REQ-7). Null, and counted, when
   * it isn't about one.
   */
  fromInside(
    packet: Packet,
    outsideAddress: Ipv4Address,
    isHairpin: boolean,
  ): TranslatedError | null {
    const quoted = this.read(packet);
    if (quoted === null) return null;
    const session = this.receiverOf(quoted);
    const sender = session !== null && isHairpin ? this.senderOf(quoted, session) : null;
    const isForThem = quoted.source === packet.destination;
    if (session === null || !isForThem || (isHairpin && sender === null)) {
      this.counters.natDropErrorStray += 1;
      return null;
    }
    const frame = packet.frame.slice(0, packet.end);
    quoteOutside(frame, quoted, session.mapping);
    if (sender !== null) quoteInside(frame, quoted, sender.mapping);
    const to = sender === null ? packet.destination : sender.mapping.insideAddress;
    addressMessage(frame, packet.at, outsideAddress, to);
    return { frame, to };
  }

  /**
   * What a translated packet was before, as far as an error quotes it; null when it is of no
   * session. `side`: where it was to leave.
   */
  original(side: 'inside' | 'outside', head: Uint8Array): Uint8Array | null {
    const quoted = readHead(head);
    if (quoted === null) return null;
    const session = side === 'outside' ? this.senderOf(quoted) : this.receiverOf(quoted);
    if (session === null) return null;
    const frame = head.slice();
    if (side === 'outside') quoteInside(frame, quoted, session.mapping);
    else quoteOutside(frame, quoted, session.mapping);
    return frame;
  }

  private read(packet: Packet): Quoted | null {
    const quoted = readQuoted(packet);
    if (quoted === null) this.counters.natDropErrorMalformed += 1;
    return quoted;
  }

  /** The session that sent the quoted packet, seen from outside; from `by` when that hairpins. */
  private senderOf(quoted: Quoted, by?: Session): Session | null {
    const mapping = this.sessions.table(quoted.protocol).byOutside.get(quoted.sourcePort);
    const isQuery = quoted.protocol === PROTOCOL_ICMP;
    const port = isQuery ? 0 : (by?.mapping.outsidePort ?? quoted.destinationPort);
    return mapping?.find(by?.mapping.outsideAddress ?? quoted.destination, port) ?? null;
  }

  /** The session that the quoted packet was translated by on its way in. */
  private receiverOf(quoted: Quoted): Session | null {
    const { protocol, destination, destinationPort, source, sourcePort } = quoted;
    const key = destination * 65_536 + destinationPort;
    const mapping = this.sessions.table(protocol).byInside.get(key);
    return mapping?.find(source, protocol === PROTOCOL_ICMP ? 0 : sourcePort) ?? null;
  }
}
