/**
 * UDP (RFC 768, RFC 1122 §4.1): sockets by port. Two faces: `open` with numeric addresses for
 * protocols in this package, `bind` for applications (device/datagram.ts). Not here: connected
 * sockets, several sockets on a port.
 */

import { assert, err, hot, ok, type Result, readU16be } from '#core';
import type { DatagramHandler, DatagramSocket, Entropy, ListenError } from '#device';
import type { IcmpError, IcmpErrorInput } from '../icmp-error.ts';
import {
  type IpAddress,
  type IpRouter,
  type LocalAddresses,
  PROTOCOL_UDP,
  type Route,
  type TransportInput,
} from '../ip.ts';
import { formatIpAddress, parseIpAddress, sameAddress } from '../ip-family.ts';
import {
  ephemeralPortMax,
  ephemeralPortMin,
  ephemeralPortTries,
  udpSocketsMax,
} from '../limits.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import {
  checkUdp,
  emitUdp,
  UDP_HEADER_BYTES,
  type UdpRepr,
  udpChecksum,
  udpLengthBytes,
} from '../wire/udp.ts';
import type { ForeignUdp } from './foreign-udp.ts';

/** A packet with its IP header; IPv6's limit leaves that out, and is not used to the last byte. */
const IP_BYTES_MAX = 65_535;

/** Receives messages with numeric addresses; `bytes` is borrowed for the call. */
export interface UdpReceiver {
  datagram(bytes: Uint8Array, source: IpAddress, sourcePort: number, destination: IpAddress): void;
  /** See DatagramHandler. */
  unreachable?(to: IpAddress, port: number): void;
}

/** Told about a packet for a port of ours that nobody opened. */
export type NoPort = (frame: Uint8Array, at: number, end: number, source: IpAddress) => void;

export class Udp implements TransportInput, IcmpErrorInput {
  readonly counters = {
    udpReceived: 0,
    udpSent: 0,
    udpMalformed: 0,
    udpBadChecksum: 0,
    udpNoPort: 0,
    udpNotSent: 0,
    udpErrors: 0,
  };
  private readonly ip: IpRouter;
  private readonly addresses: LocalAddresses;
  private readonly entropy: Entropy;
  private readonly noPort: NoPort;
  private readonly sockets = new Map<number, UdpSocket>();
  /** Takes datagrams to hosts that we stand in for; null: there are none. */
  foreign: ForeignUdp | null = null;

  constructor(ip: IpRouter, addresses: LocalAddresses, entropy: Entropy, noPort: NoPort) {
    this.ip = ip;
    this.addresses = addresses;
    this.entropy = entropy;
    this.noPort = noPort;
  }

  /** Open ones, for inspection. */
  get ports(): readonly number[] {
    return [...this.sockets.keys()];
  }

  /**
   * Opens `port` (0: a random free one). `takesAnyDestination`: also messages to addresses that
   * aren't ours, which IP passes on only before we have one.
   */
  open(
    port: number,
    receiver: UdpReceiver,
    takesAnyDestination = false,
  ): Result<UdpSocket, ListenError> {
    assert(port >= 0 && port <= 65_535);
    if (this.sockets.size >= udpSocketsMax) return err({ kind: 'not permitted', port });
    if (this.sockets.has(port)) return err({ kind: 'port in use', port });
    const chosen = port === 0 ? this.ephemeralPort() : port;
    const socket = new UdpSocket(this, chosen, receiver, takesAnyDestination);
    this.sockets.set(chosen, socket);
    return ok(socket);
  }

  isOpen(port: number): boolean {
    return this.sockets.has(port);
  }

