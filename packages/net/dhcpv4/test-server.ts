/** For tests: a DHCP server on a stack, and a client played by the test. */

import type { Logger } from '#core';
import type { Ipv4Address } from '../ip.ts';
import { IPV4_ANY, IPV4_BROADCAST } from '../ip-address.ts';
import { ip, OURS, TestLink } from '../test-link.ts';
import {
  DHCPV4_BOOT_REQUEST,
  DHCPV4_DISCOVER,
  DHCPV4_REQUEST,
  type Dhcpv4Option,
  type Dhcpv4Repr,
  dhcpv4Bytes,
  dhcpv4MessageType,
  dhcpv4Option,
  dhcpv4U32,
  emitDhcpv4,
  emitUdp,
  MAC_BROADCAST,
  parseDhcpv4,
  parseUdp,
  pseudoHeaderSum,
} from '../wire/index.ts';
import { Dhcpv4Server, type Dhcpv4ServerOptions } from './dhcpv4-server.ts';
import type { ServedConfiguration } from './served-options.ts';

export interface Reply {
  readonly type: number | null;
  readonly message: Dhcpv4Repr;
  readonly destination: Ipv4Address;
}

export const macOf = (number: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, number >> 8, number);

export const SERVE: ServedConfiguration = {
  address: OURS,
  prefixBits: 24,
  leaseSeconds: 3_600,
  router: OURS,
  dnsServers: [OURS, ip('10.0.2.3')],
  domain: 'internal',
  searchDomains: ['internal', 'lan.internal'],
  mtuBytes: 1_400,
};

export const text = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value, 'latin1'));

/** Addresses .100 to .109 of 10.0.2.0/24 for an hour, from .15. */
export class ServerLink {
  readonly link = new TestLink();
  readonly server: Dhcpv4Server;
  readonly logger: Logger;
  changes = 0;

  constructor(change: Partial<Dhcpv4ServerOptions> = {}) {
    this.link.configure();
    this.logger = this.link.world.addHost('log').log.source('dhcp');
    this.server = new Dhcpv4Server({
      udp: this.link.stack.udp,
      timers: this.link.world.timers,
      logger: this.logger,
      serve: SERVE,
      pool: { first: ip('10.0.2.100'), last: ip('10.0.2.109') },
      changed: () => {
        this.changes += 1;
      },
      ...change,
    });
    this.link.world.onCheck(() => this.server.checkInvariants());
    if (!this.server.start()) throw new TypeError('port 67 is taken');
  }

  /** Sends a message as a client without an address does; returns what the server answers. */
  send(
    type: number | null,
    mac: Uint8Array,
    options: readonly Dhcpv4Option[] = [],
    change: Partial<Dhcpv4Repr> = {},
    destination: Ipv4Address = IPV4_BROADCAST,
    sourcePort = 68,
    source: Ipv4Address | null = null,
  ): Reply[] {
    const first = type === null ? [] : [{ code: 53, value: Uint8Array.of(type) }];
    const repr: Dhcpv4Repr = {
      operation: DHCPV4_BOOT_REQUEST,
      xid: 0x1234567,
      seconds: 0,
      broadcast: false,
      clientAddress: IPV4_ANY,
      yourAddress: IPV4_ANY,
      serverAddress: IPV4_ANY,
      relayAddress: IPV4_ANY,
      clientMac: mac,
      options: [...first, ...options],
      ...change,
    };
    const payload = new Uint8Array(dhcpv4Bytes(repr));
    emitDhcpv4(payload, repr);
    return this.sendBytes(payload, source ?? repr.clientAddress, destination, sourcePort);
  }

  sendBytes(
    payload: Uint8Array,
    source: Ipv4Address = IPV4_ANY,
    destination: Ipv4Address = IPV4_BROADCAST,
    sourcePort = 68,
  ): Reply[] {
    const bytes = new Uint8Array(8 + payload.length);
    const sum = pseudoHeaderSum(source, destination, 17, bytes.length);
    emitUdp(bytes, 0, { sourcePort, destinationPort: 67, payload }, sum);
    // The station of the client, whose address the server asks for when it answers to it.
    if (source !== IPV4_ANY) this.link.sendArp({ senderAddress: source });
    this.link.heard.length = 0;
    const mac = destination === IPV4_BROADCAST ? MAC_BROADCAST : undefined;
    this.link.sendIpv4({ source, destination, payload: bytes }, mac);
    return this.replies();
  }

  replies(): Reply[] {
    return this.link.takeIpv4().flatMap(({ source, destination, payload, protocol }) => {
      if (protocol !== 17) return [];
      const udp = parseUdp(payload, pseudoHeaderSum(source, destination, 17, payload.length));
      if (!udp.ok || udp.value.destinationPort !== 68 || source !== OURS) return [];
      const parsed = parseDhcpv4(udp.value.payload);
      if (!parsed.ok) throw new TypeError('a malformed reply');
      return [{ type: dhcpv4MessageType(parsed.value), message: parsed.value, destination }];
    });
  }

  discover(mac: Uint8Array, options: readonly Dhcpv4Option[] = []): Reply[] {
    return this.send(DHCPV4_DISCOVER, mac, options);
  }

  /** A REQUEST for an offer. */
  request(mac: Uint8Array, address: Ipv4Address, options: readonly Dhcpv4Option[] = []): Reply[] {
    return this.send(DHCPV4_REQUEST, mac, [
      { code: dhcpv4Option.requestedAddress, value: dhcpv4U32(address) },
      { code: dhcpv4Option.serverIdentifier, value: dhcpv4U32(OURS) },
      ...options,
    ]);
  }

  /** DISCOVER to ACK; the address. */
  bind(mac: Uint8Array, options: readonly Dhcpv4Option[] = []): Ipv4Address {
    const offered = this.discover(mac, options)[0]?.message.yourAddress;
    if (offered === undefined) throw new TypeError('no offer');
    const given = this.request(mac, offered, options)[0]?.message.yourAddress;
    if (given !== offered) throw new TypeError('no ACK');
    return given;
  }

  counter(name: keyof Dhcpv4Server['counters']): number {
    return this.server.counters[name];
  }
}
