/**
 * A DHCP server for tests: gives out addresses by MAC, forgets nothing, and can be told to
 * misbehave.
 */

import { type Ipv4Address, ipv4AddressOf, type NetStack } from '#net';
import {
  DHCPV4_ACK,
  DHCPV4_BOOT_REPLY,
  DHCPV4_DECLINE,
  DHCPV4_DISCOVER,
  DHCPV4_NAK,
  DHCPV4_OFFER,
  DHCPV4_RELEASE,
  DHCPV4_REQUEST,
  type Dhcpv4Option,
  type Dhcpv4Repr,
  dhcpv4MessageType,
  dhcpv4Option,
  dhcpv4OptionI32,
  dhcpv4U32,
  ETHERNET_HEADER_BYTES,
  ETHERTYPE_IPV4,
  emitDhcpv4,
  emitEthernetHeader,
  emitIpv4,
  emitUdp,
  MAC_BROADCAST,
  parseDhcpv4,
  pseudoHeaderSum,
} from '#net/wire';

export interface DhcpServerOptions {
  readonly stack: NetStack;
  readonly address: Ipv4Address;
  readonly prefixBits: number;
  /** Addresses are this one and those after it. */
  readonly firstAddress: Ipv4Address;
  leaseSeconds: number;
  /**
   * Replies go to all stations and 255.255.255.255, or to the client's station and future address.
   */
  readonly repliesToAll: boolean;
  /** What clients are told to use; the server itself unless given. */
  readonly router?: Ipv4Address;
  readonly extra?: readonly Dhcpv4Option[];
  /** Seconds, for `granted`; absent: always 0. */
  readonly now?: () => number;
}

export class TestDhcpServer {
  /** Message types received, in order. */
  readonly received: number[] = [];
  /** Answers every REQUEST with NAK while true. */
  refuses = false;
  /** Receives and says nothing while true. */
  isSilent = false;
  private readonly options: DhcpServerOptions;
  private readonly leases = new Map<string, Ipv4Address>();
  /** Addresses given out or declined so far: none is given to another client. */
  private given = 0;
  /** What each client was granted last, and until when in seconds of the simulation. */
  readonly granted = new Map<string, { readonly address: Ipv4Address; readonly until: number }>();

  constructor(options: DhcpServerOptions) {
    this.options = options;
    options.stack.configure({
      addresses: [{ address: options.address, prefixBits: options.prefixBits }],
      gateway: null,
      dnsServers: [],
      domain: null,
      mtuBytes: null,
    });
    options.stack.udp.open(67, { datagram: (bytes) => this.request(bytes) });
  }

  private request(bytes: Uint8Array): void {
    const parsed = parseDhcpv4(bytes);
    if (!parsed.ok) return;
    const message = parsed.value;
    const type = dhcpv4MessageType(message);
    if (type === null) return;
    this.received.push(type);
    const client = message.clientMac.join(':');
    if (type === DHCPV4_DECLINE || type === DHCPV4_RELEASE) {
      if (dhcpv4OptionI32(message, dhcpv4Option.serverIdentifier) !== this.options.address) return;
      this.granted.delete(client);
      if (type === DHCPV4_DECLINE) this.leases.delete(client);
      return;
    }
    if (this.isSilent) return;
    if (type === DHCPV4_DISCOVER) this.reply(message, DHCPV4_OFFER);
    if (type !== DHCPV4_REQUEST) return;
    const chosen = dhcpv4OptionI32(message, dhcpv4Option.serverIdentifier);
    if (chosen !== null && chosen !== this.options.address) return;
    this.reply(message, this.refuses ? DHCPV4_NAK : DHCPV4_ACK);
  }

  private leaseFor(mac: Uint8Array): Ipv4Address {
    const key = mac.join(':');
    const known = this.leases.get(key);
    if (known !== undefined) return known;
    const address = ipv4AddressOf(this.options.firstAddress + this.given);
    this.given += 1;
    this.leases.set(key, address);
    return address;
  }

  private reply(request: Dhcpv4Repr, type: number): void {
    const { address, prefixBits, leaseSeconds, extra } = this.options;
    const yourAddress = ipv4AddressOf(type === DHCPV4_NAK ? 0 : this.leaseFor(request.clientMac));
    if (type === DHCPV4_ACK) {
      const until = (this.options.now?.() ?? 0) + leaseSeconds;
      this.granted.set(request.clientMac.join(':'), { address: yourAddress, until });
    }
    const options: Dhcpv4Option[] = [
      { code: dhcpv4Option.messageType, value: Uint8Array.of(type) },
      { code: dhcpv4Option.serverIdentifier, value: dhcpv4U32(address) },
    ];
    if (type !== DHCPV4_NAK) {
      options.push(
        { code: dhcpv4Option.leaseSeconds, value: dhcpv4U32(leaseSeconds) },
        { code: dhcpv4Option.netmask, value: dhcpv4U32(-1 << (32 - prefixBits)) },
        { code: dhcpv4Option.router, value: dhcpv4U32(this.options.router ?? address) },
        ...(extra ?? []),
      );
    }
    const repr: Dhcpv4Repr = {
      ...request,
      operation: DHCPV4_BOOT_REPLY,
      clientAddress: ipv4AddressOf(0),
      yourAddress,
      options,
    };
    this.sendRaw(repr, type === DHCPV4_NAK ? null : yourAddress);
  }

  /** Builds the whole frame: the client has no address that ARP could find. */
  private sendRaw(repr: Dhcpv4Repr, to: Ipv4Address | null): void {
    const { stack, address, repliesToAll } = this.options;
    const frame = stack.device.reserve();
    if (frame === null) return;
    const isToAll = repliesToAll || to === null;
    const destination = isToAll ? ipv4AddressOf(-1) : to;
    const mac = isToAll ? MAC_BROADCAST : repr.clientMac;
    const message = new Uint8Array(1024);
    const payload = message.subarray(0, emitDhcpv4(message, repr));
    const datagram = new Uint8Array(payload.length + 8);
    const sum = pseudoHeaderSum(address, destination, 17, datagram.length);
    emitUdp(datagram, 0, { sourcePort: 67, destinationPort: 68, payload }, sum);
    emitEthernetHeader(frame, 0, mac, stack.device.mac, ETHERTYPE_IPV4);
    const ipBytes = emitIpv4(frame, ETHERNET_HEADER_BYTES, {
      trafficClass: 0,
      identification: 0,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 64,
      protocol: 17,
      source: address,
      destination,
      options: new Uint8Array(0),
      payload: datagram,
    });
    stack.device.commit(ETHERNET_HEADER_BYTES + ipBytes, [], null);
  }
}