  /** As `open`, for applications. */
  bind(port: number, handler: DatagramHandler): Result<DatagramSocket, ListenError> {
    let lastTo: IpAddress | null = null;
    let lastText = '';
    const receiver: UdpReceiver = {
      datagram(bytes, source, sourcePort, to) {
        // Mostly the same one: its text is made once.
        if (to !== lastTo) {
          lastTo = to;
          lastText = formatIpAddress(to);
        }
        handler.receive(bytes, { address: formatIpAddress(source), port: sourcePort }, lastText);
      },
      unreachable(to, toPort) {
        handler.unreachable?.({ address: formatIpAddress(to), port: toPort });
      },
    };
    const opened = this.open(port, receiver);
    if (!opened.ok) return opened;
    const socket = opened.value;
    const addresses = this.addresses;
    return ok({
      get local() {
        return { address: formatIpAddress(addresses.primary), port: socket.port };
      },
      send: (bytes, to, from) => {
        const address = parseIpAddress(to.address);
        const source = from === undefined ? undefined : this.sourceOf(from);
        if (address === null || source === null) return false;
        return socket.send(bytes, address, to.port, source);
      },
      join(group) {
        const address = parseIpAddress(group);
        return address !== null && socket.join(address);
      },
      leave(group) {
        const address = parseIpAddress(group);
        if (address !== null) socket.leave(address);
      },
      close: () => socket.close(),
    });
  }

  packet(
    frame: Uint8Array,
    at: number,
    end: number,
    source: IpAddress,
    destination: IpAddress,
    checksumGood: boolean,
  ): void {
    const b = frame.subarray(at, end);
    if (checkUdp(b) !== null) {
      this.counters.udpMalformed += 1;
      return;
    }
    const lengthBytes = udpLengthBytes(b);
    // Zero: the sender computed none (RFC 768), which IPv6 doesn't allow (RFC 8200 §8.1).
    if (!checksumGood && (udpChecksum(b) !== 0 || typeof source !== 'number')) {
      const pseudoSum = pseudoHeaderSum(source, destination, PROTOCOL_UDP, lengthBytes);
      if (hot.checksum(b, 0, lengthBytes, pseudoSum) !== 0xffff) {
        this.counters.udpBadChecksum += 1;
        return;
      }
    }
    const socket = this.sockets.get(readU16be(b, 2));
    const isOurs = this.addresses.isOurs(destination);
    if (socket === undefined || !(isOurs || this.isTaken(socket, destination))) {
      const { foreign } = this;
      if (!isOurs && foreign?.takes(destination) === true) {
        this.counters.udpReceived += 1;
        const payload = b.subarray(UDP_HEADER_BYTES, lengthBytes);
        const from = readU16be(b, 0);
        foreign.datagram(payload, source, from, destination, readU16be(b, 2), frame, end);
        return;
      }
      this.counters.udpNoPort += 1;
      if (isOurs) this.noPort(frame, at, end, source);
      return;
    }
    this.counters.udpReceived += 1;
    const payload = b.subarray(UDP_HEADER_BYTES, lengthBytes);
    socket.receiver.datagram(payload, source, readU16be(b, 0), destination);
  }

  /** A hint for whoever sent it: nothing tells whether the quoted datagram was ours. */
  icmpError({ kind, destination, transport }: IcmpError): boolean {
    this.counters.udpErrors += 1;
    const socket = this.sockets.get(readU16be(transport, 0));
    if (socket === undefined) return false;
    // IPv4 cuts ours on their way, so they are never too large for it; for IPv6 we must (RFC 8201).
    if (kind === 'fragmentation needed') return typeof destination !== 'number';
    if (kind !== 'time exceeded' && kind !== 'parameter problem') {
      socket.receiver.unreachable?.(destination, readU16be(transport, 2));
    }
    return true;
  }

  /** Called by UdpSocket. */
  send(
    sourcePort: number,
    payload: Uint8Array,
    to: IpAddress,
    port: number,
    from: IpAddress | undefined,
  ): boolean {
    const route = port === 0 ? null : this.ip.route(to, from);
    if (route === null || !this.sendOn(route, { sourcePort, destinationPort: port, payload })) {
      this.counters.udpNotSent += 1;
      return false;
    }
    this.counters.udpSent += 1;
    return true;
  }

  /** Called by UdpSocket. */
  join(group: IpAddress): boolean {
    return this.addresses.join(group);
  }

  /** Called by UdpSocket. */
  leave(group: IpAddress): void {
    this.addresses.leave(group);
  }

  /** Called by UdpSocket. */
  closed(socket: UdpSocket): void {
    if (this.sockets.get(socket.port) === socket) this.sockets.delete(socket.port);
  }

  checkInvariants(): void {
    assert(this.sockets.size <= udpSocketsMax);
    for (const [port, socket] of this.sockets) assert(port === socket.port && port > 0);
    this.foreign?.checkInvariants();
  }

  /**
   * Sends on a route, whatever its source is. False when it is too long, or has no room in the
   * transmit queue.
   */
  sendOn(route: Route, repr: UdpRepr): boolean {
    const { output, source, destination, transportAt, headerBytes } = route;
    const lengthBytes = UDP_HEADER_BYTES + repr.payload.length;
    const totalBytes = headerBytes + lengthBytes;
    if (totalBytes > IP_BYTES_MAX) return false;
    const pseudoSum = pseudoHeaderSum(source, destination, PROTOCOL_UDP, lengthBytes);
    if (totalBytes > route.mtuBytes) {
      const datagram = new Uint8Array(lengthBytes);
      emitUdp(datagram, 0, repr, pseudoSum);
      return output.sendDatagram(route, PROTOCOL_UDP, datagram);
    }
    const frame = output.begin();
    if (frame === null) return false;
    emitUdp(frame, transportAt, repr, pseudoSum);
    output.finish(route, PROTOCOL_UDP, lengthBytes, [], null);
    return true;
  }

  /** An address of ours; undefined for one that we share, null for another text. */
  private sourceOf(text: string): IpAddress | undefined | null {
    const address = parseIpAddress(text);
    if (address === null || this.addresses.isOurs(address)) return address;
    const isForMany = this.addresses.isShared(address) || this.addresses.isMulticast(address);
    return isForMany ? undefined : null;
  }

  /** What isn't for us alone: groups only where they were joined. */
  private isTaken(socket: UdpSocket, destination: IpAddress): boolean {
    if (this.addresses.isMulticast(destination)) return socket.isMember(destination);
    return socket.takesAnyDestination || this.addresses.isShared(destination);
  }

  /** RFC 6056 §3.3.1, simple random selection; after a few tries the next free one. */
  private ephemeralPort(): number {
    const random = new Uint8Array(2);
    const count = ephemeralPortMax - ephemeralPortMin + 1;
    let port = ephemeralPortMin;
    for (let i = 0; i < ephemeralPortTries; i++) {
      this.entropy.fill(random);
      port = ephemeralPortMin + (readU16be(random, 0) % count);
      if (!this.sockets.has(port)) return port;
    }
    // limits.ts: there are more ephemeral ports than sockets, so this ends.
    while (this.sockets.has(port)) port = port === ephemeralPortMax ? ephemeralPortMin : port + 1;
    return port;
  }
}

export class UdpSocket {
  readonly port: number;
  readonly receiver: UdpReceiver;
  readonly takesAnyDestination: boolean;
  private readonly udp: Udp;
  /** Groups joined; few, or null. */
  private groups: IpAddress[] | null = null;
  private isOpen = true;

  constructor(udp: Udp, port: number, receiver: UdpReceiver, takesAnyDestination: boolean) {
    this.udp = udp;
    this.port = port;
    this.receiver = receiver;
    this.takesAnyDestination = takesAnyDestination;
  }

  /**
   * Sends one message, copied before return; false when it was dropped or the socket closed.
   * `from`: one of our addresses.
   */
  send(bytes: Uint8Array, to: IpAddress, port: number, from?: IpAddress): boolean {
    return this.isOpen && this.udp.send(this.port, bytes, to, port, from);
  }

  /** Receives what is sent to `group`; once more changes nothing. */
  join(group: IpAddress): boolean {
    if (!this.isOpen) return false;
    if (this.isMember(group)) return true;
    if (!this.udp.join(group)) return false;
    this.groups ??= [];
    this.groups.push(group);
    return true;
  }

  leave(group: IpAddress): void {
    if (this.groups === null || !this.isMember(group)) return;
    this.groups = this.groups.filter((joined) => !sameAddress(joined, group));
    this.udp.leave(group);
  }

  isMember(group: IpAddress): boolean {
    return this.groups?.some((joined) => sameAddress(joined, group)) === true;
  }

  close(): void {
    this.isOpen = false;
    for (const group of this.groups ?? []) this.udp.leave(group);
    this.groups = null;
    this.udp.closed(this);
  }
}
